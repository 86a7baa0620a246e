"""Variants: named sets of values for a file's parameters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netspec import check
from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.ir.fingerprint import graph_hash
from netspec.ir.graph import Graph
from netspec.pipeline import check_text
from tests.language.spec_text import codes, faults, texts

SPEC = """\
netspec: 1
inputs: {x: [batch, 8]}
params: {width: 4, wide: 2 * $width, rate: 0.5, deep: false, act: ReLU, sizes: [1, 2]}
variants:
  large: {width: 16, rate: 1, act: Tanh}
  deep_one: {deep: true, sizes: [3, 4, 5], wide: 7}
  same: {}
  net_small: {width: 1}
layers:
  - Linear: {out_features: $width}
  - Linear: {out_features: $wide}
  - Dropout: {p: $rate}
  - $act
  - for: {size: $sizes}
    name: sizes_
    do: [{Linear: {out_features: $size}}]
    if: $deep
"""


def taken(tmp_path: Path, variant: str | None, text: str = SPEC, **settings: str) -> Graph:
    path = tmp_path / "net.yaml"
    path.write_text(text, encoding="utf-8")
    return check(path, variant=variant, settings=settings).graph


def refused(tmp_path: Path, variant: str | None, text: str = SPEC, **settings: str) -> list[Diagnostic]:
    with pytest.raises(DiagnosticError) as caught:
        taken(tmp_path, variant, text, **settings)
    return list(caught.value.diagnostics)


def parameters(graph: Graph) -> dict[str, object]:
    return dict(graph.resolved["params"])


DEFAULTS = {"width": 4, "wide": 8, "rate": 0.5, "deep": False, "act": "ReLU", "sizes": [1, 2]}


@pytest.mark.parametrize(
    ("variant", "settings", "changed"),
    [
        (None, {}, {}),
        ("same", {}, {}),
        ("large", {}, {"width": 16, "wide": 32, "rate": 1.0, "act": "Tanh"}),
        ("deep_one", {}, {"deep": True, "sizes": [3, 4, 5], "wide": 7}),
        ("large", {"width": "3"}, {"width": 3, "wide": 6, "rate": 1.0, "act": "Tanh"}),
        ("large", {"wide": "9", "rate": "0"}, {"width": 16, "wide": 9, "rate": 0.0, "act": "Tanh"}),
        ("deep_one", {"deep": "false"}, {"sizes": [3, 4, 5], "wide": 7}),
        (None, {"act": "Sigmoid"}, {"act": "Sigmoid"}),
    ],
)
def test_values(
    tmp_path: Path, variant: str | None, settings: dict[str, str], changed: dict[str, object]
) -> None:
    """A variant's goes before the default, `--set` before both; defaults below are computed anew."""
    graph = taken(tmp_path, variant, **settings)
    assert parameters(graph) == DEFAULTS | changed
    assert all(type(value) is type(DEFAULTS[name]) for name, value in parameters(graph).items())


def test_the_network_is_called_after_its_variant(tmp_path: Path) -> None:
    assert taken(tmp_path, None).name == "net"
    assert taken(tmp_path, "large").name == "net_large"
    assert taken(tmp_path, "net_small").name == "net_small"
    assert taken(tmp_path, "large", "name: mine\n" + SPEC).name == "mine_large"


def test_the_resolved_spec_is_that_of_the_variant_alone(tmp_path: Path) -> None:
    graph = taken(tmp_path, "deep_one", width="2")
    assert "variants" not in graph.resolved
    again = check_text(json.dumps(graph.resolved), "again.json").graph
    assert graph_hash(again) == graph_hash(graph)
    assert again.name == graph.name == "net_deep_one"
    assert graph_hash(taken(tmp_path, None)) != graph_hash(graph)


@pytest.mark.parametrize(
    ("variant", "suggestion"), [("larg", "large"), ("Large", "large"), ("nothing_like_it", None)]
)
def test_an_unknown_variant(tmp_path: Path, variant: str, suggestion: str | None) -> None:
    (fault,) = refused(tmp_path, variant)
    assert fault.code == "NS254"
    assert fault.suggestion == suggestion  # type: ignore[attr-defined]
    assert fault.span is not None
    assert (fault.span.source.name, fault.span.source.text) == ("--variant", variant)


def test_a_spec_without_variants_has_none(tmp_path: Path) -> None:
    (fault,) = refused(tmp_path, "large", "netspec: 1\ninputs: {x: [n, 3]}\nlayers: [ReLU]")
    assert (fault.code, fault.help) == ("NS254", "it has no `variants` at all")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ("{width: wide}", "NS256"),
        ("{width: 1.5}", "NS256"),
        ("{width: true}", "NS256"),
        ("{width: null}", "NS256"),
        ("{deep: 1}", "NS256"),
        ("{act: 3}", "NS256"),
        ("{sizes: 3}", "NS256"),
        ("{sizes: {a: 1}}", "NS256"),
        ("{width: 2 * $rate}", "NS256"),
        ("{widths: 3}", "NS255"),
        ("{other: 3}", "NS255"),
        ("[width]", "NS204"),
        ("16", "NS204"),
        ("null", "NS204"),
    ],
)
@pytest.mark.parametrize("variant", [None, "bad"])
def test_a_wrong_variant_is_refused_whether_or_not_it_is_taken(
    tmp_path: Path, variant: str | None, values: str, code: str
) -> None:
    text = SPEC.replace("  same: {}", f"  bad: {values}")
    found = refused(tmp_path, variant, text)
    assert code in codes(found)
    assert set(codes(found)) <= {code, "NS254"}


def test_names_of_variants_are_names() -> None:
    for name in ("class", "a-b", "forward", "1a"):
        assert codes(faults("- ReLU", more=f"variants: {{{name}: {{}}}}")) == ["NS201"]


def test_a_variant_and_a_setting_that_are_both_wrong(tmp_path: Path) -> None:
    found = refused(tmp_path, "larg", width="wide", depth="3")
    assert sorted(codes(found)) == ["NS219", "NS220", "NS254"]


def test_texts_of_a_variant_are_no_expressions(tmp_path: Path) -> None:
    text = SPEC.replace("act: Tanh}", "act: $act}")
    assert texts(refused(tmp_path, "large", text))[0].startswith("a step must be an operation")
