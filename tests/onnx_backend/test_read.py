"""Reading model files: netspec's own, strangers', damaged and hostile ones."""

from __future__ import annotations

import os
import tracemalloc

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, helper, numpy_helper

from netspec.diagnostics import DiagnosticError
from netspec.onnx_backend import outline as outlining
from netspec.onnx_backend import read as reading
from netspec.onnx_backend.export import export
from netspec.onnx_backend.read import read_model
from netspec.onnx_backend.wire import opening, varint
from tests.onnx_backend.networks import draw, first, lenet, refusal


def test_weights_and_metadata_are_what_was_exported(tmp_path):
    weights = draw(lenet())
    written = export(lenet(), weights, tmp_path / "lenet.onnx")
    model = read_model(written.path)
    assert model.metadata == written.metadata
    assert list(model.weights) == list(weights)
    for name, array in model.weights.items():
        assert (array.shape, array.dtype) == (weights[name].shape, weights[name].dtype)
        assert array.tobytes() == weights[name].tobytes()


def test_message_is_the_model_without_the_elements_of_large_weights(tmp_path, content):
    path = tmp_path / "lenet.onnx"
    path.write_bytes(content)
    expected = ModelProto.FromString(content)
    for tensor in expected.graph.initializer:
        if len(tensor.raw_data) >= 1024:
            tensor.ClearField("raw_data")
    assert read_model(path).message == expected


def test_large_weights_are_views_of_the_file(tmp_path, content):
    path = tmp_path / "lenet.onnx"
    path.write_bytes(content)
    model = read_model(path)
    large = model.weights["linear_1.weight"]
    assert not large.flags.owndata
    assert not large.flags.writeable


def test_weights_do_not_pass_through_memory(tmp_path, monkeypatch):
    path = tmp_path / "large.onnx"
    array = np.zeros(8_000_000, np.float32)
    path.write_bytes(bare([numpy_helper.from_array(array, "w")]).SerializeToString())
    tracemalloc.start()
    read_model(path, foreign=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_constants_are_no_weights(edited):
    path = edited(lambda m: m.graph.initializer.append(numpy_helper.from_array(np.ones(2), "constant/1")))
    model = read_model(path)
    assert "constant/1" in model.initializers
    assert "constant/1" not in model.weights


def bare(tensors, **fields) -> ModelProto:
    """A stranger's model."""
    graph = helper.make_graph([], "bare", [], [], tensors)
    return helper.make_model(graph, **fields)


@pytest.mark.parametrize(
    "dtype",
    ["float32", "float64", "float16", "int8", "uint8", "int16", "uint16", "int32", "int64", "uint64", "bool"],
)
@pytest.mark.parametrize("raw", [True, False])
def test_a_strangers_tensors(tmp_path, dtype, raw):
    array = (np.arange(12).reshape(3, 4) % 2).astype(dtype)
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    values = array.tobytes() if raw else array.ravel()
    tensor = helper.make_tensor("w", kind, array.shape, values, raw=raw)
    path = tmp_path / "bare.onnx"
    path.write_bytes(bare([tensor]).SerializeToString())
    (found,) = read_model(path, foreign=True).initializers.values()
    np.testing.assert_array_equal(found, array, strict=True)


def test_a_strangers_model_needs_its_leave(tmp_path):
    path = tmp_path / "bare.onnx"
    path.write_bytes(bare([]).SerializeToString())
    assert refusal(path) == f"NS504 {path} was not written by netspec: it has no metadata netspec.spec"
    assert read_model(path, foreign=True).metadata == {}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"netspec: 1\nname: lenet\n", ""),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), ""),
        (bytes(1000), "beyond its message"),
        (b"\x08\x08", "it holds no graph"),
        (opening(7, 0), "it holds no graph"),
        (b"\x08\x08" + opening(7, 5) + b"\x0a\x03\xff", "beyond its message"),
        (b"\x08" + b"\xff" * 20, "64 bits"),
        (b"\x08\x08" + opening(7, 4) + b"\x12\x02\xc3\x28", "not UTF-8"),
        (b"\x08\x08" + opening(7, 6) + opening(1, 4) + opening(1, 2) + b"\xc3\x28", "not UTF-8"),
        (b"\x08\x08" + opening(7, 2**62), "beyond its message"),
    ],
)
def test_what_is_no_model(tmp_path, data, reason):
    path = tmp_path / "not.onnx"
    path.write_bytes(data)
    told = refusal(path, foreign=bool(data))
    assert told.startswith(f"NS501 {path} is not an ONNX model, or is damaged: ")
    assert reason in told


def test_what_is_no_file(tmp_path):
    assert refusal(tmp_path / "none.onnx").endswith("no such file or directory")
    assert refusal(tmp_path).startswith("NS505")
    assert refusal(tmp_path).endswith("it is a folder")
    assert "\\x1b" in refusal(tmp_path / "\x1b[31m.onnx")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    assert refusal(tmp_path / "pipe.onnx").endswith("it is not a regular file")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99, 0.999])
def test_a_file_that_was_cut_off(tmp_path, content, share):
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[: int(len(content) * share)])
    assert refusal(path).startswith(("NS501", "NS504"))


def test_a_file_beyond_protobufs_limit(tmp_path):
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(1 << 31)  # sparse
    assert refusal(path).startswith("NS502")


def test_a_structure_too_large(tmp_path, content, monkeypatch):
    path = tmp_path / "lenet.onnx"
    path.write_bytes(content)
    monkeypatch.setattr(outlining, "STRUCTURE_LIMIT", 1000)
    assert "the structure of a model (all but its weights) may have 1000 bytes" in refusal(path)


def test_too_many_parts(tmp_path, content, monkeypatch):
    path = tmp_path / "lenet.onnx"
    path.write_bytes(content)
    monkeypatch.setattr(outlining, "FIELD_LIMIT", 20)
    assert "more than 20 parts" in refusal(path)


def test_too_much_metadata(tmp_path, content, monkeypatch):
    path = tmp_path / "lenet.onnx"
    path.write_bytes(content)
    monkeypatch.setattr(reading, "METADATA_LIMIT", 100)
    assert "more than 100 characters" in refusal(path)


def test_metadata_that_name_a_key_twice(edited):
    path = edited(lambda m: m.metadata_props.add(key="netspec.spec", value="{}"))
    assert "one key twice" in refusal(path)


def spoil(**changes):
    """Edits the first initializer, which has 600 bytes."""

    def edit(message: ModelProto) -> None:
        tensor = first(message)
        for name, value in changes.items():
            if name == "dims":
                del tensor.dims[:]
                tensor.dims.extend(value)
            else:
                setattr(tensor, name, value)

    return edit


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (spoil(dims=[6, 1, 5, 6]), "needs 720 bytes and has 600"),
        (spoil(dims=[]), "needs 4 bytes and has 600"),
        (spoil(dims=[-6, -1, 5, 5]), "impossible shape"),
        (spoil(dims=[2**62, 2**62, 2**62]), "impossible shape"),
        (spoil(dims=[0, 2**62]), "impossible shape"),
        (spoil(dims=[2**39, 2**39]), "impossible shape"),
        (spoil(dims=[2**38]), f"needs {2**40} bytes and has 600"),
        (spoil(dims=[1] * 65), "65 dimensions"),
        (spoil(data_type=0), "type 0"),
        (spoil(data_type=8), "type 8"),
        (spoil(data_type=22), "type 22"),
        (spoil(data_type=9999), "type 9999"),
        (spoil(data_type=11), "needs 1200 bytes and has 600"),
        (spoil(name=""), "without a name"),
        (spoil(name="conv2d_1.bias"), "shares its name"),
        (lambda m: first(m).segment.SetInParent(), "segments"),
        (lambda m: first(m).ClearField("raw_data"), "another number of elements"),
    ],
)
def test_tensors_that_contradict_the_file(edited, edit, told):
    refused = refusal(edited(edit))
    assert refused.startswith("NS503")
    assert told in refused


def test_elements_given_twice(tmp_path):
    raw = opening(9, 2000) + bytes(2000)
    tensor = b"\x08" + varint(500) + b"\x10\x01" + opening(8, 1) + b"w" + raw + raw
    graph = opening(5, len(tensor)) + tensor
    path = tmp_path / "twice.onnx"
    path.write_bytes(b"\x08\x08" + opening(7, len(graph)) + graph)
    assert "twice" in refusal(path, foreign=True)


def test_a_graph_in_two_parts_is_one(tmp_path, content):
    message = ModelProto.FromString(content)
    rest = ModelProto()
    rest.graph.initializer.extend(message.graph.initializer[3:])
    del message.graph.initializer[3:]
    path = tmp_path / "parts.onnx"
    path.write_bytes(message.SerializeToString() + rest.SerializeToString())
    weights = draw(lenet())
    assert {name: array.tobytes() for name, array in read_model(path).weights.items()} == {
        name: array.tobytes() for name, array in weights.items()
    }


def test_metadata_are_text_and_nothing_else(edited):
    hostile = "__import__('os').system('touch pwned')\n\x1b]0;\x07${x}"

    def edit(message: ModelProto) -> None:
        for entry in message.metadata_props:
            entry.value = hostile

    assert set(read_model(edited(edit)).metadata.values()) == {hostile}


@settings(max_examples=300)
@given(st.data())
def test_damaged_files_give_a_model_or_a_diagnostic(tmp_path_factory, content, data):
    damaged = bytearray(content)
    head = st.integers(0, 3000)
    tail = st.integers(len(content) - 1500, len(content) - 1)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.one_of(head, tail, st.integers(0, len(content) - 1)))
        damaged[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.unlink(missing_ok=True)
    path.write_bytes(damaged)
    try:
        model = read_model(path, foreign=data.draw(st.booleans()))
    except DiagnosticError as error:
        codes = {diagnostic.code[:4] for diagnostic in error.diagnostics}
    else:
        codes = {"NS50"}
        for array in model.initializers.values():
            array.tobytes()
    assert codes == {"NS50"}


def test_the_mapping_survives_what_onnx_itself_writes(tmp_path):
    """onnx orders the fields of a tensor otherwise than netspec's stream does."""
    arrays = {f"w{i}": np.random.default_rng(i).standard_normal(i * 301).astype(np.float32) for i in range(6)}
    path = tmp_path / "theirs.onnx"
    onnx.save(bare([numpy_helper.from_array(array, name) for name, array in arrays.items()]), path)
    found = read_model(path, foreign=True).initializers
    assert {name: array.tolist() for name, array in found.items()} == {
        name: array.tolist() for name, array in arrays.items()
    }
