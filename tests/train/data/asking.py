"""Data sets asked for in tests: sections `train:`, networks, small files in the published formats."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netspec.diagnostics import DiagnosticError
from netspec.diagnostics.diagnostic import Diagnostic
from netspec.ir.dim import Bounds
from netspec.ir.graph import Graph, Preprocess, Value
from netspec.ir.tensor import DType
from netspec.ir.training import Augment, Named, Training
from netspec.train.data.examples import Data
from netspec.train.data.opening import open_data
from netspec.verify.tolerance import Array
from tests.verify.small_networks import NOWHERE, Network, op

SUBSET = Path(__file__).parents[2] / "data" / "fashion-mnist-subset"


def training(data: str = "mnist", arguments: Mapping[str, Any] | None = None, **other: Any) -> Training:
    """A section `train:` whose loss is cross-entropy and whose batches are of two, if not said otherwise."""
    loss = other.pop("loss", "cross_entropy")
    given: dict[str, Any] = {
        "data": Named(data, arguments or {}, NOWHERE),
        "epochs": 1,
        "batch_size": 2,
        "optimizer": Named("SGD", {"lr": 0.1}, NOWHERE),
        "schedule": Named("constant", {}, NOWHERE),
        "loss": Named(loss, other.pop("loss_arguments", {"reduction": "mean"}), NOWHERE),
        "metrics": (),
        "precision": "float32",
        "augment": Augment(),
        "clip": None,
        "accumulate": 1,
        "ema": None,
        "seed": 0,
        "validate_on": "test",
        "sync_batch_norm": False,
        "output": "y",
        "span": NOWHERE,
        "entries": {},
    }
    return Training(**(given | other))


def classifier(
    *shape: int, classes: int = 10, rule: Preprocess | None = None, labels: tuple[str, ...] | None = None
) -> Graph:
    """One linear layer behind the images (1, 28, 28), or those of another shape."""
    grown = Network()
    x = grown.input("image", "batch", *(shape or (1, 28, 28)), preprocess=rule)
    flat = grown.add("flat", op("Flatten"), x)
    graph = grown.graph(y=grown.add("linear", op("Linear", out_features=classes), flat))
    outputs = tuple(output._replace(labels=labels) for output in graph.outputs)
    return Graph(graph.name, graph.inputs, graph.nodes, outputs, graph.bounds, graph.resolved)


def passing(*shape: int | str, dtype: DType = DType.FLOAT32) -> Graph:
    """A network that gives what it takes, (batch, *shape)."""
    grown = Network(batch=Bounds(), **{size: Bounds() for size in shape if isinstance(size, str)})
    return grown.graph(y=grown.add("same", op("Identity"), grown.input("x", "batch", *shape, dtype=dtype)))


def summed() -> Graph:
    """A network of two inputs (batch, 3)."""
    grown = Network()
    a: Value = grown.input("left", "batch", 3)
    b: Value = grown.input("right", "batch", 3)
    return grown.graph(y=grown.add("sum", op("Add"), a, b))


def opened(graph: Graph, section: Training, folder: Path) -> Data:
    """The data set, without a network."""
    return open_data(graph, section, folder, download=False)


def refused(graph: Graph, section: Training, folder: Path, **options: Any) -> Diagnostic:
    """The one thing that is wrong with a data set."""
    with pytest.raises(DiagnosticError) as raised:
        open_data(graph, section, folder, **({"download": False} | options))
    (diagnostic,) = raised.value.diagnostics
    assert diagnostic.text.isprintable()
    assert diagnostic.span is not None
    diagnostic.fill(diagnostic.help)
    return diagnostic


def told(diagnostic: Diagnostic) -> tuple[str, str, str]:
    """Code, message and cure."""
    return diagnostic.code, diagnostic.text, diagnostic.fill(diagnostic.help)


def idx(array: Array, kind: int = 0x08) -> bytes:
    """An IDX file's bytes."""
    head = bytes((0, 0, kind, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + bytes(array.tobytes())


IMAGES = np.random.default_rng(0).integers(0, 256, (6, 28, 28), np.uint8)
LABELS = np.array([3, 1, 4, 1, 5, 9], np.uint8)


def write_mnist(home: Path, *, gzipped: bool = True, **files: bytes) -> Path:
    """The four files of MNIST, with six examples to train on and four to test on; `files` replaces some."""
    home.mkdir(parents=True, exist_ok=True)
    contents = {
        "train_images": idx(IMAGES),
        "train_labels": idx(LABELS),
        "t10k_images": idx(IMAGES[:4]),
        "t10k_labels": idx(LABELS[:4]),
    } | files
    for name, content in contents.items():
        part, kind = name.split("_")
        path = home / f"{part}-{kind}-idx{3 if kind == 'images' else 1}-ubyte"
        if gzipped:
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content, mtime=0))
        else:
            path.write_bytes(content)
    return home
