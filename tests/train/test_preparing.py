"""Raw batches on their way to the network: the same as in numpy, and moved at random where that is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netspec.ir.graph import Graph, Preprocess
from netspec.ir.tensor import DType
from netspec.ir.training import Augment
from netspec.train.preparing import Prepare
from netspec.verify.fitting import prepare_input
from netspec.verify.tolerance import Array
from tests.verify.small_networks import Network, op


def network(*shape: int | str, rule: Preprocess | None = None, dtype: DType = DType.FLOAT32) -> Graph:
    grown = Network()
    return grown.graph(
        y=grown.add("flat", op("Flatten"), grown.input("x", *shape, dtype=dtype, preprocess=rule))
    )


def by_numpy(raw: Array, graph: Graph) -> Array:
    return prepare_input(raw, graph.inputs[0], graph.bounds, "raw")


def by_torch(raw: Array, graph: Graph) -> Array:
    (given,) = Prepare(graph)((torch.from_numpy(raw),))
    result: Array = given.numpy()
    return result


numbers = st.floats(0.0078125, 3, width=32)


@st.composite
def rules(draw, channels: int, size: tuple[int, int]) -> Preprocess | None:
    several = st.sampled_from([1, channels]).flatmap(
        lambda count: st.lists(numbers, min_size=count, max_size=count).map(tuple)
    )
    resize = draw(st.none() | st.just(size))
    scales = st.none() | numbers | st.just(1 / 255)
    some = st.builds(Preprocess, scales, st.none() | several, st.none() | several, st.just(resize))
    rule: Preprocess | None = draw(st.none() | some)
    return rule


@st.composite
def cases(draw) -> tuple[Array, Graph]:
    count, channels = draw(st.integers(1, 3)), draw(st.sampled_from([1, 3]))
    have, to = (draw(st.tuples(st.integers(1, 40), st.integers(1, 40))) for _ in range(2))
    rule = draw(rules(channels, to))
    size = to if rule is not None and rule.resize is not None else have
    dtype = draw(st.sampled_from([DType.FLOAT32, DType.FLOAT64, DType.FLOAT16]))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    raw: Array = random.integers(0, 256, (count, channels, *have), np.uint8)
    if draw(st.booleans()):
        raw = random.normal(size=raw.shape).astype(np.float32)
    return raw, network("batch", channels, *size, rule=rule, dtype=dtype)


@given(cases())
def test_the_cpu_gives_the_bits_that_numpy_gives(case: tuple[Array, Graph]) -> None:
    raw, graph = case
    expected, got = by_numpy(raw, graph), by_torch(raw, graph)
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


def test_rows_of_numbers_are_prepared_too() -> None:
    raw = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    graph = network("batch", 3, rule=Preprocess(scale=0.5, mean=(1.0, 2.0, 3.0), std=(3.0,)))
    np.testing.assert_array_equal(by_torch(raw, graph), by_numpy(raw, graph))


def test_integers_stay_integers() -> None:
    raw = np.arange(6).reshape(2, 3)
    got = by_torch(raw, network("batch", 3, dtype=DType.INT64))
    assert got.dtype == np.int64
    np.testing.assert_array_equal(got, raw)


def test_channels_last_changes_the_strides_alone() -> None:
    raw = (torch.randint(0, 256, (2, 3, 4, 5), dtype=torch.uint8),)
    graph = network("batch", 3, 4, 5)
    (last,) = Prepare(graph, channels_last=True)(raw)
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last, Prepare(graph)(raw)[0])


def moved(raw: torch.Tensor, augment: Augment) -> Array:
    """The raw images as augmentation leaves them, unscaled."""
    graph = network("batch", *raw.shape[1:], rule=Preprocess(scale=1.0))
    result: Array = Prepare(graph, augment)((raw,))[0].numpy()
    return result


def windows(image: Array, augment: Augment) -> Iterator[bytes]:
    """Every image that the augmentation may make of one."""
    crop = augment.crop
    padded = np.pad(image, ((0, 0), (crop, crop), (crop, crop)))
    height, width = image.shape[1:]
    for row in range(2 * crop + 1):
        for column in range(2 * crop + 1):
            window = padded[:, row : row + height, column : column + width]
            yield window.tobytes()
            if augment.flip:
                yield np.ascontiguousarray(window[:, :, ::-1]).tobytes()


@pytest.mark.parametrize("augment", [Augment(True, 0), Augment(False, 1), Augment(True, 2)])
def test_every_move_occurs_about_equally_often_and_no_other(augment: Augment) -> None:
    torch.manual_seed(0)
    image = torch.randint(1, 256, (2, 4, 5), dtype=torch.uint8)
    count = 4000
    got = moved(image.expand(count, 2, 4, 5), augment)
    found = Counter(each.astype(np.uint8).tobytes() for each in got)
    possible = set(windows(image.numpy(), augment))
    assert found.keys() == possible
    expected = count / len(possible)
    assert all(abs(times - expected) < 5 * expected**0.5 for times in found.values())


def test_the_generator_of_the_device_decides() -> None:
    raw = torch.randint(0, 256, (8, 1, 6, 6), dtype=torch.uint8)
    graph, augment = network("batch", 1, 6, 6), Augment(True, 2)
    torch.manual_seed(3)
    (first,), (second,) = (Prepare(graph, augment)((raw,)) for _ in range(2))
    torch.manual_seed(3)
    (again,) = Prepare(graph, augment)((raw,))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_all_images_of_an_example_are_moved_alike() -> None:
    grown = Network()
    a, b = grown.input("a", "batch", 1, 5, 5), grown.input("b", "batch", 1, 5, 5)
    c = grown.input("c", "batch", 2)
    graph = grown.graph(y=grown.add("sum", op("Add"), a, b), z=c)
    images, row = torch.randint(0, 256, (9, 1, 5, 5), dtype=torch.uint8), torch.rand(9, 2)
    one, other, kept = Prepare(graph, Augment(True, 3))((images, images, row))
    assert torch.equal(one, other)
    assert not torch.equal(one, images / 255)
    assert torch.equal(kept, row)


@pytest.mark.parametrize("warm", [False, True])
def test_it_is_one_traced_graph(warm: bool) -> None:
    rule = Preprocess(scale=1 / 255, mean=(0.5,), std=(0.25,), resize=(9, 7))
    prepare = Prepare(network("batch", 1, 9, 7, rule=rule), Augment(True, 2))
    raw = (torch.randint(0, 256, (4, 1, 5, 6), dtype=torch.uint8),)
    if warm:
        prepare(raw)
    torch.manual_seed(0)
    (expected,) = Prepare(network("batch", 1, 9, 7, rule=rule), Augment(True, 2))(raw)
    torch.manual_seed(0)
    (got,) = torch.compile(prepare, fullgraph=True, backend="eager")(raw)
    assert torch.equal(got, expected)


@pytest.mark.gpu
def test_a_gpu_replays_it_with_new_draws() -> None:
    rule = Preprocess(scale=1 / 255, mean=(0.5,), std=(0.25,), resize=(9, 7))
    graph = network("batch", 1, 9, 7, rule=rule)
    raw = (torch.randint(0, 256, (64, 1, 5, 6), dtype=torch.uint8, device="cuda"),)
    still, prepare = Prepare(graph), Prepare(graph, Augment(True, 2))
    np.testing.assert_allclose(still(raw)[0].cpu(), still((raw[0].cpu(),))[0], rtol=0, atol=1e-6)
    prepare(raw)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        (given,) = prepare(raw)
    captured.replay()
    first = given.clone()
    captured.replay()
    assert not torch.equal(first, given)
    torch.cuda.manual_seed(1)
    captured.replay()
    first = given.clone()
    torch.cuda.manual_seed(1)
    captured.replay()
    assert torch.equal(first, given)
