"""Resizing in ONNX: by Resize wherever engines read it as torch computes, else by what it stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from netspec.ir.dim import Size
from netspec.ir.tensor import DType, TensorType
from netspec.ops.scaling import Span, single, taken_by_standard, taken_by_torch, taken_exactly

if TYPE_CHECKING:
    from netspec.onnx_backend.emitter import Attribute, Emitter

CUBIC = -0.75  # the coefficient of the cubic in torch,
SMOOTH_CUBIC = -0.5  # and with antialias
AXES_OPSET = 18
"""The first whose Resize can be told which axes its sizes are of."""


class Interpolation(NamedTuple):
    """What a Resize does between elements: a mode of torch, of which ONNX has only the kind."""

    mode: str
    align_corners: bool

    @property
    def is_nearest(self) -> bool:
        return self.mode.startswith("nearest")

    @property
    def is_cubic(self) -> bool:
        return self.mode == "bicubic"

    def attributes(self) -> dict[str, Attribute]:
        """The attributes of Resize."""
        if self.mode == "nearest":
            coordinates = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            return {"mode": "nearest", **coordinates}
        aligned = "align_corners" if self.align_corners else "half_pixel"
        if self.is_nearest:
            coordinates = {"coordinate_transformation_mode": aligned, "nearest_mode": "round_prefer_ceil"}
            return {"mode": "nearest", **coordinates}
        if self.is_cubic:
            return {"mode": "cubic", "coordinate_transformation_mode": aligned, "cubic_coeff_a": CUBIC}
        return {"mode": "linear", "coordinate_transformation_mode": aligned}


def resized(graph: Emitter, x: str, spans: Sequence[Span], how: Interpolation) -> str:
    """The tensor `x` with its axes resized as `spans` say; it is an input of the layer."""
    source = graph.type(x)
    sizes = list(source.known)
    left = [span for span in spans if not _is_identity(span, how)]
    for span in tuple(left):
        if how.is_nearest and not _is_plain(span, how):
            taken = taken_by_torch(*_numbers(span), span.factor, centred=how.mode != "nearest")
            x = graph.node("Gather", x, graph.constant(taken, DType.INT64), axis=span.axis)
        elif how.is_cubic and span.length == span.result:
            # Engines pass a tensor on that keeps its size, whatever the scale is.
            x = _by_matrix(graph, x, span, source, _cubic_row(span))
        else:
            continue
        left.remove(span)
        sizes[span.axis] = span.result
    by_factor = [span for span in left if span.factor is not None]
    others = [span for span in left if span.factor is None]
    if all(span.exact_scale is not None for span in others):
        by_factor, others = left, []
    x = _by_scales(graph, x, by_factor, source.rank, how)
    for span in by_factor:
        sizes[span.axis] = span.result
    return _by_sizes(graph, x, others, sizes, how)


def _numbers(span: Span) -> tuple[int, int]:
    """Both lengths of an axis; symbolic ones were refused where they decide about weights or elements."""
    assert isinstance(span.length, int)
    assert isinstance(span.result, int)
    return span.length, span.result


def _is_identity(span: Span, how: Interpolation) -> bool:
    """Whether torch passes the axis on: where it keeps its length, but for what looks at the factor."""
    if span.length != span.result:
        return False
    if span.factor is None or how.mode not in ("nearest-exact", "bicubic"):
        return True
    if how.is_cubic:
        return False
    length, _ = _numbers(span)
    return taken_by_torch(length, length, span.factor, centred=True) == list(range(length))


def _is_plain(span: Span, how: Interpolation) -> bool:
    """Whether the standard takes the elements that torch does, computed in float32 as well as exactly."""
    if not (isinstance(span.length, int) and isinstance(span.result, int)):
        return True  # else the layer would have been refused
    if span.length == span.result:
        return False  # engines pass such a tensor on
    lengths, centred = (span.length, span.result), how.mode != "nearest"
    if span.factor is None:  # an engine divides the lengths in float32
        scale, fraction = single(span.result / span.length), (span.result, span.length)
    else:
        scale = single(span.factor)
        fraction = scale.as_integer_ratio()
    taken = taken_by_torch(*lengths, span.factor, centred=centred)
    ideal = taken_exactly(*lengths, fraction, centred=centred)
    return taken == taken_by_standard(*lengths, scale, centred=centred) == ideal


def _by_scales(graph: Emitter, x: str, spans: Sequence[Span], rank: int, how: Interpolation) -> str:
    if not spans:
        return x
    scales = [1.0] * rank
    for span in spans:
        scale = span.scale
        assert scale is not None
        scales[span.axis] = scale
    return graph.node("Resize", x, "", graph.constant(scales, DType.FLOAT32), **how.attributes())


def _by_sizes(
    graph: Emitter, x: str, spans: Sequence[Span], sizes: Sequence[Size], how: Interpolation
) -> str:
    if not spans:
        return x
    attributes = how.attributes()
    if graph.opset < AXES_OPSET:
        asked = list(sizes)
        for span in spans:
            asked[span.axis] = span.result
    else:
        asked = [span.result for span in spans]
        attributes["axes"] = [span.axis for span in spans]
    return graph.node("Resize", x, "", "", graph.shape(asked), **attributes)


Row = Callable[[int], dict[int, float]]
"""The weights of one result, by the element that they weigh."""


def smoothed(graph: Emitter, x: str, spans: Sequence[Span], how: Interpolation) -> str:
    """The tensor `x` resized with antialias: the filter is stretched over all the elements that it replaces.

    onnxruntime's Resize does not compute what torch does with it.
    """
    source = graph.type(x)
    for span in spans:
        x = _by_matrix(graph, x, span, source, _smooth_row(span, how))
    return x


def _by_matrix(graph: Emitter, x: str, span: Span, source: TensorType, row: Row) -> str:
    """One of the last two axes as the product with a matrix of weights."""
    length, results = _numbers(span)
    weights = [[0.0] * length for _ in range(results)]
    for result, line in enumerate(weights):
        for element, weight in row(result).items():
            line[element] = weight
    last = span.axis == source.rank - 1
    if last:
        weights = [list(column) for column in zip(*weights, strict=True)]
    matrix = _in_parts(graph, weights, source.dtype)
    return graph.node("MatMul", x, matrix) if last else graph.node("MatMul", matrix, x)


def _in_parts(graph: Emitter, weights: Sequence[Sequence[float]], dtype: DType) -> str:
    """A matrix as a sum of constants: an engine's float32 has its rounding, float64 all of its 48 bits."""
    large = [[single(weight) for weight in line] for line in weights]
    small = [
        [weight - part for weight, part in zip(*lines, strict=True)]
        for lines in zip(weights, large, strict=True)
    ]
    parts = (graph.constant(part, dtype) for part in (large, small))
    return graph.node("Add", *parts)


def _cubic(distance: float, a: float) -> float:
    """The cubic convolution kernel at a distance."""
    x = abs(distance)
    if x <= 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    if x < 2:
        return (((x - 5) * x + 8) * x - 4) * a
    return 0.0


def _cubic_row(span: Span) -> Row:
    """Four neighbours of each result, those beyond an end being the end itself."""
    assert span.factor is not None
    (length, _), scale = _numbers(span), 1 / single(span.factor)

    def row(result: int) -> dict[int, float]:
        place = scale * (result + 0.5) - 0.5
        first = int(place // 1) - 1
        weights: dict[int, float] = {}
        for element in range(first, first + 4):
            inside = min(max(element, 0), length - 1)
            weights[inside] = weights.get(inside, 0.0) + _cubic(place - element, CUBIC)
        return weights

    return row


def _smooth_row(span: Span, how: Interpolation) -> Row:
    """The filter around each result, stretched where there are fewer results than elements."""
    length, results = _numbers(span)
    if how.align_corners:
        scale = (length - 1) / (results - 1) if results > 1 else 0.0
    else:
        scale = length / results if span.factor is None else 1 / single(span.factor)
    stretch = max(scale, 1.0)
    support = (2 if how.is_cubic else 1) * stretch

    def filtered(distance: float) -> float:
        return _cubic(distance, SMOOTH_CUBIC) if how.is_cubic else max(0.0, 1 - abs(distance))

    def row(result: int) -> dict[int, float]:
        centre = scale * (result + 0.5)
        first = max(int(centre - support + 0.5), 0)
        end = min(int(centre + support + 0.5), length)
        weights = {element: filtered((element - centre + 0.5) / stretch) for element in range(first, end)}
        total = sum(weights.values())
        return {element: weight / total for element, weight in weights.items()}

    return row
