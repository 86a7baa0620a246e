"""The file: imports, the classes that it needs, a class for each block and one for the network."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from netspec.diagnostics import DiagnosticError
from netspec.ir.graph import Graph
from netspec.ir.outline import outline
from netspec.torch_backend.build import class_name
from netspec.torch_backend.eject import plain
from netspec.torch_backend.eject.classes import Class, Classes
from netspec.torch_backend.eject.copied import copied
from netspec.torch_backend.eject.drawing import drawing
from netspec.torch_backend.eject.expressions import Call, Callee, Literal, among
from netspec.torch_backend.eject.forward import Forward
from netspec.torch_backend.eject.layers import CannotEject, Writer
from netspec.torch_backend.eject.layout import INDENT, Doc, Group, Joined, Text, document, lines
from netspec.torch_backend.eject.modules import Named
from netspec.torch_backend.eject.parameters import Parameter
from netspec.torch_backend.eject.program import programs
from netspec.torch_backend.eject.quoting import docstring
from netspec.torch_backend.eject.statements import expressions
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

USED = frozenset(
    {*IMPORTS, "Any", "LABELS", "PREPROCESS", "float", "functional", "print", "range", "sum", "super", "zip"}
)
"""Names that nothing in a file may take."""


def eject(graph: Graph, *, spec: str = "") -> str:
    """A network as one Python file of plain PyTorch, which has the same state dict and computes the same.

    `spec` is what the file says it was made from.

    Errors: NS590 for a layer whose module is not of torch alone.
    """
    name = class_name(graph.name)
    writer = Writer()
    found = programs(outline(graph), writer)
    taken = {*USED, *vars(plain)}
    classes = Classes(found, name, taken).made
    network = classes[-1]
    bodies = [text for cls in classes[:-1] for text in ("", "", *_class(cls))]
    bodies += ["", "", *_class(network, drawing(graph, writer))]
    imports, along = _along(classes, graph)
    body = "\n".join([*_constants(graph), *along, *bodies])
    code = "\n".join(_imports(body, imports))
    return "\n".join([*_docstring(graph, network, spec), "", code, body, "", "", *_main(network)]) + "\n"


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


def _docstring(graph: Graph, network: Class, spec: str) -> list[str]:
    origin = f", which netspec ejected from {spec}" if spec else ", which netspec ejected"
    return docstring(
        [
            f"The network {graph.name}{origin}.",
            "",
            "Weights that netspec saved fit it:",
            "",
            "    from safetensors.torch import load_file",
            "",
            f"    model = {network.callee.name}()",
            f'    model.load_state_dict(load_file("{graph.name}.safetensors"))',
            "",
        ][:-1]
    )


def _along(classes: Iterable[Class], graph: Graph) -> tuple[list[str], list[str]]:
    """The imports and the texts of the classes that are not torch's own."""
    needed: dict[type, None] = {}
    for cls in classes:
        for expr in (*cls.modules.values(), *expressions(cls.lines)):
            for call in among([expr], Call):
                if isinstance(call.function, Callee) and call.function.copied and call.function.cls:
                    needed.setdefault(call.function.cls)
            for named in among([expr], Named):
                if not named.chain:
                    needed.setdefault(plain.NumberedLayers if named.numbered else plain.Layers)
    try:
        imports, sources = copied(needed)
    except Untraceable as error:
        raise DiagnosticError(CannotEject(layer=graph.name, reason=str(error))) from error
    return imports, [text for source in sources for text in ("", "", source)]


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


def _class(cls: Class, drawn: Sequence[str] = ()) -> Iterator[str]:
    """A class; at the end of its constructor come the lines that draw weights."""
    yield f"class {cls.callee.name}(nn.Module):"
    yield from _constructor(cls)
    yield from drawn
    yield ""
    names = {parameter.name for parameter in cls.parameters}
    yield from Forward(cls, USED | names - names).text()


def _constructor(cls: Class) -> Iterator[str]:
    arguments: list[Doc] = [Text("self"), *map(_parameter, cls.parameters)]
    yield from lines(Group("def __init__(", tuple(arguments), ")"), 1, after=" -> None:")
    yield f"{INDENT * 2}super().__init__()"
    for parameter, attribute in cls.stored.items():
        yield f"{INDENT * 2}self.{attribute} = {parameter}"
    for name, module in cls.modules.items():
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
