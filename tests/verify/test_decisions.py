"""Indices and truth values are judged by what they decide between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from netspec.ir.graph import Graph, Value
from netspec.ir.tensor import DType, TensorType
from netspec.ops.base import Compared, Indexed
from netspec.pipeline import check_text
from netspec.verify.certificate import Verdict
from netspec.verify.decisions import Decided, decided_outputs
from netspec.verify.gates import verify
from netspec.verify.oracle import Oracle
from netspec.verify.reference import Reference
from netspec.verify.runtime import Session
from netspec.verify.tolerance import Array
from tests.verify.small_networks import Network, exported, op, weights_of

PLANES = np.array([[[1.0, 2.0, 2.0], [0.0, 2.0 + 1e-9, -1.0]], [[5.0, 5.0, 4.0], [3.0, 3.0, 3.0]]])


def decided(rule: Indexed | Compared, *rounded: bool) -> Decided:
    """A decision about operands, of which some are rounded."""
    network = Network()
    x = network.input("x", 1)
    network.add("layer", op("Identity"), x)
    places = tuple(range(len(rounded)))
    return Decided(network.nodes[0], rule, (x,) * len(rounded), places, rounded)


@pytest.mark.parametrize(
    ("axes", "got", "exact", "expected"),
    [
        # Flat within a plane, as a pool's indices are: output (2, 1, 2) of (2, 2, 3).
        ((-2, -1), [[[1, 2]], [[0, 5]]], [[[4, 4]], [[1, 4]]], [[[True, True]], [[True, True]]]),
        ((1, 2), [[[0, 5]], [[2, 3]]], [[[4, 4]], [[0, 0]]], [[[False, False]], [[False, False]]]),
        ((-2, -1), [[[-1, 6]], [[1, 0]]], [[[1, 1]], [[0, 0]]], [[[False, False]], [[True, True]]]),
        # Along one axis, which the output has lost, or kept with a size of 1.
        ((1,), [[1, 1, 0], [0, 0, 0]], [[0, 1, 0], [0, 0, 0]], [[False, True, True], [True, True, True]]),
        ((2,), [[[2], [0]], [[0], [2]]], [[[1], [1]], [[1], [0]]], [[[True], [False]], [[True], [True]]]),
        # Flat over everything.
        ((0, 1, 2), 7, 6, True),
        ((0, 1, 2), 8, 6, False),
    ],
)
def test_an_index_is_judged_by_the_value_that_it_points_at(
    axes: tuple[int, ...], got: object, exact: object, expected: object
) -> None:
    rule = decided(Indexed(0, axes), True)
    given = rule.excused(np.array(got), np.array(exact), [PLANES], slack=1e-8)
    assert given.tolist() == expected


def test_two_elements_may_each_be_off() -> None:
    assert decided(Indexed(0, (1,)), True).slack([0.5]) == 1
    assert decided(Compared(0, 1), True, True).slack([0.5, 0.25]) == 0.75
    assert decided(Compared(0, 1), True, False).slack([0.5, 0.25]) == 0.5


def test_a_comparison_counts_where_its_operands_differ_by_more_than_rounding() -> None:
    left, right = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0 + 1e-9], [3.0]])
    got = np.zeros((2, 3), bool)
    close = decided(Compared(0, 1), True, True).excused(got, ~got, [left, right], slack=1e-8)
    assert close.tolist() == [[True, False, False], [False, False, True]]
    close = decided(Compared(0, number=2.0), True).excused(got[0], ~got[0], [left[0]], slack=1e-8)
    assert close.tolist() == [False, True, False]


def test_a_comparison_of_what_nothing_rounds_is_exact() -> None:
    # Less and LessEqual differ in ties alone, which inputs of ones have.
    got = np.ones(2, bool)
    rule = decided(Compared(0, number=1.0), False)
    assert not rule.excused(got, ~got, [np.ones(2)], rule.slack([1e-8])).any()


def where_maxima_stand(*shape: int | str) -> Graph:
    """A convolution whose planes are level but for rounding where the input is, and a pool over them."""
    network = Network()
    x = network.input("x", "batch", *shape)
    features = network.add("features", op("Conv2d", out_channels=3, kernel_size=3), x)
    network.add("pool", op("MaxPool2d", kernel_size=2, return_indices=True), features)
    values, places = network.nodes[-1].outputs
    return network.graph(values=values, places=places)


def moved(pick: Callable[[Array], Array]) -> Callable[[list[Array]], list[Array]]:
    """An engine that selects other elements of the planes, 6 x 6, of a batch."""

    def edit(outputs: list[Array]) -> list[Array]:
        values, places = outputs
        return [
            values,
            pick(places) if values.std(axis=(2, 3)).max() < 1e-6 * np.abs(values).max() else places,
        ]

    return edit


def test_of_level_elements_an_engine_may_select_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = where_maxima_stand(2, 8, 8)
    weights = weights_of(graph)
    path = exported(graph, weights, tmp_path)
    run = Session.run
    edit = moved(lambda places: (places + 1) % 36)
    monkeypatch.setattr(Session, "run", lambda self, feeds: edit([np.array(y) for y in run(self, feeds)]))
    certificate = verify(path, graph, weights)
    assert [problem.text for problem in certificate.problems] == []
    assert certificate.verdict is Verdict.PASSED


def test_the_reference_may_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = where_maxima_stand(2, 8, 8)
    weights = weights_of(graph)
    path = exported(graph, weights, tmp_path)
    run = Reference.run

    def other(self: Reference, feeds: dict[str, Array], show: object) -> dict[str, Array]:
        edit = moved(lambda places: (places + 1) % 36)
        return dict(zip(("values", "places"), edit(list(run(self, feeds).values())), strict=True))

    monkeypatch.setattr(Reference, "run", other)
    certificate = verify(path, graph, weights)
    assert [problem.text for problem in certificate.problems] == []


@pytest.mark.parametrize("pick", [lambda places: places + 36, lambda places: places - 36])
def test_an_index_beyond_the_plane_is_wrong(
    pick: Callable[[Array], Array], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = where_maxima_stand(2, 8, 8)
    weights = weights_of(graph)
    path = exported(graph, weights, tmp_path)
    run = Session.run
    monkeypatch.setattr(
        Session, "run", lambda self, feeds: moved(pick)([np.array(y) for y in run(self, feeds)])
    )
    assert {problem.code for problem in verify(path, graph, weights).problems} == {"NS533"}


def test_an_index_of_a_smaller_element_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = where_maxima_stand(2, 8, 8)
    weights = weights_of(graph)
    path = exported(graph, weights, tmp_path)
    run = Session.run

    def other(self: Session, feeds: dict[str, Array]) -> list[Array]:
        values, places = run(self, feeds)
        return [values, places ^ 1]  # the neighbour in the row

    monkeypatch.setattr(Session, "run", other)
    certificate = verify(path, graph, weights)
    assert {problem.code for problem in certificate.problems} == {"NS533"}


LEVEL = """
netspec: 1
name: level
inputs: {image: [batch, 3, 17, 17]}
layers:
  - Conv2d: {out_channels: 6, kernel_size: 3}
    name: features
  - AvgPool2d: {kernel_size: 3, stride: 1, padding: 1, count_include_pad: false}
    name: near
  - AvgPool2d: {kernel_size: 5, stride: 1, padding: 2, count_include_pad: false}
    from: features
    name: far
  - {LessEqual: {}, from: [near, far], name: less}
  - {Equal: {}, from: [near, far], name: equal}
  - {Greater: {other: 0.1}, from: far, name: above}
  - {ArgMax: {dim: 1}, from: near, name: channel}
  - {ArgMin: {}, from: far, name: lowest}
  - {Max: {dim: -1, keepdim: true}, from: near, name: row}
  - {AdaptiveMaxPool2d: {output_size: [3, 2], return_indices: true}, from: far, name: pool}
outputs:
  {less: less, equal: equal, above: above, channel: channel, lowest: lowest, in_row: row.indices,
   in_plane: pool.indices}
"""


@pytest.mark.parametrize("seed", range(3))
def test_planes_that_are_level_but_for_rounding_raise_no_alarm(seed: int, tmp_path: Path) -> None:
    # Inputs of zeros and ones make both means the same number, rounded differently.
    graph = check_text(LEVEL, "level.yaml", format="yaml").graph
    weights = weights_of(graph, seed)
    certificate = verify(exported(graph, weights, tmp_path), graph, weights, seed=seed)
    assert [problem.text for problem in certificate.problems] == []


SHARED = """
netspec: 1
name: shared
inputs: {x: [batch, 2, 8, 8]}
layers:
  - MaxPool2d: {kernel_size: 2, return_indices: true}
    name: pool
  - Conv2d: {out_channels: 2, kernel_size: 3, padding: 1}
    name: between
  - MaxPool2d: {kernel_size: 2, return_indices: true}
    name: again
    share: pool
outputs: {first: pool.indices, second: again.indices}
"""


def test_layers_that_share_a_module_are_told_apart() -> None:
    graph = check_text(SHARED, "shared.yaml", format="yaml").graph
    oracle = Oracle(graph)
    oracle.load(weights_of(graph))
    x = np.random.default_rng(0).normal(size=(3, 2, 8, 8)).astype(np.float32)
    with oracle.exactly():
        answers = [oracle.run_exact([x]) for _ in range(2)]
    for _, operands in answers:
        assert np.array_equal(operands["first"][0], x)
        assert operands["second"][0].shape == (3, 2, 4, 4)


def test_only_what_a_layer_decides_is_judged_so() -> None:
    network = Network()
    counts = network.input("counts", "batch", 3, dtype=DType.INT64)
    x = network.input("x", "batch", 1, 4, 4)
    network.add("pool", op("MaxPool2d", kernel_size=2, return_indices=True), x)
    places = network.nodes[0].outputs[1]
    kept = network.add("kept", op("Identity"), counts)
    graph = network.graph(kept=kept, places=places, again=places)
    found = decided_outputs(graph)
    assert set(found) == {"places", "again"}
    assert found["places"].rule == Indexed(0, (-2, -1))
    assert found["places"].operands == (Value("x", TensorType(x.type.shape)),)
    assert found["places"].rounded == (False,)
