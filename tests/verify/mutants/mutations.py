"""Everything that is done to a file, one small change each."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto
from onnx.numpy_helper import from_array, to_array

from netspec.onnx_backend.emitter import CONSTANT_PREFIX
from netspec.verify.tolerance import Array

Edit = Callable[[ModelProto], None]


@dataclass(frozen=True)
class Mutant:
    """One change: its kind, what it is in words, and the edit that makes it of the right file."""

    kind: str
    what: str
    edit: Edit

    def made_of(self, model: ModelProto) -> ModelProto:
        """The changed copy of a model."""
        changed = ModelProto()
        changed.CopyFrom(model)
        self.edit(changed)
        return changed


COUSINS = {
    "Relu": ("LeakyRelu", "Elu", "Softplus"),
    "LeakyRelu": ("Relu", "Elu"),
    "PRelu": ("Mul",),
    "Elu": ("Selu", "Relu"),
    "Sigmoid": ("HardSigmoid", "Tanh"),
    "HardSigmoid": ("Sigmoid",),
    "Tanh": ("Sigmoid", "Softsign"),
    "Softplus": ("Relu",),
    "Softmax": ("LogSoftmax", "Hardmax"),
    "MaxPool": ("AveragePool",),
    "AveragePool": ("MaxPool", "LpPool"),
    "GlobalAveragePool": ("GlobalMaxPool",),
    "ReduceMean": ("ReduceMax", "ReduceSum"),
    "Add": ("Mul", "Sub"),
    "Sub": ("Add",),
    "Mul": ("Add", "Div"),
    "Div": ("Mul",),
    "Erf": ("Tanh",),
    "Floor": ("Ceil",),
    "Max": ("Min",),
    "Min": ("Max",),
}

CHOICES = {
    "mode": ("linear", "nearest", "cubic", "constant", "edge", "reflect"),
    "coordinate_transformation_mode": ("half_pixel", "asymmetric", "align_corners"),
    "nearest_mode": ("floor", "round_prefer_floor"),
    "direction": ("forward", "reverse", "bidirectional"),
    "approximate": ("none", "tanh"),
    "auto_pad": ("NOTSET", "SAME_UPPER", "VALID"),
}
FLAGS = ("ceil_mode", "count_include_pad", "transA", "transB", "keepdims", "linear_before_reset", "layout")


def mutants(model: ModelProto, seed: int) -> Iterator[Mutant]:
    """Every mutant of a file; the same for the same seed."""
    draw = random.Random(seed)
    yield from _attributes(model)
    yield from _inputs(model)
    yield from _nodes(model)
    yield from _weights(model, draw)
    yield from _constants(model)
    yield from _interface(model)
    yield from _metadata(model)


def _attributes(model: ModelProto) -> Iterator[Mutant]:
    for place, node in enumerate(model.graph.node):
        for slot, attribute in enumerate(node.attribute):
            for said, change in _changed(attribute):
                what = f"{node.name} ({node.op_type}): {attribute.name} {said}"
                yield Mutant(f"attribute {attribute.name}", what, _at_attribute(place, slot, change))


def _changed(attribute: AttributeProto) -> Iterator[tuple[str, Callable[[AttributeProto], None]]]:
    """Other values of an attribute, each as words and as the change."""

    def put(field: str, value: object) -> Callable[[AttributeProto], None]:
        def change(attribute: AttributeProto) -> None:
            if field in ("ints", "floats", "strings"):
                del getattr(attribute, field)[:]
                getattr(attribute, field).extend(value)
            else:
                setattr(attribute, field, value)

        return change

    if attribute.type == AttributeProto.INT:
        now = attribute.i
        number: int = 1 - now if attribute.name in FLAGS else now + 1
        if attribute.name == "to":
            number = TensorProto.INT32 if now == TensorProto.INT64 else TensorProto.DOUBLE
        yield f"{now} → {number}", put("i", number)
    elif attribute.type == AttributeProto.FLOAT:
        for factor in (1.01, 2.0):
            real = float(np.float32(attribute.f * factor)) if attribute.f else 0.01 * factor
            yield f"{attribute.f:g} → {real:g}", put("f", real)
    elif attribute.type == AttributeProto.INTS:
        values = list(attribute.ints)
        for i in {0, len(values) - 1} if values else ():
            moved = [value + (j == i) for j, value in enumerate(values)]
            if attribute.name == "perm":
                moved = values.copy()
                moved[i], moved[i - 1] = moved[i - 1], moved[i]
            yield f"{values} → {moved}", put("ints", moved)
    elif attribute.type == AttributeProto.FLOATS:
        reals = list(attribute.floats)
        yield "0th × 1.01", put("floats", [v * 1.01 if i == 0 else v for i, v in enumerate(reals)])
    elif attribute.type == AttributeProto.STRING:
        said = attribute.s.decode()
        for choice in CHOICES.get(attribute.name, ()):
            if choice != said:
                yield f"{said} → {choice}", put("s", choice.encode())
    elif attribute.type == AttributeProto.STRINGS:
        texts = list(attribute.strings)
        yield "reversed", put("strings", texts[::-1])
        yield "0th → Softsign", put("strings", [b"Softsign", *texts[1:]])


def _at_attribute(place: int, slot: int, change: Callable[[AttributeProto], None]) -> Edit:
    return lambda model: change(model.graph.node[place].attribute[slot])


def _inputs(model: ModelProto) -> Iterator[Mutant]:
    for place, node in enumerate(model.graph.node):
        for i in range(len(node.input) - 1):
            if node.input[i] == node.input[i + 1]:
                continue

            def swap(model: ModelProto, place: int = place, i: int = i) -> None:
                names = model.graph.node[place].input
                names[i], names[i + 1] = names[i + 1], names[i]

            yield Mutant("inputs swapped", f"{node.name} ({node.op_type}): inputs {i} and {i + 1}", swap)


def _nodes(model: ModelProto) -> Iterator[Mutant]:
    outputs = {entry.name for entry in model.graph.output}
    for place, node in enumerate(model.graph.node):
        named = f"{node.name} ({node.op_type})"
        if node.input and not {*node.output} & outputs:
            yield Mutant("node dropped", named, _dropping(place))
        if len(node.output) == 1 and node.input:
            yield Mutant("node doubled", named, _doubling(place))
        for cousin in COUSINS.get(node.op_type, ()):
            yield Mutant("node replaced", f"{named} → {cousin}", _replacing(place, cousin))


def _dropping(place: int) -> Edit:
    def edit(model: ModelProto) -> None:
        gone = model.graph.node[place]
        source, given = gone.input[0], set(gone.output)
        del model.graph.node[place]
        for node in model.graph.node:
            for i, name in enumerate(node.input):
                if name in given:
                    node.input[i] = source

    return edit


def _doubling(place: int) -> Edit:
    """The node once more behind itself; the last one gives what the readers read."""

    def edit(model: ModelProto) -> None:
        first = model.graph.node[place]
        second = NodeProto()
        second.CopyFrom(first)
        second.name = f"{first.name}/again"
        first.output[0] = f"{first.output[0]}/once"
        second.input[0] = first.output[0]
        model.graph.node.insert(place + 1, second)

    return edit


def _replacing(place: int, cousin: str) -> Edit:
    def edit(model: ModelProto) -> None:
        node = model.graph.node[place]
        known = {
            "AveragePool": ("kernel_shape", "strides", "pads", "ceil_mode", "dilations"),
            "MaxPool": ("kernel_shape", "strides", "pads", "ceil_mode", "dilations"),
            "LpPool": ("kernel_shape", "strides", "pads", "ceil_mode", "dilations"),
        }.get(cousin)
        kept = [a for a in node.attribute if cousin.startswith("Reduce") or "Soft" in cousin]
        if known is not None:
            kept = [a for a in node.attribute if a.name in known]
        node.op_type = cousin
        kept = [AttributeProto.FromString(a.SerializeToString()) for a in kept]
        node.ClearField("attribute")
        node.attribute.extend(kept)

    return edit


def _weights(model: ModelProto, draw: random.Random) -> Iterator[Mutant]:
    for place, tensor in enumerate(model.graph.initializer):
        if tensor.name.startswith(CONSTANT_PREFIX) or tensor.data_type not in (
            TensorProto.FLOAT,
            TensorProto.FLOAT16,
        ):
            continue
        array = to_array(tensor)
        if not array.size:
            continue
        edits: dict[str, Callable[[Array], Array]] = {"negated": np.negative}
        if array.ndim >= 2:
            edits["transposed"] = lambda a: np.swapaxes(a, 0, 1).reshape(a.shape)
        largest, drawn = int(np.argmax(abs(array))), draw.randrange(array.size)
        for at in dict.fromkeys((largest, drawn)):
            edits[f"element {at} × 1.01"] = _off(at)
        for said, edit in edits.items():
            if np.array_equal(edit(array), array):
                continue
            kind = "weight element × 1.01" if "element" in said else f"weight {said}"
            yield Mutant(kind, f"{tensor.name} {said}", _on_tensor(place, edit))


def _off(at: int) -> Callable[[Array], Array]:
    def edit(array: Array) -> Array:
        moved = array.copy()
        moved.reshape(-1)[at] *= array.dtype.type(1.01)
        return moved

    return edit


def _on_tensor(place: int, edit: Callable[[Array], Array]) -> Edit:
    def change(model: ModelProto) -> None:
        tensor = model.graph.initializer[place]
        array = np.ascontiguousarray(edit(to_array(tensor))).reshape(tuple(tensor.dims))
        tensor.CopyFrom(from_array(array, tensor.name))

    return change


def _constants(model: ModelProto) -> Iterator[Mutant]:
    for place, tensor in enumerate(model.graph.initializer):
        if not tensor.name.startswith(CONSTANT_PREFIX):
            continue
        array = to_array(tensor)
        for at in dict.fromkeys((0, array.size - 1)) if array.size else ():

            def edit(array: Array, at: int = at) -> Array:
                moved = array.copy()
                flat = moved.reshape(-1)
                if moved.dtype.kind == "f":
                    flat[at] = flat[at] * moved.dtype.type(1.01) if flat[at] else 0.01
                else:
                    flat[at] = 1 - flat[at] if moved.dtype.kind == "b" else flat[at] + 1
                return moved

            what = f"{tensor.name} {array.dtype}{list(array.shape)}, element {at}"
            yield Mutant("constant changed", what, _on_tensor(place, edit))


def _interface(model: ModelProto) -> Iterator[Mutant]:
    for side in "input", "output":
        for place, entry in enumerate(getattr(model.graph, side)):
            for axis, size in enumerate(entry.type.tensor_type.shape.dim):
                if not size.dim_param:
                    continue
                for fixed in 1, 3:

                    def fix(
                        model: ModelProto,
                        side: str = side,
                        place: int = place,
                        axis: int = axis,
                        n: int = fixed,
                    ) -> None:
                        getattr(model.graph, side)[place].type.tensor_type.shape.dim[axis].dim_value = n

                    yield Mutant("dimension fixed", f"{side} {entry.name}, axis {axis} = {fixed}", fix)
    for place, entry in enumerate(model.graph.output):
        yield Mutant("output renamed", entry.name, _renamed(place))
    for side in "input", "output":
        if len(getattr(model.graph, side)) > 1:
            yield Mutant(f"{side}s reordered", f"all {side}s", _reversed(side))
    if len(model.graph.output) == 1:

        def further(model: ModelProto) -> None:
            inner = model.graph.value_info[0]
            model.graph.output.add().CopyFrom(inner)

        if model.graph.value_info:
            yield Mutant("output added", "a tensor in between", further)


def _renamed(place: int) -> Edit:
    def edit(model: ModelProto) -> None:
        old = model.graph.output[place].name
        model.graph.output[place].name = f"{old}_"
        for node in model.graph.node:
            for names in node.input, node.output:
                for i, name in enumerate(names):
                    if name == old:
                        names[i] = f"{old}_"

    return edit


def _reversed(side: str) -> Edit:
    def edit(model: ModelProto) -> None:
        entries = list(getattr(model.graph, side))
        copies = [type(entry).FromString(entry.SerializeToString()) for entry in reversed(entries)]
        model.graph.ClearField(side)
        getattr(model.graph, side).extend(copies)

    return edit


def _metadata(model: ModelProto) -> Iterator[Mutant]:
    told: Mapping[str, str] = {entry.key: entry.value for entry in model.metadata_props}
    for key, text in told.items():
        yield Mutant("metadata removed", key, _telling(key, None))
        if key.endswith("_hash"):
            yield Mutant("metadata hash", key, _telling(key, text[::-1]))
    for key in ("netspec.labels", "netspec.preprocess", "netspec.onnxruntime", "netspec.opset"):
        other = {"netspec.labels": '{"y":["a","b"]}', "netspec.preprocess": '{"x":{"scale":2.0}}'}
        yield Mutant("metadata altered", key, _telling(key, other.get(key, "17.5")))
    yield Mutant("metadata altered", "netspec.version", _telling("netspec.version", "0.0.1"))
    yield Mutant("metadata altered", "a further key", _telling("netspec.author", "nobody"))
    spec = json.loads(told["netspec.spec"])
    for what, altered in _specs(spec):
        text = json.dumps(altered, ensure_ascii=True, separators=(",", ":"))
        yield Mutant("spec text altered", what, _telling("netspec.spec", text))
    yield Mutant("spec text altered", "written with spaces", _telling("netspec.spec", json.dumps(spec)))
    for field in "doc_string", "producer_name", "domain":
        yield Mutant("model field altered", field, _field(field))


def _specs(spec: dict[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    """The spec with one of its arguments changed, for every number among its layers' arguments."""

    def places(part: object, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
        if isinstance(part, dict):
            for key, value in part.items():
                yield from places(value, (*path, key))
        elif isinstance(part, list):
            for i, value in enumerate(part):
                yield from places(value, (*path, i))
        elif isinstance(part, int | float):
            yield path

    for path in places(spec.get("layers"), ("layers",)):
        other = json.loads(json.dumps(spec))
        holder = other
        for key in path[:-1]:
            holder = holder[key]
        now = holder[path[-1]]
        holder[path[-1]] = (
            not now if isinstance(now, bool) else now + 1 if isinstance(now, int) else now * 1.5
        )
        yield f"{'.'.join(map(str, path))}: {now} → {holder[path[-1]]}", other


def _telling(key: str, text: str | None) -> Edit:
    def edit(model: ModelProto) -> None:
        for entry in model.metadata_props:
            if entry.key == key:
                if text is None:
                    model.metadata_props.remove(entry)
                else:
                    entry.value = text
                return
        if text is not None:
            model.metadata_props.add(key=key, value=text)

    return edit


def _field(name: str) -> Edit:
    return lambda model: setattr(model, name, "other")
