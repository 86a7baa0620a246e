"""`train:` as a JSON Schema: its keys, and what each of them chooses from."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic_core import PydanticUndefined

from netspec.language.schema_forms import (
    NULL,
    Schema,
    either,
    fields,
    first_line,
    mapping,
    ref,
    required,
    section,
    short,
)
from netspec.language.training.augment import AugmentSection
from netspec.language.training.choice import Choice
from netspec.language.training.kinds import KINDS, Kind
from netspec.language.training.section import TrainSection
from netspec.language.validation import expected_by


def training(definitions: Mapping[str, Schema]) -> dict[str, Schema]:
    """The definitions of `train` and of what its keys choose from.

    Kinds of values that have one of the `definitions` already are referred to.
    """
    shared = {json.dumps(definition): name for name, definition in definitions.items()}
    its = fields(TrainSection)
    for key in KINDS:
        its[key] = either(ref(f"chosen_{key}"), ref("expression"), like=its[key])
    its["augment"] = either(section(AugmentSection), NULL, like=its["augment"])
    return {
        "train": {"description": first_line(TrainSection), **mapping(its, required(TrainSection))},
        **{f"chosen_{key}": either(*_choices(kind, shared)) for key, kind in KINDS.items()},
    }


def _choices(kind: Kind, shared: Mapping[str, str]) -> list[Schema]:
    """A bare word, where no argument is needed, and a mapping from one name to its arguments."""
    models = {name: kind.model(name) for name in kind.homes}
    bare = {name: first_line(model) for name, model in models.items() if not required(model)}
    words: list[Schema] = [{"enum": list(bare), "enumDescriptions": list(bare.values())}]
    if kind.open:
        words = [{"enum": list(bare)}, {"type": "string"}]
    properties: dict[str, Schema] = {}
    for name, model in models.items():
        whole = {"description": first_line(model), **mapping(_arguments(model, shared), required(model))}
        if not required(model):
            whole["type"] = ["object", "null"]
        properties[name] = either(whole, {"type": "string"}) if model.alone else whole
    chosen = {**mapping(properties), "minProperties": 1, "maxProperties": 1}
    if kind.open:
        chosen["additionalProperties"] = {"type": ["object", "null"]}
    return [*words, chosen]


def _arguments(model: type[Choice], shared: Mapping[str, str]) -> dict[str, Schema]:
    """The arguments of one that can be chosen, each with what belongs there and its default."""
    found = {}
    for name, written in fields(model).items():
        choices = [choice for choice in written["anyOf"] if choice != NULL]
        known = shared.get(json.dumps(either(*choices)))
        nothing = [NULL] if NULL in written["anyOf"] else []
        default = model.model_fields[name].default
        left_out = "required" if default is PydanticUndefined else f"default {json.dumps(short(default))}"
        explained = {**written, "description": f"{expected_by(model, name) or 'a value'}; {left_out}"}
        found[name] = either(*([ref(known)] if known else choices), *nothing, like=explained)
    return found
