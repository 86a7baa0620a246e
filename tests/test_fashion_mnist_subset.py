"""The images in tests/data: whole, balanced, in the original order, and cut as their README says."""

from __future__ import annotations

import gzip
import struct
from collections import Counter
from pathlib import Path

import pytest

from tests.data import cut_fashion_mnist

SUBSET = Path(__file__).parent / "data" / "fashion-mnist-subset"


@pytest.mark.parametrize(("part", "each", "mean"), [("train", 200, 0.2864), ("t10k", 50, 0.2894)])
def test_subset_is_whole_and_balanced(part: str, each: int, mean: float) -> None:
    images = gzip.decompress((SUBSET / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((SUBSET / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    assert struct.unpack(">4B3I", images[:16]) == (0, 0, 8, 3, 10 * each, 28, 28)
    assert struct.unpack(">4BI", labels[:8]) == (0, 0, 8, 1, 10 * each)
    assert len(images) == 16 + 10 * each * 28 * 28
    assert Counter(labels[8:]) == dict.fromkeys(range(10), each)
    assert sum(images[16:]) / (len(images) - 16) / 255 == pytest.approx(mean, abs=1e-4)


def test_cut_keeps_the_first_of_each_class_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = bytes([3, 3, 0, 3, 1, 0, 0])  # two of each are kept: all but the third 3 and the third 0
    images = b"".join(bytes([number]) * 784 for number in range(len(labels)))
    for part in ("train", "t10k"):
        header = struct.pack(">4B3I", 0, 0, 8, 3, len(labels), 28, 28)
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images))
        header = struct.pack(">4BI", 0, 0, 8, 1, len(labels))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(header + labels))
    monkeypatch.setattr(cut_fashion_mnist, "KEPT", {"train": 2, "t10k": 2})
    monkeypatch.setattr(cut_fashion_mnist, "SUBSET", tmp_path / "subset")
    monkeypatch.setattr("sys.argv", ["cut", str(tmp_path)])
    cut_fashion_mnist.main()

    for part in ("train", "t10k"):
        cut = gzip.decompress((tmp_path / "subset" / f"{part}-images-idx3-ubyte.gz").read_bytes())
        assert cut[:16] == struct.pack(">4B3I", 0, 0, 8, 3, 5, 28, 28)
        assert list(cut[16::784]) == [0, 1, 2, 4, 5]
        cut = gzip.decompress((tmp_path / "subset" / f"{part}-labels-idx1-ubyte.gz").read_bytes())
        assert list(cut[8:]) == [3, 3, 0, 1, 0]
