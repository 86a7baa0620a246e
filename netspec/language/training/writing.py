"""A Training back to a `train` section, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.ir.training import Named, Training
from netspec.language.training.kinds import KINDS, METRICS
from netspec.language.training.section import TrainSection


def written(training: Training, first_output: str) -> dict[str, Any]:
    """The section of which the same Training is made; what is as it would be by itself is left out."""
    section: dict[str, Any] = {}
    for key, field in TrainSection.model_fields.items():
        value = getattr(training, key)
        if isinstance(value, Named):
            value = _choice(key, value)
        elif key == "augment":
            value = {name: part for name, part in value._asdict().items() if part} or None
        elif key == "metrics":
            usual = METRICS.get(training.loss.name, ())[:1]
            value = None if value == usual else list(value)
        elif key == "output" and value == first_output:
            value = None
        if field.is_required() or value != field.default:
            section[key] = value
    return section


def _choice(key: str, named: Named) -> Any:
    """A name, with the arguments that differ from their defaults."""
    kind = KINDS[key]
    arguments = dict(named.arguments)
    if named.name in kind.homes:
        fields = kind.model(named.name).model_fields
        arguments = {name: value for name, value in arguments.items() if value != fields[name].default}
    return {named.name: _plain(arguments)} if arguments else _plain(named.name)


def _plain(value: Any) -> Any:
    """A value as a spec writes it: tuples are lists, and a dollar in a text is no expression's."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value
