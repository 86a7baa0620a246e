"""The JSON Schema: current, valid, as strict as it can be, and never stricter than `check`."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from netspec.diagnostics import DiagnosticError
from netspec.language.names import check_path, reason_against
from netspec.language.schema import WIDTH, schema, schema_text
from netspec.language.source import read
from netspec.ops.catalogue import catalogue
from netspec.pipeline import check, check_text
from tests.language.schema_cases import GOOD, WRONG, spec

ROOT = Path(__file__).parents[2]
CHECKED_IN = ROOT / "netspec.schema.json"
SPECS = sorted((ROOT / "specs").glob("*.yaml"))
SCHEMA = schema()
VALIDATOR = Draft7Validator(SCHEMA)
SIZE = 360_000  # characters of the file: editors load it, and people read its differences


def definition(name: str) -> Draft7Validator:
    """What holds against one of the definitions alone."""
    return Draft7Validator({"$ref": f"#/definitions/{name}", "definitions": SCHEMA["definitions"]})


NAMES = definition("name")
PATHS = definition("path")


def test_the_file_is_current() -> None:
    assert CHECKED_IN.read_text(encoding="utf-8") == schema_text(), (
        "netspec.schema.json is out of date: run `netspec schema > netspec.schema.json`"
    )


def test_the_text_is_the_schema() -> None:
    assert json.loads(schema_text()) == SCHEMA
    assert all(
        len(line) <= WIDTH for line in schema_text().splitlines() if line.endswith(("}", "]", "},", "],"))
    )


def test_it_is_not_larger_than_it_must_be() -> None:
    assert len(schema_text()) < SIZE


def test_it_is_a_schema_of_draft_7() -> None:
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_specs_are_valid(spec: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(read(spec).value)] == []


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_specs_name_the_schema_for_editors(spec: Path) -> None:
    first, *_ = spec.read_text(encoding="utf-8").splitlines()
    path = first.removeprefix("# yaml-language-server: $schema=")
    assert (spec.parent / path).resolve() == CHECKED_IN.resolve()


def test_references_lead_somewhere() -> None:
    definitions = SCHEMA["definitions"]

    def references(part: Any) -> set[str]:
        if isinstance(part, dict):
            own = {part["$ref"]} if "$ref" in part else set()
            return own.union(*map(references, part.values()))
        return set().union(*map(references, part)) if isinstance(part, list) else set()

    used = {reference.removeprefix("#/definitions/") for reference in references(SCHEMA)}
    assert used == set(definitions)


def test_nothing_stands_beside_a_reference() -> None:
    def crowded(part: Any) -> list[Any]:
        if isinstance(part, dict):
            own = [part] if "$ref" in part and len(part) > 1 else []
            return own + [found for value in part.values() for found in crowded(value)]
        return [found for item in part for found in crowded(item)] if isinstance(part, list) else []

    assert crowded(SCHEMA) == []


def test_a_list_never_leads_back_to_itself() -> None:
    """Editors look for what to offer in a list's items without end."""
    definitions = SCHEMA["definitions"]

    def after(name: str) -> str | None:
        items = definitions[name].get("items", {})
        return items.get("$ref", "").removeprefix("#/definitions/") or None

    for name in definitions:
        seen = [name]
        while (following := after(seen[-1])) is not None:
            assert following not in seen
            seen.append(following)


@pytest.mark.parametrize("name", catalogue())
def test_every_argument_is_explained(name: str) -> None:
    operation = SCHEMA["definitions"][name]
    assert operation["description"]
    assert set(operation["properties"]) == set(catalogue()[name].model_fields)
    for argument in operation["properties"].values():
        assert argument["description"]
        takes = Draft7Validator({**argument, "definitions": SCHEMA["definitions"]})
        assert takes.is_valid("$width * 2")
        assert not takes.is_valid({})


def test_defaults_are_valid() -> None:
    for name, operation in catalogue().items():
        for argument in SCHEMA["definitions"][name]["properties"].values():
            if "default" in argument:
                takes = Draft7Validator({**argument, "definitions": SCHEMA["definitions"]})
                assert takes.is_valid(argument["default"]), operation


def test_every_section_is_explained() -> None:
    assert all(section["description"] for section in SCHEMA["properties"].values())


@pytest.mark.parametrize("kind", ["call", "branches", "choice", "loop", "block", "output"])
def test_every_key_of_a_step_and_a_block_is_explained(kind: str) -> None:
    properties = SCHEMA["definitions"][kind]["properties"]
    assert all(key[0].isupper() or its["description"] for key, its in properties.items())


def test_editors_offer_words_with_what_they_mean() -> None:
    found = []

    def look(part: Any) -> None:
        if isinstance(part, dict):
            if "enumDescriptions" in part:
                found.append(part["enum"])
                assert len(part["enum"]) == len(part["enumDescriptions"])
                assert all(part["enumDescriptions"])
            part = list(part.values())
        if isinstance(part, list):
            for item in part:
                look(item)

    look(SCHEMA)
    offered = [word for words in found for word in words]
    assert {"ReLU", "Add", "int", "op", "weight_norm"} <= set(offered)


@pytest.mark.parametrize("case", GOOD)
def test_what_check_accepts_is_valid(case: str) -> None:
    check_text(json.dumps(GOOD[case]), "good.json")
    assert [error.message for error in VALIDATOR.iter_errors(GOOD[case])] == []


@pytest.mark.parametrize("case", WRONG)
def test_wrong_specs_are_not_valid(case: str) -> None:
    assert not VALIDATOR.is_valid(WRONG[case])
    with pytest.raises(DiagnosticError):
        check_text(json.dumps(WRONG[case]), "wrong.json")


def test_a_file_of_blocks_alone_is_valid(tmp_path: Path) -> None:
    library = {"netspec": 1, "$schema": "netspec.schema.json", "blocks": {"A": {"layers": ["ReLU"]}}}
    user = spec("A", use=["blocks.json"])
    (tmp_path / "blocks.json").write_text(json.dumps(library), encoding="utf-8")
    (tmp_path / "user.json").write_text(json.dumps(user), encoding="utf-8")
    check(tmp_path / "user.json")
    assert VALIDATOR.is_valid(library)
    assert VALIDATOR.is_valid(user)


WORDS = st.sampled_from(
    [
        "a",
        "prev",
        "in",
        "image",
        "batch",
        "x.indices",
        "forward",
        "self",
        "class",
        "__a",
        "weight",
        "bias",
        "$classes",
        "if",
        "repeat",
        "share",
        "do",
        "then",
        "merge",
        "from",
    ]
) | st.sampled_from(
    [
        "$$",
        "$a",
        "ReLU",
        "Conv2d",
        "Flatten",
        "zeros",
        "normal",
        "float32",
        "int64",
        "same",
        "name",
        "a b",
        "",
        "Tall",
        "$act",
        "a.0.b",
        "a.*",
        "a.class",
    ]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 5), st.sampled_from([0.5, -0.5, 28, 2**31, 10**9]), WORDS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)


def _containers(value: Any) -> list[Any]:
    """Every list and mapping inside a value, itself included."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, (dict, list)) else []
    return own + [found for item in inside for found in _containers(item)]


@st.composite
def _mutants(draw: st.DrawFn) -> Any:
    """A good spec with one or two of its values replaced, taken out, doubled or added."""
    mutant = copy.deepcopy(draw(st.sampled_from(ORIGINALS)))
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.sampled_from(_containers(mutant)))
        if not place:
            continue
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        match draw(st.sampled_from(["replace", "delete", "double", "add"])):
            case "replace":
                place[key] = draw(VALUES)
            case "delete":
                del place[key]
            case "double" if isinstance(place, list):
                place.append(copy.deepcopy(place[key]))
            case "add" if isinstance(place, dict):
                place[draw(WORDS)] = draw(VALUES)
    return mutant


SLOW = ("alexnet", "convnext", "vit", "shufflenet_v2")  # a good part of a second each
ORIGINALS = [*(read(path).value for path in SPECS if path.stem not in SLOW), *2 * list(GOOD.values())]


@settings(max_examples=2 * settings().max_examples)
@given(_mutants())
def test_the_schema_is_never_stricter_than_check(mutant: Any) -> None:
    errors = [error.message for error in VALIDATOR.iter_errors(mutant)]
    if errors:
        with pytest.raises(DiagnosticError):
            check_text(json.dumps(mutant), "mutant.json")


@given(st.text(st.sampled_from("aB1_-. '$é"), max_size=6) | WORDS)
def test_names_are_those_of_the_language(name: str) -> None:
    assert NAMES.is_valid(name) == (reason_against(name) is None)


@given(st.lists(st.text(st.sampled_from("aB1_-*"), max_size=4) | WORDS, min_size=1, max_size=4).map(".".join))
def test_paths_are_those_of_the_language(path: str) -> None:
    assert PATHS.is_valid(path) == (check_path(path, "a layer") is None)
