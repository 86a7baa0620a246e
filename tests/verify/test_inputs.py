"""The inputs that are drawn, and the values of the symbolic dimensions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netspec.diagnostics import DiagnosticError
from netspec.ir.dim import Bounds
from netspec.ir.graph import Graph
from netspec.ir.tensor import DType
from netspec.pipeline import check_text
from netspec.verify.inputs import (
    admissible,
    batches_of,
    bindings,
    drawn_batch,
    need_inputs,
    rounding_batches,
    semantic_batches,
)
from tests.verify.small_networks import Network, chain, op


def relu(*shape: int | str, **bounds: Bounds) -> Graph:
    return chain(shape, op("ReLU"), **bounds)


@given(st.integers(1, 50), st.integers(0, 50), st.integers(1, 8), st.integers(1, 200))
def test_admissible_values_keep_the_bounds(least: int, room: int, step: int, wanted: int) -> None:
    bounds = Bounds(min=least, max=least + step + room, multiple_of=step)
    value = admissible(bounds, wanted)
    assert value % step == 0
    assert bounds.min <= value <= least + step + room
    if bounds.min <= wanted <= least + step + room and wanted % step == 0:
        assert value == wanted


@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 1000))
def test_there_are_five_bindings_and_all_are_admissible(least: int, step: int, seed: int) -> None:
    graph = relu("batch", "H", batch=Bounds(), H=Bounds(min=least, multiple_of=step))
    found = bindings(graph, seed)
    assert len(found) >= 5
    assert {values["batch"] for values in found} >= {1, 2, 3, 7}
    assert all(values["H"] >= least and values["H"] % step == 0 for values in found)
    assert graph.bounds["H"].least in {values["H"] for values in found}


def test_a_graph_without_symbols_has_one_binding() -> None:
    graph = relu(2, 3)
    assert bindings(chain((2, 3), op("ReLU"), **{}), 0) != []
    assert all(batch.feeds["x"].shape == (2, 3) for batch in rounding_batches(graph, 0))


def test_the_same_seed_draws_the_same() -> None:
    graph = relu("batch", 3)
    first, again, other = (list(rounding_batches(graph, seed)) for seed in (0, 0, 1))
    for one, two, three in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one.feeds["x"], two.feeds["x"])
        assert one.case == two.case
        drawn = one.case.kind not in ("zeros", "ones")
        assert np.array_equal(one.feeds["x"], three.feeds["x"]) is not drawn


def test_no_two_cases_share_their_numbers_or_names() -> None:
    graph = relu(1, 50)
    batches = [*rounding_batches(graph, 0), *semantic_batches(graph, 0)]
    normal = [batch.feeds["x"].tobytes() for batch in batches if batch.case.kind == "normal"]
    assert len(set(normal)) == len(normal)
    assert len({batch.case.name for batch in batches}) == len(batches)


def test_kinds_are_what_they_are_called() -> None:
    kinds = {batch.case.kind: batch.feeds["x"] for batch in rounding_batches(relu("batch", 999), 0)}
    assert not kinds["zeros"].any()
    assert (kinds["ones"] == 1).all()
    assert 0 <= kinds["uniform"].min() < 0.1
    assert 0.9 < kinds["uniform"].max() < 1
    assert kinds["normal"].std() == pytest.approx(1, abs=0.1)
    assert kinds["large"].std() == pytest.approx(1000, rel=0.1)
    assert {x.dtype for x in kinds.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("shape", [("batch", 5), (1, 5), (2, 5)])
def test_the_semantic_gate_sees_four_kinds(shape: tuple[int | str, ...]) -> None:
    batches = list(semantic_batches(relu(*shape), 0))
    samples = [sample for batch in batches for sample in batch.feeds["x"]]
    if shape[0] == "batch":
        assert [batch.feeds["x"].shape for batch in batches] == [(4, 5)]
    sizes = [np.abs(sample).max() for sample in samples]
    for least, most in (1e-7, 1e-5), (1e-4, 1e-2), (0.1, 10), (100, 1e6):
        assert any(least < size < most for size in sizes)


def test_inputs_of_whole_numbers_are_whole() -> None:
    network = Network()
    words = network.input("words", "batch", 4, dtype=DType.INT64)
    mask = network.input("mask", 4, dtype=DType.BOOL)
    graph = network.graph(y=network.add("identity", op("Identity"), words), z=mask)
    for batch in rounding_batches(graph, 0):
        assert batch.feeds["words"].dtype == np.int64
        assert set(np.unique(batch.feeds["words"])) <= {0, 1}
        assert batch.feeds["mask"].dtype == np.bool_
        assert batch.feeds["mask"].shape == (4,)


def test_no_axis_is_tried_at_sizes_that_only_overflow() -> None:
    graph = relu("batch", 8, "H", "W", batch=Bounds(), H=Bounds(max=2**62), W=Bounds(min=2**15))
    assert max(values["H"] for values in bindings(graph, 0)) == 2**14
    assert min(values["W"] for values in bindings(graph, 0)) == 2**15


@pytest.mark.parametrize(
    ("bounds", "sizes"),
    [(Bounds(), [16, 16, 8]), (Bounds(max=15), [15, 15, 10]), (Bounds(multiple_of=6), [18, 18])],
)
def test_real_samples_come_in_batches_that_the_bounds_admit(bounds: Bounds, sizes: list[int]) -> None:
    array = np.arange(40.0 * 3, dtype=np.float32).reshape(40, 3)
    batches = list(batches_of(relu("batch", 3, batch=bounds), {"x": array}, "file.npy"))
    assert [batch.samples for batch in batches] == sizes
    assert [batch.case.values for batch in batches] == [{"batch": size} for size in sizes]
    np.testing.assert_array_equal(np.concatenate([b.feeds["x"] for b in batches]), array[: sum(sizes)])


def test_real_samples_fill_a_fixed_batch() -> None:
    batches = list(batches_of(relu(3, 2), {"x": np.zeros((8, 2), np.float32)}, "file.npy"))
    assert [batch.case.name for batch in batches] == ["file.npy[0:3]", "file.npy[3:6]"]


def test_a_drawn_batch_is_one_that_no_gate_sees() -> None:
    graph = relu("batch", 8, batch=Bounds(max=12))
    drawn = drawn_batch(graph, 16, 0)["x"]
    assert drawn.shape == (12, 8)
    seen = np.concatenate([batch.feeds["x"] for batch in rounding_batches(graph, 0)])
    assert not np.isin(drawn, seen).any()


def test_extremes_that_would_not_fit_are_brought_nearer() -> None:
    graph = relu("batch", 8, "H", "W", batch=Bounds(), H=Bounds(max=2**20), W=Bounds(max=2**20))
    sizes = [batch.feeds["x"].size for batch in rounding_batches(graph, 0)]
    assert 2**20 < max(sizes) <= 2**26


FREE = ("batch", 3, "H", "W", "D")


@pytest.mark.parametrize(
    "bounds", [Bounds(), Bounds(multiple_of=32), Bounds(max=36), Bounds(min=100, max=105)]
)
def test_no_two_axes_are_equally_long_in_most_cases(bounds: Bounds) -> None:
    """A file that takes one axis for another computes the right thing where both are equally long."""
    graph = relu(*FREE, batch=Bounds(), H=bounds, W=bounds, D=bounds)
    normal = next(iter(rounding_batches(graph, 0))).case.values
    assert len({normal[name] for name in "HWD"}) == 3
    assert all(bounds.least <= normal[name] <= (bounds.greatest or 1000) for name in "HWD")
    assert all(normal[name] % bounds.multiple_of == 0 for name in "HWD")
    (semantic,) = semantic_batches(graph, 0)
    assert {name: semantic.case.values[name] for name in "HWD"} == {name: normal[name] for name in "HWD"}


def test_axes_of_one_admissible_size_are_equally_long() -> None:
    one = Bounds(min=8, max=8)
    (semantic,) = semantic_batches(relu(*FREE, batch=Bounds(), H=one, W=one, D=one), 0)
    assert [semantic.case.values[name] for name in "HWD"] == [8, 8, 8]


def test_networks_that_nothing_can_run_are_diagnostics() -> None:
    for graph in (
        relu("batch", 2**30),
        relu("batch", 3, batch=Bounds(min=2**31)),
        relu(2**31 - 1, 2**31 - 1),
        chain(("batch", 1, 2, 2), op("AdaptiveAvgPool2d", output_size=2**16)),
    ):
        with pytest.raises(DiagnosticError) as caught:
            need_inputs(graph)
        assert [fault.code for fault in caught.value.diagnostics] == ["NS538"]
    need_inputs(relu("batch", 2**28))


@pytest.mark.parametrize("need_weights", [True, False])
def test_masks_leave_a_key_open_where_nothing_could_be_said_of_the_output(need_weights: bool) -> None:
    inputs = (
        "{x: [batch, T, 8], padding: {shape: [batch, T], dtype: bool}, pairs: {shape: [T, T], dtype: bool}}"
    )
    attention = (
        f"MultiheadAttention: {{num_heads: 2, batch_first: true, need_weights: {str(need_weights).lower()}}}"
    )
    reads = "from: {query: x, key_padding_mask: padding, attn_mask: pairs}"
    spec = f"netspec: 1\nname: net\ninputs: {inputs}\nlayers:\n  - {attention}\n    {reads}\n"
    graph = check_text(spec, "net.yaml", format="yaml").graph
    closed = 0
    for batch in (*rounding_batches(graph, 0), *semantic_batches(graph, 0)):
        together = batch.feeds["padding"][:, np.newaxis] | batch.feeds["pairs"]
        closed += int(together.all(axis=-1).sum())
    assert (closed == 0) == need_weights
