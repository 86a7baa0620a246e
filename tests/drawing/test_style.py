"""Colours that can be read, on light pages and on dark ones; fonts and widths."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from netspec.drawing import draw
from netspec.drawing.captions import KINDS
from netspec.drawing.metrics import width
from netspec.drawing.style import DARK, LIGHT, Rules
from netspec.ops.catalogue import FAMILIES
from tests.drawing.reading import spec

TEXTS = ("text", ".muted", ".badge", ".shape")


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2.2."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def fills(rules: Rules) -> Iterator[str]:
    """What text stands on."""
    for selector, rule in rules.items():
        if selector not in (*TEXTS, ".tip") and "fill" in rule:
            yield rule["fill"]


@pytest.mark.parametrize("rules", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_can_be_read_on_everything(rules: Rules) -> None:
    for text in TEXTS:
        for fill in fills(rules):
            assert contrast(rules[text]["fill"], fill) >= 4.5, (text, fill)
    pages = [rule["fill"] for selector, rule in rules.items() if "halo" in selector]
    assert len(pages) == 2
    assert all(contrast(rules[".wire"]["stroke"], page) >= 3 for page in pages)


def test_light_and_dark_speak_of_the_same() -> None:
    assert {selector: set(rule) for selector, rule in LIGHT.items()} == {
        selector: set(rule) for selector, rule in DARK.items()
    }


def test_every_kind_of_layer_has_a_colour_and_every_family_with_one_exists() -> None:
    assert set(KINDS) <= set(FAMILIES.values())
    assert {f".{kind} > .leaf" for kind in KINDS.values()} <= set(LIGHT)


def test_the_style_sheet_stays_in_the_drawing_and_needs_nothing_from_outside() -> None:
    text = draw(spec("lenet")).svg
    rules = re.findall(r"^(.*?) \{ ", text, flags=re.MULTILINE)
    assert rules
    assert all(part.startswith(".netspec ") for rule in rules for part in rule.split(", "))
    assert not re.findall(r"@import|@font-face|<script|href|src=", text)
    assert re.findall(r"url\(.*?\)", text) == ["url(#netspec-arrow)"] * text.count("url(")


def test_widths_are_those_of_the_font() -> None:
    assert width("iiii", 10) < width("mmmm", 10)
    assert width("x" * 20, 11) == pytest.approx(2 * width("x" * 10, 11))
    assert width("卷积", 10) > width("ab", 10)
    assert width("ab", 10, bold=True) > width("ab", 10)
