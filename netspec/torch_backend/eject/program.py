"""A block's instance as a program: what it is made of and what its forward does, without names of its own.

Instances of one block whose programs have the same form are made by one class.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial, reduce

from netspec.ir.dim import Dim, symbol
from netspec.ir.outline import Layer, Part
from netspec.torch_backend.eject.expressions import (
    NONE,
    Argument,
    Call,
    Expr,
    Infix,
    Item,
    Literal,
    Module,
    Prefix,
    Reference,
    Size,
)
from netspec.torch_backend.eject.layers import Writer
from netspec.torch_backend.eject.modules import Instance, Named, Numbered
from netspec.torch_backend.eject.scopes import Folding, Scope
from netspec.torch_backend.eject.statements import Line, Statement, Value, form, mapped, targets
from netspec.torch_backend.eject.traced import with_inputs


@dataclass(frozen=True)
class Extent:
    """A symbolic size that a forward needs: an input's along an axis; without an input it is given."""

    name: str
    input: int | None
    axis: int

    @property
    def place(self) -> object:
        return self.input, self.axis


@dataclass(frozen=True, eq=False)
class Program:
    """What an instance of a block, or the network itself, is.

    modules: how each of its modules is made, by name, in the order of the state dict.
    lines: its forward; inputs have the numbers from 0 on, tensors that it computes those after them.
    names: for each tensor the path of the step that gives it, and its port's number.
    extents: the sizes that its forward needs; Size holds their numbers.
    given: those of them that the caller gives, in the graph's own terms.
    """

    part: Part
    modules: Mapping[str, Expr]
    lines: tuple[Line, ...]
    outputs: tuple[Value, ...]
    extents: tuple[Extent, ...]
    given: tuple[Dim, ...]

    @cached_property
    def form(self) -> object:
        """What is the same of the instances that one class makes."""
        return (
            self.part.block,
            tuple(self.part.inputs),
            form(self.lines),
            self.outputs,
            tuple(extent.place for extent in self.extents),
            _tree(self.modules),
        )


def _tree(modules: Mapping[str, Expr]) -> object:
    """The names of modules, those inside of containers included."""
    return tuple((name, _inside(module)) for name, module in modules.items())


def _inside(module: Expr) -> object:
    if isinstance(module, Named) and not module.chain:
        return _tree(dict(zip(module.names, module.modules, strict=True)))
    if isinstance(module, Numbered) and not module.chain:
        return Numbered, tuple(dict.fromkeys(map(_inside, module.modules)))
    return None


def programs(root: Part, writer: Writer) -> dict[str, Program]:
    """The program of every part that has a module of its own, by the part's name; those inside first."""
    found: dict[str, Program] = {}

    def add(part: Part) -> None:
        for step in part.steps:
            if isinstance(step, Part) and not step.shares:
                add(step)
        found[part.name] = _program(part, found, writer)

    add(root)
    return found


def _program(part: Part, known: Mapping[str, Program], writer: Writer) -> Program:
    scope = Scope("")
    steps = [_statement(step, scope, known, writer) for step in part.steps]
    given = [value.name for value in part.outputs]
    folding = Folding(scope, steps, given)
    lines = folding.lines()
    chains = frozenset(folding.chains)
    modules = {name: inner.modules(chains) for name, inner in scope.inside.items()}
    sizes = _Sizes(part)
    numbers: dict[Value, Value] = {}
    for value in (*(value.name for value in part.inputs.values()), *targets(lines)):
        numbers.setdefault(value, len(numbers))
    lines = mapped(lines, numbers.__getitem__, sizes.rule)
    outputs = tuple(numbers[name] for name in given)
    return Program(part, modules, lines, outputs, tuple(sizes.extents), tuple(sizes.given))


def _statement(step: Layer | Part, scope: Scope, known: Mapping[str, Program], writer: Writer) -> Statement:
    """A step as a statement; its module, if it has one of its own, goes to its place in the scope."""
    if isinstance(step, Part):
        if not step.shares:
            scope.place(step.own, Instance(step))
        assert step.scope is not None
        owner = step.scope.shares or step.name
        inputs: list[Expr] = [Reference(value.name) for value in step.inputs.values()]
        call = Call(
            Module(step.called),
            tuple(Argument("", value) for value in (*inputs, *map(Size, known[owner].given))),
        )
        taken = {value.name for value in step.inputs.values()}
        # What a block passes on as it is already has its name.
        given = tuple(None if value.name in taken else value.name for value in step.outputs)
        count = len(step.outputs)
        items = tuple(Item(call, number) for number in range(count))
        return Statement(step.own, given, (call,) if count == 1 else items, tuple(step.scope.outputs))
    written = writer.written(step.node)
    if written.construct is not None and not step.shares:
        scope.place(step.own, written.construct)
    tensors: list[Expr] = [Reference(value.name) for value in step.node.inputs]
    arranged = step.node.arranged(tensors, NONE)
    outputs = tuple(with_inputs(output, arranged, Module(step.called)) for output in written.outputs)
    names = tuple(value.name for value in step.node.outputs)
    return Statement(step.own, names, outputs, step.node.op.ports(*step.node.input_types))


AXES: dict[int, tuple[str, ...]] = {
    3: ("batch", "channels", "length"),
    4: ("batch", "channels", "height", "width"),
    5: ("batch", "channels", "depth", "height", "width"),
}


class _Sizes:
    """Finds where a forward has symbolic sizes from: its inputs, or else its caller."""

    def __init__(self, part: Part) -> None:
        self.extents: list[Extent] = []
        self.given: list[Dim] = []
        self.known: dict[Dim, Expr] = {}
        self.axes: dict[Dim, tuple[int, int, int]] = {}
        for number, value in enumerate(part.inputs.values()):
            shape = value.type.known
            for axis, size in enumerate(shape):
                if isinstance(size, Dim):
                    self.axes.setdefault(size, (number, axis, len(shape)))

    def rule(self, expr: Expr) -> Expr | None:
        """The expression of a Size; None for all else."""
        if not isinstance(expr, Size):
            return None
        assert isinstance(expr.size, Dim)
        return self._of(expr.size)

    def _of(self, size: Dim) -> Expr:
        if size not in self.known:
            symbols = {name: symbol(name, multiple) for name, multiple in size.multiples.items()}
            if size in self.axes:
                self.known[size] = self._extent(size)
            elif all(own in self.axes for own in symbols.values()):
                self.known[size] = _formula(size, {name: self._of(own) for name, own in symbols.items()})
            else:
                self.given.append(size)
                self.known[size] = self._extent(size)
        return self.known[size]

    def _extent(self, size: Dim) -> Size:
        name = str(size)
        if size in self.axes:
            number, axis, rank = self.axes[size]
            common = AXES.get(rank, ())
            name = name if name.isidentifier() else common[axis] if common else f"size_{axis}"
            self.extents.append(Extent(name, number, axis))
        else:
            symbols = list(size.multiples)
            name = symbols[0] if len(symbols) == 1 else "size"
            self.extents.append(Extent(name, None, len(self.given)))
        return Size(len(self.extents) - 1)


def _formula(size: Dim, symbols: Mapping[str, Expr]) -> Expr:
    """A size's own spelling, which is Python's too, over the symbols."""

    def of(node: ast.expr) -> Expr:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            assert isinstance(node.right, ast.Constant)
            return reduce(partial(Infix, "*"), [of(node.left)] * int(str(node.right.value)))
        if isinstance(node, ast.BinOp):
            return Infix(_OPERATORS[type(node.op)], of(node.left), of(node.right))
        if isinstance(node, ast.UnaryOp):
            return Prefix("-", of(node.operand))
        if isinstance(node, ast.Name):
            return symbols[node.id]
        assert isinstance(node, ast.Constant)
        return Literal(node.value)

    return of(ast.parse(str(size), mode="eval").body)


_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//"}
