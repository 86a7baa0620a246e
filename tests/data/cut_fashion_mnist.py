"""Cuts tests/data/fashion-mnist-subset out of the full Fashion-MNIST: the same images each time.

    python tests/data/cut_fashion_mnist.py FOLDER

FOLDER holds the four .gz files of Fashion-MNIST under their usual names. Of each class the first 200
training and the first 50 test images are kept, in the order of the original files.
"""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path

CLASSES = 10
KEPT = {"train": 200, "t10k": 50}  # images of each class
PIXELS = 28 * 28
SUBSET = Path(__file__).parent / "fashion-mnist-subset"


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python tests/data/cut_fashion_mnist.py FOLDER")
    for part in KEPT:
        cut(Path(sys.argv[1]), part)


def cut(origin: Path, part: str) -> None:
    """Write the images and labels of one part, `train` or `t10k`, that are the first of their class."""
    images_name, labels_name = f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz"
    images = gzip.decompress((origin / images_name).read_bytes())[16:]
    labels = gzip.decompress((origin / labels_name).read_bytes())[8:]
    kept = first_of_each_class(labels, KEPT[part])
    chosen = b"".join(images[index * PIXELS : (index + 1) * PIXELS] for index in kept)
    SUBSET.mkdir(exist_ok=True)
    write(SUBSET / images_name, struct.pack(">4B3I", 0, 0, 8, 3, len(kept), 28, 28) + chosen)
    write(SUBSET / labels_name, struct.pack(">4BI", 0, 0, 8, 1, len(kept)) + bytes(labels[i] for i in kept))


def first_of_each_class(labels: bytes, count: int) -> list[int]:
    """The positions of the first `count` labels of each class, ascending."""
    seen = [0] * CLASSES
    kept = []
    for index, label in enumerate(labels):
        seen[label] += 1
        if seen[label] <= count:
            kept.append(index)
    return kept


def write(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content, compresslevel=9, mtime=0))  # no time: the same bytes each run


if __name__ == "__main__":
    main()
