"""The gates pass what is right and catch what is wrong."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper
from torch import nn

from netspec.diagnostics import DiagnosticError
from netspec.ir.dim import Bounds
from netspec.ir.graph import Graph, GraphOutput, Preprocess
from netspec.ir.tensor import DType, TensorType
from netspec.ops.convolution import Conv2d
from netspec.ops.rectifier import ReLU
from netspec.verify.certificate import Certificate, Verdict, summary
from netspec.verify.gates import verify
from netspec.verify.reference import Reference
from netspec.verify.runtime import Session
from netspec.verify.samples import read_samples
from netspec.verify.tolerance import Array
from tests.verify.small_networks import NOWHERE, Network, chain, exported, op, weights_of

ANY_SIZE = {
    "batch": Bounds(),
    "H": Bounds(min=12, inferred_min=7),
    "W": Bounds(min=8, max=40, multiple_of=4),
}


def many_layers() -> Graph:
    """A little of everything that can be got wrong: strides, divisors, epsilon, a square weight."""
    return chain(
        ("batch", 2, 9, 9),
        op("Conv2d", out_channels=4, kernel_size=3, padding=1),
        op("BatchNorm2d"),
        op("ReLU"),
        op("AvgPool2d", kernel_size=2, divisor_override=3),
        op("Flatten"),
        op("Linear", out_features=8),
        op("Tanh"),
        op("Linear", out_features=8),
    )


def two_inputs() -> Graph:
    network = Network()
    a, b = network.input("a", "batch", 3), network.input("b", "batch", 3)
    joined = network.add("joined", op("Concat", dim=1), a, b)
    out = network.add("out", op("Linear", out_features=2), joined)
    return network.graph(out=out, sum=network.add("sum", op("Add"), a, b))


CORRECT: dict[str, Callable[[], Graph]] = {
    "layers": many_layers,
    "two inputs": two_inputs,
    "one number": lambda: chain(("batch", 5), op("Linear", out_features=1)),
    "fixed batch": lambda: chain(
        (1, 5), op("Linear", out_features=4), op("Sigmoid"), op("Linear", out_features=3)
    ),
    "batches of eight": lambda: chain(
        ("batch", 5), op("Linear", out_features=4), op("ReLU"), batch=Bounds(multiple_of=8, max=16)
    ),
    "softmax": lambda: chain(("batch", 6), op("Linear", out_features=5), op("Softmax", dim=1)),
    "log-softmax": lambda: chain(
        ("batch", 6), op("BatchNorm1d"), op("Linear", out_features=5), op("LogSoftmax", dim=-1)
    ),
    "numbers": lambda: chain(
        ("batch", 6), op("Mul", other=0.1), op("Add", other=0.7), op("Linear", out_features=3)
    ),
    "any size": lambda: chain(
        ("batch", 3, "H", "W"),
        op("Conv2d", out_channels=4, kernel_size=3, stride=2, padding=1, padding_mode="reflect"),
        op("MaxPool2d", kernel_size=3, stride=2, ceil_mode=True),
        op("AvgPool2d", kernel_size=3, stride=1, padding=1, count_include_pad=False),
        **ANY_SIZE,
    ),
    "a long mean": lambda: chain(
        ("batch", 1, 40, 40),
        op("Conv2d", out_channels=3, kernel_size=3, padding=1),
        op("AdaptiveAvgPool2d", output_size=1),
        op("Flatten"),
    ),
}


@pytest.mark.parametrize("name", CORRECT)
@pytest.mark.parametrize("seed", range(3))
def test_correct_files_pass(name: str, seed: int, tmp_path: Path) -> None:
    graph = CORRECT[name]()
    weights = weights_of(graph, seed)
    path = exported(graph, weights, tmp_path, opset=(17, 18, 21)[seed])
    given = verify(path, graph, weights, seed=seed)
    assert [(p.code, p.text) for p in given.problems] == []
    assert given.verdict is Verdict.PASSED
    alone = verify(path, graph, None, seed=seed)
    assert alone.to_json() == given.to_json()


def test_every_engine_sees_five_bindings_and_every_kind(tmp_path: Path) -> None:
    graph = CORRECT["any size"]()
    weights = weights_of(graph)
    certificate = verify(exported(graph, weights, tmp_path), graph, weights)
    consistency, semantic, plain, rounding = certificate.gates
    assert (plain.lane, rounding.lane) == ("cpu unoptimised", "cpu")
    assert [m.bound for m in plain.measurements] == [m.bound for m in rounding.measurements]
    assert consistency.facts["bindings of the dimensions"] >= 8
    assert {m.bound for m in semantic.measurements} == {1e-9}
    drawn = [case for case in certificate.cases if "," not in case.kind]
    assert len(rounding.measurements) == len(drawn)
    assert {case.kind for case in drawn} == {"normal", "uniform", "zeros", "ones", "large"}
    assert {case.values["batch"] for case in drawn} >= {1, 2, 3, 7}
    heights = {case.values["H"] for case in drawn}
    assert min(heights) == 12
    assert {case.values["W"] for case in drawn} >= {8, 40}
    assert all(shape[3] % 4 == 0 for case in drawn for shape in case.shapes.values())


# Faults, planted into the file of a correct network.


def node(model: ModelProto, op_type: str, which: int = 0) -> NodeProto:
    found: list[NodeProto] = [node for node in model.graph.node if node.op_type == op_type]
    return found[which]


def weight(model: ModelProto, name: str) -> TensorProto:
    found: dict[str, TensorProto] = {tensor.name: tensor for tensor in model.graph.initializer}
    return found[name]


def change(tensor: TensorProto, edit: Callable[[Array], Array]) -> None:
    tensor.CopyFrom(numpy_helper.from_array(edit(numpy_helper.to_array(tensor).copy()), tensor.name))


def wrong_divisor(model: ModelProto) -> None:
    (divisor,) = [t for t in model.graph.initializer if t.name == node(model, "Div").input[1]]
    change(divisor, lambda value: value + 1)


def epsilon(model: ModelProto) -> None:
    attribute = next(a for a in node(model, "BatchNormalization").attribute if a.name == "epsilon")
    attribute.f = 1.1e-5


def transposed(model: ModelProto) -> None:
    change(weight(model, "layer8.weight"), lambda value: np.ascontiguousarray(value.T))


def one_percent(model: ModelProto) -> None:
    def edit(value: Array) -> Array:
        value[1, 0, 2, 2] *= 1.01
        return value

    change(weight(model, "layer1.weight"), edit)


def one_bit(model: ModelProto) -> None:
    change(weight(model, "layer6.bias"), lambda value: np.nextafter(value, np.float32(9)))


def renamed_output(model: ModelProto) -> None:
    (old,) = model.graph.output
    node(model, "Gemm", -1).output[0] = old.name = "scores"


def fixed_input(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def fixed_output(model: ModelProto) -> None:
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 2


def other_symbol(model: ModelProto) -> None:
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "length"


def dropped_activation(model: ModelProto) -> None:
    dropped = node(model, "Tanh")
    node(model, "Gemm", -1).input[0] = dropped.input[0]
    model.graph.node.remove(dropped)


def dropped_tensor(model: ModelProto) -> None:
    model.graph.node.remove(node(model, "Tanh"))


def dropped_weight(model: ModelProto) -> None:
    model.graph.initializer.remove(weight(model, "layer1.bias"))
    del node(model, "Conv").input[2]


def shifted_padding(model: ModelProto) -> None:
    attribute = next(a for a in node(model, "Conv").attribute if a.name == "pads")
    attribute.ints[:] = [2, 2, 0, 0]


def foreign_operator(model: ModelProto) -> None:
    model.opset_import.add(domain="com.microsoft", version=1)
    node(model, "Tanh").domain = "com.microsoft"


def endless_loop(model: ModelProto) -> None:
    body = onnx.helper.make_graph([], "body", [], [])
    loop = onnx.helper.make_node("Loop", [], ["unread"], name="loop", body=body)
    model.graph.node.append(loop)


def unknown_operator(model: ModelProto) -> None:
    node(model, "Tanh").op_type = "Tahn"


FAULTS: dict[Callable[[ModelProto], None], set[str]] = {
    wrong_divisor: {"NS530"},
    epsilon: {"NS530"},
    transposed: {"NS526", "NS530"},
    one_percent: {"NS526", "NS530"},
    one_bit: {"NS526", "NS530"},
    renamed_output: {"NS522"},
    fixed_input: {"NS522"},
    fixed_output: {"NS522"},
    other_symbol: {"NS522"},
    dropped_activation: {"NS530"},
    dropped_tensor: {"NS520", "NS521", "NS535"},
    dropped_weight: {"NS525"},
    shifted_padding: {"NS530"},
    foreign_operator: {"NS528"},
    endless_loop: {"NS528"},
    unknown_operator: {"NS520", "NS521", "NS535"},
}


def faulty(graph: Graph, fault: Callable[[ModelProto], None], folder: Path) -> Path:
    path = exported(graph, weights_of(graph), folder)
    model = onnx.load(path)
    fault(model)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_planted_faults_fail(fault: Callable[[ModelProto], None], tmp_path: Path) -> None:
    graph = many_layers()
    certificate = verify(faulty(graph, fault, tmp_path), graph, weights_of(graph))
    assert certificate.verdict is Verdict.FAILED
    assert {problem.code for problem in certificate.problems} >= FAULTS[fault]
    assert str(tmp_path) not in certificate.to_json()
    assert json.loads(certificate.to_json())["verdict"] == "failed"


@pytest.mark.parametrize(
    "fault", [transposed, one_percent, one_bit, wrong_divisor, epsilon], ids=lambda fault: fault.__name__
)
def test_a_changed_file_fails_alone(fault: Callable[[ModelProto], None], tmp_path: Path) -> None:
    """Without the parameters at hand, the hashes and the meaning of the file must do."""
    graph = many_layers()
    certificate = verify(faulty(graph, fault, tmp_path), graph, None)
    assert certificate.verdict is Verdict.FAILED
    expected = "NS530" if fault in (wrong_divisor, epsilon) else "NS527"
    assert expected in {problem.code for problem in certificate.problems}


def test_swapped_inputs_fail(tmp_path: Path) -> None:
    graph = two_inputs()

    def in_the_graph(model: ModelProto) -> None:
        first, second = model.graph.input
        model.graph.ClearField("input")
        model.graph.input.extend([second, first])

    def in_a_node(model: ModelProto) -> None:
        concat = node(model, "Concat")
        concat.input[:] = concat.input[::-1]

    for fault, code in ((in_the_graph, "NS522"), (in_a_node, "NS530")):
        certificate = verify(faulty(graph, fault, tmp_path), graph, weights_of(graph))
        assert certificate.verdict is Verdict.FAILED
        assert code in {problem.code for problem in certificate.problems}


def test_a_shape_rule_that_is_wrong_fails(tmp_path: Path) -> None:
    """netspec's own inference is what is judged: an operation whose infer is off by one."""

    class Padded(Conv2d):
        def infer(self, x):
            y = super().infer(x)
            return y.with_shape((*y.known[:3], y.known[3] + 1))

    graph = chain(("batch", 1, 5, 5), Padded.model_validate({"out_channels": 1, "kernel_size": 3}))
    weights = weights_of(graph)
    certificate = verify(exported(graph, weights, tmp_path), graph, weights)
    assert certificate.verdict is Verdict.FAILED
    assert "NS523" in {problem.code for problem in certificate.problems}


def perturbed(edit: Callable[[Array], Array]) -> Callable[..., list[Array]]:
    run = Session.run
    return lambda self, feeds: [edit(np.array(y)) for y in run(self, feeds)]


def off_by_a_thousandth(y: Array) -> Array:
    y.reshape(-1)[0] += 1e-3 * np.abs(y).max()
    return y


def not_a_number(y: Array) -> Array:
    y.reshape(-1)[-1] = np.nan
    return y


ENGINE_FAULTS = {
    off_by_a_thousandth: "NS531",
    not_a_number: "NS532",
    np.negative: "NS531",
    lambda y: y * np.float32(1 + 1e-5): "NS531",
    lambda y: y * np.inf: "NS532",
    lambda y: y[:, :-1]: "NS523",
    lambda y: y.astype(np.float64): "NS523",
}


@pytest.mark.parametrize("edit", ENGINE_FAULTS)
def test_an_engine_that_errs_fails(
    edit: Callable[[Array], Array], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path)
    monkeypatch.setattr(Session, "run", perturbed(edit))
    certificate = verify(path, graph, weights_of(graph))
    assert certificate.verdict is Verdict.FAILED
    assert {problem.code for problem in certificate.problems} == {ENGINE_FAULTS[edit]}


REFERENCE_FAULTS = {
    not_a_number: "NS532",
    lambda y: y[:, :-1]: "NS534",
    lambda y: y * (1 + 1e-8): "NS530",
}


@pytest.mark.parametrize("edit", REFERENCE_FAULTS)
def test_a_file_that_means_something_else_fails(
    edit: Callable[[Array], Array], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path)
    run = Reference.run
    monkeypatch.setattr(Reference, "run", lambda self, feeds, show: {"y": edit(run(self, feeds)["y"])})
    certificate = verify(path, graph, weights_of(graph))
    assert {problem.code for problem in certificate.problems} == {REFERENCE_FAULTS[edit]}
    assert certificate.gates[1].verdict is Verdict.FAILED


def indices() -> Graph:
    """Where each maximum stood: whole numbers, compared exactly."""
    network = Network()
    x = network.input("x", "batch", 2, 6, 6)
    network.add("pool", op("MaxPool2d", kernel_size=2, return_indices=True), x)
    values, places = network.nodes[0].outputs
    return network.graph(values=values, places=places)


def test_whole_numbers_are_compared_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = indices()
    path = exported(graph, {}, tmp_path)
    assert verify(path, graph, {}).verdict is Verdict.PASSED

    def off_by_one(y: Array) -> Array:
        if y.dtype == np.int64:
            y[0, 0, 0, 0] += 1
        return y

    monkeypatch.setattr(Session, "run", perturbed(off_by_one))
    certificate = verify(path, graph, {})
    assert {problem.code for problem in certificate.problems} == {"NS533"}
    first, *_ = certificate.problems
    assert first.text.startswith("1 of 18 integers in places of onnxruntime (cpu unoptimised) differ")


def test_an_input_may_be_an_output(tmp_path: Path) -> None:
    graph = chain(("batch", 3), op("Linear", out_features=2))
    weights = weights_of(graph)
    again = GraphOutput("again", graph.inputs[0].value, NOWHERE)
    both = replace(graph, outputs=(*graph.outputs, again))
    assert verify(exported(both, weights, tmp_path), both, weights).verdict is Verdict.PASSED


def test_a_module_that_fails_at_some_batch_fails(tmp_path: Path) -> None:
    class NoSevens(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if len(x) == 7:
                raise RuntimeError("seven is one too many")
            return torch.relu(x)

    class Picky(ReLU):
        def build(self, x: TensorType) -> nn.Module:
            return NoSevens()

    graph = chain(("batch", 3), Picky())
    certificate = verify(exported(graph, {}, tmp_path), graph, {})
    assert [problem.text for problem in certificate.problems] == [
        "PyTorch cannot run the network: seven is one too many"
    ]
    assert certificate.verdict is Verdict.FAILED


def test_a_file_of_another_spec_fails_alone(tmp_path: Path) -> None:
    path = exported(many_layers(), weights_of(many_layers()), tmp_path)
    other = replace(many_layers(), resolved={"netspec": 1, "name": "other"})
    certificate = verify(path, other, None)
    assert [problem.code for problem in certificate.problems] == ["NS527", "NS529"]


def test_a_weight_of_another_shape_fails(tmp_path: Path) -> None:
    graph = chain(("batch", 3), op("Linear", out_features=2))
    path = exported(graph, weights_of(graph), tmp_path)
    wider = chain(("batch", 3), op("Linear", out_features=4))
    certificate = verify(path, wider, None)
    texts = [problem.text for problem in certificate.problems]
    assert "the initializer layer1.weight is (2, 3) float32, not (4, 3) float32" in texts
    assert certificate.verdict is Verdict.FAILED


def test_real_arguments_are_rounded_as_the_format_rounds_them(tmp_path: Path) -> None:
    """0.1 is not a float32: without rounding on torch's side a right file would be off by 1e-8."""
    graph = chain(("batch", 3), op("Mul", other=0.1))
    certificate = verify(exported(graph, {}, tmp_path), graph, {})
    (measured,) = certificate.gates[1].measurements
    assert measured.error < 1e-15


def test_another_provider_than_asked_for_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path)
    monkeypatch.setattr("onnxruntime.InferenceSession.get_providers", lambda self: ["AzureExecutionProvider"])
    certificate = verify(path, graph, weights_of(graph))
    assert [problem.code for problem in certificate.problems] == ["NS521"]
    assert certificate.gates[-1].verdict is Verdict.NOT_RUN


def scaled(factor: float, bias: float) -> Callable[[dict[str, Array]], None]:
    def edit(weights: dict[str, Array]) -> None:
        weights["layer3.weight"] = weights["layer3.weight"] * np.float32(factor)
        weights["layer3.bias"] = np.full_like(weights["layer3.bias"], bias)

    return edit


@pytest.mark.parametrize(
    ("edit", "code"),
    [(scaled(1e-8, 1.0), "NS540"), (scaled(0, 0.0), "NS541"), (scaled(float("nan"), 0.0), "NS542")],
)
def test_outputs_that_prove_nothing_are_inconclusive(
    edit: Callable[[dict[str, Array]], None], code: str, tmp_path: Path
) -> None:
    graph = chain(("batch", 6), op("Linear", out_features=5), op("ReLU"), op("Linear", out_features=3))
    weights = weights_of(graph)
    edit(weights)
    certificate = verify(exported(graph, weights, tmp_path), graph, weights)
    assert certificate.verdict is Verdict.INCONCLUSIVE
    assert [problem.code for problem in certificate.problems] == [code]
    assert all(problem.fill(problem.help) for problem in certificate.problems)


def test_a_network_that_refuses_sizes_its_spec_admits_fails(tmp_path: Path) -> None:
    graph = chain(
        ("batch", 1, "H", 9),
        op("Conv2d", out_channels=2, kernel_size=5),
        batch=Bounds(),
        H=Bounds(min=2),
    )
    weights = weights_of(graph)
    certificate = verify(exported(graph, weights, tmp_path), graph, weights)
    assert "NS524" in {problem.code for problem in certificate.problems}
    assert certificate.verdict is Verdict.FAILED


def idx(images: Array) -> bytes:
    lengths = b"".join(length.to_bytes(4, "big") for length in images.shape)
    return bytes([0, 0, 8, images.ndim]) + lengths + images.tobytes()


def test_real_images_are_judged_too(tmp_path: Path) -> None:
    network = Network()
    image = network.input("image", "batch", 1, 8, 8, preprocess=Preprocess(resize=(8, 8), scale=1 / 255))
    value = network.add("conv", op("Conv2d", out_channels=2, kernel_size=3), image)
    graph = network.graph(y=network.add("pool", op("AvgPool2d", kernel_size=2), value))
    images = np.random.default_rng(0).integers(0, 256, (50, 12, 12), np.uint8)
    source = tmp_path / "images-idx3-ubyte.gz"
    source.write_bytes(gzip.compress(idx(images)))
    weights = weights_of(graph)
    path = exported(graph, weights, tmp_path)
    certificate = verify(path, graph, weights, samples=read_samples(source, limit=20), file="lenet.onnx")
    assert certificate.verdict is Verdict.PASSED
    assert certificate.file == "lenet.onnx"
    real = [case for case in certificate.cases if case.kind == "samples"]
    assert [case.shapes["image"] for case in real] == [(16, 1, 8, 8), (4, 1, 8, 8)]
    assert certificate.gates[-1].facts["real samples"] == 20


def test_progress_is_told(tmp_path: Path) -> None:
    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path)
    told: list[tuple[str, float]] = []
    verify(path, graph, weights_of(graph), progress=lambda stage, part: told.append((stage, part)))
    stages = list(dict.fromkeys(stage for stage, _ in told))
    assert stages == [
        "checking the file",
        "PyTorch in float32",
        "PyTorch in float64",
        "the ONNX reference",
        "onnxruntime, cpu unoptimised",
        "onnxruntime, cpu",
    ]
    assert all(0 <= part < 1 for _, part in told)


def test_a_file_that_is_cut_off_is_a_diagnostic(tmp_path: Path) -> None:
    graph = many_layers()
    path = exported(graph, weights_of(graph), tmp_path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DiagnosticError):
        verify(path, graph, weights_of(graph))


def test_the_module_is_left_as_it_was(tmp_path: Path) -> None:
    """The parameters are shared, not copied: verification must not write to them."""
    graph = many_layers()
    weights = weights_of(graph)
    before = {name: array.copy() for name, array in weights.items()}
    verify(exported(graph, weights, tmp_path), graph, weights)
    for name, array in weights.items():
        assert array.dtype == before[name].dtype
        np.testing.assert_array_equal(array, before[name])


def certificate_of(graph: Graph, folder: Path) -> Certificate:
    weights = weights_of(graph)
    return verify(exported(graph, weights, folder), graph, weights)


def test_the_summary_has_a_row_a_gate(tmp_path: Path) -> None:
    rows = summary(certificate_of(many_layers(), tmp_path))
    assert [row.gate for row in rows] == [
        "consistency",
        "semantic",
        "rounding, cpu unoptimised",
        "rounding, cpu",
    ]
    assert all(row.verdict is Verdict.PASSED for row in rows)
    assert "10 weights" in rows[0].detail


SCRIPT = """
from pathlib import Path
from tests.verify.small_networks import exported, weights_of
from tests.verify.test_gates import many_layers
from netspec.verify.gates import verify
graph = many_layers()
path = exported(graph, weights_of(graph), Path({folder!r}))
print(verify(path, graph, weights_of(graph)).to_json(), end="")
"""


def test_the_certificate_is_the_same_in_another_process(tmp_path: Path) -> None:
    here = certificate_of(many_layers(), tmp_path).to_json()
    other = tmp_path / "other"
    other.mkdir()
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT.format(folder=str(other))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == here


def test_an_axis_taken_for_another_fails(tmp_path: Path) -> None:
    """Height and width swapped in the arithmetic that a file does at run time, right on square images."""
    graph = chain(
        ("batch", 1, "H", "W"),
        op("AvgPool2d", kernel_size=3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
        batch=Bounds(),
        H=Bounds(inferred_min=1),
        W=Bounds(inferred_min=1),
    )

    def swapped(model: ModelProto) -> None:
        (place,) = [i for i, node in enumerate(model.graph.node) if node.op_type == "Shape"]
        model.graph.initializer.append(numpy_helper.from_array(np.array([1, 0]), "constant/swap"))
        given = model.graph.node[place].output[0]
        model.graph.node[place].output[0] = "straight"
        gather = onnx.helper.make_node("Gather", ["straight", "constant/swap"], [given], name="swap", axis=0)
        model.graph.node.insert(place + 1, gather)

    assert verify(exported(graph, {}, tmp_path), graph, {}).verdict is Verdict.PASSED
    certificate = verify(faulty(graph, swapped, tmp_path), graph, {})
    assert certificate.verdict is Verdict.FAILED


def test_what_a_normalisation_leaves_of_a_constant_is_no_fault(tmp_path: Path) -> None:
    """Ones alone in a batch: every output of the norm is what rounding leaves, and no two engines agree."""
    graph = chain(
        (3, 4, 2),
        op("Add", other=0.3),
        op("Mul", other=0.3),
        op("BatchNorm1d", track_running_stats=False, affine=False),
    )
    certificate = verify(exported(graph, {}, tmp_path), graph, {})
    assert [(p.code, p.text) for p in certificate.problems] == []

    def twice(model: ModelProto) -> None:
        node(model, "Div", -1).op_type = "Mul"

    assert verify(faulty(graph, twice, tmp_path), graph, {}).verdict is Verdict.FAILED


@pytest.mark.parametrize("dtype", [DType.FLOAT16, DType.FLOAT64])
def test_real_constants_are_rounded_as_their_tensors_are(dtype: DType, tmp_path: Path) -> None:
    network = Network(batch=Bounds(min=2))
    value = network.input("x", "batch", 8, dtype=dtype)
    for name, layer in (
        ("sum", op("Add", other=0.1, alpha=0.3)),
        ("product", op("Mul", other=0.7)),
        ("norm", op("BatchNorm1d", track_running_stats=False, affine=False)),
    ):
        value = network.add(name, layer, value)
    graph = network.graph(y=value)
    certificate = verify(exported(graph, {}, tmp_path), graph, {})
    assert [(p.code, p.text) for p in certificate.problems] == []
