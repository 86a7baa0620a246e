"""A gate that fails names the layer, or the rewrite of the runtime, whose fault it is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, numpy_helper
from onnxruntime import GraphOptimizationLevel

from netspec.diagnostics.render import render_text
from netspec.ir.dim import Bounds
from netspec.ir.graph import Graph
from netspec.pipeline import check_text
from netspec.verify.certificate import Certificate, Verdict
from netspec.verify.explanation import Explanation
from netspec.verify.gates import verify
from netspec.verify.rewrites import REWRITES, Culprit, culprit
from netspec.verify.runtime import CPU, PLAIN_CPU, Lane, RefusedError, Session
from netspec.verify.tolerance import Array
from tests.verify.small_networks import Network, chain, exported, op, weights_of
from tests.verify.test_gates import (
    dropped_activation,
    dropped_tensor,
    epsilon,
    faulty,
    many_layers,
    node,
    shifted_padding,
    two_inputs,
    wrong_divisor,
)


def explained(path: Path, graph: Graph, **wanted: object) -> Certificate:
    return verify(path, graph, weights_of(graph), explanation=Explanation(**wanted))  # type: ignore[arg-type]


GUILTY: dict[Callable[[ModelProto], None], str] = {
    wrong_divisor: "layer4",
    epsilon: "layer2",
    dropped_activation: "layer7",
    dropped_tensor: "layer7",
    shifted_padding: "layer1",
}


@pytest.mark.parametrize("fault", GUILTY, ids=lambda fault: fault.__name__)
def test_the_layer_of_a_planted_fault_is_blamed(fault: Callable[[ModelProto], None], tmp_path: Path) -> None:
    graph = many_layers()
    certificate = explained(faulty(graph, fault, tmp_path), graph)
    assert certificate.verdict is Verdict.FAILED
    assert certificate.blame is not None
    assert certificate.blame.layers == (GUILTY[fault],)
    (found,) = certificate.blame.findings
    assert found.code == "NS543"
    assert found in certificate.findings
    assert len(certificate.layers) == len(graph.nodes)
    wrong = [row.layer for row in certificate.layers if not row.worst.measured.share <= 1]
    assert wrong[0] == GUILTY[fault]


def test_nobody_is_blamed_where_all_is_well(tmp_path: Path) -> None:
    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path)
    certificate = explained(path, graph)
    assert (certificate.blame, certificate.layers) == (None, ())
    table = explained(path, graph, per_layer=True)
    assert table.blame is None
    assert [row.layer for row in table.layers] == [f"layer{n}" for n in range(1, 9)]
    assert all(row.worst.measured.share < 1 for row in table.layers)
    assert [entry.lane for entry in table.layers[0].judged] == [None, "cpu unoptimised", "cpu"]


def test_swapped_inputs_are_the_layers_own(tmp_path: Path) -> None:
    def swapped(model: ModelProto) -> None:
        concat = node(model, "Concat")
        concat.input[:] = concat.input[::-1]

    certificate = explained(faulty(two_inputs(), swapped, tmp_path), two_inputs())
    assert certificate.blame is not None
    assert certificate.blame.layers == ("joined",)


def test_a_layer_that_reads_what_it_should_not_is_blamed(tmp_path: Path) -> None:
    """The file's own wiring is cut, not the spec's: a layer behind another than its own."""
    graph = chain(("batch", 4), *(op("Linear", out_features=4) for _ in range(4)))

    def rewired(model: ModelProto) -> None:
        node(model, "Gemm", 3).input[0] = node(model, "Gemm", 1).output[0]

    certificate = explained(faulty(graph, rewired, tmp_path), graph)
    assert certificate.blame is not None
    assert certificate.blame.layers == ("layer4",)


def test_layers_that_vanish_and_share_are_measured(tmp_path: Path) -> None:
    network = Network(batch=Bounds(), H=Bounds(min=4, max=12), W=Bounds(min=4, max=12))
    value = network.input("x", "batch", 3, "H", "W")
    for name, layer in (
        ("conv", op("Conv2d", out_channels=3, kernel_size=3, padding=1)),
        ("dropped", op("Dropout")),
        ("relu", op("ReLU")),
        ("again", op("Conv2d", out_channels=3, kernel_size=3, padding=1)),
        ("mean", op("AdaptiveAvgPool2d", output_size=2)),
        ("pooled", op("MaxPool2d", kernel_size=2, return_indices=True)),
    ):
        value = network.add(name, layer, value)
    network.nodes[3] = network.nodes[3].but(shares="conv")
    values, places = network.nodes[-1].outputs
    graph = network.graph(values=values, places=places)
    path = exported(graph, weights_of(graph), tmp_path)
    certificate = verify(path, graph, weights_of(graph), explanation=Explanation(per_layer=True))
    assert [(p.code, p.text) for p in certificate.findings] == []
    names = [row.layer for row in certificate.layers]
    assert names == ["conv", "relu", "again", "mean", "pooled"]
    assert all(row.worst.measured.share <= 1 for row in certificate.layers)


SPEC = """\
netspec: 1
name: small
inputs: {x: [batch, 1, 6, 6]}
layers:
  - Conv2d: {out_channels: 2, kernel_size: 3}
  - AvgPool2d: {kernel_size: 2, divisor_override: 3}
  - Flatten
"""


def test_blame_points_into_the_spec_and_gives_a_model_to_run(tmp_path: Path) -> None:
    graph = check_text(SPEC, "small.yaml", format="yaml").graph
    path = faulty(graph, wrong_divisor, tmp_path)
    folder = tmp_path / "repro"
    certificate = explained(path, graph, repro=folder)
    assert certificate.blame is not None
    text = render_text(certificate.blame.findings)
    assert text.startswith("small.yaml:6:5: error[NS543]: layer avg_pool2d_1 (AvgPool2d) is at fault: alone")
    assert "6 |   - AvgPool2d: {kernel_size: 2, divisor_override: 3}" in text
    stem = "small.avg_pool2d_1"
    assert f"{folder / stem}.onnx is this layer alone" in " ".join(text.split())
    assert sorted(path.name for path in folder.iterdir()) == [f"{stem}.npz", f"{stem}.onnx", f"{stem}.py"]
    onnx.checker.check_model(folder / f"{stem}.onnx", full_check=True)
    ran = subprocess.run(
        [sys.executable, f"{stem}.py"], cwd=folder, capture_output=True, text=True, check=True
    )
    name, _, error = ran.stdout.strip().partition(": off by ")
    assert name == "avg_pool2d_1"
    assert float(error) > 1e-3


@pytest.mark.parametrize("opset", [0, 9, 99])
def test_a_file_of_an_opset_that_cannot_be_is_no_traceback(opset: int, tmp_path: Path) -> None:
    def dated(model: ModelProto) -> None:
        model.opset_import[0].version = opset

    certificate = explained(faulty(many_layers(), dated, tmp_path), many_layers())
    assert certificate.verdict is Verdict.FAILED


def test_a_layer_that_onnxruntime_refuses_is_blamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path)
    load = Session.__init__

    def refuse(self: Session, source: Path | bytes, lane: Lane, weights: object = None) -> None:
        data = source if isinstance(source, bytes) else source.read_bytes()
        if b"AveragePool" in data:
            raise RefusedError("it has no kernel")
        load(self, source, lane, weights)  # type: ignore[arg-type]

    monkeypatch.setattr(Session, "__init__", refuse)
    certificate = explained(path, graph)
    assert [problem.code for problem in certificate.problems] == ["NS521"]
    assert certificate.blame is not None
    assert certificate.blame.layers == ("layer4",)
    assert "it has no kernel (cpu unoptimised)" in certificate.blame.findings[0].text


def wrong_if(condition: Callable[[Lane, bytes | Path], bool]) -> Callable[..., Sequence[Array]]:
    """Session.run that negates what it gives where a condition holds."""
    run = Session.run

    def negated(self: Session, feeds: Mapping[str, Array]) -> Sequence[Array]:
        outputs = run(self, feeds)
        if condition(self.lane, self._source):
            return [-y if y.dtype.kind == "f" else y for y in outputs]
        return outputs

    return negated


def test_a_rewrite_that_errs_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that joins two layers: neither is wrong alone, both are together."""

    def joins(lane: Lane, source: bytes | Path) -> bool:
        model = onnx.load_from_string(source) if isinstance(source, bytes) else onnx.load(source)
        types = {node.op_type for node in model.graph.node}
        at_work = lane.optimisation != PLAIN_CPU.optimisation and "ConvBNFusion" not in lane.disabled
        return at_work and {"Conv", "BatchNormalization"} <= types

    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path)
    monkeypatch.setattr(Session, "run", wrong_if(joins))
    certificate = explained(path, graph)
    assert [gate.verdict for gate in certificate.gates] == [Verdict.PASSED] * 3 + [Verdict.FAILED]
    found = certificate.blame
    assert found is not None
    assert (found.lane, found.layers, found.rewrites) == ("cpu", ("layer1", "layer2"), ("ConvBNFusion",))
    assert [finding.code for finding in found.findings] == ["NS543", "NS544"]
    layers, rewrite = found.findings
    assert layers.text.startswith("the layers layer1 (Conv2d), layer2 (BatchNorm2d) are together at fault")
    assert rewrite.text.endswith("is at fault: without ConvBNFusion the file is right")
    assert "disabled_optimizers=['ConvBNFusion']" in rewrite.fill(rewrite.help)


def test_optimisation_that_errs_whatever_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path)
    extended = (GraphOptimizationLevel.ORT_DISABLE_ALL, GraphOptimizationLevel.ORT_ENABLE_BASIC)
    monkeypatch.setattr(Session, "run", wrong_if(lambda lane, source: lane.optimisation not in extended))
    found = explained(path, graph).blame
    assert found is not None
    assert found.rewrites == ()
    assert "wrong at the level extended" in found.findings[-1].text
    assert "graph_optimization_level" in found.findings[-1].fill(found.findings[-1].help)


def test_what_only_the_whole_shows_blames_no_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path)
    monkeypatch.setattr(Session, "run", wrong_if(lambda lane, source: isinstance(source, Path)))
    found = explained(path, graph).blame
    assert found is not None
    assert (found.gate, found.lane, found.layers) == ("rounding", "cpu unoptimised", ())
    assert [finding.code for finding in found.findings] == ["NS545"]


@pytest.mark.parametrize("guilty", ["Transpose", "Sub", "BatchNormalization"])
def test_joined_layers_are_measured_and_blamed_together(guilty: str, tmp_path: Path) -> None:
    ops = [op("Linear", out_features=5), op("Dropout"), op("BatchNorm1d"), op("ReLU")]
    graph = chain(("batch", 5), *ops)
    path = exported(graph, weights_of(graph), tmp_path)
    table = explained(path, graph, per_layer=True).layers
    joined = "layer1 + layer2 + layer3"
    assert [(row.layer, row.operation) for row in table] == [
        (joined, "Linear + Dropout + BatchNorm1d"),
        ("layer4", "ReLU"),
    ]
    assert all(row.worst.measured.share < 1 for row in table)

    def fault(model: ModelProto) -> None:
        wrong = node(model, guilty)
        if guilty == "Transpose":
            wrong.attribute[0].ints[:] = [0, 1]
        elif guilty == "Sub":
            wrong.op_type = "Add"
        else:
            wrong.attribute[0].f *= 100

    found = explained(faulty(graph, fault, tmp_path), graph, repro=tmp_path).blame
    assert found is not None
    assert found.layers == ("layer1", "layer2", "layer3")
    (fault_found,) = found.findings
    named = "the layers layer1 (Linear), layer2 (Dropout), layer3 (BatchNorm1d) are together at fault"
    assert fault_found.text.startswith(f"{named}: alone, on the right input, they are off by")
    assert any("is these layers alone" in note.text for note in fault_found.notes)


REAL = {
    "ConvBNFusion": ("BatchNormalization", [op("Conv2d", out_channels=4, kernel_size=3), op("BatchNorm2d")]),
    "GemmActivationFusion": ("Relu", [op("Flatten"), op("Linear", out_features=5), op("ReLU")]),
    "ConstantFolding": ("Sqrt", [op("GELU")]),
}


@pytest.mark.parametrize("name", REAL)
def test_names_of_rewrites_are_those_of_onnxruntime(name: str, tmp_path: Path) -> None:
    """Each takes an operator out of a graph; the search finds which of them does."""
    gone, layers = REAL[name]
    graph = chain(("batch", 2, 9, 9), *layers)
    path = exported(graph, weights_of(graph), tmp_path)

    def lacks_the_operator(lane: Lane) -> bool:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = lane.optimisation
        options.optimized_model_filepath = str(tmp_path / "rewritten.onnx")
        onnxruntime.InferenceSession(
            path, options, providers=[lane.provider], disabled_optimizers=list(lane.disabled) or None
        )
        rewritten = onnx.load(tmp_path / "rewritten.onnx").graph.node
        return gone not in {node.op_type for node in rewritten}

    found = culprit(CPU, lacks_the_operator)
    assert found is not None
    assert found.rewrites == (name,)


def test_the_search_needs_few_runs_and_finds_several() -> None:
    runs: list[Lane] = []

    def fails(*names: str) -> Callable[[Lane], bool]:
        def run(lane: Lane) -> bool:
            runs.append(lane)
            plain = lane.optimisation == GraphOptimizationLevel.ORT_DISABLE_ALL
            return not plain and not set(names) <= set(lane.disabled)

        return run

    for name in REWRITES[0], REWRITES[-1], "NchwcTransformer":
        runs.clear()
        assert culprit(CPU, fails(name)) == Culprit("basic", (name,))
        assert len(runs) < 20
    both = ("ConvAddFusion", "NchwcTransformer")
    assert culprit(CPU, fails(*both)) == Culprit("basic", both)
    assert culprit(CPU, lambda lane: True) is None
    assert len(set(REWRITES)) == len(REWRITES)


def test_a_weight_in_the_layer_of_another_fails_there(tmp_path: Path) -> None:
    """Square weights read in each other's place: hashes and names all agree."""
    graph = chain(("batch", 8), *(op("Linear", out_features=8) for _ in range(3)))

    def exchanged(model: ModelProto) -> None:
        first, second = node(model, "Gemm", 1), node(model, "Gemm", 2)
        first.input[1], second.input[1] = second.input[1], first.input[1]

    certificate = verify(faulty(graph, exchanged, tmp_path), graph, None, explanation=Explanation())
    assert certificate.blame is not None
    assert certificate.blame.layers == ("layer2",)


def test_an_initializer_of_another_layer_does_not_hide(tmp_path: Path) -> None:
    graph = many_layers()

    def bent(model: ModelProto) -> None:
        (tensor,) = [t for t in model.graph.initializer if t.name == "layer6.bias"]
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + np.float32(1), tensor.name))

    certificate = explained(faulty(graph, bent, tmp_path), graph)
    assert certificate.blame is not None
    assert certificate.blame.layers == ("layer6",)
