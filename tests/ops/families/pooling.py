"""What the strategies of the pools share."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.ops.cases import Sizes
from tests.ops.drawing import integer, integers, least_size, size, written


def pool(
    draw: DrawFn,
    rank: int,
    wild: bool,
    *,
    padded: bool = True,
    dilation: tuple[int, ...] | None = None,
    inside: bool = False,
) -> tuple[dict[str, Any], Sizes]:
    """The arguments of a window, and a shape that it fits; `inside` the shape without its padding."""
    kernel = integers(draw, rank, 1, 4 if rank < 3 else 3, wild)
    stride = integers(draw, rank, 1, 5, wild) if draw(st.booleans()) else None
    ceil_mode = draw(st.booleans())
    padding, sizes = [], []
    for k, d, s in zip(kernel, dilation or (1,) * rank, stride or kernel, strict=True):
        p = integer(draw, 0, max(k // 2, 0), wild, 1) if padded else 0
        padding.append(p)
        # A window must fit, and its first element behind the padding must lie in the input.
        least = max(least_size(k, d, p, s - 1 if ceil_mode else 0), -p % max(d, 1) + 1, k if inside else 1)
        sizes.append(
            size(draw, least, wild) if rank < 3 else draw(st.integers(max(1, least - wild), least + 3))
        )
    arguments: dict[str, Any] = {"kernel_size": written(draw, kernel), "ceil_mode": ceil_mode}
    if padded:
        arguments["padding"] = written(draw, padding)
    if stride is not None:
        arguments["stride"] = written(draw, stride)
    return arguments, (draw(st.integers(1, 3)), draw(st.integers(1, 3)), *sizes)
