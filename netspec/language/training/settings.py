"""`--set train.epochs=2`: keys of `train:`, and what is in them, given other values from outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NoReturn

from netspec.diagnostics import (
    Collector,
    Diagnostic,
    DiagnosticError,
    Source,
    Span,
    Suggesting,
    nearest,
    spell,
)
from netspec.language.training.kinds import KINDS, Kind
from netspec.language.training.section import TrainSection
from netspec.language.tree import Entry, Tree

NO_PARTS = "its value is set as a whole"


class UnknownSetting(Suggesting):
    """`--set` names something in `train:` that is not there."""

    code = "NS402"
    message = "{name} cannot be set: {reason}"

    name: str
    reason: str
    known_help = "there are {known}"


class NoTrainSection(Diagnostic):
    """`--set train.…` of a spec that does not say how it is trained."""

    code = "NS403"
    message = "the spec has no section train, so {name} cannot be set"

    name: str

    @property
    def help(self) -> str:
        return "add it: train: {{data: fashion-mnist, optimizer: {{SGD: {{lr: 0.1}}}}}}"


class OtherChoice(Diagnostic):
    """`--set` gives an argument to something that is not what the spec has chosen."""

    code = "NS404"
    message = "{name} cannot be set: the spec's {key} is {chosen}"

    name: str
    key: str
    chosen: str
    value: str

    @property
    def help(self) -> str:
        return "choose another as a whole: --set 'train.{key}={value}'"


class _Refused(Exception):
    """Carries the diagnostic of a setting out of the walk to what it names."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.text)
        self.diagnostic = diagnostic


def applied(
    tree: Tree | None, settings: Mapping[str, str], collector: Collector
) -> tuple[Tree | None, dict[str, Span]]:
    """The section with other values in it, and where those of its keys stand that were set.

    Errors: NS402 to NS404. What is wrong with a value is found when the section is read.
    """
    places: dict[str, Span] = {}
    for name, text in settings.items():
        setting = _Setting(name, text)
        if tree is None:
            collector.add(NoTrainSection(name=spell(name)).at(setting.place))
        elif isinstance(tree.value, dict):
            try:
                tree = setting.on(tree)
            except _Refused as refused:
                collector.add(refused.diagnostic.at(setting.place))
            else:
                places[setting.path[1]] = setting.place
    return tree, places


class _Setting:
    """One `--set`: the parts of its name, and its value as a tree in a source of its own."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.path = name.split(".")
        self.source = Source("--set", f"{name}={text}")
        self.place = Span(self.source, 0, len(name))
        self.value = self._parsed(text)

    def _parsed(self, text: str) -> Tree:
        from netspec.language.source import parse

        begins = len(self.name) + 1
        try:
            return _moved(parse(text, "--set", "yaml"), self.source, begins)
        except DiagnosticError:  # whatever it is, it is not what belongs here
            return Tree(self.source, begins, len(self.source.text), text)

    def on(self, section: Tree) -> Tree:
        """The section with this value in its place; raises _Refused where there is no such place."""
        if len(self.path) == 1:
            self._unknown(1, TrainSection.model_fields, "a section is set key by key")
        key = self.path[1]
        if key not in TrainSection.model_fields:
            self._unknown(1, TrainSection.model_fields)
        if len(self.path) > 2:
            old = section.entries[key].value if key in section.entries else None
            if key == "augment":
                from netspec.language.training.augment import AugmentSection

                self._within(2, AugmentSection.model_fields)
                new = self._put(2, old, self.value)
            elif key in KINDS:
                new = self._choice(KINDS[key], old)
            else:
                self._unknown(2, (), NO_PARTS)
        else:
            new = self.value
        return self._put(1, section, new)

    def _choice(self, kind: Kind, old: Tree | None) -> Tree:
        """The value of a key that chooses: its choice, or an argument of what it has chosen."""
        name = self.path[2]
        had = _choice_in(old)
        if name not in kind.homes and not (kind.open and had in (None, name)):
            self._unknown(2, kind.homes if had is None else (had,))
        if had not in (None, name):
            value = f"{{{name}: {{…}}}}"
            raise _Refused(
                OtherChoice(name=spell(self.name), key=kind.key, chosen=spell(had), value=spell(value))
            )
        if len(self.path) == 3:
            return self._put(2, old, self.value)
        if name in kind.homes:
            self._within(3, kind.model(name).model_fields)
        elif len(self.path) > 4:
            self._unknown(4, (), NO_PARTS)
        inside = old.entries[name].value if old is not None and name in old.entries else None
        return self._put(2, old, self._put(3, inside, self.value))

    def _within(self, depth: int, known: Iterable[str]) -> None:
        """Refuse a name whose part at `depth` is not known, or that goes deeper."""
        if self.path[depth] not in known:
            self._unknown(depth, known)
        if len(self.path) > depth + 1:
            self._unknown(depth + 1, (), NO_PARTS)

    def _unknown(self, depth: int, known: Iterable[str], reason: str = "there is no such key") -> NoReturn:
        before = ".".join(self.path[:depth])
        near = nearest(self.path[depth], known) if len(self.path) > depth else None
        raise _Refused(
            UnknownSetting(
                name=spell(self.name),
                reason=reason,
                suggestion=None if near is None else spell(".".join([before, near, *self.path[depth + 1 :]])),
                known=tuple(spell(f"{before}.{name}") for name in known),
            )
        )

    def _put(self, depth: int, tree: Tree | None, value: Tree) -> Tree:
        """The mapping `tree` with `value` under the part of the name at `depth`; a new one, if it is none."""
        key = self.path[depth]
        if tree is not None and isinstance(tree.value, dict):
            old = tree.entries.get(key)
            # A key that was not there has no place in the mapping's source: it stands where that begins.
            start, end = (tree.start, tree.start) if old is None else (old.key_start, old.key_end)
            entries = {**tree.entries, key: Entry(start, end, value)}
            return Tree(tree.source, tree.start, tree.end, {**tree.value, key: value.value}, entries=entries)
        start = len(".".join(self.path[:depth])) + 1
        entries = {key: Entry(start, start + len(key), value)}
        return Tree(self.source, 0, len(self.source.text), {key: value.value}, entries=entries)


def _choice_in(tree: Tree | None) -> str | None:
    """The name that is chosen at a place; None where nothing is, or what is there is no choice."""
    if tree is not None and isinstance(tree.value, str):
        return None if "$" in tree.value else tree.value
    if tree is not None and isinstance(tree.value, dict) and len(tree.value) == 1:
        return str(next(iter(tree.value)))
    return None


def _moved(tree: Tree, source: Source, by: int) -> Tree:
    """A tree as it stands in a longer text, `by` characters further on."""
    entries = {
        key: Entry(entry.key_start + by, entry.key_end + by, _moved(entry.value, source, by))
        for key, entry in tree.entries.items()
    }
    items = [_moved(item, source, by) for item in tree.items]
    return Tree(source, tree.start + by, tree.end + by, tree.value, items, entries)
