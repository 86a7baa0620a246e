"""The parameters of a class: slots that go together, under the names of the field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from netspec.torch_backend.eject.expressions import NONE, Expr, Infix, Literal, Name
from netspec.torch_backend.eject.modules import Slot
from netspec.torch_backend.eject.naming import distinct
from netspec.torch_backend.eject.templates import SOFT, goes_with

SIZE = "size"


@dataclass(eq=False)
class Parameter:
    """What differs between the instances of a class: slots that always have the same values.

    `values` has one an instance, `default` the one that most have, if any. `derived` computes it from other
    parameters, among them those that `is_end` marks: sizes of what an instance gets or gives.
    """

    slots: list[Slot]
    values: list[Expr | None]
    name: str = ""
    default: Expr | None = None
    derived: Expr | None = None
    is_end: bool = False

    @property
    def role(self) -> str:
        if not self.slots:
            return self.name
        return SIZE if any(slot.role == SIZE for slot in self.slots) else self.slots[0].role

    @property
    def path(self) -> tuple[str, ...]:
        """The modules on the way to what it is for."""
        return self.slots[0].path if self.slots else ()

    @property
    def is_module(self) -> bool:
        return not all(value is None or isinstance(value, Literal) for value in self.values)


class Ends(NamedTuple):
    """The numbers of channels or features that instances get and give, one an instance in each row."""

    gets: Sequence[Sequence[int | None]] = ()
    gives: Sequence[Sequence[int | None]] = ()

    @staticmethod
    def among(rows: Sequence[Sequence[int | None]], values: Sequence[Expr | None]) -> bool:
        """Whether a parameter's values are one of the rows."""
        own = [value.value if isinstance(value, Literal) else None for value in values]
        return None not in own and own in [list(row) for row in rows]


def parameters(slots: Iterable[Slot], ends: Ends) -> tuple[list[Parameter], dict[int, Expr]]:
    """The parameters that slots amount to, and the literals of those slots that need none.

    Sizes that are always the same multiple or part of what goes in or comes out are computed from it.
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
    sizes = [parameter for parameter in found if parameter.role == SIZE]
    for parameter in found:
        _fill(parameter, sizes)
    _name(found, ends)
    _derive(found)
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


def _fill(parameter: Parameter, sizes: Sequence[Parameter]) -> None:
    """Give instances that lack the slots a value, and find the default.

    Where a size goes into a module that is left out, it is what comes out behind it: that such two sizes are
    equal tells then that the module is not there.
    """
    if parameter.is_module:
        parameter.default = NONE if None in parameter.values else None
        return
    counts = Counter(value for value in parameter.values if value is not None)
    value, count = counts.most_common(1)[0]
    if parameter.role != SIZE:
        if 2 * count > sum(counts.values()):
            parameter.default = value
    elif None in parameter.values:
        for other in sizes:
            pairs = list(zip(parameter.values, other.values, strict=True))
            if None not in other.values and all(own != its for own, its in pairs):
                parameter.values = [its if own is None else own for own, its in pairs]
    parameter.values = [value if own is None else own for own in parameter.values]


# --- names ---------------------------------------------------------------------------------------------


def _name(found: Sequence[Parameter], ends: Ends) -> None:
    """Name the parameters after the arguments that they are for."""
    wanted: list[str] = []
    for parameter in found:
        name = wanted_name(parameter.slots)
        noun = name.rpartition("_")[2]
        if parameter.role == SIZE and not parameter.is_module:
            goes_in, comes_out = (ends.among(rows, parameter.values) for rows in ends)
            parameter.is_end = goes_in or comes_out
            if parameter.is_end and name.startswith(("in_", "out_", "hidden_")):
                name = noun if goes_in and comes_out else f"{'in' if goes_in else 'out'}_{noun}"
        wanted.append(name)
    first = [name for name, parameter in zip(wanted, found, strict=True) if parameter.is_end]
    rest = [parameter for parameter in found if not parameter.is_end]
    inner = [name for name, parameter in zip(wanted, found, strict=True) if not parameter.is_end]
    names = iter(distinct(first, [parameter.path for parameter in found if parameter.is_end]))
    for parameter in found:
        if parameter.is_end:
            parameter.name = next(names)
    others = distinct(inner, [parameter.path for parameter in rest], {p.name for p in found})
    for parameter, name in zip(rest, others, strict=True):
        parameter.name = name


def wanted_name(slots: Sequence[Slot]) -> str:
    """What the argument that slots are for is called; `hidden_` where one layer gives it to the next."""
    if not all(value is None or isinstance(value, Literal) for slot in slots for value in slot.values):
        return slots[0].path[-1]
    names = [slot.name for slot in slots if slot.role == SIZE] or [slots[0].name]
    noun = next((name.partition("_")[2] for name in names if name.startswith(("in_", "out_"))), "")
    if noun and all(any(name.startswith(word) for name in names) for word in ("in_", "out_")):
        return f"hidden_{noun}"
    return next((name for name in names if name.startswith(("in_", "out_"))), names[0])


# --- sizes that follow from others -----------------------------------------------------------------------


def _derive(found: Sequence[Parameter]) -> None:
    """Let sizes inside of a class be computed from what goes in or comes out, where it is always so."""
    bases = [parameter for parameter in found if parameter.is_end]
    for parameter in found:
        if parameter.is_end or parameter.role not in SOFT | {SIZE}:
            continue
        for base in bases:
            parameter.derived = _from(parameter.values, base)
            if parameter.derived is not None:
                break


def _from(values: Sequence[Expr | None], base: Parameter) -> Expr | None:
    """The expression that gives all the values from those of another parameter."""
    pairs = [
        (own.value, other.value)
        for own, other in zip(values, base.values, strict=True)
        if isinstance(own, Literal) and isinstance(other, Literal)
    ]
    if len(set(pairs)) < 2 or not all(
        type(number) is int and number > 0 for pair in pairs for number in pair
    ):
        return None
    own, other = pairs[0]
    if all(mine * other == its * own for mine, its in pairs):
        if own % other == 0:
            return Infix("*", Literal(own // other), Name(base.name)) if own > other else Name(base.name)
        if other % own == 0:
            return Infix("//", Name(base.name), Literal(other // own))
    return None
