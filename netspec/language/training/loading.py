"""`train:` as it is by itself: every key read, everything wrong collected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from netspec.diagnostics import Collector, Span
from netspec.ir.dim import UNKNOWN
from netspec.ir.training import Augment, Named
from netspec.language.resolve import Resolver
from netspec.language.training.choosing import chosen
from netspec.language.training.kinds import KINDS, Kind
from netspec.language.training.section import TrainSection
from netspec.language.tree import Tree
from netspec.language.validation import WrongValue, quoted, section_faults, validated


class Planned(NamedTuple):
    """A `train` section that is not held against the network yet.

    `section` has defaults for the keys in `wrong`, and `chosen` lacks them. `written` is the section as
    plain data, with its expressions. `place` is where its key is, `entries` where the keys in it are.
    """

    section: TrainSection
    chosen: Mapping[str, Named]
    augment: Augment
    wrong: frozenset[str]
    tree: Tree
    written: Mapping[str, Any]
    place: Span
    entries: Mapping[str, Span]

    def value_place(self, key: str) -> Span:
        """Where the value of a key is written; of one that is left out, the section's own key."""
        return self.tree.find((key,)).span if key in self.tree.entries else self.place


def load_training(
    tree: Tree, settings: Mapping[str, str], resolver: Resolver, collector: Collector
) -> Planned | None:
    """The `train` section of a file, changed by `settings`, which are texts by dotted names.

    Errors: NS202 to NS204 for its keys, those of `chosen` for what they choose, NS402 to NS404 for settings.
    """
    entry = tree.entries.get("train")
    place = tree.span if entry is None else tree.key_span("train")
    section = None if entry is None else entry.value
    entries: dict[str, Span] = {}
    if settings:
        from netspec.language.training.settings import applied

        section, entries = applied(section, settings, collector)
    if section is None:
        return None
    if not isinstance(section.value, dict):
        wrong = WrongValue(key="train", expected=TrainSection.expected, got=quoted(section.value))
        collector.add(wrong.at(section.span))
        return None
    return _planned(section, place, entries, resolver, collector)


def _planned(
    tree: Tree, place: Span, entries: Mapping[str, Span], resolver: Resolver, collector: Collector
) -> Planned:
    values = {
        key: entry.value.value if key in KINDS else resolver.value(entry.value)
        for key, entry in tree.entries.items()
    }
    wrong = {key for key, value in values.items() if value is UNKNOWN}
    section = _section(values, tree, wrong, collector)
    found: dict[str, Named] = {}
    for key, kind in KINDS.items():
        named = _chosen(kind, tree, place, resolver, collector)
        if named is not None:
            found[key] = named
        else:
            wrong.add(key)
    augment = Augment()
    if section.augment is not None:
        augment = _augment(section.augment, tree.find(("augment",)), wrong, collector)
    keys = {key: tree.key_span(key) for key in tree.entries if key not in entries}
    return Planned(section, found, augment, frozenset(wrong), tree, tree.value, place, {**keys, **entries})


def _section(values: dict[str, Any], tree: Tree, wrong: set[str], collector: Collector) -> TrainSection:
    """The section; a key that is wrong is added to `wrong`, and has its default."""
    kept = {key: value for key, value in values.items() if key not in wrong}
    try:
        return TrainSection.model_validate(kept)
    except ValidationError as error:
        collector.extend(section_faults("train", TrainSection, error, tree))
        wrong |= {str(detail["loc"][0]) for detail in error.errors(include_url=False)}
    kept = {key: value for key, value in kept.items() if key not in wrong}
    return TrainSection.model_validate({"data": None, "optimizer": None, **kept})


def _chosen(kind: Kind, tree: Tree, place: Span, resolver: Resolver, collector: Collector) -> Named | None:
    if kind.key in tree.entries:
        return chosen(kind, tree.entries[kind.key].value, resolver, collector)
    return None if kind.default is None else Named(kind.default, dict(kind.defaults), place)


def _augment(value: Any, tree: Tree, wrong: set[str], collector: Collector) -> Augment:
    from netspec.language.training.augment import AugmentSection

    section = validated(AugmentSection, "augment", tree, value, collector)
    if section is None:
        wrong.add("augment")
        return Augment()
    return Augment(section.flip, section.crop)
