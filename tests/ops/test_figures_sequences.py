"""Attention and recurrence with figures worked out by hand: means and sums, masks, parameters and costs."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, tanh
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from netspec.ir.tensor import evaluate
from netspec.onnx_backend.opset import OLDEST_OPSET, installed_runtime, newest_opset
from netspec.torch_backend.build import build
from netspec.torch_backend.weights import arrays
from tests.ops.cases import LAYER, Array, Case, run
from tests.ops.engines import exported

OPSETS = (OLDEST_OPSET, newest_opset(installed_runtime()))
NAN = float("nan")

TEXT = [[[1], [2], [3]]]  # one sequence of three vectors of one feature


def computed(case: Case, folder: Path, *feeds: Any, **weights: Any) -> list[list[Array]]:
    """What the module gives in training and in evaluation, and what the file gives at two opsets.

    `weights` has the parameters that are not zero, with underscores for the dots of their names.
    """
    graph = case.graph()
    module = build(graph)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            value = weights.get(name.removeprefix(f"{LAYER}.").replace(".", "_"), 0)
            parameter.copy_(torch.tensor(value).expand(parameter.shape))
    numbers = [np.asarray(x, dtype) for x, dtype in zip(feeds, case.input_dtypes, strict=True)]
    tensors = [torch.from_numpy(x) for x in numbers]
    given = [[y.numpy() for y in run(module.train(training), tensors)] for training in (True, False)]
    for opset in OPSETS:
        file = exported(graph, arrays(module), folder / "one.onnx", opset)
        given.append(file.session(optimised=True).run(None, dict(zip(case.inputs, numbers, strict=True))))
    return given


def assert_all(given: Sequence[Sequence[Array]], *expected: Any) -> None:
    """Every engine gives these outputs."""
    for outputs in given:
        for y, wanted in zip(outputs, expected, strict=True):
            np.testing.assert_allclose(y, wanted, rtol=2e-6, atol=1e-7)


def attention(*names: str, dtypes: tuple[str, ...] = (), **arguments: Any) -> Case:
    """Self-attention over TEXT with one head; `names` and `dtypes` of further inputs."""
    shapes = {"query": (1, 3, 1), "key_padding_mask": (1, 3), "attn_mask": (3, 3)}
    ports = ("weights",) if arguments.get("need_weights") else ()
    given = ("query", *names)
    return Case(
        "MultiheadAttention",
        {"num_heads": 1, "batch_first": True, **arguments},
        tuple(shapes[name] for name in given),
        dtypes=("float32", *dtypes),
        names=given,
        ports=ports,
    )


MEANS = {"in_proj_weight": [[0.0], [0.0], [1.0]], "out_proj_weight": 1.0}
"""All scores are 0 and values what they were: attention takes means."""


@pytest.mark.parametrize(
    ("op", "arguments", "shapes", "parameters", "macs"),
    [
        # A layer of ViT-B/16: 4 L E^2 + 2 L^2 E.
        (
            "MultiheadAttention",
            {"num_heads": 12, "batch_first": True},
            [(1, 197, 768)],
            2_362_368,
            524_391_936,
        ),
        # E (2 L E + S (kdim + vdim) + 2 L S) = 8 (2 5 8 + 7 (3 + 4) + 2 5 7)
        ("MultiheadAttention", {"num_heads": 2}, [(5, 1, 8), (7, 1, 3), (7, 1, 4)], 216, 1_592),
        ("ScaledDotProductAttention", {}, [(2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 4)], 0, 2_520),
        ("TransformerEncoderLayer", {"nhead": 8}, [(10, 1, 512)], 3_152_384, 31_559_680),
        ("TransformerDecoderLayer", {"nhead": 8}, [(10, 1, 512), (7, 1, 512)], 4_204_032, 40_544_256),
        # 15 steps of 2 layers with 20 (10 + 20) and 20 (20 + 20) products for every gate.
        ("RNN", {"hidden_size": 20, "num_layers": 2}, [(5, 3, 10)], 1_480, 21_000),
        ("GRU", {"hidden_size": 20, "num_layers": 2}, [(5, 3, 10)], 4_440, 63_000),
        ("LSTM", {"hidden_size": 20, "num_layers": 2}, [(5, 3, 10)], 5_920, 84_000),
        # 10 steps of 2 (16 (3 + 2) + 8) + 2 (16 (4 + 2) + 8) products.
        (
            "LSTM",
            {"hidden_size": 4, "proj_size": 2, "num_layers": 2, "bidirectional": True, "bias": False},
            [(5, 2, 3)],
            384,
            3_840,
        ),
    ],
)
def test_parameters_and_costs(
    op: str, arguments: dict[str, Any], shapes: list[tuple[int, ...]], parameters: int, macs: int
) -> None:
    (node,) = Case(op, arguments, tuple(shapes)).graph()
    assert sum(int(np.prod(weight.shape)) for weight in node.op.weights(*node.input_types)) == parameters
    types = (value.type for value in node.outputs)
    assert evaluate(node.op.cost(*node.input_types, *types).macs, {}) == macs


def test_equal_scores_take_the_mean_of_the_values(tmp_path: Path) -> None:
    assert_all(computed(attention(), tmp_path, TEXT, **MEANS), [[[2], [2], [2]]])


def test_causal_attention_takes_the_mean_of_what_came_before(tmp_path: Path) -> None:
    assert_all(computed(attention(is_causal=True), tmp_path, TEXT, **MEANS), [[[1], [1.5], [2]]])


def test_padding_takes_no_part(tmp_path: Path) -> None:
    case = attention("key_padding_mask", dtypes=("bool",))
    assert_all(computed(case, tmp_path, TEXT, [[False, False, True]], **MEANS), [[[1.5]] * 3])


def test_a_real_mask_is_added_to_the_scores(tmp_path: Path) -> None:
    case = attention("attn_mask", dtypes=("float32",), need_weights=True)
    mask = [[0, 0, log(2)]] * 3  # the last counts twice
    given = computed(case, tmp_path, TEXT, mask, **MEANS)
    assert_all(given, [[[2.25]] * 3], [[[0.25, 0.25, 0.5]] * 3])


def test_a_query_that_sees_no_key_gets_the_bias_alone(tmp_path: Path) -> None:
    case = attention("attn_mask", dtypes=("bool",))
    mask = [[True] * 3, [True, True, False], [False] * 3]
    given = computed(case, tmp_path, TEXT, mask, **MEANS, out_proj_bias=7.0)
    assert_all(given, [[[7], [10], [9]]])


def test_where_weights_are_asked_for_it_gets_no_number(tmp_path: Path) -> None:
    case = attention("key_padding_mask", dtypes=("bool",), need_weights=True)
    assert_all(computed(case, tmp_path, TEXT, [[True] * 3], **MEANS), [[[NAN]] * 3], [[[NAN] * 3] * 3])


def test_keys_that_the_layer_adds_are_seen_by_all(tmp_path: Path) -> None:
    # The values 1 and 9, and then zero; of the causal mask they are no part.
    case = attention(is_causal=True, add_bias_kv=True, add_zero_attn=True)
    assert_all(computed(case, tmp_path, TEXT, **MEANS, bias_v=9.0), [[[10 / 3], [3], [3]]])


def test_encoder_layers_add_real_masks_in_evaluation_too(tmp_path: Path) -> None:
    """torch's own takes them for truth values there."""
    arguments = {"nhead": 2, "dim_feedforward": 1, "dropout": 0.0, "batch_first": True, "layer_norm_eps": 0.0}
    case = Case("TransformerEncoderLayer", arguments, ((1, 3, 2), (3, 3)), names=("src", "src_mask"))
    values = [[0.0, 0.0]] * 4 + [[1.0, 0.0], [0.0, 1.0]]
    weights = {"self_attn_in_proj_weight": values, "self_attn_out_proj_weight": [[1.0, 0.0], [0.0, 1.0]]}
    text, mask = [[[4, 0], [0, 4], [0, 0]]], [[0, log(2), 0]] * 3
    given = computed(case, tmp_path, text, mask, **weights, norm1_weight=1.0, norm2_weight=1.0)
    # Each plus (1, 2), then normalised: (5, 2), (1, 6), (1, 2). The last would be (2, 0) or (4/3, 4/3) else.
    assert_all(given, [[[1, -1], [-1, 1], [-1, 1]]])


def test_heads_of_keys_serve_several_heads_of_queries(tmp_path: Path) -> None:
    shapes = ((1, 4, 1, 1), (1, 2, 2, 1), (1, 2, 2, 1))
    case = Case("ScaledDotProductAttention", {"enable_gqa": True}, shapes)
    keys, values = [[[[0], [0]]] * 2], [[[[1], [3]], [[10], [30]]]]
    assert_all(computed(case, tmp_path, [[[[5]]] * 4], keys, values), [[[[2]], [[2]], [[20]], [[20]]]])


def test_scores_are_scaled_as_told(tmp_path: Path) -> None:
    case = Case("ScaledDotProductAttention", {"scale": log(3)}, ((1, 1), (2, 1), (2, 1)))
    assert_all(computed(case, tmp_path, [[1]], [[0], [1]], [[0], [4]]), [[3]])


def test_a_recurrence_of_ones_sums_up_from_both_ends(tmp_path: Path) -> None:
    arguments = {"hidden_size": 1, "nonlinearity": "relu", "bidirectional": True, "batch_first": True}
    names = [f"weight_{kind}_l0{ending}" for kind in ("ih", "hh") for ending in ("", "_reverse")]
    case = Case("RNN", arguments, ((1, 3, 1),), ports=("h_n",))
    given = computed(case, tmp_path, TEXT, **dict.fromkeys(names, 1.0))
    assert_all(given, [[[1, 6], [3, 5], [6, 3]]], [[[6]], [[6]]])


def test_gates_that_know_nothing_halve_the_state(tmp_path: Path) -> None:
    case = Case("GRU", {"hidden_size": 1}, ((3, 1, 1), (1, 1, 1)), ports=("h_n",))
    assert_all(computed(case, tmp_path, [[[5]]] * 3, [[[8]]]), [[[4]], [[2]], [[1]]], [[[1]]])


@pytest.mark.parametrize("projected", [False, True])
def test_an_open_output_gate_gives_half_of_the_memory(projected: bool, tmp_path: Path) -> None:
    arguments = {"hidden_size": 2, "proj_size": 1} if projected else {"hidden_size": 2}
    names = ("input", "c_0")
    case = Case("LSTM", arguments, ((2, 1, 1), (1, 1, 2)), names=names, ports=("h_n", "c_n"))
    given = computed(case, tmp_path, [[[5]]] * 2, [[[4, 8]]], weight_hr_l0=[[1.0, 10.0]])
    states = [[tanh(c) / 2 for c in memory] for memory in ([2, 4], [1, 2])]
    if projected:
        states = [[first + 10 * second] for first, second in states]
    assert_all(given, [[state] for state in states], [[states[-1]]], [[[1, 2]]])


def test_what_a_projected_state_adds_reaches_the_first_step_alone(tmp_path: Path) -> None:
    """The initial state is no projection of any state: it takes another way through the file."""
    case = Case(
        "LSTM",
        {"hidden_size": 2, "proj_size": 1, "bidirectional": True},
        ((2, 1, 1), (2, 1, 1)),
        names=("input", "h_0"),
        ports=("c_n",),
    )
    # All gates are half open; what is remembered is tanh of ten times the state before, which saturates.
    cells = [[0.0]] * 4 + [[10.0]] * 2 + [[0.0]] * 2
    ends = ("", "_reverse")
    weights = {f"weight_hh_l0{end}": cells for end in ends} | {
        f"weight_hr_l0{end}": [[0.0, 0.0]] for end in ends
    }
    given = computed(case, tmp_path, [[[5]]] * 2, [[[9]], [[-9]]], **weights)
    assert_all(given, [[[0, 0]], [[0, 0]]], [[[0.25, 0.25]], [[-0.25, -0.25]]])
