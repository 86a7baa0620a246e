"""The table of opsets against onnx and the installed onnxruntime."""

from __future__ import annotations

import importlib.metadata

import onnx
import onnxruntime
import pytest
from onnx.helper import VERSION_TABLE

from netspec.diagnostics import DiagnosticError
from netspec.onnx_backend import opset as opsets
from netspec.onnx_backend.opset import (
    DEFAULT_OPSET,
    OLDEST_OPSET,
    installed_runtime,
    ir_version,
    lowest_runtime,
    newest_opset,
    supported_opset,
)

NEWEST = newest_opset(onnxruntime.__version__)


def relu(opset):
    """A model of one Relu, made by onnx."""
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    imports = [onnx.helper.make_opsetid("", opset)]
    model = onnx.helper.make_model(graph, opset_imports=imports, ir_version=ir_version(opset))
    return model.SerializeToString()


@pytest.mark.parametrize("opset", range(OLDEST_OPSET, 27))
def test_ir_version_is_the_one_that_onnx_released_with_the_opset(opset):
    released = [row[1] for row in VERSION_TABLE if row[2] == opset]
    assert not released or ir_version(opset) == min(released)


def test_installed_runtime_is_the_one_that_imports():
    assert installed_runtime() == onnxruntime.__version__


def test_no_runtime_at_all(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert installed_runtime.__wrapped__() is None


@pytest.mark.parametrize("opset", range(OLDEST_OPSET, NEWEST + 1))
def test_the_installed_runtime_loads_every_supported_opset(opset):
    assert supported_opset(opset) == opset
    onnxruntime.InferenceSession(relu(opset), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    ("runtime", "newest"),
    [
        ("1.16.3", 17),
        ("1.17.0", 20),
        ("1.19.2", 20),
        ("1.20.1", 21),
        ("1.22.0", 22),
        ("1.23.2", 23),
        ("1.30.0", 23),
        ("1.31.1", 26),
        ("2.0.0", 26),
        ("1.31.0rc1", 26),
        ("nightly", 20),
        (None, 26),
    ],
)
def test_newest_opset_of_a_runtime(runtime, newest):
    assert newest_opset(runtime) == newest


@pytest.mark.parametrize(("opset", "runtime"), [(17, "1.17"), (20, "1.17"), (21, "1.20"), (24, "1.31")])
def test_lowest_runtime_of_an_opset(opset, runtime):
    assert lowest_runtime(opset) == runtime


@pytest.mark.parametrize(("opset", "advice"), [(9, 17), (-1, 17), (99, 22)])
def test_an_unsupported_opset_is_an_error_that_names_the_nearest(monkeypatch, opset, advice):
    monkeypatch.setattr(opsets, "installed_runtime", lambda: "1.22.1")
    with pytest.raises(DiagnosticError, match=r"onnxruntime 1\.22\.1 is given opsets 17 to 22") as caught:
        supported_opset(opset)
    (diagnostic,) = caught.value.diagnostics
    assert f"--opset {advice}" in diagnostic.fill(diagnostic.help)


def test_without_a_runtime_every_known_opset_is_supported(monkeypatch):
    monkeypatch.setattr(opsets, "installed_runtime", lambda: None)
    assert supported_opset(26) == 26
    with pytest.raises(DiagnosticError, match="any onnxruntime"):
        supported_opset(27)


def test_the_default_is_supported_everywhere():
    assert OLDEST_OPSET <= DEFAULT_OPSET <= newest_opset("1.17.0")
