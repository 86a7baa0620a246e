"""A file that stands alone is what netspec writes for its spec, or it is told what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper, numpy_helper

from netspec.onnx_backend.read import read_model
from netspec.pipeline import build, check_text, verify_file
from netspec.verify.certificate import Verdict
from netspec.verify.structure import differing_structure

SPEC = """
netspec: 1
name: tiny
inputs: {x: [batch, 3, 4, 4]}
layers:
  - Conv2d: {out_channels: 2, kernel_size: 3, padding: 1}
  - LeakyReLU: {negative_slope: 0.1}
  - AvgPool2d: {kernel_size: 2, divisor_override: 3}
  - Flatten
  - Linear: {out_features: 2}
  - Tanh
"""

Edit = Callable[[ModelProto], None]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = build(check_text(SPEC, "tiny", format="yaml"), out=tmp_path_factory.mktemp("tiny")).path
    assert path is not None
    return path


def at(op: str, change: Callable[[onnx.NodeProto], None]) -> Edit:
    def edit(model: ModelProto) -> None:
        change(next(node for node in model.graph.node if node.op_type == op))

    return edit


def attribute(which: str, **values: object) -> Callable[[onnx.NodeProto], None]:
    def change(node: onnx.NodeProto) -> None:
        (found,) = (a for a in node.attribute if a.name == which)
        for field, value in values.items():
            if field == "ints":
                found.ints[:] = value
            else:
                setattr(found, field, value)

    return change


def set_to(**values: object) -> Callable[[onnx.NodeProto], None]:
    def change(node: onnx.NodeProto) -> None:
        for field, value in values.items():
            setattr(node, field, value)

    return change


def constant(model: ModelProto) -> None:
    """The divisor."""
    (tensor,) = (t for t in model.graph.initializer if numpy_helper.to_array(t).ravel().tolist() == [3.0])
    tensor.CopyFrom(numpy_helper.from_array(np.array(3.5, np.float32), tensor.name))


def dead_node(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("Relu", ["x"], ["unread"], "unread"))


def shorter(model: ModelProto) -> None:
    model.graph.node.remove(next(node for node in model.graph.node if node.op_type == "LeakyRelu"))


def reordered(model: ModelProto) -> None:
    tensors = [t for t in model.graph.initializer if not t.name.startswith("constant/")]
    for tensor in tensors:
        model.graph.initializer.remove(tensor)
    model.graph.initializer.extend(reversed(tensors))


def untyped(model: ModelProto) -> None:
    del model.graph.value_info[0]


def remarked(model: ModelProto) -> None:
    model.doc_string = "changed"


def weight_remarked(model: ModelProto) -> None:
    next(t for t in model.graph.initializer if t.name == "linear_1.weight").doc_string = "mine"


def extra_constant(model: ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.ones(2), "constant/99"))


def newer(model: ModelProto) -> None:
    model.ir_version = 9


EDITS: dict[Edit, str] = {
    at("LeakyRelu", attribute("alpha", f=0.2)): "node leaky_relu_1 (LeakyRelu) has alpha = 0.2",
    at("Conv", attribute("pads", ints=[1, 1, 1, 2])): "has pads = [1, 1, 1, 2], not [1, 1, 1, 1]",
    at("Conv", attribute("pads", name="dads")): "node conv2d_1 (Conv) lacks its attribute pads",
    at("Tanh", lambda node: node.attribute.append(helper.make_attribute("axis", 1))): "has an attribute axis",
    at("Tanh", set_to(op_type="Sigmoid")): "node tanh_1 (Sigmoid) should be Tanh",
    at("Tanh", set_to(name="other")): "node other (Tanh) has another name",
    at("Tanh", set_to(doc_string="x")): "has another doc_string",
    at("Gemm", lambda node: node.input.pop()): "reads (flatten_1, linear_1.weight), not (flatten_1, linear",
    constant: "is 3.5, not 3.0",
    dead_node: "node unread (Relu) is none of netspec's",
    shorter: "node leaky_relu_1 (LeakyRelu) is missing",
    reordered: "its weights stand in another order",
    untyped: "the type of the tensor",
    remarked: "its model has another doc_string",
    weight_remarked: "weight linear_1.weight is stored in another way",
    extra_constant: "constant constant/99 is none of netspec's",
    newer: "its model has another ir_version",
}


@pytest.mark.parametrize("edit", EDITS, ids=range(len(EDITS)))
def test_the_first_thing_that_differs_is_named(edit: Edit, tiny: Path, tmp_path: Path) -> None:
    model = onnx.load(tiny)
    edit(model)
    path = tmp_path / "tiny.onnx"
    onnx.save(model, path)
    graph = check_text(SPEC, "tiny", format="yaml").graph
    found = differing_structure(read_model(path), graph)
    assert found is not None
    assert found.code == "NS591"
    assert EDITS[edit] in found.text


def test_nothing_differs_in_what_netspec_wrote(tiny: Path) -> None:
    graph = check_text(SPEC, "tiny", format="yaml").graph
    assert differing_structure(read_model(tiny), graph) is None


def test_a_layer_is_shown_where_the_spec_has_it(tiny: Path, tmp_path: Path) -> None:
    model = onnx.load(tiny)
    at("LeakyRelu", attribute("alpha", f=0.2))(model)
    path = tmp_path / "tiny.onnx"
    onnx.save(model, path)
    certificate = verify_file(path)[1]
    assert certificate.verdict is Verdict.FAILED
    codes = [problem.code for problem in certificate.problems]
    assert codes == ["NS527", "NS591", "NS530"] or codes[:4] == ["NS527", "NS591", "NS530", "NS594"]
    (found,) = (problem for problem in certificate.problems if problem.code == "NS591")
    assert found.span is not None
    assert "LeakyReLU" in found.span.source.text.splitlines()[found.span.line - 1]


HIDDEN = """
netspec: 1
name: hidden
inputs: {x: [batch, 6]}
layers:
  - Linear: {out_features: 6}
    name: stem
  - Tanh: {}
    name: bent
  - Mul: {other: 1e-12}
  - Add:
    from: [prev, stem]
"""


def test_what_no_output_shows_is_found_between_the_layers(tmp_path: Path) -> None:
    """Behind a factor of 1e-12 another activation changes the output by less than the bound."""
    path = build(check_text(HIDDEN, "hidden", format="yaml"), out=tmp_path).path
    assert path is not None
    model = onnx.load(path)
    at("Tanh", set_to(op_type="Softsign"))(model)
    onnx.save(model, path)
    certificate = verify_file(path)[1]
    semantic = certificate.gates[1]
    assert all(row.error <= row.bound for row in semantic.measurements)
    assert [problem.code for problem in semantic.problems] == ["NS594"]
    assert semantic.problems[0].text.startswith("bent, between layers, is off by")
