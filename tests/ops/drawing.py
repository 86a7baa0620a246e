"""Building blocks of the strategies that draw an operation's arguments and its inputs' shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Sizes

DTYPES = ("float32", "float32", "int64", "int32")
ALL_DTYPES = (*DTYPES, "bool")


def integer(draw: DrawFn, least: int, most: int, wild: bool, beyond: int = 0) -> int:
    """An integer from `least` to `most`; now and then, in a wild draw, as far as `beyond` below or above."""
    if wild and beyond and draw(st.integers(0, 7)) == 0:
        return draw(st.integers(least - beyond, most + beyond))
    return draw(st.integers(least, most))


def integers(draw: DrawFn, count: int, least: int, most: int, wild: bool, beyond: int = 1) -> tuple[int, ...]:
    """An integer for each of `count` axes, often the same for all."""
    first = integer(draw, least, most, wild, beyond)
    if draw(st.booleans()):
        return (first,) * count
    return (first, *(integer(draw, least, most, wild, beyond) for _ in range(count - 1)))


def written(draw: DrawFn, numbers: Sequence[int]) -> int | list[int]:
    """Integers as a spec writes them: one number stands for equal ones."""
    return numbers[0] if len(set(numbers)) == 1 and draw(st.booleans()) else list(numbers)


def chosen(draw: DrawFn, arguments: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments; those at their defaults are written or left out."""
    return {
        name: value
        for name, value in arguments.items()
        if name not in defaults or value != defaults[name] or draw(st.booleans())
    }


def shape(draw: DrawFn, ranks: Sequence[int], most: int = 5) -> Sizes:
    """Sizes from 1 to `most`, of one of the ranks."""
    rank = draw(st.sampled_from(ranks))
    return tuple(draw(st.lists(st.integers(1, most), min_size=rank, max_size=rank)))


def least_size(kernel: int, dilation: int, padding: int, overhang: int = 0) -> int:
    """The smallest axis, without its padding, into which a window fits."""
    return max(1, dilation * (kernel - 1) + 1 - 2 * padding - overhang)


def size(draw: DrawFn, least: int, wild: bool) -> int:
    """A size from `least` on; in a wild draw often just below."""
    return draw(st.integers(max(1, least - 1), least + 2) if wild else st.integers(least, least + 6))


def axis(draw: DrawFn, rank: int, wild: bool, beyond: int = 1) -> int:
    """An axis of a tensor, counted from the front or from the back."""
    return integer(draw, -rank, rank - 1, wild, beyond)


def stretched(draw: DrawFn, count: int, ranks: Sequence[int], wild: bool) -> tuple[Sizes, ...]:
    """Shapes that broadcast: sizes of 1, leading axes left out; now and then, if wild, one does not."""
    whole = shape(draw, ranks)
    shapes = []
    for _ in range(count):
        sizes = [1 if draw(st.integers(0, 3)) == 0 else length for length in whole]
        if wild and draw(st.integers(0, 4)) == 0:
            sizes[draw(st.integers(0, len(sizes) - 1))] += 1
        shapes.append(tuple(sizes[draw(st.integers(0, len(whole) - 1)) :]))
    return tuple(shapes)
