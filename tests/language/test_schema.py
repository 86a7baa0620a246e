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
from netspec.language.names import reason_against
from netspec.language.schema import schema, schema_text
from netspec.language.source import read
from netspec.ops.catalogue import catalogue
from netspec.pipeline import check_text

ROOT = Path(__file__).parents[2]
CHECKED_IN = ROOT / "netspec.schema.json"
SPECS = sorted((ROOT / "specs").glob("*.yaml"))
VALIDATOR = Draft7Validator(schema())
NAMES = Draft7Validator(schema()["definitions"]["name"])


def test_the_file_is_current() -> None:
    assert CHECKED_IN.read_text(encoding="utf-8") == schema_text(), (
        "netspec.schema.json is out of date: run `netspec schema > netspec.schema.json`"
    )


def test_it_is_a_schema_of_draft_7() -> None:
    assert schema()["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(schema())


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_specs_are_valid(spec: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(read(spec).value)] == []


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_specs_name_the_schema_for_editors(spec: Path) -> None:
    first, *_ = spec.read_text(encoding="utf-8").splitlines()
    path = first.removeprefix("# yaml-language-server: $schema=")
    assert (spec.parent / path).resolve() == CHECKED_IN.resolve()


def test_references_lead_somewhere() -> None:
    definitions = schema()["definitions"]

    def references(part: Any) -> set[str]:
        if isinstance(part, dict):
            own = {part["$ref"]} if "$ref" in part else set()
            return own.union(*map(references, part.values()))
        return set().union(*map(references, part)) if isinstance(part, list) else set()

    used = {reference.removeprefix("#/definitions/") for reference in references(schema())}
    assert used == set(definitions)


def test_nothing_stands_beside_a_reference() -> None:
    def crowded(part: Any) -> list[Any]:
        if isinstance(part, dict):
            own = [part] if "$ref" in part and len(part) > 1 else []
            return own + [found for value in part.values() for found in crowded(value)]
        return [found for item in part for found in crowded(item)] if isinstance(part, list) else []

    assert crowded(schema()) == []


@pytest.mark.parametrize("name", catalogue())
def test_every_argument_is_explained(name: str) -> None:
    operation = schema()["definitions"][name]
    assert operation["description"]
    assert set(operation["properties"]) == set(catalogue()[name].model_fields)
    for argument in operation["properties"].values():
        assert argument["description"]
        assert {"$ref": "#/definitions/expression"} in argument["anyOf"]


def test_every_section_is_explained() -> None:
    assert all(section["description"] for section in schema()["properties"].values())


CONV = {"out_channels": 8, "kernel_size": 3}


def spec(*layers: Any, **sections: Any) -> dict[str, Any]:
    """A spec with these steps; `sections` replaces others of its keys, or with None takes them out."""
    whole = {
        "netspec": 1,
        "inputs": {"image": ["batch", 1, 28, 28]},
        "layers": list(layers) or ["ReLU"],
        **sections,
    }
    return {key: value for key, value in whole.items() if value is not ...}


GOOD = {
    "bare word": spec("ReLU"),
    "operation without arguments": spec({"ReLU": None}, {"Flatten": {}}),
    "expressions": spec(
        {"Conv2d": {"out_channels": "$c", "kernel_size": ["$k", 3], "bias": "$c > 3"}},
        {"ReLU": None, "repeat": "$k - 1"},
        params={"c": 8, "k": 3},
    ),
    "list parameter": spec({"Conv2d": {"out_channels": 4, "kernel_size": "$k"}}, params={"k": [3, 5]}),
    "siblings": spec({"Conv2d": CONV, "name": "c", "from": "image", "init": "zeros", "repeat": 1}),
    "several inputs": spec(
        {"Add": None, "from": ["a", "b"], "name": "sum"},
        inputs={"a": ["n", 3], "b": {"shape": ["n", 3], "dtype": "float32"}},
        outputs=["sum"],
    ),
    "from by argument": spec({"Conv2d": CONV, "from": {"input": "image"}}),
    "port": spec(
        {"MaxPool2d": {"kernel_size": 2, "return_indices": True}, "name": "p"}, outputs={"i": "p.indices"}
    ),
    "labels": spec(
        "Flatten",
        {"Linear": {"out_features": 2}, "name": "y"},
        outputs={"y": {"from": "y", "labels": ["cat", "costs $$"]}},
    ),
    "dims": spec(inputs={"x": ["n", "h"]}, dims={"h": {"min": 2, "max": 8, "multiple_of": 2}}),
    "preprocess": spec(
        inputs={
            "x": {
                "shape": ["n", 3, 8, 8],
                "preprocess": {"mean": [0.4, 0.5, 0.6], "std": 0.2, "resize": [8, 8]},
            }
        }
    ),
    "init by operation": spec(
        {"Conv2d": CONV}, init={"Conv2d": {"weight": {"kaiming_normal": {"mode": "fan_out"}}, "bias": 0.5}}
    ),
    "literal init": spec(
        {
            "Conv2d": {"out_channels": 1, "kernel_size": [1, 2], "bias": False},
            "init": {"weight": [[[[1, -1]]]]},
        }
    ),
    "null for what may be left out": spec(
        {"MaxPool2d": {"kernel_size": 2, "stride": None}, "name": None, "init": None},
        name=None,
        outputs=None,
        init=None,
    ),
}


@pytest.mark.parametrize("case", GOOD)
def test_what_check_accepts_is_valid(case: str) -> None:
    check_text(json.dumps(GOOD[case]), "good.json")
    assert [error.message for error in VALIDATOR.iter_errors(GOOD[case])] == []


WRONG = {
    "no mapping": ["ReLU"],
    "no version": spec(netspec=...),
    "another version": spec(netspec=2),
    "version as text": spec(netspec="1"),
    "no inputs": spec(inputs=...),
    "empty inputs": spec(inputs={}),
    "no layers": spec(layers=...),
    "empty layers": spec(layers=[]),
    "unknown key": spec(layer=["ReLU"]),
    "bad name of the network": spec(name="a b"),
    "keyword as a name": spec(name="class"),
    "attribute of a module as a name": spec({"ReLU": None, "name": "forward"}),
    "dunder as a name": spec({"ReLU": None, "name": "__init__"}),
    "a name with a quote": spec({"ReLU": None, "name": "a'b"}),
    "a name of the flow": spec({"ReLU": None, "name": "prev"}),
    "a long name": spec({"ReLU": None, "name": "a" * 101}),
    "bad name of an input": spec(inputs={"a-b": [1, 2]}),
    "empty shape": spec(inputs={"x": []}),
    "nine dimensions": spec(inputs={"x": [1] * 9}),
    "size of zero": spec(inputs={"x": ["n", 0]}),
    "bad symbol": spec(inputs={"x": ["a b"]}),
    "unknown key of an input": spec(inputs={"x": {"shape": [1, 2], "size": 3}}),
    "input without a shape": spec(inputs={"x": {"dtype": "float32"}}),
    "unknown dtype": spec(inputs={"x": {"shape": [1, 2], "dtype": "float"}}),
    "unknown preprocessing": spec(inputs={"x": {"shape": [1, 2], "preprocess": {"crop": 3}}}),
    "unknown limit": spec(dims={"batch": {"minimum": 3}}),
    "limit of zero": spec(dims={"batch": {"min": 0}}),
    "parameter without a default": spec(params={"classes": None}),
    "unknown operation": spec("Relu"),
    "unknown operation with arguments": spec({"Conv3d": CONV}),
    "operation that needs arguments, alone": spec("Conv2d"),
    "operation that needs arguments, without": spec({"Conv2d": None}),
    "missing argument": spec({"Conv2d": {"out_channels": 8}}),
    "unknown argument": spec({"Conv2d": {**CONV, "strides": 2}}),
    "argument of a bare activation": spec({"Sigmoid": {"inplace": True}}),
    "argument without a name": spec({"Linear": 10}),
    "boolean for a number": spec({"Conv2d": {**CONV, "kernel_size": True}}),
    "text for a number": spec({"Conv2d": {**CONV, "kernel_size": "3"}}),
    "literal dollar for a number": spec({"Conv2d": {**CONV, "kernel_size": "$$k"}}),
    "number for a boolean": spec({"Conv2d": {**CONV, "bias": 1}}),
    "zero": spec({"Conv2d": {**CONV, "out_channels": 0}}),
    "negative": spec({"Conv2d": {**CONV, "padding": -1}}),
    "three for a pair": spec({"Conv2d": {**CONV, "stride": [1, 2, 3]}}),
    "unknown mode": spec({"Conv2d": {**CONV, "padding_mode": "zero"}}),
    "probability over one": spec({"Dropout": {"p": 1.5}}),
    "two operations": spec({"ReLU": None, "Sigmoid": None}),
    "no operation": spec({"name": "x"}),
    "unknown sibling": spec({"ReLU": None, "form": "image"}),
    "number as a reference": spec({"ReLU": None, "from": 1}),
    "empty from": spec({"Add": None, "from": []}),
    "negative repeat": spec({"ReLU": None, "repeat": -1}),
    "huge repeat": spec({"ReLU": None, "repeat": 10**9}),
    "unknown distribution": spec(init="xavier"),
    "unknown argument of a distribution": spec(init={"normal": {"sd": 1}}),
    "missing argument of a distribution": spec(init="constant"),
    "init of an unknown operation": spec(init={"Conv3d": "zeros"}),
    "init of a parameter for all": spec(init={"weight": "zeros"}),
    "empty literal": spec({"Conv2d": CONV, "init": []}),
    "empty outputs": spec(outputs=[]),
    "number as an output": spec(outputs=[1]),
    "output twice": spec(outputs=["a", "a"]),
    "unknown key of an output": spec(outputs={"y": {"from": "a", "label": ["b"]}}),
    "output from nowhere": spec(outputs={"y": {"labels": ["b"]}}),
    "label that is a number": spec(outputs={"y": {"from": "a", "labels": [1]}}),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_specs_are_not_valid(case: str) -> None:
    assert not VALIDATOR.is_valid(WRONG[case])
    with pytest.raises(DiagnosticError):
        check_text(json.dumps(WRONG[case]), "wrong.json")


WORDS = st.sampled_from(
    [
        "a",
        "prev",
        "in",
        "image",
        "batch",
        "x.indices",
        "forward",
        "class",
        "__a",
        "weight",
        "bias",
        "$classes",
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


ORIGINALS = [*(read(path).value for path in SPECS if path.stem != "alexnet"), *GOOD.values()]


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
