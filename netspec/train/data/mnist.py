"""MNIST and Fashion-MNIST, as published: four IDX files of grey images, 28 x 28, in ten classes."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.train.data.examples import Data, Examples
from netspec.train.data.fetching import PublishedFile, fetch
from netspec.train.data.files import read_idx
from netspec.train.data.request import Request


class CountsDiffer(Diagnostic):
    """Not as many labels as there are images."""

    code = "NS435"
    message = "{images_path} has {images:,} images, but {labels_path} has {labels:,} labels"

    images_path: str
    images: int
    labels_path: str
    labels: int

    @property
    def help(self) -> str:
        return "the two files are not of one data set; get both anew"


class ForeignLabel(Diagnostic):
    """A label of no class that the data set has."""

    code = "NS436"
    message = "label {index:,} in {path} is {number}, but {name} has the classes 0 to {last}"

    path: str
    index: int
    number: int
    name: str
    last: int

    @property
    def help(self) -> str:
        return "the file is damaged, or of another data set; remove it and get it anew"


class Published(NamedTuple):
    """A data set in four files: size and SHA-256 of each, the addresses that they are under."""

    addresses: tuple[str, ...]
    files: Mapping[str, tuple[int, str]]
    classes: tuple[str, ...]

    def file(self, name: str) -> PublishedFile:
        size, sha256 = self.files[name]
        return PublishedFile(name, size, sha256, tuple(address + name for address in self.addresses))


PARTS = {"train": "train", "test": "t10k"}

SETS = {
    "mnist": Published(
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        {
            "train-images-idx3-ubyte.gz": (
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            "train-labels-idx1-ubyte.gz": (
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            "t10k-images-idx3-ubyte.gz": (
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            "t10k-labels-idx1-ubyte.gz": (
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        },
        tuple("0123456789"),
    ),
    "fashion-mnist": Published(
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        {
            "train-images-idx3-ubyte.gz": (
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            "train-labels-idx1-ubyte.gz": (
                29_515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            "t10k-images-idx3-ubyte.gz": (
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            "t10k-labels-idx1-ubyte.gz": (
                5_148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        },
        (
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
    ),
}


def read_mnist(request: Request) -> Data:
    """Bytes (N, 1, 28, 28) and classes (N,), from `folder/NAME` or `folder` itself; fetched where they miss.

    What lies there already may be gzipped or not, and of any number of examples.

    Errors: NS430 to NS437.
    """
    published = SETS[request.name]
    paths = _found(request, published)
    request.progress(f"reading {request.name}", 0.0)
    # Expanding the images takes most of the time, and leaves Python to the other files.
    with ThreadPoolExecutor(len(paths)) as pool:
        kinds = ["images" if "images" in file else "labels" for file in paths]
        arrays = dict(zip(paths, pool.map(read_idx, paths.values(), kinds), strict=True))
    parts = {}
    for part, prefix in PARTS.items():
        images, labels = (f"{prefix}-images-idx3-ubyte.gz", f"{prefix}-labels-idx1-ubyte.gz")
        if len(arrays[images]) != len(arrays[labels]):
            raise DiagnosticError(
                CountsDiffer(
                    images_path=printable(str(paths[images])),
                    images=len(arrays[images]),
                    labels_path=printable(str(paths[labels])),
                    labels=len(arrays[labels]),
                )
            )
        check_labels(arrays[labels], len(published.classes), request.name, paths[labels])
        parts[part] = Examples((arrays[images][:, None],), arrays[labels].astype(np.int64))
    return Data(request.name, parts["train"], parts["test"], published.classes)


def check_labels(
    labels: np.ndarray[tuple[int], np.dtype[np.uint8]], classes: int, name: str, path: Path
) -> None:
    """Every label (N,) is the number of a class.

    Errors: NS436.
    """
    wrong = np.flatnonzero(labels >= classes)
    if len(wrong):
        index = int(wrong[0])
        fault = ForeignLabel(
            path=printable(str(path)), index=index, number=int(labels[index]), name=name, last=classes - 1
        )
        raise DiagnosticError(fault)


def _found(request: Request, published: Published) -> dict[str, Path]:
    """Where each of the files is, by its published name."""
    own = request.folder / request.name
    homes = [own, request.folder]
    for home in homes:
        found = {name: path for name in published.files if (path := _variant(home, name))}
        if len(found) == len(published.files):
            return found
    found = {name: path for name in published.files if (path := _variant(own, name))}
    missing = {own / name: published.file(name) for name in published.files if name not in found}
    fetch(request.name, missing, request.download, request.progress)
    return {name: found.get(name, own / name) for name in published.files}


def _variant(home: Path, name: str) -> Path | None:
    """The file, gzipped as it is published, or expanded."""
    for path in (home / name, home / name.removesuffix(".gz")):
        if path.exists():
            return path
    return None
