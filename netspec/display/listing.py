"""The whole catalogue, for people and programs: its operations by families, then those from outside."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from netspec.diagnostics import DiagnosticError, nearest, printable, spell
from netspec.display.documentation import documentation
from netspec.display.operations import WIDTH, Described, described, operation_json
from netspec.display.terminal import show_heading
from netspec.language.callables import UnknownOperation
from netspec.ops.base import Op
from netspec.ops.catalogue import FAMILIES, find, known, names
from netspec.ops.plugins import entries, package

HEADLINES: Mapping[str, tuple[str, ...]] = {
    "Convolutions": ("convolution", "transposed_convolution"),
    "Padding and patches": ("padding", "pad_layers", "patches"),
    "Pools": ("max_pooling", "average_pooling", "adaptive_pooling", "unpooling"),
    "Resizing": ("resizing", "pixels"),
    "Linear maps, tables, constants": ("linear", "sources", "embedding"),
    "Shapes": ("shape", "dimensions", "ordering", "selection", "splitting", "joining", "casting"),
    "Normalisation": (
        "channel_normalisation",
        "layer_normalisation",
        "group_normalisation",
        "response_normalisation",
    ),
    "Dropout": ("dropout",),
    "Activations": ("activation", "rectifier", "piecewise", "softmax"),
    "Arithmetic and logic": ("arithmetic", "comparison", "elementwise"),
    "Reductions": ("reduction", "extremum"),
    "Products and distances": ("product", "distance"),
    "Attention and recurrence": ("attention", "transformer", "recurrence"),
}
"""The families of the catalogue, in its order, under the headlines of the list."""

_HEADLINE_OF = {family: headline for headline, families in HEADLINES.items() for family in families}

_SHAPES = re.compile(r", (?:broadcast, )?(?:n times )?\(")


class Listed(NamedTuple):
    """One operation of the list, and which plugin it is of; where that one does not hold, why."""

    name: str
    operation: type[Op] | None
    origin: str = ""
    problem: str = ""

    @property
    def summary(self) -> str:
        """What it does, or what is wrong with it."""
        return documentation(self.operation).summary if self.operation else self.problem

    @property
    def headline(self) -> str:
        """What it stands under."""
        return f"From {self.origin}" if self.origin else _HEADLINE_OF[FAMILIES[self.name]]


def origin(name: str) -> str:
    """Where the operation of this name comes from; nothing is said of the catalogue's own."""
    if name in FAMILIES:
        return ""
    if known(name):
        operation = find(name)
        assert operation is not None
        return f"the file {printable(str(sys.modules[operation.__module__].__file__))}"
    return package(entries()[name])


def listed() -> Iterator[Listed]:
    """The catalogue, then the operations of the files that the user names and of installed packages."""
    for name in names():
        yield Listed(name, find(name), origin(name))
    for name in entries():
        if not known(name):
            yield _installed(name)


def _installed(name: str) -> Listed:
    try:
        return Listed(name, find(name), origin(name))
    except DiagnosticError as error:
        return Listed(name, None, origin(name), error.diagnostics[0].text)


def look_up(name: str) -> Described:
    """All about the operation of this name.

    Errors: NS205 where there is none; NS395 to NS397 where a package offers it that does not hold.
    """
    operation = find(name)
    if operation is None:
        raise DiagnosticError(UnknownOperation(name=spell(name), suggestion=_meant(name)))
    return described(operation, origin(name))


def _meant(name: str) -> str | None:
    """What was likely meant by a name: the operation that is called so for 1, 2 and 3 dimensions, or one."""
    all_names = (*names(), *entries())
    ranked = [other for other in all_names if re.fullmatch(rf"{re.escape(name)}[123]d", other, re.IGNORECASE)]
    if not ranked:
        return nearest(name, all_names)
    *others, last = ranked
    return f"{', '.join(others)} or {last}" if others else last


def show_list() -> None:
    """Print the list: for somebody who looks at it under headlines and counted, otherwise line by line."""
    operations = list(listed())
    if not sys.stdout.isatty():
        for line in _lines(operations):
            print(line)
        return
    groups: dict[str, list[Listed]] = {headline: [] for headline in HEADLINES}
    for item in operations:
        groups.setdefault(item.headline, []).append(item)
    for headline, members in groups.items():
        show_heading(headline)
        for line in _lines(members, "  "):
            print(line)
        print()
    others = len(operations) - len(FAMILIES)
    print(f"{len(FAMILIES)} operations" + (f", and {others} from outside" if others else ""))


def _lines(operations: list[Listed], before: str = "") -> Iterator[str]:
    """A line for each operation; what does not fit goes without its shapes, or is cut."""
    width = max(len(item.name) for item in operations)
    for item in operations:
        is_marked = item.origin and not item.problem and not before  # a headline tells it, or the problem
        start = f"{before}{item.name:{width}}  " + (f"({item.origin}) " if is_marked else "")
        room = WIDTH - len(start)
        text = item.summary if len(item.summary) <= room else _SHAPES.split(item.summary)[0]
        yield start + (text if len(text) <= room else text[: room - 1].rstrip() + "…")


def list_json() -> list[dict[str, Any]]:
    """All operations as data."""
    return [
        operation_json(described(item.operation, item.origin))
        if item.operation
        else {"name": item.name, "origin": item.origin, "problem": item.problem}
        for item in listed()
    ]
