"""One choice of `train:`, read: a name, or a name with arguments."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from netspec.diagnostics import Collector, Diagnostic, Span, nearest, spell
from netspec.ir.dim import UNKNOWN
from netspec.ir.training import Named
from netspec.language.resolve import Resolver
from netspec.language.training.choice import Choice
from netspec.language.training.kinds import Kind
from netspec.language.tree import Tree
from netspec.language.validation import (
    PositionalArguments,
    WrongValue,
    argument_faults,
    named_arguments,
    quoted,
)

DATA_GROUP = "netspec.data"
"""The group of entry points under which packages offer data sets."""

ALIKE = 0.8  # of a name and one of netspec's own data sets


class UnknownChoice(Diagnostic):
    """A word in `train:` that names nothing to choose."""

    code = "NS400"
    message = "there is no {noun} {name}"

    noun: str
    name: str
    suggestion: str | None
    known: tuple[str, ...]

    @property
    def help(self) -> str:
        return "did you mean {suggestion}?" if self.suggestion else "there are {known}"


class PathOut(Diagnostic):
    """A path of data that could lead out of the data folder."""

    code = "NS401"
    message = "{path} is no path within the data folder: {reason}"

    path: str
    reason: str

    @property
    def help(self) -> str:
        return "write it relative to the folder that --data-dir names"


def chosen(kind: Kind, tree: Tree, resolver: Resolver, collector: Collector) -> Named | None:
    """What is chosen at `tree`, with all its arguments; None, and diagnostics, where that is wrong.

    Errors: NS204, NS206, NS207 and NS230 for arguments, NS400 for the name, NS401 for a path.
    """
    name: Any
    arguments: Tree | None
    if isinstance(tree.value, dict) and len(tree.value) == 1:
        ((name, entry),) = tree.entries.items()
        place, arguments = tree.key_span(name), entry.value
    else:
        value = resolver.value(tree)
        if value is UNKNOWN:
            return None
        name, place, arguments = value, tree.span, None
    if not isinstance(name, str):
        wrong = WrongValue(key=kind.key, expected=kind.expected, got=quoted(tree.value))
        collector.add(wrong.at(tree.span))
        return None
    if name in kind.homes:
        return _known(kind.model(name), name, place, arguments, resolver, collector)
    suggestion = _misspelt(name, kind)
    if suggestion or not kind.open:
        unknown = UnknownChoice(
            noun=kind.noun.partition(" ")[2],
            name=spell(name),
            suggestion=suggestion,
            known=tuple(kind.homes),
        )
        collector.add(unknown.at(place))
        return None
    return _foreign(name, place, arguments, resolver, collector)


def _misspelt(name: str, kind: Kind) -> str | None:
    """What was meant by a name that is not known; None where it may be that of an installed package.

    A name that is longer than one of netspec's own is another's: KMNIST is not MNIST misspelt.
    """
    if not kind.open:
        return nearest(name, kind.homes)
    from difflib import get_close_matches  # here, since only mistakes and foreign names need it

    folded = {known.replace("-", ""): known for known in kind.homes}
    plain = name.lower().replace("-", "").replace("_", "").replace(" ", "")
    near = get_close_matches(plain[:100], folded, n=1, cutoff=ALIKE)
    if not near or len(plain) > len(near[0]):
        return None
    from importlib.metadata import entry_points  # here, since it takes longer than most checks

    return None if entry_points(group=DATA_GROUP, name=name) else folded[near[0]]


def _known(
    model: type[Choice],
    name: str,
    place: Span,
    arguments: Tree | None,
    resolver: Resolver,
    collector: Collector,
) -> Named | None:
    """One of those that netspec knows."""
    if arguments is not None and model.alone and isinstance(arguments.value, str):
        values, unknown = {model.alone: resolver.value(arguments)}, list[str]()
        if values[model.alone] is UNKNOWN:
            return None
    elif arguments is not None and arguments.value is not None and not isinstance(arguments.value, dict):
        written = named_arguments(model, arguments.value)
        positional = PositionalArguments(op=name, got=quoted(arguments.value), named=written)
        collector.add(positional.at(arguments.span))
        return None
    else:
        values, unknown = _values(arguments, resolver)
    try:
        made = model.model_validate(values)
    except ValidationError as error:
        own = arguments if arguments is not None and arguments.entries else None
        collector.extend(argument_faults(name, model, error, own, values, place, unknown))
        return None
    found = {field: getattr(made, field) for field in model.model_fields}
    wrong = made.disagreement()
    if wrong is not None:
        assert arguments is not None, "defaults agree"
        fault = WrongValue(
            key=wrong.argument,
            expected=wrong.expected,
            got=quoted(found[wrong.argument]),
            advice=wrong.advice,
        )
        collector.add(fault.at(arguments.find((wrong.argument,)).span))
        return None
    if unknown or not _stays("path" if model.alone else "", found, arguments, collector):
        return None
    return Named(name, found, place)


def _values(arguments: Tree | None, resolver: Resolver) -> tuple[dict[str, Any], list[str]]:
    """The arguments with their expressions evaluated, and those that have no value because of an error."""
    entries = {} if arguments is None else arguments.entries
    values = {key: resolver.value(entry.value) for key, entry in entries.items()}
    unknown = [key for key, value in values.items() if value is UNKNOWN]
    return {key: value for key, value in values.items() if value is not UNKNOWN}, unknown


def _stays(argument: str, found: dict[str, Any], arguments: Tree | None, collector: Collector) -> bool:
    """Whether a path, if there is one, stays within the data folder; NS401 if not."""
    if not argument or arguments is None:
        return True
    from netspec.language.training.data_sets import path_out

    reason = path_out(found[argument])
    if reason:
        fault = PathOut(path=spell(found[argument]), reason=reason)
        collector.add(fault.at(arguments.find((argument,)).span))
    return not reason


def _foreign(
    name: str, place: Span, arguments: Tree | None, resolver: Resolver, collector: Collector
) -> Named | None:
    """One that an installed package may offer: its arguments are its own."""
    if arguments is not None and arguments.value is not None and not isinstance(arguments.value, dict):
        expected = f"the arguments of {spell(name)}, such as {{path: images}}"
        collector.add(
            WrongValue(key="data", expected=expected, got=quoted(arguments.value)).at(arguments.span)
        )
        return None
    values, unknown = _values(arguments, resolver)
    return None if unknown else Named(name, values, place)
