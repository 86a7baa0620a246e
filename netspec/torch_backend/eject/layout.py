"""Expressions laid out as ruff lays them out, on lines of at most 88 characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from netspec.torch_backend.eject.expressions import (
    NONE,
    Argument,
    Attribute,
    Call,
    Callee,
    Expr,
    Infix,
    Item,
    Literal,
    Module,
    Name,
    Prefix,
    Slice,
    Subscript,
    Tuple,
)
from netspec.torch_backend.eject.modules import Column, Named, Numbered, Run, Variable
from netspec.torch_backend.eject.quoting import source_of

WIDTH = 88
INDENT = "    "

PRECEDENCE = {
    "is not": 1,
    "==": 1,
    "!=": 1,
    "<": 1,
    "<=": 1,
    ">": 1,
    ">=": 1,
    "+": 2,
    "-": 2,
    "*": 3,
    "/": 3,
    "//": 3,
    "@": 3,
}
ATOM = 9
RANGE_LENGTH = 4  # numbers in equal steps from which on they are written as a range


@dataclass(frozen=True)
class Text:
    """What stays on one line."""

    text: str

    @property
    def flat(self) -> str:
        return self.text


@dataclass(frozen=True)
class Group:
    """Items between brackets: on one line with them, on one between them, or each on its own.

    `comma` says whether commas part them.
    """

    opening: str
    items: tuple[Doc, ...]
    closing: str
    comma: bool = True

    @property
    def flat(self) -> str:
        return f"{self.opening}{self.inside}{self.closing}"

    @property
    def inside(self) -> str:
        return (", " if self.comma else " ").join(item.flat for item in self.items)


@dataclass(frozen=True)
class Joined:
    """Pieces that follow each other; where they do not fit, the last one that can be broken is."""

    pieces: tuple[Doc, ...]

    @property
    def flat(self) -> str:
        return "".join(piece.flat for piece in self.pieces)


Doc = Text | Group | Joined


def lines(doc: Doc, indent: int, before: str = "", after: str = "") -> list[str]:
    """The lines of `before`, the document and `after`, so many steps to the right."""
    start = INDENT * indent
    flat = f"{start}{before}{doc.flat}{after}"
    if len(flat) <= WIDTH or isinstance(doc, Text):
        return [flat]
    if isinstance(doc, Joined):
        *heads, last = doc.pieces
        if not isinstance(last, Text):
            return lines(last, indent, before + "".join(head.flat for head in heads), after)
        *heads, broken = heads
        return lines(broken, indent, before + "".join(head.flat for head in heads), last.flat + after)
    found = [f"{start}{before}{doc.opening}"]
    body = f"{start}{INDENT}{doc.inside}"
    if len(body) <= WIDTH and doc.opening not in ("(", "[", "{"):
        return [*found, body, f"{start}{doc.closing}{after}"]
    for item in doc.items:
        found += lines(item, indent + 1, after="," if doc.comma else "")
    return [*found, f"{start}{doc.closing}{after}"]


def document(expr: Expr) -> Doc:
    """An expression as a document."""
    if isinstance(expr, Literal):
        return _literal(expr.value)
    if isinstance(expr, Name):
        return Text(expr.text)
    if isinstance(expr, Variable):
        return Text(expr.name)
    if isinstance(expr, Module):
        return Text(module_text(expr))
    if isinstance(expr, Attribute):
        return Text(f"{_atom(expr.base)}.{expr.name}")
    if isinstance(expr, Item):
        return Joined((document(expr.base), Text(f"[{expr.index}]")))
    if isinstance(expr, Slice):
        return Text(_slice(expr))
    if isinstance(expr, Subscript):
        indices = ", ".join(document(index).flat for index in expr.indices)
        return Text(f"{_atom(expr.base)}[{indices}]")
    if isinstance(expr, Tuple):
        return _bracketed(expr.brackets, [document(item) for item in expr.items])
    if isinstance(expr, Prefix):
        return Joined((Text(expr.operator), Text(_atom(expr.operand))))
    if isinstance(expr, Infix):
        return _infix(expr)
    if isinstance(expr, Call):
        return _call(expr)
    if isinstance(expr, Named):
        return _named(expr)
    assert isinstance(expr, Numbered), expr
    return _numbered(expr)


def module_text(module: Module) -> str:
    """A module by its path: numbers are indices."""
    text = module.base
    for name in filter(None, module.path.split(".")):
        text += f"[{name}]" if name.isdigit() else f".{name}"
    return text


def _literal(value: object) -> Doc:
    if isinstance(value, Column) and (text := _range(value)):
        return Text(text)
    if isinstance(value, dict) and value:
        pairs = (Joined((Text(f"{source_of(key)}: "), _literal(item))) for key, item in value.items())
        return Group("{", tuple(pairs), "}")
    if isinstance(value, tuple | list) and value:
        return _bracketed("()" if isinstance(value, tuple) else "[]", list(map(_literal, value)))
    return Text(source_of(value))


def _bracketed(brackets: str, items: Sequence[Doc]) -> Doc:
    if brackets == "()" and len(items) == 1:
        return Text(f"({items[0].flat},)")
    return Group(brackets[0], tuple(items), brackets[1])


def _atom(expr: Expr) -> str:
    """An expression that something may follow: a call, an attribute, an index."""
    text = document(expr).flat
    number = isinstance(expr, Literal) and not isinstance(expr.value, str | tuple | list)
    return f"({text})" if isinstance(expr, Infix | Prefix) or number else text


def _slice(expr: Slice) -> str:
    start, end, step = ("" if part == NONE else document(part).flat for part in expr.parts())
    spaced = any(isinstance(part, Infix) for part in expr.parts())
    colon = " : " if spaced else ":"
    text = f"{start}{colon}{end}".strip()
    return text if step in ("", "1") else f"{text}{colon}{step}"


def _infix(expr: Infix) -> Doc:
    own = PRECEDENCE[expr.operator]
    comparison = own == 1
    left = _operand(expr.left, own + comparison)
    right = _operand(expr.right, own + 1)
    return Joined((Text(left), Text(f" {expr.operator} {right}")))


def _operand(expr: Expr, least: int) -> str:
    text = document(expr).flat
    binds = PRECEDENCE[expr.operator] if isinstance(expr, Infix) else ATOM
    return f"({text})" if binds < least else text


def _call(expr: Call) -> Doc:
    if isinstance(expr.function, Callee):
        opening = expr.function.name
        arguments = list(_given(expr.function, expr.arguments))
    else:
        opening = _atom(expr.function)
        arguments = [_argument(argument, argument.name) for argument in expr.arguments]
    return Group(f"{opening}(", tuple(arguments), ")")


def _given(callee: Callee, arguments: Sequence[Argument]) -> Iterator[Doc]:
    """The arguments of a class that say something; the leading ones without their names."""
    leading = list(callee.leading)
    for argument in arguments:
        if callee.defaults.get(argument.name) == argument.value:
            leading = []
            continue
        name = argument.name
        if leading and leading[0] == name:
            leading.pop(0)
            name = ""
        elif name:
            leading = []
        yield _argument(argument, name)


def _argument(argument: Argument, name: str) -> Doc:
    value = document(argument.value)
    return Joined((Text(f"{name}="), value)) if name else value


def _named(expr: Named) -> Doc:
    pairs = zip(expr.names, map(document, expr.modules), strict=True)
    if expr.numbered:
        items = tuple(Joined((Text(f"{source_of(name)}: "), module)) for name, module in pairs)
        return Group("NumberedLayers(", (Joined((Text("**"), Group("{", items, "}"))),), ")")
    items = tuple(Joined((Text(f"{name}="), module)) for name, module in pairs)
    if not expr.chain:
        return Group("Layers(", items, ")")
    return Group("nn.Sequential(", (Group("OrderedDict(", items, ")"),), ")")


def _numbered(expr: Numbered) -> Doc:
    if expr.chain:
        return Group("nn.Sequential(", tuple(map(_element, expr.modules)), ")")
    if len(expr.modules) == 1 and isinstance(expr.modules[0], Run):
        run = expr.modules[0]
        return Group("nn.ModuleList(", (document(run.element), _rows(run)), ")", comma=False)
    modules = tuple(map(_element, expr.modules))
    return Group("nn.ModuleList(", (Group("[", modules, "]"),), ")")


def _element(module: Expr) -> Doc:
    """A module of a list, or as many as a run has."""
    if not isinstance(module, Run):
        return document(module)
    return Group("*(", (document(module.element), _rows(module)), ")", comma=False)


def _rows(run: Run) -> Doc:
    """`for ... in ...` of a run."""
    if not run.variables:
        return Text(f"for _ in range({document(run.count).flat})")
    names = ", ".join(variable.name for variable in run.variables)
    cells = [column.value for column in run.columns if isinstance(column, Literal)]
    if len(run.columns) > 1 and len(cells) < len(run.columns):
        table = Group("zip(", (*map(document, run.columns), Text("strict=True")), ")")
    elif len(run.columns) > 1:
        rows = [_bracketed("()", list(map(_literal, row))) for row in zip(*cells, strict=True)]
        table = Group("[", tuple(rows), "]")
    elif cells and not _range(cells[0]):
        table = Group("[", tuple(map(_literal, cells[0])), "]")
    else:
        return Joined((Text(f"for {names} in "), document(run.columns[0])))
    return Joined((Text(f"for {names} in "), table))


def _range(values: Column) -> str:
    """The range whose numbers a column has, if there is one and it says so more shortly."""
    if len(values) < RANGE_LENGTH or not all(type(value) is int for value in values):
        return ""
    step = values[1] - values[0]
    if not step or any(after - before != step for before, after in pairwise(values)):
        return ""
    return f"range({values[0]}, {values[-1] + step}{'' if step == 1 else f', {step}'})"
