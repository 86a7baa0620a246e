"""Steps of every kind as JSON Schemas, and the rules by which their weights are drawn."""

from __future__ import annotations

from pydantic import BaseModel

from netspec.language.calls import NODE_LIMIT
from netspec.language.distributions import DISTRIBUTIONS
from netspec.language.initialisation import LITERAL_LIMIT
from netspec.language.parametrization import RULES
from netspec.language.schema_forms import (
    NULL,
    Schema,
    either,
    fields,
    first_line,
    listed,
    mapping,
    named,
    ref,
    required,
)
from netspec.language.step_sections import BranchesSection, CallSection, ChoiceSection, LoopSection
from netspec.ops.catalogue import catalogue

WEIGHTS = {"weight": "How the weight is drawn.", "bias": "How the bias is drawn."}
"""Parameters that editors offer; the others of a layer are accepted too."""

PARAMETER = "^[a-z_][A-Za-z0-9_]*$"
NO_OPERATION = "A step needs one operation or block."
CALLED = "^[A-Z$]"  # a block, an operation, or a parameter that holds one


def steps() -> dict[str, Schema]:
    """The definitions of steps and of what stands in them."""
    kinds = ("word", "call", "block_call", "branches", "choice", "loop")
    return {
        "steps": listed(ref("step")),
        "step": {
            "description": "One step: an operation or a block, alone or with its arguments and what stands "
            "beside it; or branches, a choice, a loop.",
            "anyOf": [ref(kind) for kind in kinds],
        },
        **_names_of_operations(),
        "word": _word(),
        "call": _call(),
        "block_call": _block_call(),
        "block_arguments": {
            "description": "A block, or a parameter that holds an operation, with its arguments.",
            "type": ["object", "null"],
        },
        "merge": {
            "allOf": [
                {"anyOf": [ref("word"), ref("call"), ref("block_call")]},
                {"properties": {"from": False, "if": False, "repeat": False}},
            ]
        },
        "branches": _branches(),
        "choice": _composite(ChoiceSection, {"then": ref("steps"), "else": ref("steps")}),
        "loop": _composite(LoopSection, {"for": _values(), "do": ref("steps"), "between": ref("steps")}),
        "known_steps": {"items": ref("known_step")},
        "known_step": _known_step(),
        "init": _init(),
        "step_init": _step_init(),
        "rule": _rule(),
        "numbers": _numbers(),
        "operation_init": either(ref("rule"), {"type": "object", "additionalProperties": ref("rule")}),
        "parametrization": _parametrization(),
    }


def _names_of_operations() -> dict[str, Schema]:
    """The names of operations, what else may be called, and what may where there are no blocks."""
    names = "|".join(catalogue())
    return {
        "operation": {"enum": list(catalogue()), "errorMessage": "There is no such operation."},
        "no_operation": {
            "pattern": f"^(?!({names})$)",
            "errorMessage": "This is the name of an operation.",
        },
        "known": {
            "pattern": rf"^([a-z$].*|({names})$)",
            "errorMessage": "There is no such operation, and this file has no block.",
        },
    }


def _word() -> Schema:
    """A step that is a bare word."""
    bare = {name: operation for name, operation in catalogue().items() if not required(operation)}
    others = [name for name in catalogue() if name not in bare]
    return {
        "anyOf": [
            {
                "enum": list(bare),
                "enumDescriptions": [first_line(operation) for operation in bare.values()],
                "errorMessage": "A step is an operation: a word such as ReLU, or a mapping "
                "such as Conv2d: {out_channels: 8, kernel_size: 3}.",
            },
            {"type": "string", "pattern": f"^(?!({'|'.join(others)})$)[A-Z$]"},
        ]
    }


def _call() -> Schema:
    """A step that is an operation with its arguments."""
    operations = {name: ref(name) for name in catalogue()}
    one: list[Schema] = [{"required": [name]} for name in operations]
    one[0]["errorMessage"] = NO_OPERATION  # editors show the first that does not hold
    return {**mapping({**operations, **_beside_call()}), "oneOf": one, **_SHARING}


_SHARING: Schema = {
    "if": {"required": ["share"], "properties": {"share": {"type": "string"}}},
    "then": {"properties": {"init": NULL, "parametrize": NULL}},
}
"""A step that uses another's weights has none of which something could be said."""


def _block_call() -> Schema:
    """A step that is a block of the file with its arguments, or a parameter that holds an operation."""
    return {
        **mapping(_beside_call()),
        "patternProperties": {CALLED: ref("block_arguments")},
        "propertyNames": ref("no_operation"),
        "if": {"propertyNames": {"pattern": "^[a-z]"}},
        "then": {"type": "string", "errorMessage": NO_OPERATION},
    }


def _beside(model: type[BaseModel]) -> dict[str, Schema]:
    """What may stand beside a step of any kind."""
    written = fields(model)
    written["name"] = either(ref("path"), NULL, like=written["name"])
    written["from"] = either(ref("reference"), like=written["from"])
    written["if"] = either({"type": "boolean"}, ref("expression"), like=written["if"])
    times = {"type": "integer", "minimum": 0, "maximum": NODE_LIMIT}
    written["repeat"] = either(times, ref("expression"), like=written["repeat"])
    return written


def _beside_call() -> dict[str, Schema]:
    written = _beside(CallSection)
    by_argument = {"type": "object", "additionalProperties": ref("reference"), "minProperties": 1}
    several = listed(ref("references"), least=1)
    written["from"] = either(ref("references"), several, by_argument, like=written["from"])
    written["init"] = either(ref("step_init"), NULL, like=written["init"])
    written["share"] = either(ref("reference"), NULL, like=written["share"])
    written["parametrize"] = either(ref("parametrization"), NULL, like=written["parametrize"])
    return written


def _composite(model: type[BaseModel], parts: dict[str, Schema]) -> Schema:
    """A step of several parts."""
    written = _beside(model)
    for key, part in parts.items():
        written[key] = either(part, like=written[key])
    return mapping(written, required(model))


def _branches() -> Schema:
    branch = either(ref("steps"), NULL)
    return _composite(BranchesSection, {"branches": named(branch, least=2), "merge": ref("merge")})


def _values() -> Schema:
    """The variables of a loop: columns or rows."""
    column = either({"type": "array"}, ref("expression"))
    row = named({}, least=1)
    return either(named(column), listed(row))


def _known_step() -> Schema:
    """A step, where there is no block that a word could mean: one that is no operation is a mistake."""
    inner = ref("known_steps")
    return {
        "if": {"type": "string"},
        "then": ref("known"),
        "propertyNames": ref("known"),
        "patternProperties": {  # which editors do not offer, as they would properties
            "^(then|else|do|between)$": inner,
            "^branches$": {"additionalProperties": inner},
            "^merge$": ref("known_step"),
        },
    }


def _init() -> Schema:
    """`init` of the file: one rule for all, or rules by operation."""
    by_operation = {
        "type": "object",
        "propertyNames": ref("operation"),
        "additionalProperties": ref("operation_init"),
    }
    return either(ref("rule"), by_operation)


def _step_init() -> Schema:
    """`init` of a step: one rule, or rules by parameter, or by operation."""
    by_parameter = mapping(
        {name: {"description": text, "allOf": [ref("rule")]} for name, text in WEIGHTS.items()}
    )
    by_parameter["patternProperties"] = {PARAMETER: ref("rule"), "^[A-Z]": ref("operation_init")}
    by_parameter["propertyNames"] = {"anyOf": [ref("operation"), {"pattern": PARAMETER}]}
    return either(ref("rule"), by_parameter)


def _rule() -> Schema:
    """One rule: a distribution, alone or with arguments, a number, or literal values."""
    bare = [name for name, model in DISTRIBUTIONS.items() if not required(model)]
    arguments = {name: _arguments(model) for name, model in DISTRIBUTIONS.items()}
    return {
        "description": "A function of torch.nn.init without its last underscore, or literal values.",
        "anyOf": [
            {"type": "string", "enum": bare},
            {**mapping(arguments), "minProperties": 1, "maxProperties": 1},
            {"type": "number"},
            ref("numbers"),
            ref("expression"),
        ],
    }


def _arguments(model: type[BaseModel]) -> Schema:
    """The arguments of a distribution or a parametrization; without required ones they may be left out."""
    whole = mapping(fields(model), required(model))
    if not required(model):
        whole["type"] = ["object", "null"]
    return whole


def _numbers() -> Schema:
    """Literal values."""
    return {
        "description": "A number for each element of the parameter, in lists as its shape has them.",
        **listed(either({"type": "number"}, ref("numbers"), ref("expression")), least=1),
        "maxItems": LITERAL_LIMIT,
    }


def _parametrization() -> Schema:
    """`parametrize`: one rule, alone or with its arguments."""
    described = {
        "enum": list(RULES),
        "enumDescriptions": [first_line(model) for model in RULES.values()],
    }
    arguments = {
        name: {"description": first_line(model), **_arguments(model)} for name, model in RULES.items()
    }
    return either(described, {**mapping(arguments), "minProperties": 1, "maxProperties": 1})
