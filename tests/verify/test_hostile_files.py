"""Files from strangers: what costs too much is not run, and what is damaged is told, never a traceback."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

import netspec.onnx_backend.export as exporting
from netspec.diagnostics import DiagnosticError
from netspec.onnx_backend.wire import opening
from netspec.pipeline import build, check_text, verify_file
from netspec.verify.certificate import Certificate, Verdict

SPEC = """
netspec: 1
name: tiny
inputs: {x: [batch, 3, 4]}
layers: [Flatten, {Linear: {out_features: 2}}, Tanh]
"""
FLIPS = 200
FOREIGN = "0.0.0"  # a version whose nodes are not compared one by one


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    path = build(check_text(SPEC, "tiny", format="yaml"), out=folder).path
    assert path is not None
    return path


def judged(model: ModelProto, folder: Path) -> Certificate:
    path = folder / "hostile.onnx"
    onnx.save(model, path)
    return verify_file(path)[1]


def of_another_version(model: ModelProto) -> None:
    (entry,) = (entry for entry in model.metadata_props if entry.key == "netspec.version")
    entry.value = FOREIGN


def dead(*nodes: onnx.NodeProto, **constants: list[int]) -> Callable[[ModelProto], None]:
    """Nodes that no output needs, with constants to read."""

    def edit(model: ModelProto) -> None:
        model.graph.node.extend(nodes)
        for name, values in constants.items():
            tensor = numpy_helper.from_array(np.array(values, np.int64), f"constant/{name}")
            model.graph.initializer.append(tensor)

    return edit


def chain(count: int) -> Callable[[ModelProto], None]:
    names = ["x", *(f"t{i}" for i in range(count))]
    nodes = [helper.make_node("Relu", [a], [b]) for a, b in pairwise(names)]
    return dead(*nodes)


def doubling(times: int) -> Callable[[ModelProto], None]:
    names = ["x", *(f"t{i}" for i in range(times))]
    nodes = [helper.make_node("Concat", [a, a], [b], axis=1) for a, b in pairwise(names)]
    return dead(*nodes)


def filled(model: ModelProto) -> None:
    """A size that a node computes, large whatever the input is."""
    dead(
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Mul", ["s", "constant/factor"], ["many"]),
        helper.make_node("ConstantOfShape", ["many"], ["large"]),
        factor=[100_000, 100_000, 1],
    )(model)


EXPLODING = {
    "pad": dead(
        helper.make_node("Pad", ["x", "constant/pads"], ["large"]), pads=[0, 0, 0, 2**40, 2**40, 2**40]
    ),
    "tile": dead(helper.make_node("Tile", ["x", "constant/times"], ["large"]), times=[1, 2**20, 2**20]),
    "expand": dead(helper.make_node("Expand", ["x", "constant/to"], ["large"]), to=[2**20, 2**20, 1, 3, 4]),
    "constant of shape": dead(
        helper.make_node("ConstantOfShape", ["constant/of"], ["large"]), of=[2**31, 2**10]
    ),
    "a computed size": filled,
    "doubled thirty times": doubling(30),
    "a thousand nodes": chain(1000),
}


@pytest.mark.parametrize("version", ["own", "another"])
@pytest.mark.parametrize("kind", EXPLODING)
def test_what_would_cost_too_much_is_not_run(kind: str, version: str, tiny: Path, tmp_path: Path) -> None:
    model = onnx.load(tiny)
    EXPLODING[kind](model)
    if version == "another":
        of_another_version(model)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    certificate = judged(model, tmp_path)
    assert time.process_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB
    assert certificate.verdict is Verdict.FAILED
    codes = [problem.code for problem in certificate.problems]
    assert "NS593" in codes
    assert ("NS591" in codes) is (version == "own")
    assert {gate.verdict for gate in certificate.gates[1:]} == {Verdict.NOT_RUN}


def test_a_file_of_another_version_is_judged_by_what_it_computes(tiny: Path, tmp_path: Path) -> None:
    model = onnx.load(tiny)
    of_another_version(model)
    certificate = judged(model, tmp_path)
    assert [problem.code for problem in certificate.problems] == ["NS527"]  # its metadata were changed
    assert [remark.code for remark in certificate.remarks] == ["NS592"]
    assert {gate.verdict for gate in certificate.gates[1:]} == {Verdict.PASSED}


def nested(depth: int) -> bytes:
    """A graph inside a node of a graph inside …: ModelProto.graph, then .node, .attribute, .g each time."""
    inner = b""
    for _ in range(depth):
        attribute = opening(1, 1) + b"a" + opening(6, len(inner)) + inner + b"\xa0\x01\x05"
        node = opening(5, len(attribute)) + attribute
        inner = opening(1, len(node)) + node
    return b"\x08\x08" + opening(7, len(inner)) + inner


@pytest.mark.parametrize("depth", [20, 40, 2000])
def test_graphs_in_graphs_are_not_followed_for_ever(depth: int, tmp_path: Path) -> None:
    path = tmp_path / "deep.onnx"
    path.write_bytes(nested(depth))
    with pytest.raises(DiagnosticError) as caught:
        verify_file(path)
    assert caught.value.diagnostics[0].code in ("NS501", "NS504")


def absurd(**changes: object) -> Callable[[ModelProto], None]:
    """An attribute that asks for the impossible, of the node that has it or is given it."""

    def edit(model: ModelProto) -> None:
        node = model.graph.node[0]
        for name, value in changes.items():
            node.attribute.extend([helper.make_attribute(name, value)])

    return edit


def sized(*sizes: int) -> Callable[[ModelProto], None]:
    """The input declared of absurd sizes."""

    def edit(model: ModelProto) -> None:
        for size, wanted in zip(model.graph.input[0].type.tensor_type.shape.dim, sizes, strict=True):
            size.dim_value = wanted

    return edit


def undefined(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UNDEFINED


def of_no_known_type(model: ModelProto) -> None:
    """As a flipped bit makes it: onnx's checker raises what it raises nowhere else."""
    model.graph.value_info[0].type.tensor_type.elem_type = 33


def without_type(model: ModelProto) -> None:
    model.graph.input[0].ClearField("type")


def in_a_circle(model: ModelProto) -> None:
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]


def emptied(model: ModelProto) -> None:
    del model.graph.node[:]


def of_opset(version: int) -> Callable[[ModelProto], None]:
    def edit(model: ModelProto) -> None:
        model.opset_import[0].version = version

    return edit


def without_opset(model: ModelProto) -> None:
    del model.opset_import[:]


STRANGE = {
    "axis": absurd(axis=2**62),
    "two axes": absurd(axis=1),
    "a text for a number": absurd(alpha="x" * 1000),
    "sizes": sized(2**62, 2**62, 2**62),
    "negative sizes": sized(-1, -3, -4),
    "no element type": undefined,
    "an element type that there is not": of_no_known_type,
    "no type": without_type,
    "a circle": in_a_circle,
    "no nodes": emptied,
    "opset 0": of_opset(0),
    "opset 9999": of_opset(9999),
    "a negative opset": of_opset(-1),
    "no opset": without_opset,
}


@pytest.mark.parametrize("version", ["own", "another"])
@pytest.mark.parametrize("kind", STRANGE)
def test_strange_files_fail(kind: str, version: str, tiny: Path, tmp_path: Path) -> None:
    model = onnx.load(tiny)
    STRANGE[kind](model)
    if version == "another":
        of_another_version(model)
    certificate = judged(model, tmp_path)
    assert certificate.verdict is Verdict.FAILED
    assert all(len(problem.text) < 2000 for problem in certificate.problems)


def test_a_byte_that_is_flipped_is_found_wherever_it_stands(tiny: Path, tmp_path: Path) -> None:
    """The hashes leave no byte out; and whatever a byte becomes, the answer is a verdict or a diagnostic."""
    content = tiny.read_bytes()
    right = onnx.load(tiny)
    path = tmp_path / "flipped.onnx"
    draw = random.Random(0)
    for _ in range(FLIPS):
        damaged = bytearray(content)
        damaged[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            certificate = verify_file(path)[1]
        except DiagnosticError:
            continue
        assert certificate.verdict is Verdict.FAILED or onnx.load(path) == right


def test_a_file_that_ends_anywhere_is_a_diagnostic(tiny: Path, tmp_path: Path) -> None:
    content = tiny.read_bytes()
    path = tmp_path / "cut.onnx"
    codes: set[str] = set()
    for end in (*range(0, len(content) - 200, 23), *range(len(content) - 200, len(content))):
        path.write_bytes(content[:end])
        try:
            certificate = verify_file(path)[1]
        except DiagnosticError as error:
            codes |= {found.code[:4] for found in error.diagnostics}
        else:  # it ended behind the spec, between two entries of its metadata
            codes |= {found.code[:4] for found in certificate.problems[:1]}
    assert codes == {"NS50", "NS52"}


def test_weights_in_a_file_of_their_own_are_held_against_their_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of models over 2 GB: with a limit of nothing, every large weight goes beside the model."""
    monkeypatch.setattr(exporting, "INLINE_LIMIT", 0)
    wide = check_text(SPEC.replace("out_features: 2", "out_features: 64"), "tiny", format="yaml")
    path = build(wide, out=tmp_path).path
    assert path is not None
    data = path.with_name("tiny.onnx.data")
    assert verify_file(path)[1].verdict is Verdict.PASSED
    content = bytearray(data.read_bytes())
    content[0] ^= 1
    data.write_bytes(content)
    assert [problem.code for problem in verify_file(path)[1].problems] == ["NS527"]
    data.write_bytes(content[:-1])
    with pytest.raises(DiagnosticError, match="reaches beyond the end"):
        verify_file(path)
    outside = tmp_path.parent / f"{tmp_path.name}.data"
    data.rename(outside)
    data.symlink_to(outside)
    with pytest.raises(DiagnosticError, match="a link out of the model's folder"):
        verify_file(path)
