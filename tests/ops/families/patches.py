"""How blocks of images are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Case, Sizes, Symbols
from tests.ops.drawing import chosen, integers, least_size, size, written
from tests.ops.family import Family

DEFAULTS = {"dilation": 1, "padding": 0, "stride": 1}


def _blocks(draw: DrawFn, wild: bool) -> tuple[dict[str, Any], Sizes, list[int], int]:
    """A window, an image that it fits, how many blocks there are along each axis, elements of one block."""
    kernel, dilation, stride = (integers(draw, 2, 1, most, wild) for most in (3, 3, 3))
    padding = integers(draw, 2, 0, 3, wild)
    image, counts = [], []
    for k, d, p, s in zip(kernel, dilation, padding, stride, strict=True):
        length = size(draw, least_size(k, d, p), wild)
        image.append(length)
        counts.append((length + 2 * p - d * (k - 1) - 1) // max(s, 1) + 1)
    arguments = {
        "kernel_size": written(draw, kernel),
        "dilation": written(draw, dilation),
        "padding": written(draw, padding),
        "stride": written(draw, stride),
    }
    return chosen(draw, arguments, DEFAULTS), tuple(image), counts, kernel[0] * kernel[1]


@st.composite
def _unfold(draw: DrawFn, wild: bool) -> Case:
    arguments, image, _, _ = _blocks(draw, wild)
    return Case("Unfold", arguments, ((draw(st.integers(1, 3)), draw(st.integers(1, 3)), *image),))


@st.composite
def _fold(draw: DrawFn, wild: bool) -> Case:
    arguments, image, (rows, columns), elements = _blocks(draw, wild)
    channels, blocks = draw(st.integers(1, 3)) * elements, rows * columns
    if wild and draw(st.integers(0, 3)) == 0:
        channels, blocks = channels + draw(st.integers(-1, 1)), blocks + draw(st.integers(-1, 1))
    shape = (draw(st.integers(1, 3)), max(channels, 1), max(blocks, 1))
    written_size: int | Sequence[str | int] = written(draw, image)
    symbols: tuple[Symbols, ...] = ()
    if not wild and draw(st.integers(0, 3)) == 0:
        # Blocks of one element, in one row: as many of them as the output is wide.
        arguments, written_size = {"kernel_size": 1}, [1, "width"]
        symbols = ((None, None, "width"),)
    return Case("Fold", {"output_size": written_size, **arguments}, (shape,), symbols=symbols)


def _openable(case: Case) -> tuple[Symbols, ...]:
    # The number of blocks follows from the size of the output, which stands in an argument.
    return (("d0", None, None) if case.op == "Fold" else ("d0", "d1", "d2", "d3"),)


FAMILY = Family(
    strategies={"Unfold": _unfold, "Fold": _fold},
    openable=_openable,
)
