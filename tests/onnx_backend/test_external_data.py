"""External data: read in the model's folder, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import AttributeProto, ModelProto, TensorProto

from netspec.onnx_backend.read import read_model
from tests.onnx_backend.networks import first, refusal


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("/etc/passwd", "outside the model's folder"),
        ("../secret", "outside the model's folder"),
        ("sub/../../secret", "outside the model's folder"),
        ("sub\\..\\..\\secret", "outside the model's folder"),
        ("C:\\secret", "outside the model's folder"),
        ("\\\\host\\secret", "outside the model's folder"),
        ("", "outside the model's folder"),
        ("a\0b", "outside the model's folder"),
        ("link", "a link out of the model's folder"),
        ("folder_link/secret", "a link out of the model's folder"),
        ("loop", ""),
        ("none", "no such file"),
        ("sub", "empty or no file"),
        ("empty", "empty or no file"),
        ("x" * 5000, ""),
        ("short", "beyond the end"),
    ],
)
def test_external_data_that_may_not_be_read(tmp_path, content, location, told):
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(bytes(10_000))
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder_link").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "empty").touch()
    (folder / "short").write_bytes(bytes(599))
    message = ModelProto.FromString(content)
    make_external(first(message), location=location)
    (folder / "m.onnx").write_bytes(message.SerializeToString())
    refused = refusal(folder / "m.onnx")
    assert refused.startswith("NS503")
    assert told in refused


def make_external(tensor: TensorProto, **entries: str) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ({"offset": "-1"}, "as a place"),
        ({"offset": "9" * 50}, "as a place"),
        ({"offset": "٣"}, "as a place"),
        ({"length": "1e3"}, "as a place"),
        ({"offset": "99401"}, "beyond the end"),
        ({"length": "599"}, "needs 600 bytes and has 599"),
        ({"length": "999999"}, "beyond the end"),
    ],
)
def test_places_in_external_data(edited, tmp_path, place, told):
    (tmp_path / "data").write_bytes(bytes(100_000))
    path = edited(lambda m: make_external(first(m), location="data", **place))
    assert told in refusal(path)


def test_external_data_in_a_folder_below(edited, tmp_path):
    array = np.random.default_rng(0).standard_normal((6, 1, 5, 5)).astype(np.float32)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "data").write_bytes(bytes(8) + array.tobytes())
    path = edited(lambda m: make_external(first(m), location="sub/data", offset="8"))
    np.testing.assert_array_equal(read_model(path).weights["conv2d_1.weight"], array)


def hidden_tensor(message):
    return message.graph.node.add(op_type="Constant", output=["k"]).attribute.add(name="value").t


def hidden_in_subgraph(message):
    attribute = message.graph.node.add(op_type="If", output=["k"]).attribute.add(name="then_branch")
    attribute.type = AttributeProto.GRAPH
    return attribute.g.initializer.add()


HIDDEN = {
    "constant": hidden_tensor,
    "list": lambda m: m.graph.node.add().attribute.add().tensors.add(),
    "subgraph": hidden_in_subgraph,
    "subgraphs": lambda m: m.graph.node.add().attribute.add().graphs.add().sparse_initializer.add().values,
    "sparse": lambda m: m.graph.sparse_initializer.add().indices,
    "sparse attribute": lambda m: m.graph.node.add().attribute.add().sparse_tensor.values,
    "function": lambda m: m.functions.add().node.add().attribute.add().t,
    "function default": lambda m: m.functions.add().attribute_proto.add().t,
    "training": lambda m: m.training_info.add().algorithm.initializer.add(),
}


@pytest.mark.parametrize("where", HIDDEN)
def test_external_data_of_other_tensors_is_refused(edited, where):
    path = edited(lambda m: make_external(HIDDEN[where](m), location="/etc/passwd"))
    assert "inside a node has external data" in refusal(path)
