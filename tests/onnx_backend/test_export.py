"""Exported files: what onnx, onnxruntime and a hand-made model say of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from netspec import __version__
from netspec.diagnostics import DiagnosticError
from netspec.ir.tensor import DType, TensorType
from netspec.onnx_backend import export as exporting
from netspec.onnx_backend.digest import weights_hash
from netspec.onnx_backend.export import export
from netspec.onnx_backend.opset import newest_opset
from netspec.onnx_backend.read import read_model
from tests.onnx_backend.networks import SPAN, Network, draw, lenet, operation

ROOT = Path(__file__).parents[2]


def branched():
    """A network with symbolic sizes, ports, and layers that vanish."""
    network = Network(x=("batch", 3, "H", "W"))
    network.layer("c", operation("Conv2d", out_channels=4, kernel_size=3, stride=2, padding=1))
    network.layer("n", operation("BatchNorm2d"))
    network.layer("d", operation("Dropout", p=0.5))
    network.layer("p", operation("MaxPool2d", kernel_size=2, return_indices=True))
    network.layer("a", operation("AvgPool2d", kernel_size=3, padding=1, ceil_mode=True), "d")
    network.layer("f", operation("Flatten"), "p")
    return network.graph(pooled="p", indices="p.indices", kept="d", mean="a", flat="f", same="x")


def run(path, **inputs):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


def test_file_equals_what_onnx_makes(tmp_path):
    network = Network(x=("N", 3), flag=TensorType((), DType.INT32))
    network.layer("fc", operation("Linear", out_features=2), "x")
    network.layer("soft", operation("Softmax", dim=-1))
    graph = network.graph(name="tiny", y="soft")
    weights = draw(graph)
    written = export(graph, weights, tmp_path / "tiny.onnx")

    nodes = [
        helper.make_node("Gemm", ["x", "fc.weight", "fc.bias"], ["fc"], "fc", transB=1),
        helper.make_node("Softmax", ["fc"], ["y"], "soft", axis=1),
    ]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3]),
        helper.make_tensor_value_info("flag", TensorProto.INT32, []),
    ]
    expected = helper.make_model(
        helper.make_graph(
            nodes,
            "tiny",
            inputs,
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])],
            [numpy_helper.from_array(weights[name], name) for name in ("fc.weight", "fc.bias")],
            value_info=[helper.make_tensor_value_info("fc", TensorProto.FLOAT, ["N", 2])],
        ),
        producer_name="netspec",
        producer_version=__version__,
        ir_version=8,
        opset_imports=[helper.make_opsetid("", 18)],
    )
    expected.opset_import[0].ClearField("domain")  # onnx spells out the default
    helper.set_model_props(expected, dict(written.metadata))
    assert onnx.load(tmp_path / "tiny.onnx") == expected


def test_what_export_returns(tmp_path):
    weights = draw(lenet())
    written = export(lenet(), weights, tmp_path / "lenet.onnx", opset=17)
    assert (written.path, written.data_path, written.opset) == (tmp_path / "lenet.onnx", None, 17)
    assert written.size == (tmp_path / "lenet.onnx").stat().st_size
    stored = {entry.key: entry.value for entry in onnx.load(written.path).metadata_props}
    assert stored == written.metadata
    assert stored["netspec.weights_hash"] == weights_hash(weights)


@pytest.mark.parametrize("opset", range(17, newest_opset(onnxruntime.__version__) + 1))
def test_checker_shape_inference_and_runtime_accept_every_opset(tmp_path, opset):
    graph = branched()
    path = export(graph, draw(graph), tmp_path / "m.onnx", opset=opset).path
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(path)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    image = np.random.default_rng(0).standard_normal((2, 3, 21, 17)).astype(np.float32)
    given = run(path, x=image)
    sizes = {"batch": 2, "H": 21, "W": 17}
    assert list(given) == [output.name for output in graph.outputs]
    for output in graph.outputs:
        assert given[output.name].shape == output.value.type.bind(sizes)
        assert given[output.name].dtype == output.value.type.dtype.value
    np.testing.assert_array_equal(given["same"], image)
    planes = given["kept"].reshape(2, 4, -1)
    found = np.take_along_axis(planes, given["indices"].reshape(2, 4, -1), axis=2)
    np.testing.assert_array_equal(found, given["pooled"].reshape(2, 4, -1))


def test_symbolic_sizes_are_named_by_their_canonical_text(tmp_path):
    graph = branched()
    model = onnx.load(export(graph, draw(graph), tmp_path / "m.onnx").path)

    def shape(info):
        return [dim.dim_param or dim.dim_value for dim in info.type.tensor_type.shape.dim]

    assert shape(model.graph.input[0]) == ["batch", 3, "H", "W"]
    outputs = {info.name: shape(info) for info in model.graph.output}
    for output in graph.outputs:
        expected = [size if isinstance(size, int) else str(size) for size in output.value.type.known]
        assert outputs[output.name] == expected
    assert {info.name: shape(info)[:2] for info in model.graph.value_info} == {"c": ["batch", 4]}


def test_every_initializer_is_its_weight(tmp_path):
    graph = branched()
    weights = draw(graph)
    model = onnx.load(export(graph, weights, tmp_path / "m.onnx").path)
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    assert {name for name in stored if "/" not in name} == {name for name in weights if name in stored}
    assert {"c.weight", "c.bias", "n.running_var"} <= set(stored)
    for name, array in stored.items():
        if "/" not in name:
            assert array.tobytes() == weights[name].tobytes()


@pytest.mark.parametrize("dtype", [DType.FLOAT64, DType.FLOAT16, DType.BFLOAT16])
def test_weights_of_other_types(tmp_path, dtype):
    network = Network(x=TensorType((2, 300), dtype))
    graph = network.layer("fc", operation("Linear", out_features=2)).graph(y="fc")
    weights = draw(graph)
    path = export(graph, weights, tmp_path / "m.onnx").path
    onnx.checker.check_model(str(path), full_check=True)
    read = read_model(path).weights
    for tensor in onnx.load(path).graph.initializer:
        array = numpy_helper.to_array(tensor)
        assert array.dtype == weights[tensor.name].dtype == read[tensor.name].dtype
        assert array.tobytes() == weights[tensor.name].tobytes() == read[tensor.name].tobytes()


def test_weights_that_lie_in_no_order_are_written_in_order(tmp_path):
    graph = lenet()
    weights = draw(graph)
    moved = {name: np.asfortranarray(array) for name, array in weights.items()}
    swapped = {name: array.astype(">f4") for name, array in weights.items()}
    for number, given in enumerate([weights, moved, swapped]):
        export(graph, given, tmp_path / f"{number}.onnx")
    assert len({(tmp_path / f"{number}.onnx").read_bytes() for number in range(3)}) == 1


def test_same_bytes_in_another_process_folder_and_hash_seed(tmp_path):
    here = tmp_path / "here.onnx"
    export(branched(), draw(branched()), here)
    script = (
        "import sys; from pathlib import Path\n"
        "from tests.onnx_backend.test_export import branched, draw, export\n"
        "export(branched(), draw(branched()), Path(sys.argv[1]))\n"
    )
    for seed in ("1", "77"):
        there = tmp_path / seed / "there.onnx"
        there.parent.mkdir()
        subprocess.run(
            [sys.executable, "-c", script, "there.onnx"],
            check=True,
            cwd=there.parent,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "TZ": "Asia/Tokyo"},
        )
        assert there.read_bytes() == here.read_bytes()


def test_external_data(tmp_path, monkeypatch):
    graph = lenet()
    weights = draw(graph)
    inline = export(graph, weights, tmp_path / "inline.onnx")
    monkeypatch.setattr(exporting, "INLINE_LIMIT", 100_000)
    written = export(graph, weights, tmp_path / "large.onnx")
    assert written.data_path == tmp_path / "large.onnx.data"
    assert written.data_path is not None
    assert written.size == written.path.stat().st_size + written.data_path.stat().st_size
    assert written.path.stat().st_size < 10_000
    assert written.metadata == inline.metadata
    onnx.checker.check_model(str(written.path), full_check=True)
    for tensor in onnx.load(written.path, load_external_data=False).graph.initializer:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        size = weights[tensor.name].nbytes
        assert (tensor.data_location == TensorProto.EXTERNAL) == (size >= 1024)
        if entries:
            assert entries["location"] == "large.onnx.data"
            assert (int(entries["offset"]) % 4096, int(entries["length"])) == (0, size)
    loaded = {t.name: numpy_helper.to_array(t) for t in onnx.load(written.path).graph.initializer}
    read = read_model(written.path).weights
    for name, array in weights.items():
        assert loaded[name].tobytes() == read[name].tobytes() == array.tobytes()
    image = np.random.default_rng(1).standard_normal((3, 1, 28, 28)).astype(np.float32)
    np.testing.assert_array_equal(
        run(written.path, image=image)["logits"], run(inline.path, image=image)["logits"]
    )


def test_missing_and_unfitting_weights_are_named(tmp_path):
    graph = lenet()
    weights = dict(draw(graph))
    bias = weights.pop("linear_1.bias")
    with pytest.raises(DiagnosticError, match=r"lack linear_1\.bias, which layer linear_1 needs") as caught:
        export(graph, weights, tmp_path / "m.onnx")
    assert caught.value.diagnostics[0].span is SPAN
    assert "saved for this spec" in caught.value.diagnostics[0].help
    for unfitting, told in [(bias[:-1], r"float32 \(119,\)"), (bias.astype("f8"), r"float64 \(120,\)")]:
        with pytest.raises(DiagnosticError, match=rf"{told}, but layer linear_1 needs float32 \(120,\)"):
            export(graph, {**weights, "linear_1.bias": unfitting}, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_an_older_file_is_replaced_and_its_readers_keep_it(tmp_path):
    graph = lenet()
    path = tmp_path / "m.onnx"
    old = draw(graph, seed=1)
    export(graph, old, path)
    reader = read_model(path).weights
    export(graph, draw(graph, seed=2), path)
    assert all(reader[name].tobytes() == array.tobytes() for name, array in old.items())


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_export_leaves_nothing(tmp_path, monkeypatch, error, external):
    def interrupt(*_: object) -> None:
        raise error

    monkeypatch.setattr(exporting, "describe", interrupt)
    monkeypatch.setattr(exporting, "INLINE_LIMIT", 0 if external else 10**9)
    with pytest.raises(error):
        export(lenet(), draw(lenet()), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DiagnosticError, match=r"cannot write .*: no such file or directory"):
        export(lenet(), draw(lenet()), tmp_path / "none" / "m.onnx")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk():
    with pytest.raises(DiagnosticError, match="no space left on device") as caught:
        export(lenet(), draw(lenet()), Path("/dev/full"))
    (diagnostic,) = caught.value.diagnostics
    assert "free some space" in diagnostic.fill(diagnostic.help)
    assert Path("/dev/full").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file sizes")
@pytest.mark.parametrize("external", [False, True])
def test_a_file_that_may_not_grow_is_removed(tmp_path, external):
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from netspec.diagnostics import DiagnosticError\n"
        "from netspec.onnx_backend import export as exporting\n"
        "from tests.onnx_backend.networks import draw, lenet\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        f"exporting.INLINE_LIMIT = {0 if external else 10**9}\n"
        "try: exporting.export(lenet(), draw(lenet()), Path('m.onnx'))\n"
        "except DiagnosticError as error: print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-B", "-c", script],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    name = "m.onnx.data" if external else "m.onnx"
    assert ran.stdout == f"cannot write {name}: file too large\n"
    assert not list(tmp_path.iterdir())
