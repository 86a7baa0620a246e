"""How rearrangements of channels and pixels are drawn."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Case, Symbols
from tests.ops.drawing import ALL_DTYPES, integer, shape
from tests.ops.family import Family


@st.composite
def pixel_shuffle(draw: DrawFn, wild: bool) -> Case:
    factor = draw(st.integers(1, 3))
    *lead, channels, height, width = shape(draw, (3, 4, 4, 5), 3)
    channels = integer(draw, channels * factor**2, channels * factor**2, wild, 1)
    sizes = (*lead, max(channels, 1), height, width)
    if wild and draw(st.integers(0, 6)) == 0:
        sizes = sizes[-2:]
    return Case("PixelShuffle", {"upscale_factor": factor}, (sizes,), draw(st.sampled_from(ALL_DTYPES)))


@st.composite
def pixel_unshuffle(draw: DrawFn, wild: bool) -> Case:
    factor = draw(st.integers(1, 3))
    *lead, height, width = shape(draw, (3, 4, 4, 5), 3)
    sizes = (
        *lead,
        *(max(integer(draw, size * factor, size * factor, wild, 1), 1) for size in (height, width)),
    )
    if wild and draw(st.integers(0, 6)) == 0:
        sizes = sizes[-2:]
    return Case("PixelUnshuffle", {"downscale_factor": factor}, (sizes,), draw(st.sampled_from(ALL_DTYPES)))


@st.composite
def channel_shuffle(draw: DrawFn, wild: bool) -> Case:
    groups = draw(st.integers(1, 4))
    batch, channels, *sizes = shape(draw, (2, 3, 4, 5) if wild else (3, 4, 5), 3)
    channels = max(integer(draw, channels * groups, channels * groups, wild, 1), 1)
    return Case(
        "ChannelShuffle", {"groups": groups}, ((batch, channels, *sizes),), draw(st.sampled_from(ALL_DTYPES))
    )


def _openable(case: Case) -> tuple[Symbols, ...]:
    """Of sizes that must be multiples, the language knows which; here they stay numbers where they must."""
    rank = len(case.shapes[0])
    divided = {"PixelShuffle": (rank - 3,), "PixelUnshuffle": (rank - 2, rank - 1), "ChannelShuffle": (1,)}
    factor = next(iter(case.arguments.values()))
    kept = divided[case.op] if factor > 1 else ()
    return (tuple(None if axis in kept else f"d{axis}" for axis in range(rank)),)


FAMILY = Family(
    strategies={
        "PixelShuffle": pixel_shuffle,
        "PixelUnshuffle": pixel_unshuffle,
        "ChannelShuffle": channel_shuffle,
    },
    openable=_openable,
)
