"""What names stand for inside a block or loop: arguments bound to parameters, values to variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple

from netspec.diagnostics import Advised, Collector, Diagnostic, Note, Span, nearest, spell
from netspec.ir.dim import UNKNOWN, Dim
from netspec.language.blocks import TYPE_WORDS, Block, BlockParameter
from netspec.language.callables import Callables
from netspec.language.names import check_name
from netspec.language.resolve import Resolver
from netspec.language.tree import Tree
from netspec.language.validation import (
    MissingArgument,
    PositionalArguments,
    UnknownArgument,
    WrongValue,
    quoted,
)


class Operation(NamedTuple):
    """An operation or block as a value: its name, where that is written, and its arguments in their scope."""

    name: str
    place: Span
    arguments: Tree | None
    resolver: Resolver

    @property
    def plain(self) -> Any:
        """As a spec writes it."""
        return self.name if self.arguments is None else {self.name: self.arguments.value}

    def __str__(self) -> str:
        return self.name if self.arguments is None else spell({self.name: self.arguments.value})


class UnequalColumns(Diagnostic):
    """Variables of a loop with more values than others."""

    code = "NS246"
    message = "the variables of a loop are taken in step, and {name} has {count}, {first} {first_count}"

    name: str
    count: int
    first: str
    first_count: int


class UnequalRows(Advised):
    """A row of a loop that does not give every variable, or gives one that the first row lacks."""

    code = "NS247"
    message = "every row of a loop gives the same variables: this one {problem}"

    problem: str


class Shadowed(Diagnostic):
    """A variable with the name of something that is visible where the loop stands."""

    code = "NS248"
    message = "the variable {name} has the name of something else here"

    name: str

    @property
    def help(self) -> str:
        return "give the variable another name"


class Binder:
    """Binds arguments and variables, with everything wrong collected."""

    def __init__(self, callables: Callables, collector: Collector) -> None:
        self.callables = callables
        self.collector = collector

    def value(self, tree: Tree, resolver: Resolver) -> Any:
        """The value of a tree; a mapping whose one key begins with a capital is an operation."""
        if tree.entries and len(tree.entries) == 1:
            ((name, entry),) = tree.entries.items()
            if name[:1].isupper():
                return Operation(name, tree.key_span(name), entry.value, resolver)
        return resolver.value(tree)

    def arguments(
        self,
        block: Block,
        written: Tree | None,
        place: Span,
        caller: Resolver,
        variables: MutableMapping[str, Any],
        inside: Resolver,
    ) -> bool:
        """Put the parameters of a block into `variables`, and say whether all have a value.

        `inside` resolves in the block's own scope, where defaults are evaluated, in their order.

        Errors: NS204 wrong values, NS206 unknown and NS207 missing arguments, NS230 arguments without names.
        """
        if written is not None and written.value is not None and not isinstance(written.value, dict):
            named = next((f"{name}: {spell(written.value)}" for name in block.parameters), "")
            positional = PositionalArguments(op=block.name, got=quoted(written.value), named=named)
            self.collector.add(positional.at(written.span))
            return False
        entries = {} if written is None else written.entries
        known = tuple(block.parameters)
        meant: set[str | None] = set()
        for key in entries:
            if key not in block.parameters:
                assert written is not None
                unknown = UnknownArgument(
                    op=block.name, argument=spell(key), suggestion=nearest(key, known), known=known
                )
                meant.add(unknown.suggestion)
                self.collector.add(unknown.at(written.key_span(key)))
        missing = []
        complete = True
        for name, parameter in block.parameters.items():
            if name in entries:
                given = entries[name].value
                value = self._typed(name, parameter, self.value(given, caller), given, caller)
            elif parameter.default is None:
                if name not in meant:
                    missing.append(name)
                value = UNKNOWN
            else:
                value = self.value(parameter.default, inside)
                value = self._typed(name, parameter, value, parameter.default, inside)
            variables[name] = value
            complete = complete and value is not UNKNOWN
        if missing:
            expected = TYPE_WORDS[block.parameters[missing[0]].type or "str"]
            self.collector.add(
                MissingArgument(
                    op=block.name, arguments=tuple(missing), expected=expected, explained=False, span=place
                )
            )
        return complete and not meant

    def _typed(self, name: str, parameter: BlockParameter, value: Any, tree: Tree, resolver: Resolver) -> Any:
        """A value as the type word of its parameter has it; UNKNOWN after NS204."""
        kind = parameter.type
        if kind is None and isinstance(parameter.written.value, str):
            kind = "op" if self._is_operation(parameter.written.value) else None
        if value is UNKNOWN or kind is None:
            return value
        fits = {
            "int": type(value) is int or isinstance(value, Dim),
            "float": type(value) in (int, float),
            "bool": type(value) is bool,
            "str": isinstance(value, str),
            "list": isinstance(value, list),
            "op": isinstance(value, Operation) or (isinstance(value, str) and value[:1].isupper()),
        }[kind]
        if not fits:
            wrong = WrongValue(
                key=spell(name),
                expected=TYPE_WORDS[kind],
                got=str(value) if isinstance(value, Operation) else quoted(value),
                advice=self.callables.advice(value) if kind == "op" else "",
                computed=value != tree.value and not isinstance(value, Operation),
            )
            self.collector.add(wrong.at(tree.span, Note("the parameter is declared here", parameter.place)))
            return UNKNOWN
        if kind == "op" and isinstance(value, str):
            return Operation(value, tree.span, None, resolver)
        return float(value) if kind == "float" and type(value) is int else value

    def _is_operation(self, word: str) -> bool:
        return word[:1].isupper() and self.callables.means(word)

    def rows(
        self, tree: Tree, resolver: Resolver, visible: Mapping[str, Any]
    ) -> list[Mapping[str, Any]] | None:
        """The variables of every iteration of a loop; None after an error.

        Errors: NS201 a name that is none, NS204 what is no list, NS246 to NS248.
        """
        if isinstance(tree.value, dict):
            columns = {
                name: self._column(name, entry.value, resolver) for name, entry in tree.entries.items()
            }
            return self._rows_of_columns(columns, tree, visible)
        if not isinstance(tree.value, list):
            wrong = WrongValue(
                key="for",
                expected="columns such as {width: [64, 128]}, or rows such as [{width: 64}, {width: 128}]",
                got=quoted(tree.value),
            )
            self.collector.add(wrong.at(tree.span))
            return None
        rows = list(self._written_rows(tree, resolver, visible))
        return None if any(row is None for row in rows) else [row for row in rows if row is not None]

    def _written_rows(
        self, tree: Tree, resolver: Resolver, visible: Mapping[str, Any]
    ) -> Iterator[Mapping[str, Any] | None]:
        first: Tree | None = None
        for item in tree.items:
            if not isinstance(item.value, dict) or not item.value:
                wrong = WrongValue(
                    key="a row of a loop", expected="a mapping such as {width: 64}", got=quoted(item.value)
                )
                self.collector.add(wrong.at(item.span))
                yield None
                continue
            if first is None:
                first = item
                if not self._names_fit(item, visible):
                    yield None
                    continue
            lacking = [name for name in first.entries if name not in item.entries]
            strange = [name for name in item.entries if name not in first.entries]
            if lacking or strange:
                problem = f"lacks {spell(lacking[0])}" if lacking else f"has {spell(strange[0])} too"
                span = item.key_span(strange[0]) if strange else item.span
                self.collector.add(
                    UnequalRows(problem=problem).at(span, Note("the first row is here", first.span))
                )
                yield None
                continue
            yield {name: self.value(entry.value, resolver) for name, entry in item.entries.items()}

    def _column(self, name: str, tree: Tree, resolver: Resolver) -> list[Any] | None:
        """The values of one variable; None after an error."""
        if tree.items:
            return [self.value(item, resolver) for item in tree.items]
        value = resolver.value(tree)
        if isinstance(value, list):
            return value
        if value is not UNKNOWN:
            counts = type(value) is int or (isinstance(value, str) and value.startswith("range("))
            wrong = WrongValue(
                key=spell(name),
                expected="a list of values, one for each iteration",
                got=quoted(value),
                advice="to count, write a range of a parameter, such as range($depth)" if counts else "",
                computed=value != tree.value,
            )
            self.collector.add(wrong.at(tree.span))
        return None

    def _rows_of_columns(
        self, columns: Mapping[str, list[Any] | None], tree: Tree, visible: Mapping[str, Any]
    ) -> list[Mapping[str, Any]] | None:
        if not self._names_fit(tree, visible) or any(column is None for column in columns.values()):
            return None
        known = {name: column for name, column in columns.items() if column is not None}
        if not known:
            return []
        first, *others = known
        for name in others:
            if len(known[name]) != len(known[first]):
                unequal = UnequalColumns(
                    name=name, count=len(known[name]), first=first, first_count=len(known[first])
                )
                note = Note(f"{first} is here", tree.key_span(first))
                self.collector.add(unequal.at(tree.entries[name].value.span, note))
                return None
        return [dict(zip(known, row, strict=True)) for row in zip(*known.values(), strict=True)]

    def _names_fit(self, tree: Tree, visible: Mapping[str, Any]) -> bool:
        """Whether the keys of a mapping may be the names of variables here."""
        fits = True
        for name in tree.entries:
            fault: Diagnostic | None = check_name(name, "a variable")
            if fault is None and name in visible:
                fault = Shadowed(name=name)
            if fault is not None:
                self.collector.add(fault.at(tree.key_span(name)))
                fits = False
        return fits
