"""Repetitions that are identical are drawn once, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.drawing import draw
from tests.drawing.reading import EVERYTHING, Part, graph_of, of_kind, one, parts, spec

CHAIN = """\
netspec: 1
name: chain
inputs: {{x: [batch, 8]{more}}}
blocks:
  Unit:
    layers: [{{Linear: {{out_features: 8}}}}, Tanh]
layers:
  - Unit:
    from: x
    name: start
  - {step}
    repeat: 4
    name: unit
{rest}
"""


def folded(text: str, folder: Path) -> list[Part]:
    return parts(draw(graph_of(text, folder), depth=EVERYTHING).svg)


def names(found: list[Part], kind: str) -> list[str]:
    return [part.name for part in of_kind(found, kind)]


def chain(step: str = "Unit", rest: str = "outputs: [prev]", more: str = "") -> str:
    return CHAIN.format(step=f"{step}:", rest=rest, more=more)


def test_repeated_blocks_are_one_box(tmp_path: Path) -> None:
    found = folded(chain(rest="  - Tanh\noutputs: [prev]"), tmp_path)
    assert names(found, "box") == ["start", "unit.0"]
    box = one(found, "box", "unit.0")
    assert box.texts == ("unit.0–3 Unit × 4", "288 params")
    assert box.hover.splitlines()[:2] == ["unit.0–3: Unit", "4 times the same"]
    flows = {part.flow for part in of_kind(found, "value")}
    assert flows == {
        ("input:x", ("start.linear_1",)),
        ("start.linear_1", ("start.tanh_1",)),
        ("start.tanh_1", ("unit.0.linear_1",)),
        ("unit.0.linear_1", ("unit.0.tanh_1",)),
        ("unit.0.tanh_1", ("tanh_1",)),
        ("tanh_1", ("output:tanh_1",)),
    }


def test_repeated_layers_are_one_layer(tmp_path: Path) -> None:
    found = folded(chain("Linear: {out_features: 8}").replace("8}:", "8}"), tmp_path)
    layer = one(found, "layer", "unit.0")
    assert layer.texts == ("Linear 8 × 4", "unit.0–3", "288 params")
    assert "each: 72 parameters, 64 multiply-adds a sample" in layer.hover


def test_unfolded_there_is_one_box_each(tmp_path: Path) -> None:
    picture = draw(graph_of(chain(), tmp_path), fold_repetitions=False)
    assert names(parts(picture.svg), "box") == ["start", "unit.0", "unit.1", "unit.2", "unit.3"]
    assert picture.folded == 0


@pytest.mark.parametrize(
    ("rest", "kept"),
    [
        ("  - Add:\n    from: [prev, unit.1]\noutputs: [prev]", ["unit.0", "unit.2"]),
        ("outputs: {last: unit.3, early: unit.0}", ["unit.0", "unit.1"]),
    ],
)
def test_what_is_read_in_between_stays(tmp_path: Path, rest: str, kept: list[str]) -> None:
    assert names(folded(chain(rest=rest), tmp_path), "box") == ["start", *kept]


def test_repetitions_that_differ_stay(tmp_path: Path) -> None:
    text = """\
        netspec: 1
        name: differing
        inputs: {x: [batch, 8]}
        layers:
          - for: {width: [8, 8, 4, 4, 4]}
            name: part
            do: [{Linear: {out_features: $width}}]
        outputs: [prev]
        """
    found = folded(text, tmp_path)
    assert [part.texts[0] for part in of_kind(found, "box")] == ["part.0–1 × 2", "part.2", "part.3–4 × 2"]


def test_what_all_repetitions_read_comes_from_outside(tmp_path: Path) -> None:
    text = """\
        netspec: 1
        name: masked
        inputs: {x: [batch, 8], mask: [batch, 8]}
        layers:
          - Mul:
            from: [x, mask]
          - for: {step: [1, 2, 3]}
            name: again
            do:
              - Linear: {out_features: 8}
              - Mul:
                from: [prev, mask]
        outputs: [prev]
        """
    found = folded(text, tmp_path)
    assert names(found, "box") == ["again.0"]
    flows = {part.name: part.flow[1] for part in of_kind(found, "value")}
    assert flows["mask"] == ("mul_1", "again.0.mul_1")


def test_repetitions_inside_repetitions_fold_too() -> None:
    found = parts(draw(spec("resnet", "resnet152"), depth=EVERYTHING).svg)
    badges = [part.texts[0] for part in of_kind(found, "box") if "×" in part.texts[0]]
    assert badges == [
        "block_2.0–1 Bottleneck × 2",
        "block_2.0–6 Bottleneck × 7",
        "block_2.0–34 Bottleneck × 35",
        "block_2.0–1 Bottleneck × 2",
    ]


def test_shared_weights_are_told_and_counted_once(tmp_path: Path) -> None:
    text = """\
        netspec: 1
        name: shared
        inputs: {x: [batch, 8]}
        layers:
          - Linear: {out_features: 8}
            name: first
          - Tanh
          - Linear: {out_features: 8}
            share: first
            name: again
        outputs: [prev]
        """
    again = one(folded(text, tmp_path), "layer", "again")
    assert "uses the weights of first" in again.hover.splitlines()
    assert again.texts[-1] == ""
