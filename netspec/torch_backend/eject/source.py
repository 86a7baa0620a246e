"""The file: imports, the classes that it needs, a class for each block and one for the network."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from textwrap import wrap

from netspec.diagnostics import DiagnosticError
from netspec.ir.graph import Graph
from netspec.ir.outline import outline
from netspec.ir.tensor import DType, TensorType
from netspec.torch_backend.build import class_name
from netspec.torch_backend.eject import plain
from netspec.torch_backend.eject.classes import Class, Classes
from netspec.torch_backend.eject.copied import Copied, copied
from netspec.torch_backend.eject.depth import deep_recursion, flattened
from netspec.torch_backend.eject.expressions import Call, Callee, Literal, among
from netspec.torch_backend.eject.forward import Forward
from netspec.torch_backend.eject.initialisation import drawing
from netspec.torch_backend.eject.layers import CannotEject, Writer
from netspec.torch_backend.eject.layout import INDENT, WIDTH, Doc, Group, Joined, Text, document, lines
from netspec.torch_backend.eject.modules import Named
from netspec.torch_backend.eject.parameters import Parameter
from netspec.torch_backend.eject.program import Program, programs
from netspec.torch_backend.eject.quoting import docstring, source_of
from netspec.torch_backend.eject.traced import Untraceable

IMPORTS = {
    "OrderedDict": "from collections import OrderedDict",
    "torch": "import torch",
    "Tensor": "from torch import Tensor",
    "nn": "from torch import nn",
    "F": "from torch.nn import functional as F",
    "parametrizations": "from torch.nn.utils import parametrizations",
}
"""What an ejected file imports, by the name that it uses."""

BUILT_IN = ("Any", "None", "True", "False", "float", "isinstance", "print", "range", "sum", "super", "zip")
USED = frozenset({*IMPORTS, *BUILT_IN, "LABELS", "PREPROCESS", "functional"})
"""Names that nothing in a file may take."""


def eject(graph: Graph) -> str:
    """A network as one Python file of plain PyTorch, which has the same state dict and computes the same.

    The same graph gives the same text.

    Errors: NS590 for a layer whose module is not of torch alone.
    """
    with deep_recursion():
        return _eject(graph)


def _eject(graph: Graph) -> str:
    name = class_name(graph.name)
    writer = Writer()
    found = programs(outline(graph), writer)
    along = _along(found.values())
    classes = Classes(found, name, USED | set(along.sources)).made
    network = classes[-1]
    parts = [
        *_constants(graph),
        *(text for source in along.sources.values() for text in ("", "", source)),
        *(text for cls in classes[:-1] for text in ("", "", *_class(cls))),
        *("", "", *_class(network, _shapes(graph), drawing(graph, writer))),
    ]
    body = "\n".join(parts)
    head = [*_docstring(graph, network), "", *_imports(body, along.imports)]
    return "\n".join([*head, body, "", "", *_main(network)]) + "\n"


def _constants(graph: Graph) -> Iterator[str]:
    """What the spec says of raw data before the network, and of numbers behind it."""
    rules = {
        item.name: {key: value for key, value in item.preprocess._asdict().items() if value is not None}
        for item in graph.inputs
        if item.preprocess is not None
    }
    labels = {output.name: output.labels for output in graph.outputs if output.labels is not None}
    if rules:
        yield ""
        yield "# How raw data becomes an input: resized, times scale, minus mean, over std."
        yield from lines(document(Literal(rules)), 0, "PREPROCESS = ")
    if labels:
        yield ""
        yield "# What the numbers of an output stand for."
        yield from lines(document(Literal(labels)), 0, "LABELS = ")


def _docstring(graph: Graph, network: Class) -> list[str]:
    """What the file is, from which spec and parameters it comes, and how weights get in."""
    spec = PurePath(graph.outputs[0].span.source.name).name
    parameters = graph.resolved.get("params", {})
    given = ", ".join(f"{name}={source_of(value)}" for name, value in parameters.items())
    return docstring(
        [
            f"{graph.name} in plain PyTorch, written by netspec from {spec}.",
            "",
            *(["Parameters of the spec:", "", *_wrapped(given), ""] if given else []),
            "Weights that netspec saved fit it:",
            "",
            f"{INDENT}from safetensors.torch import load_file",
            "",
            f"{INDENT}model = {network.callee.name}()",
            f'{INDENT}model.load_state_dict(load_file("{graph.name}.safetensors"))',
        ]
    )


def _wrapped(text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT, break_long_words=False)


def _along(found: Iterable[Program]) -> Copied:
    """The classes that a file needs beside torch's own."""
    needed: dict[type, None] = {}
    for program in found:
        modules = program.modules.values()
        for call in among(modules, Call):
            if isinstance(call.function, Callee) and call.function.copied and call.function.cls is not None:
                needed.setdefault(call.function.cls)
        for named in among(modules, Named):
            if not named.chain:
                needed.setdefault(plain.NumberedLayers if named.numbered else plain.Layers)
    try:
        return copied(needed)
    except Untraceable as error:
        raise DiagnosticError(CannotEject(what="the network", reason=str(error))) from error


def _imports(body: str, others: Iterable[str]) -> Iterator[str]:
    """The imports of a file, sorted as ruff sorts them."""
    used = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
    wanted = {line for name, line in IMPORTS.items() if name in used} | set(others)
    groups: dict[tuple[str, str], set[str]] = {}
    for line in wanted:
        words = line.split(maxsplit=3)
        key = (words[1], "" if words[0] == "import" else "from")
        groups.setdefault(key, set()).add(words[3] if words[0] == "from" else line)
    standard = [key for key in groups if not key[0].startswith("torch")]
    rest = [key for key in groups if key[0].startswith("torch")]
    for number, keys in enumerate((standard, rest)):
        if keys and number and standard:
            yield ""
        for module, way in sorted(keys, key=lambda key: (key[1] != "", key[0])):
            names = sorted(groups[module, way], key=lambda name: (name[:1].islower(), name))
            plain_names = [name for name in names if " as " not in name]
            if not way:
                yield from names
                continue
            yield from (f"from {module} import {name}" for name in names if " as " in name)
            if plain_names:
                yield f"from {module} import {', '.join(plain_names)}"


def _shapes(graph: Graph) -> list[str]:
    """What the network takes and gives, as its docstring."""
    takes = ", ".join(_typed(item.name, item.value.type) for item in graph.inputs)
    gives = ", ".join(_typed(output.name, output.value.type) for output in graph.outputs)
    text = wrap(f"{takes} -> {gives}.".strip(), WIDTH - 2 * len(INDENT) - 6)
    return [f"{INDENT}{line}" for line in docstring(text)] + [""]


def _typed(name: str, type: TensorType) -> str:
    return f"{name} {type}" + ("" if type.dtype is DType.FLOAT32 else f" of {type.dtype}")


def _class(cls: Class, above: Sequence[str] = (), below: Sequence[str] = ()) -> Iterator[str]:
    """A class, with lines above its constructor, and at the end of that."""
    yield f"class {cls.callee.name}(nn.Module):"
    yield from above
    yield from _constructor(cls)
    yield from below
    yield ""
    yield from Forward(cls, USED).text()


def _constructor(cls: Class) -> Iterator[str]:
    arguments: list[Doc] = [Text("self"), *map(_parameter, cls.parameters)]
    yield from lines(Group("def __init__(", tuple(arguments), ")"), 1, after=" -> None:")
    yield f"{INDENT * 2}super().__init__()"
    for parameter, attribute in cls.stored.items():
        yield f"{INDENT * 2}self.{attribute} = {parameter}"
    taken = USED | {parameter.name for parameter in cls.parameters}
    for name, module in cls.modules.items():
        deep, module = flattened(module, taken)
        for local, expr in deep:
            yield from lines(document(expr), 2, f"{local} = ")
        if name not in cls.conditions:
            yield from lines(document(module), 2, f"self.{name} = ")
            continue
        yield f"{INDENT * 2}if {document(cls.conditions[name]).flat}:"
        yield from lines(document(module), 3, f"self.{name} = ")
        yield f"{INDENT * 2}else:"
        yield f"{INDENT * 3}self.{name} = nn.Identity()"


def _parameter(parameter: Parameter) -> Joined:
    default: tuple[Doc, ...] = ()
    if parameter.default is not None:
        default = Text(" = "), document(parameter.default)
    return Joined((Text(f"{parameter.name}: {_annotation(parameter)}"), *default))


def _annotation(parameter: Parameter) -> str:
    """The type of a parameter's values."""
    if parameter.is_module:
        return "nn.Module" if parameter.default is None else "nn.Module | None"
    values = [value.value for value in parameter.values if isinstance(value, Literal)]
    names = dict.fromkeys(map(_type, values))
    if {"int", "float"} <= set(names):
        del names["int"]  # an int is a float, to type checkers
    return " | ".join(sorted(names, key=lambda name: name == "None"))


def _type(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, tuple):
        inner = dict.fromkeys(map(_type, value))
        return f"tuple[{next(iter(inner))}, ...]" if len(inner) == 1 else "tuple"
    name = type(value).__name__
    return f"torch.{name}" if name == "dtype" else name


def _main(network: Class) -> list[str]:
    return [
        'if __name__ == "__main__":',
        f"{INDENT}model = {network.callee.name}()",
        f"{INDENT}count = sum(parameter.numel() for parameter in model.parameters())",
        f'{INDENT}print(f"{{count:,}} parameters")',
    ]
