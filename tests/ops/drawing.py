"""What the contract test draws: for every operation its arguments and its inputs' shapes.

Each strategy takes `wild`. A tame draw is one that torch takes; a wild one goes beyond what it may be in
some of its arguments, so that both sides must draw the line at one place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.ops.cases import Case, Sizes, Symbols

Strategy = Callable[[bool], SearchStrategy[Case]]


def _integer(draw: DrawFn, least: int, most: int, wild: bool, beyond: int = 0) -> int:
    """An integer from `least` to `most`; now and then, in a wild draw, as far as `beyond` below or above."""
    if wild and beyond and draw(st.integers(0, 7)) == 0:
        return draw(st.integers(least - beyond, most + beyond))
    return draw(st.integers(least, most))


def _pair(draw: DrawFn, least: int, most: int, wild: bool, beyond: int = 1) -> tuple[int, int]:
    first = _integer(draw, least, most, wild, beyond)
    return (first, first) if draw(st.booleans()) else (first, _integer(draw, least, most, wild, beyond))


def _written(draw: DrawFn, pair: tuple[int, int]) -> int | list[int]:
    """A pair as a spec writes it: one number stands for two equal ones."""
    return pair[0] if pair[0] == pair[1] and draw(st.booleans()) else list(pair)


def _chosen(draw: DrawFn, arguments: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments; those at their defaults are written or left out."""
    return {
        name: value
        for name, value in arguments.items()
        if name not in defaults or value != defaults[name] or draw(st.booleans())
    }


def _shape(draw: DrawFn, ranks: Sequence[int], most: int = 5) -> Sizes:
    rank = draw(st.sampled_from(ranks))
    return tuple(draw(st.lists(st.integers(1, most), min_size=rank, max_size=rank)))


def _least_size(kernel: int, dilation: int, padding: int, overhang: int = 0) -> int:
    """The smallest axis, without its padding, into which a window fits."""
    return max(1, dilation * (kernel - 1) + 1 - 2 * padding - overhang)


def _size(draw: DrawFn, least: int, wild: bool) -> int:
    """A size from `least` on; in a wild draw often just below."""
    return draw(st.integers(max(1, least - 1), least + 2) if wild else st.integers(least, least + 6))


@st.composite
def conv2d(draw: DrawFn, wild: bool) -> Case:
    kernel, dilation, stride = (_pair(draw, 1, most, wild) for most in (4, 3, 3))
    mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
    amount = _pair(draw, 0, 3, wild)
    padding: str | int | list[int] = draw(st.sampled_from(["same", "valid", "amount", "amount"]))
    if padding == "same":
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        amount = (-(-total[0] // 2), -(-total[1] // 2))
        if not wild or draw(st.booleans()):
            stride = (1, 1)
    elif padding == "valid":
        amount = (0, 0)
    else:
        padding = _written(draw, amount)
    groups = _integer(draw, 1, 3, wild, 1)
    divided = not wild or draw(st.integers(0, 3)) > 0
    channels, out_channels = (
        max(groups, 1) * draw(st.integers(1, 3)) if divided else draw(st.integers(1, 5)) for _ in range(2)
    )
    sizes = []
    for k, d, p in zip(kernel, dilation, amount, strict=True):
        least = _least_size(k, d, p)
        if mode in ("reflect", "circular"):
            least = max(least, p + (mode == "reflect"))
        sizes.append(_size(draw, least, wild))
    arguments = {
        "out_channels": out_channels,
        "kernel_size": _written(draw, kernel),
        "stride": _written(draw, stride),
        "padding": padding,
        "dilation": _written(draw, dilation),
        "groups": groups,
        "bias": draw(st.booleans()),
        "padding_mode": mode,
    }
    defaults = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True, "padding_mode": "zeros"}
    if draw(st.booleans()):
        arguments["in_channels"] = _integer(draw, channels, channels, wild, 1)
    return Case("Conv2d", _chosen(draw, arguments, defaults), ((draw(st.integers(1, 3)), channels, *sizes),))


def _pool(draw: DrawFn, wild: bool, dilation: tuple[int, int]) -> tuple[dict[str, Any], Sizes]:
    """What the pools share: their window, and a shape that it fits."""
    kernel = _pair(draw, 1, 4, wild)
    stride = _pair(draw, 1, 5, wild) if draw(st.booleans()) else None
    ceil_mode = draw(st.booleans())
    padding, sizes = [], []
    for k, d, s in zip(kernel, dilation, stride or kernel, strict=True):
        p = _integer(draw, 0, max(k // 2, 0), wild, 1)
        padding.append(p)
        # A window must fit, and its first element behind the padding must lie in the input.
        least = max(_least_size(k, d, p, s - 1 if ceil_mode else 0), -p % max(d, 1) + 1)
        sizes.append(_size(draw, least, wild))
    arguments = {
        "kernel_size": _written(draw, kernel),
        "padding": _written(draw, (padding[0], padding[1])),
        "ceil_mode": ceil_mode,
    }
    if stride is not None:
        arguments["stride"] = _written(draw, stride)
    return arguments, (draw(st.integers(1, 3)), draw(st.integers(1, 3)), *sizes)


@st.composite
def max_pool2d(draw: DrawFn, wild: bool) -> Case:
    dilation = _pair(draw, 1, 3, wild)
    arguments, shape = _pool(draw, wild, dilation)
    arguments |= {"dilation": _written(draw, dilation), "return_indices": draw(st.booleans())}
    defaults = {"padding": 0, "ceil_mode": False, "dilation": 1, "return_indices": False}
    return Case("MaxPool2d", _chosen(draw, arguments, defaults), (shape,))


@st.composite
def avg_pool2d(draw: DrawFn, wild: bool) -> Case:
    arguments, shape = _pool(draw, wild, (1, 1))
    arguments["count_include_pad"] = draw(st.booleans())
    divisor = draw(st.none() | st.integers(1, 9))
    if divisor is not None:
        arguments["divisor_override"] = _integer(draw, divisor, divisor, wild, 9)
    defaults = {"padding": 0, "ceil_mode": False, "count_include_pad": True}
    return Case("AvgPool2d", _chosen(draw, arguments, defaults), (shape,))


@st.composite
def adaptive_avg_pool2d(draw: DrawFn, wild: bool) -> Case:
    asked = [draw(st.none() | st.integers(1, 7)) for _ in range(2)]
    if wild and draw(st.integers(0, 5)) == 0:
        asked[0] = -1
    divided = draw(st.booleans())
    sizes = [
        draw(st.integers(1, 3)) * max(ask or 1, 1) if divided else draw(st.integers(1, 9)) for ask in asked
    ]
    written = asked[0] if asked[0] == asked[1] and asked[0] and draw(st.booleans()) else asked
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 3)), *sizes)
    return Case("AdaptiveAvgPool2d", {"output_size": written}, (shape,))


@st.composite
def linear(draw: DrawFn, wild: bool) -> Case:
    shape = _shape(draw, (1, 2, 2, 3, 4, 5))
    arguments: dict[str, Any] = {
        "out_features": _integer(draw, 1, 6, wild, 1),
        "bias": draw(st.booleans()),
    }
    if draw(st.booleans()):
        arguments["in_features"] = _integer(draw, shape[-1], shape[-1], wild, 1)
    return Case("Linear", _chosen(draw, arguments, {"bias": True}), (shape,))


DTYPES = ("float32", "float32", "int64", "int32")


@st.composite
def identity(draw: DrawFn, wild: bool) -> Case:
    return Case("Identity", {}, (_shape(draw, range(1, 6)),), draw(st.sampled_from((*DTYPES, "bool"))))


@st.composite
def flatten(draw: DrawFn, wild: bool) -> Case:
    shape = _shape(draw, range(1, 6) if wild else range(2, 6), 4)
    rank = len(shape)
    start = _integer(draw, 0, rank - 1, wild, 2)
    end = _integer(draw, 0, rank - 1, wild, 2)
    if not wild:
        start, end = sorted((start, end))
    if draw(st.booleans()):
        start -= rank
    if draw(st.booleans()):
        end -= rank
    arguments = _chosen(draw, {"start_dim": start, "end_dim": end}, {"start_dim": 1, "end_dim": -1})
    return Case("Flatten", arguments, (shape,), draw(st.sampled_from((*DTYPES, "bool"))))


@st.composite
def concat(draw: DrawFn, wild: bool) -> Case:
    shape = _shape(draw, range(2, 5))
    rank = len(shape)
    dim = _integer(draw, -rank, rank - 1, wild, 1)
    shapes = []
    for _ in range(draw(st.integers(1, 4))):
        other = list(shape)
        other[dim % rank] = draw(st.integers(1, 5))
        if wild and draw(st.integers(0, 4)) == 0:
            other[draw(st.integers(0, rank - 1))] += 1
        if wild and draw(st.integers(0, 9)) == 0:
            other.append(2)
        shapes.append(tuple(other))
    dtype = draw(st.sampled_from((*DTYPES, "bool")))
    return Case("Concat", _chosen(draw, {"dim": dim}, {"dim": 1}), tuple(shapes), dtype)


def _batch_norm(op: str, ranks: Sequence[int]) -> Strategy:
    @st.composite
    def batch_norm(draw: DrawFn, wild: bool) -> Case:
        shape = _shape(draw, ranks)
        arguments = {
            "eps": draw(st.sampled_from([1e-5, 1e-3, 0.1])),
            "momentum": draw(st.sampled_from([0.1, 0.9, 1.0, None])),
            "affine": draw(st.booleans()),
            "track_running_stats": draw(st.booleans()),
            "bias": draw(st.booleans()),
        }
        if not wild and not arguments["track_running_stats"]:
            shape = (shape[0] + 1, *shape[1:])  # a variance of one number is refused
        defaults: dict[str, Any] = {
            "eps": 1e-5,
            "momentum": 0.1,
            "affine": True,
            "track_running_stats": True,
            "bias": True,
        }
        if draw(st.booleans()):
            arguments["num_features"] = _integer(draw, shape[1], shape[1], wild, 1)
        return Case(op, _chosen(draw, arguments, defaults), (shape,))

    return batch_norm


@st.composite
def dropout(draw: DrawFn, wild: bool) -> Case:
    choices = [0.0, 0.25, 0.5, 1.0] + ([-0.1, 1.1] if wild else [])
    arguments = {"p": draw(st.sampled_from(choices)), "inplace": draw(st.booleans())}
    arguments = _chosen(draw, arguments, {"p": 0.5, "inplace": False})
    return Case("Dropout", arguments, (_shape(draw, range(1, 6)),))


def _elementwise(op: str, flags: Sequence[str] = ()) -> Strategy:
    @st.composite
    def elementwise(draw: DrawFn, wild: bool) -> Case:
        arguments = {flag: draw(st.booleans()) for flag in flags}
        arguments = _chosen(draw, arguments, dict.fromkeys(flags, False))
        return Case(op, arguments, (_shape(draw, range(1, 6)),))

    return elementwise


def _normalised(op: str) -> Strategy:
    @st.composite
    def normalised(draw: DrawFn, wild: bool) -> Case:
        shape = _shape(draw, range(1, 6))
        dim = None
        if draw(st.integers(0, 3)):
            dim = _integer(draw, -len(shape), len(shape) - 1, wild, 2)
        return Case(op, _chosen(draw, {"dim": dim}, {"dim": None}), (shape,))

    return normalised


def _combination(op: str) -> Strategy:
    numbers = st.integers(-9, 9) | st.floats(-9, 9) | st.integers(-(2**31), 2**31 - 1)
    beyond = st.sampled_from([2**31, -(2**31) - 1, 2**40, -1e39, 1e300, 2**63 - 1, -(2**63)])

    @st.composite
    def combination(draw: DrawFn, wild: bool) -> Case:
        whole = _shape(draw, range(1, 5))
        dtype = draw(st.sampled_from((*DTYPES, "bool") if wild else DTYPES))
        number = numbers if dtype == "float32" or wild else st.integers(-9, 9)
        if wild:
            number |= beyond
        arguments: dict[str, Any] = {}
        count = draw(st.integers(1, 3))
        if count == 1 or (wild and draw(st.integers(0, 5)) == 0):
            arguments["other"] = draw(number)
        if op == "Add" and (count < 3 or wild) and draw(st.booleans()):
            arguments["alpha"] = draw(number)
        shapes = []
        for _ in range(count):
            shape = [1 if draw(st.integers(0, 3)) == 0 else size for size in whole]
            if wild and draw(st.integers(0, 4)) == 0:
                shape[draw(st.integers(0, len(shape) - 1))] += 1
            shapes.append(tuple(shape[draw(st.integers(0, len(whole) - 1)) :]))
        return Case(op, arguments, tuple(shapes), dtype)

    return combination


STRATEGIES: dict[str, Strategy] = {
    "Conv2d": conv2d,
    "MaxPool2d": max_pool2d,
    "AvgPool2d": avg_pool2d,
    "AdaptiveAvgPool2d": adaptive_avg_pool2d,
    "Linear": linear,
    "Identity": identity,
    "Flatten": flatten,
    "Concat": concat,
    "BatchNorm1d": _batch_norm("BatchNorm1d", (2, 3)),
    "BatchNorm2d": _batch_norm("BatchNorm2d", (4,)),
    "Dropout": dropout,
    "Sigmoid": _elementwise("Sigmoid"),
    "Tanh": _elementwise("Tanh"),
    "ReLU": _elementwise("ReLU", ["inplace"]),
    "Softmax": _normalised("Softmax"),
    "LogSoftmax": _normalised("LogSoftmax"),
    "Add": _combination("Add"),
    "Mul": _combination("Mul"),
}
"""One strategy an operation."""


def _openable(case: Case) -> tuple[Symbols, ...]:
    """A name for every dimension that a spec may leave open, the same for those that must agree."""
    if case.op in ("Add", "Mul"):
        # Aligned from the right; a size of 1 stretches, so that it stays a number.
        return tuple(
            tuple(None if size == 1 else f"d{len(shape) - axis}" for axis, size in enumerate(shape))
            for shape in case.shapes
        )
    if case.op == "Concat":
        along = case.arguments.get("dim", 1) % len(case.shapes[0])
        return tuple(
            tuple(f"d{axis}_{number}" if axis == along else f"d{axis}" for axis in range(len(shape)))
            for number, shape in enumerate(case.shapes)
        )
    rank = len(case.shapes[0])
    fixed = {"Conv2d": 1, "BatchNorm1d": 1, "BatchNorm2d": 1, "Linear": rank - 1}.get(case.op)
    return (tuple(None if axis == fixed else f"d{axis}" for axis in range(rank)),)


@st.composite
def opened(draw: DrawFn, case: Case) -> Case:
    """The case with some of its dimensions symbolic."""
    names = _openable(case)
    every = sorted({name for symbols in names for name in symbols if name})
    if not every:
        return replace(case, symbols=names)
    kept = set(every) if draw(st.booleans()) else draw(st.sets(st.sampled_from(every)))
    symbols = tuple(tuple(name if name in kept else None for name in symbols) for symbols in names)
    return replace(case, symbols=symbols)


def tame(op: str) -> SearchStrategy[Case]:
    """Cases that torch takes, some of their dimensions symbolic."""
    return STRATEGIES[op](False).flatmap(opened)


def wild(op: str) -> SearchStrategy[Case]:
    """Cases that torch takes or not, all of their sizes numbers."""
    return STRATEGIES[op](True)
