"""The JSON Schema of certificates, for programs that read them."""

from __future__ import annotations

import json
from typing import Any

FORMAT = 1  # of the JSON; raised when a field changes its meaning

NAME = {"type": "string", "minLength": 1}
FIGURE = {"$ref": "#/$defs/figure"}
COUNT = {"type": "integer", "minimum": 0}
VERDICTS = ["passed", "failed", "inconclusive"]


def schema_text() -> str:
    """The schema as it is printed and checked in."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> dict[str, Any]:
    """The schema of `NAME.cert.json`, draft 2020-12; what it does not name may not be there."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "netspec certificate",
        "description": "How an exported ONNX file was held against the network that it was exported from.",
        **_object(
            netspec_certificate=_told("The format of this file.", {"const": FORMAT}),
            network=_told("The network's name in its spec.", NAME),
            file=_told("The name of the file that was judged, without its folder.", NAME),
            sha256=_told("Of that file's bytes.", {"type": "string", "pattern": "^[0-9a-f]{64}$"}),
            verdict=_told(
                "Failed if any gate failed or was not run, else inconclusive if any is.", {"enum": VERDICTS}
            ),
            opset=_told("Of ONNX's own operators, which the file uses; 0 if it names none.", COUNT),
            seed=_told("Of the drawn inputs.", COUNT),
            versions=_told("Of everything that took part.", {"type": "object", "additionalProperties": NAME}),
            cases=_told("The sets of inputs.", _list({"$ref": "#/$defs/case"})),
            gates=_told("What was compared, in order.", _list({"$ref": "#/$defs/gate"})),
            layers=_told(
                "Every layer alone, on the input that it should get; empty unless a gate failed or it was "
                "asked for.",
                _list({"$ref": "#/$defs/layer"}),
            ),
            exported_by_torch=_told("Layers that torch's exporter wrote, not netspec.", _list(NAME)),
            blame=_told(
                "Whose fault a failure is; null if nothing failed.",
                {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/blame"}]},
            ),
            against=_told(
                "The file beside another exporter's, by output; null unless it was asked for.",
                {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/cross_check"}]},
            ),
            remarks=_told(
                "What does not touch the verdict, such as a device that was left out.",
                _list({"$ref": "#/$defs/diagnostic"}),
            ),
        ),
        "$defs": _definitions(),
    }


def _definitions() -> dict[str, Any]:
    error = {
        "error": _told("The largest error; in the semantic gate as a part of the largest value.", FIGURE),
        "bound": _told("What it may be.", FIGURE),
    }
    optional = {
        "torch_error": _told("PyTorch's own error, in the network's element type.", FIGURE),
        "rerounded_error": _told(
            "How far the exact result moves where every layer's is moved as rounding may; told where an "
            "engine is further off than PyTorch's error explains.",
            FIGURE,
        ),
    }
    problems = _list({"$ref": "#/$defs/diagnostic"})
    return {
        "figure": {
            "description": "Four significant digits; JSON has no infinities.",
            "anyOf": [{"type": "number", "minimum": 0}, {"enum": ["inf", "nan"]}],
        },
        "case": _object(
            name=NAME,
            kind=_told("How the inputs were drawn, or samples for real ones.", NAME),
            values=_told("Of the symbolic dimensions.", {"type": "object", "additionalProperties": COUNT}),
            shapes=_told("Of every input.", {"type": "object", "additionalProperties": _list(COUNT)}),
        ),
        "gate": _object(
            name={"enum": ["consistency", "semantic", "rounding"]},
            verdict={"enum": [*VERDICTS, "not run"]},
            facts=_told(
                "What was compared, counted.", {"type": "object", "additionalProperties": {"type": "number"}}
            ),
            measurements=_list({"$ref": "#/$defs/measurement"}),
            problems=problems,
            optional={
                "lane": _told("Which way of running the file was judged.", NAME),
                "provider": _told("What ran it.", NAME),
            },
        ),
        "measurement": _object(case=NAME, output=NAME, **error, optional=optional),
        "layer": _object(
            layer=NAME,
            operation=NAME,
            line=_told("Where it stands in the spec.", COUNT),
            measurements=_list(
                _object(
                    gate={"enum": ["semantic", "rounding"]},
                    lane={"type": ["string", "null"]},
                    case=NAME,
                    output=NAME,
                    **error,
                    optional={**optional, "reason": _told("Why the error is infinite.", NAME)},
                )
            ),
        ),
        "blame": _object(
            gate={"enum": ["semantic", "rounding"]},
            lane={"type": ["string", "null"]},
            layers=_told("The first that is wrong by itself, or several that are together.", _list(NAME)),
            rewrites=_told("Of the runtime, without which the file is right.", _list(NAME)),
            findings=problems,
        ),
        "cross_check": _object(
            exporter=NAME,
            outputs={
                "type": "object",
                "additionalProperties": _object(
                    file={"$ref": "#/$defs/side"}, other={"$ref": "#/$defs/side"}
                ),
            },
        ),
        "side": _object(right={"type": "boolean"}, **error, optional={"reason": NAME}),
        "diagnostic": _object(
            code={"type": "string", "pattern": "^NS[0-9]{3}$"}, message=NAME, help={"type": "string"}
        ),
    }


def _told(description: str, rule: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, **rule}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _object(*, optional: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """An object with these fields and no others."""
    return {
        "type": "object",
        "properties": {**fields, **(optional or {})},
        "required": list(fields),
        "additionalProperties": False,
    }
