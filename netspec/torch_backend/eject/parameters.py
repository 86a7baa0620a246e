"""The parameters of a class: slots that go together, under the names of the field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from netspec.torch_backend.eject.expressions import Expr, Infix, Literal, Name, Run, Slot, Variable
from netspec.torch_backend.eject.templates import SOFT, goes_with

SIZE = "size"


@dataclass(eq=False)
class Parameter:
    """What differs between the instances of a class: slots that always have the same values.

    `values` has one an instance, `default` the one that most have, if any.
    """

    slots: list[Slot]
    values: list[Expr | None]
    name: str = ""
    default: Expr | None = None
    derived: Expr | None = field(default=None)

    @property
    def role(self) -> str:
        if not self.slots:
            return self.name
        return SIZE if any(slot.role == SIZE for slot in self.slots) else self.slots[0].role

    @property
    def is_module(self) -> bool:
        return not all(value is None or isinstance(value, Literal) for value in self.values)


def parameters(slots: Iterable[Slot]) -> tuple[list[Parameter], dict[int, Expr]]:
    """The parameters that slots amount to, and the literals of those slots that need none.

    Sizes that are always the same multiple or part of the first or the last are computed from it.
    """
    found: list[Parameter] = []
    constant: list[Slot] = []
    for slot in slots:
        if _is_constant(slot):
            constant.append(slot)
        elif (known := _fitting(slot, found)) is not None:
            _join(known, slot)
        else:
            found.append(Parameter([slot], list(slot.values)))
    literals: dict[int, Expr] = {}
    for slot in constant:
        known = _fitting(slot, [p for p in found if p.slots[0].name == slot.name])
        if known is not None:
            _join(known, slot)
        else:
            literals[id(slot)] = next(value for value in slot.values if value is not None)
    _name(found)
    _derive(found)
    for parameter in found:
        _fill(parameter)
    return found, literals


def _is_constant(slot: Slot) -> bool:
    """Whether all that have the slot have one literal there."""
    present = [value for value in slot.values if value is not None]
    return isinstance(present[0], Literal) and all(value == present[0] for value in present)


def _fitting(slot: Slot, known: Sequence[Parameter]) -> Parameter | None:
    for parameter in known:
        first = parameter.slots[0]
        joined = Slot(tuple(parameter.values), first.name, parameter.role, first.path)
        if not parameter.is_module and goes_with(slot, joined):
            return parameter
    return None


def _join(parameter: Parameter, slot: Slot) -> None:
    parameter.slots.append(slot)
    pairs = zip(parameter.values, slot.values, strict=True)
    parameter.values = [right if left is None else left for left, right in pairs]


def _fill(parameter: Parameter) -> None:
    """Give instances without the slots the commonest value, and find the default."""
    if parameter.is_module:
        return
    counts = Counter(value for value in parameter.values if value is not None)
    value, count = counts.most_common(1)[0]
    parameter.values = [value if own is None else own for own in parameter.values]
    if parameter.role != SIZE and 2 * count > sum(counts.values()):
        parameter.default = value


# --- names ---------------------------------------------------------------------------------------------


def _name(found: Sequence[Parameter]) -> None:
    """Name the parameters after the arguments that they are for."""
    sizes = [slot for parameter in found if parameter.role == SIZE for slot in parameter.slots]
    ends = _ends(sizes)
    wanted = [_wanted(parameter, ends) for parameter in found]
    for parameter, name in zip(found, distinct(wanted, [p.slots[0].path for p in found]), strict=True):
        parameter.name = name


def _ends(sizes: Sequence[Slot]) -> tuple[Slot | None, Slot | None]:
    """The first slot of what goes in, and the last of what comes out."""
    first = next((slot for slot in sizes if slot.name.startswith("in_")), None)
    last = next((slot for slot in reversed(sizes) if slot.name.startswith("out_")), None)
    return first, last


def _wanted(parameter: Parameter, ends: tuple[Slot | None, Slot | None]) -> str:
    names = [slot.name for slot in parameter.slots if slot.role == SIZE] or [parameter.slots[0].name]
    if parameter.is_module:
        return parameter.slots[0].path[-1]
    noun = next((name.partition("_")[2] for name in names if name.startswith(("in_", "out_"))), "")
    if parameter.role != SIZE or not noun:
        return names[0]
    is_first, is_last = (any(slot is end for slot in parameter.slots) for end in ends)
    goes_in, comes_out = (any(name.startswith(word) for name in names) for word in ("in_", "out_"))
    if is_first and is_last:
        return noun
    if is_first or is_last:
        return f"in_{noun}" if is_first else f"out_{noun}"
    return f"hidden_{noun}" if goes_in and comes_out else names[0]


def distinct(wanted: Sequence[str], paths: Sequence[Sequence[str]], taken: Iterable[str] = ()) -> list[str]:
    """Names of which no two are the same: those that would be begin with their branch or layer."""
    counts = Counter(wanted)
    names = list(wanted)
    for name in [name for name, count in counts.items() if count > 1]:
        places = [number for number, own in enumerate(wanted) if own == name]
        ways: list[Callable[[Sequence[str]], str]] = [_branch, _layer, "_".join]
        for way in ways:
            words = [way(paths[place]) for place in places]
            if all(words) and len(set(words)) == len(words):
                break
        for place, word in zip(places, words, strict=True):
            names[place] = f"{word}_{name}" if word else name
    found: list[str] = []
    used = set(taken)
    for name in names:
        found.append(unused(name, used))
        used.add(found[-1])
    return found


def _branch(path: Sequence[str]) -> str:
    return path[0] if path else ""


def _layer(path: Sequence[str]) -> str:
    return path[-1] if path else ""


def unused(name: str, used: Iterable[str]) -> str:
    """The name, or with a number behind it where it is in use."""
    known = set(used)
    number, free = 2, name
    while free in known:
        free = f"{name}_{number}"
        number += 1
    return free


# --- sizes that follow from others -----------------------------------------------------------------------


def _derive(found: Sequence[Parameter]) -> None:
    """Let sizes inside of a class be computed from what goes in or comes out, where it is always so."""
    outer = [p for p in found if p.role == SIZE and not p.name.startswith("hidden_") and _varies(p)]
    bases = [p for p in outer if p.name.startswith(("in_", "out_")) or p.name in ("channels", "features")]
    for parameter in found:
        if parameter in bases or not (parameter.role in SOFT or parameter.name.startswith("hidden_")):
            continue
        for base in bases:
            parameter.derived = _from(parameter.values, base)
            if parameter.derived is not None:
                break


def _varies(parameter: Parameter) -> bool:
    return len({value for value in parameter.values if value is not None}) > 1


def _from(values: Sequence[Expr | None], base: Parameter) -> Expr | None:
    """The expression that gives all the values from those of another parameter."""
    pairs = [
        (own.value, other.value)
        for own, other in zip(values, base.values, strict=True)
        if isinstance(own, Literal) and isinstance(other, Literal)
    ]
    if len(set(pairs)) < 2 or not all(type(number) is int and number > 0 for pair in pairs for number in pair):
        return None
    own, other = pairs[0]
    if all(mine * other == its * own for mine, its in pairs):
        if own % other == 0:
            return Infix("*", Literal(own // other), Name(base.name)) if own > other else Name(base.name)
        if other % own == 0:
            return Infix("//", Name(base.name), Literal(other // own))
    return None


# --- loop variables ----------------------------------------------------------------------------------------


def with_named_variables(expr: Expr, taken: Iterable[str]) -> Expr:
    """The expression with names for what runs over the columns of its lists."""
    used = set(taken)

    def rule(part: Expr, known: dict[int, Expr], used: frozenset[str]) -> Expr:
        if isinstance(part, Variable):
            return known[id(part)]
        if not isinstance(part, Run):
            parts = part.parts()
            return part.of([rule(inner, known, used) for inner in parts]) if parts else part
        wanted, paths = [v.name for v in part.variables], [v.path for v in part.variables]
        names = distinct(wanted, paths, used)
        inside = known | {id(v): Name(name) for v, name in zip(part.variables, names, strict=True)}
        columns = tuple(rule(column, known, used) for column in part.columns)
        count = rule(part.count, known, used)
        element = rule(part.element, inside, used | set(names))
        fresh = tuple(Variable(name, v.role, v.path) for v, name in zip(part.variables, names, strict=True))
        return Run(element, fresh, columns, count)

    return rule(expr, {}, frozenset(used))
