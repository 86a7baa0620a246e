"""A class's forward as text: its tensors get names, and what is used at once stands where it is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from netspec.ir.outline import PARAMETERS
from netspec.torch_backend.eject.classes import Class
from netspec.torch_backend.eject.expressions import (
    Call,
    Expr,
    Infix,
    Item,
    Module,
    Name,
    Reference,
    Size,
    among,
    rewritten,
)
from netspec.torch_backend.eject.layout import INDENT, WIDTH, Group, Text, document, lines
from netspec.torch_backend.eject.naming import unused
from netspec.torch_backend.eject.statements import Line, Loop, Statement, Value

STREAM = ("x", "y", "z")
"""Names of what is only on its way from one step to the next."""

BODY = 2  # steps to the right


class Forward:
    """Writes the forward of one class."""

    def __init__(self, cls: Class, reserved: Iterable[str]) -> None:
        self.cls = cls
        self.fixed = {*reserved, "self"}  # what no tensor may be called
        self.names: dict[Value, str] = {}
        self.bases: dict[str, str] = {}
        part = cls.program.part
        for number, name in enumerate(part.inputs):
            wanted = STREAM[0] if name == PARAMETERS["in"] and len(part.inputs) == 1 else name
            self.names[number] = self._unused(wanted, self.names.values())
        self.inputs = frozenset(self.names.values())
        self.sizes: list[str] = []
        for extent in cls.program.extents:
            self.sizes.append(self._unused(extent.name, self.inputs))
            self.fixed.add(self.sizes[-1])

    def text(self) -> list[str]:
        """The lines of the method."""
        program = self.cls.program
        given = [
            name for name, extent in zip(self.sizes, program.extents, strict=True) if extent.input is None
        ]
        arguments = [f"{self.names[n]}: Tensor" for n in range(len(program.part.inputs))]
        arguments += [f"{name}: int" for name in given]
        count = len(program.outputs)
        result = "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"
        signature = Group("def forward(", tuple(map(Text, ["self", *arguments])), ")")
        found = lines(signature, 1, after=f" -> {result}:")
        for name, extent in zip(self.sizes, program.extents, strict=True):
            if extent.input is not None:
                found.append(f"{INDENT * BODY}{name} = {self.names[extent.input]}.shape[{extent.axis}]")
        return found + self._body()

    def _body(self) -> list[str]:
        program, body = self.cls.program, self.cls.lines
        last = body[-1] if body else None
        if isinstance(last, Statement) and last.targets == program.outputs:
            whole = _whole(last.outputs)
            if whole is not None:
                ending = replace(last, outputs=(whole,))
                return self._lines(body[:-1], set(), BODY, {}, ending=ending)
        found = self._lines(body, set(program.outputs), BODY, {})
        return [*found, *_listed([self.names[value] for value in program.outputs], "return ")]

    def _lines(
        self,
        body: Sequence[Line],
        after: set[Value],
        indent: int,
        forced: Mapping[Value, str],
        ending: Statement | None = None,
    ) -> list[str]:
        """The text of lines, after which some tensors are still needed; `ending` is what is then returned."""
        whole: list[Line] = [*body, *([ending] if ending is not None else [])]
        needed: list[set[Value]] = [after if ending is None else set()]
        for line in reversed(whole[1:]):
            needed.append(needed[-1] | set(line.reads))
        needed.reverse()
        readers: dict[Value, list[int]] = {}
        for number, line in enumerate(whole):
            for value in line.reads:
                readers.setdefault(value, []).append(number)
        found: list[str] = []
        number = 0
        while number < len(whole):
            line = whole[number]
            if isinstance(line, Loop):
                found += self._loop(line, needed[number], indent)
                number += 1
                continue
            end = self._gathered(whole, number, needed, readers)
            if end > number:
                target = whole[end]
                assert isinstance(target, Statement)
                merged = self._merged(whole[number:end], target)
                text = self._statement(merged, end, needed[end], readers, indent, forced, target is ending)
                if len(text) == 1 and len(text[0]) <= WIDTH:
                    found += text
                    number = end + 1
                    continue
            found += self._statement(line, number, needed[number], readers, indent, forced, line is ending)
            number += 1
        return found

    # --- one statement ---------------------------------------------------------------------------------

    def _statement(
        self,
        line: Statement,
        number: int,
        live: set[Value],
        readers: Mapping[Value, Sequence[int]],
        indent: int,
        forced: Mapping[Value, str],
        returned: bool,
    ) -> list[str]:
        outputs = [self._named(output) for output in line.outputs]
        if returned:
            return _written(outputs[0], indent, "return ")
        names: list[str] = []
        for target, port in zip(line.targets, range(len(line.targets)), strict=True):
            if target is None or target not in live:
                names.append("_")
                continue
            held = {self.names[value] for value in live if value in self.names and value != target}
            if forced.get(target) and forced[target] not in held:
                name = forced[target]
            elif not self._flows(target, number, readers):
                word = _word(line.own) + (f"_{line.ports[port]}" if port else "")
                name = self._unused(word, held | self.inputs)
            elif port and not line.ports[port].isdigit():
                name = self._unused(line.ports[port], held | self.inputs)
            elif len(line.targets) > len(STREAM):
                name = self._unused(f"{_word(line.own)}_{port}", held | self.inputs)
            else:
                name = self._unused_stream(held | set(names))
            self.names[target] = name
            names.append(name)
        if set(names) == {"_"}:
            whole_calls = dict.fromkeys(_root(output)[0] for output in outputs)
            return [text for call in whole_calls for text in _written(call, indent, "")]
        if len(outputs) == 1:
            return _written(outputs[0], indent, f"{names[0]} = ")
        roots = [_root(output) for output in outputs]
        if all(root == roots[0][0] for root, _ in roots):
            pattern = _pattern({path: name for (_, path), name in zip(roots, names, strict=True)})
            text = _written(roots[0][0], indent, f"{pattern} = ")
            if len(text[0]) <= WIDTH or "(" in pattern:
                return text
            items = (f"{INDENT * (indent + 1)}{name}," for name in names)
            return [f"{INDENT * indent}(", *items, *_written(roots[0][0], indent, ") = ")]
        together = ", ".join(document(output).flat for output in outputs)
        return [f"{INDENT * indent}{', '.join(names)} = {together}"]

    def _flows(self, target: Value, number: int, readers: Mapping[Value, Sequence[int]]) -> bool:
        """Whether the steps that take a tensor come at once, and no other does."""
        if len(self.cls.program.outputs) > 1 and target in self.cls.program.outputs:
            return False
        taking = readers.get(target, ())
        return list(taking) == list(range(number + 1, number + 1 + len(taking)))

    def _unused_stream(self, held: set[str]) -> str:
        used = held | self.fixed | set(self.bases.values()) | (self.inputs - {STREAM[0]})
        free = next((name for name in STREAM if name not in used), None)
        return free or unused(STREAM[0], used)

    def _unused(self, name: str, held: Iterable[str]) -> str:
        """The name, or a like one that nothing else has."""
        if name in self.fixed and not name.endswith("_"):
            name = f"{name}_"
        return unused(name, {*held, *self.fixed, *self.bases.values()})

    def _named(self, expr: Expr) -> Expr:
        """An expression with the names of its tensors and sizes."""

        def rule(part: Expr) -> Expr | None:
            if isinstance(part, Reference):
                return Name(self.names[part.value])
            if isinstance(part, Size):
                assert isinstance(part.size, int)
                return Name(self.sizes[part.size])
            if isinstance(part, Module) and part.base in self.bases:
                return Module(part.path, self.bases[part.base])
            return None

        return rewritten(expr, rule)

    # --- what is used at once ----------------------------------------------------------------------------

    @staticmethod
    def _gathered(
        whole: Sequence[Line],
        start: int,
        needed: Sequence[set[Value]],
        readers: Mapping[Value, Sequence[int]],
    ) -> int:
        """The number of the step that takes in turn what this one and those up to it give; or `start`."""
        line = whole[start]
        given = line.targets[0] if isinstance(line, Statement) and line.targets else None
        taking = readers.get(given, ()) if given is not None else ()
        if len(taking) != 1:
            return start
        (end,) = taking
        target = whole[end]
        if not isinstance(target, Statement) or len(target.outputs) != 1 or _is_call(target):
            return start
        inner: list[Value] = []
        for before in whole[start:end]:
            if not isinstance(before, Statement) or not _is_call(before):
                return start
            value = before.targets[0]
            if value is None or list(readers.get(value, ())) != [end] or value in needed[end]:
                return start
            inner.append(value)
        taken = [reference.value for reference in among(target.outputs, Reference)]
        in_turn = [value for value in taken if value in inner] == inner
        return end if in_turn and len(taken) > 1 else start

    @staticmethod
    def _merged(inner: Sequence[Line], target: Statement) -> Statement:
        """The target with what it takes in the place of its names."""
        known = {line.targets[0]: line.outputs[0] for line in inner if isinstance(line, Statement)}

        def rule(expr: Expr) -> Expr | None:
            return known.get(expr.value) if isinstance(expr, Reference) else None

        return replace(target, outputs=tuple(rewritten(output, rule) for output in target.outputs))

    # --- loops -------------------------------------------------------------------------------------------

    def _loop(self, loop: Loop, live: set[Value], indent: int) -> list[str]:
        found: list[str] = []
        before = self.names[loop.enter]
        held = {self.names[value] for value in live if value in self.names}
        carried = before
        if before in held or (before in self.inputs and before != STREAM[0]):
            carried = self._unused_stream(held)
            found.append(f"{INDENT * indent}{carried} = {before}")
        self.names[loop.enter] = carried
        over = self._named(loop.over)
        assert isinstance(over, Module)
        word = _word(over.path).rstrip("0123456789").rstrip("_")
        variable = self._unused(word, {*held, *self.inputs, carried})
        self.bases[loop.base] = variable
        found.append(f"{INDENT * indent}for {variable} in {document(over).flat}:")
        outside = {value for value in loop.reads if value != loop.enter}
        found += self._lines(loop.body, live | outside | {loop.leave}, indent + 1, {loop.leave: carried})
        if self.names[loop.leave] != carried:
            found.append(f"{INDENT * (indent + 1)}{carried} = {self.names[loop.leave]}")
        self.names[loop.result] = carried
        self.names[loop.enter] = before
        del self.bases[loop.base]
        return found


def _is_call(line: Line) -> bool:
    """Whether a line is a module's call with nothing but tensors."""
    if not isinstance(line, Statement) or len(line.outputs) != 1:
        return False
    call = line.outputs[0]
    return (
        isinstance(call, Call)
        and isinstance(call.function, Module)
        and all(isinstance(argument.value, Reference) for argument in call.arguments)
    )


def _word(own: str) -> str:
    """A name for what a step gives: its own, or its list's with its number."""
    names = own.split(".")
    word = names[-1] if not names[-1].isdigit() else "_".join(names[-2:])
    return f"value_{word}" if word[:1].isdigit() else word


def _root(expr: Expr) -> tuple[Expr, tuple[int, ...]]:
    """What an item is taken from, and the indices on the way."""
    path: tuple[int, ...] = ()
    while isinstance(expr, Item):
        path = (expr.index, *path)
        expr = expr.base
    return expr, path


def _whole(outputs: Sequence[Expr]) -> Expr | None:
    """What gives all the outputs of a step at once."""
    if len(outputs) == 1:
        return outputs[0]
    roots = [_root(output) for output in outputs]
    in_turn = [path for _, path in roots] == [(number,) for number in range(len(roots))]
    return roots[0][0] if in_turn and all(root == roots[0][0] for root, _ in roots) else None


def _listed(names: Sequence[str], before: str) -> list[str]:
    """Names behind a word, on one line or in parentheses."""
    text = f"{INDENT * BODY}{before}{', '.join(names)}"
    return [text] if len(text) <= WIDTH else lines(Group("(", tuple(map(Text, names)), ")"), BODY, before)


def _pattern(names: Mapping[tuple[int, ...], str]) -> str:
    """What stands on the left where items of items are assigned."""
    if () in names:
        return names[()]
    parts: dict[int, dict[tuple[int, ...], str]] = {}
    for path, name in names.items():
        parts.setdefault(path[0], {})[path[1:]] = name
    texts = []
    for index in range(max(parts) + 1):
        inner = parts.get(index, {(): "_"})
        text = _pattern(inner)
        texts.append(text if () in inner else f"({text})")
    return ", ".join(texts)


def _written(expr: Expr, indent: int, before: str) -> list[str]:
    """`before` and an expression; sums that do not fit stand in parentheses, a term a line."""
    doc = document(expr)
    if not isinstance(expr, Infix) or len(INDENT * indent + before + doc.flat) <= WIDTH:
        return lines(doc, indent, before)
    terms: list[str] = []
    left: Expr = expr
    while isinstance(left, Infix) and left.operator == expr.operator:
        terms.append(f"{left.operator} {document(left.right).flat}")
        left = left.left
    terms.append(document(left).flat)
    start = INDENT * indent
    return [f"{start}{before}(", *(f"{start}{INDENT}{term}" for term in reversed(terms)), f"{start})"]
