"""Damaged specs: whatever a file holds, netspec answers with diagnostics at places that the file has.

Good specs are damaged as hands and editors damage them: parts deleted, doubled, swapped, indented, retyped,
and hostile words put in. The damage is drawn from a fixed seed, so that a failure can be repeated: its number
is in the message, and `damaged(number)` gives the text.
"""

from __future__ import annotations

import json
import os
import random
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.diagnostics.render import render_github, render_json, render_text
from netspec.language.source import Format, parse
from netspec.pipeline import check_text

CASES = int(os.environ.get("MUTATIONS", "8000"))
CHUNK = 1_000

SPECS = Path(__file__).parent.parent / "specs"

RICH = """\
netspec: 1
name: rich
inputs:
  image: {shape: [batch, 3, H, W], preprocess: {scale: 0.5, mean: [0.1, 0.2, 0.3], std: 0.25, resize: 64}}
  mask: [batch, 1, H, W]
dims: {H: {min: 32, multiple_of: 4}, W: {min: 32, max: 1024}}
params: {width: 8, classes: 10, wide: true, rates: [0.1, 0.5], act: relu}
init: {Conv2d: {weight: {kaiming_normal: {mode: fan_out}}, bias: zeros}, Linear: xavier_uniform}
layers:
  - Mul:
    from: [image, mask]
    name: masked
  - Conv2d: {out_channels: $width * 2, kernel_size: [3, 3], padding: same, groups: 1}
    repeat: $width // 4
    name: features
  - BatchNorm2d: {num_features: $prev.channels, eps: 1e-3}
  - MaxPool2d: {kernel_size: 2, return_indices: true, ceil_mode: true}
    name: pool
  - Conv2d: {out_channels: "max($width, 16 if $wide else 8)", kernel_size: 3, padding: 1}
    from: {input: pool.output}
    init: {weight: {normal: {std: 0.01}}, bias: 0}
    name: side
  - Add:
    from: [pool, side, features.0]
    repeat: 0
  - Concat: {dim: 1}
    from: [prev, pool]
  - AdaptiveAvgPool2d: {output_size: 1}
  - Flatten
  - Dropout: {p: "$rates[1]"}
  - Linear: {out_features: $classes}
    name: logits
  - Softmax: {dim: -1}
outputs:
  logits: {from: logits, labels: [a, b, c, d, e, f, g, h, i, j]}
  embedding: features
  where: pool.indices
train:
  data: {folder: flowers}
  epochs: $width // 4
  batch_size: 64
  optimizer: {AdamW: {lr: 1e-3, betas: [0.9, 0.99], weight_decay: "$rates[0]"}}
  schedule: {one_cycle: {max_lr: 0.01, warmup: 0.5}}
  loss: {cross_entropy: {label_smoothing: 0.1, weight: [1, 1, 1, 1, 1, 2, 2, 2, 2, 2]}}
  metrics: [accuracy, top5]
  precision: bf16
  augment: {flip: true, crop: 4}
  clip: 1.0
  ema: 0.999
  validate_on: 0.1
  output: logits
"""

HOSTILE = [
    "", " ", "\t", "\r", "\0", "\x1b[31m", "\u202e", "\ufeff", "\ud800", "é", "🦆", "'", '"', "`", "{",
    "}", "[", "]", "(", ")", ",", ":", ": ", "- ", "?", "|", ">", "#", "%", "&a ", "*a",
    "!!python/object:os.system ", "!", "@", "<<: ", "---\n", "...\n", "\\", "$", "$$", "${", "$x",
    "$prev", "$in", "$prev.shape", "$prev.channels", "$width", "$classes", "{}", "[]", "null", "~",
    "true", "no", "0", "-1", "1e999", ".nan", "0x", "1_000", "9" * 400, "1e-400", "__class__",
    "__import__('os')", "forward", "training", "lambda", "../../x", "a.b", "prev", "in", "{0}", "{span}",
    "%s", "{width!r:>{width}}", "Conv2d", "Linear", "Add", "Flatten", "name", "from", "repeat", "init",
    "layers", "features.0", "pool.indices", "features.99", "pool.output.output", "2147483648", "1000001",
    "same", "\n  - ReLU\n", "{shape: [a, b], dtype: bool}", "[1, [2, [3]]]", "{a: {b: {c: d}}}", "[0]",
    "[true, null]", "dtype: int64", "nan", "$width // 0", "$width % 0", "'$x'", "max()",
    "range(10000000)", "[$width] * 3", "$rates[9]", "$width ** 99",
]  # fmt: skip


def good_specs() -> list[tuple[str, Format]]:
    """The texts to damage, each as YAML and as JSON."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(SPECS.glob("*.yaml"))] + [RICH]
    specs: list[tuple[str, Format]] = [(text, "yaml") for text in texts]
    for text in texts:
        specs.append((json.dumps(parse(text, "spec.yaml", "yaml").value, indent=1), "json"))
    return specs


GOOD = good_specs()
TOKENS = re.compile(r"\w+|\s+|[^\w\s]")
VALUES = re.compile(r"(?<=[:\[,\-] )[^\s,\[\]{}:]+")


def delete_line(text: str, draw: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    del lines[draw.randrange(len(lines))]
    return "".join(lines)


def double_line(text: str, draw: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    line = draw.choice(lines)
    lines.insert(draw.randrange(len(lines) + 1), line)
    return "".join(lines)


def swap_lines(text: str, draw: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    one, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "".join(lines)


def indent_line(text: str, draw: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    at = draw.randrange(len(lines))
    lines[at] = draw.choice(["  ", " ", "\t", "    "]) + lines[at]
    return "".join(lines)


def dedent_line(text: str, draw: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    at = draw.randrange(len(lines))
    lines[at] = lines[at].removeprefix(" " * draw.randrange(1, 5))
    return "".join(lines)


def delete_token(text: str, draw: random.Random) -> str:
    tokens = TOKENS.findall(text)
    del tokens[draw.randrange(len(tokens))]
    return "".join(tokens)


def double_token(text: str, draw: random.Random) -> str:
    tokens = TOKENS.findall(text)
    at = draw.randrange(len(tokens))
    tokens.insert(at, tokens[at])
    return "".join(tokens)


def swap_tokens(text: str, draw: random.Random) -> str:
    tokens = TOKENS.findall(text)
    one, other = draw.randrange(len(tokens)), draw.randrange(len(tokens))
    tokens[one], tokens[other] = tokens[other], tokens[one]
    return "".join(tokens)


def delete_characters(text: str, draw: random.Random) -> str:
    at = draw.randrange(len(text))
    return text[:at] + text[at + draw.choice([1, 1, 1, 2, 5, 40]) :]


def cut(text: str, draw: random.Random) -> str:
    return text[: draw.randrange(1, len(text))]


def misspell(text: str, draw: random.Random) -> str:
    """Swap two neighbours in the text."""
    at = draw.randrange(len(text) - 1)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def change_case(text: str, draw: random.Random) -> str:
    tokens = TOKENS.findall(text)
    at = draw.randrange(len(tokens))
    tokens[at] = tokens[at].swapcase()
    return "".join(tokens)


def replace_value(text: str, draw: random.Random) -> str:
    """Another type in the place of a value."""
    found = list(VALUES.finditer(text))
    if not found:
        return text
    at = draw.choice(found)
    return text[: at.start()] + draw.choice(HOSTILE) + text[at.end() :]


def swap_values(text: str, draw: random.Random) -> str:
    found = list(VALUES.finditer(text))
    if len(found) < 2:
        return text
    one, other = sorted(draw.sample(found, 2), key=lambda match: match.start())
    return "".join(
        [text[: one.start()], other[0], text[one.end() : other.start()], one[0], text[other.end() :]]
    )


def quote_value(text: str, draw: random.Random) -> str:
    found = list(VALUES.finditer(text))
    if not found:
        return text
    at = draw.choice(found)
    return f"{text[: at.start()]}'{at[0]}'{text[at.end() :]}"


def insert(text: str, draw: random.Random) -> str:
    at = draw.randrange(len(text) + 1)
    return text[:at] + draw.choice(HOSTILE) + text[at:]


DAMAGES = (
    delete_line, double_line, swap_lines, indent_line, dedent_line, delete_token, double_token,
    swap_tokens, delete_characters, cut, misspell, change_case, replace_value, replace_value,
    swap_values, quote_value, insert,
)  # fmt: skip


VALUES_OF_EVERY_TYPE: list[Any] = [
    None, True, False, 0, -1, 1, 2, 3, 2**31, 2**63, 10**18, 10**30, 10**400, 0.0, -0.5, 1e308, 1e-320,
    "", "x", "3", "$", "$x", "\ud800", "a.b", "prev", "in", "ReLU", "image", "zeros", "same", "$prev.shape",
    "$width * 99", [], {}, [[]], [{}], [None], [3, 3], [1, 2, 3], [0.5, "x"], [[1, 2], [3]], {"a": 1},
    {"min": 3}, {"ReLU": None}, {"ReLU": {"x": 1}}, ["batch", 3, "H", "W"], {"normal": {"std": 10**400}},
    {"": {}}, {"shape": ["a"], "dtype": "bool"},
]  # fmt: skip


def retyped(value: Any, draw: random.Random) -> Any:
    """A part of plain data deleted, doubled, moved to another place, renamed, or of another type."""
    places: list[tuple[Any, Any]] = []
    pending = [value]
    while pending:
        part = pending.pop()
        keys: Any = part if isinstance(part, dict) else range(len(part))
        for key in keys:
            places.append((part, key))
            if isinstance(part[key], (dict, list)):
                pending.append(part[key])
    part, key = draw.choice(places)
    other, other_key = draw.choice(places)
    match draw.randrange(5):
        case 0:
            del part[key]
        case 1 if isinstance(part, list):
            part.insert(draw.randrange(len(part) + 1), deepcopy(part[key]))
        case 1 | 2 if isinstance(part, dict):
            part[draw.choice([*map(str, part), "name", "from", "init", "x", "Linear"])] = part.pop(key)
        case 3:
            part[key] = deepcopy(other[other_key])
        case _:
            part[key] = deepcopy(draw.choice(VALUES_OF_EVERY_TYPE))
    return value


def damaged(number: int) -> tuple[str, Format]:
    """The text of one case: every third is good text with bad data in it."""
    draw = random.Random(number)
    text, format = draw.choice(GOOD)
    if number % 3 == 0:
        value = parse(text, "spec.yaml", format).value
        for _ in range(draw.choice([1, 1, 2, 4])):
            value = retyped(value, draw) if value else value
        return json.dumps(value), "json"
    for _ in range(draw.choice([1, 1, 1, 2, 3, 6])):
        if len(text) > 2:
            text = draw.choice(DAMAGES)(text, draw)
    return text, format


def check_places(diagnostic: Diagnostic, text: str) -> None:
    """Everything a diagnostic points at lies in the text."""
    spans = [note.span for note in diagnostic.notes if note.span is not None]
    if diagnostic.span is not None:
        spans.append(diagnostic.span)
    assert diagnostic.span is not None, diagnostic
    for span in spans:
        assert span.source.text == text
        assert 0 <= span.start <= span.end <= len(text), diagnostic
        assert span.line >= 1
        assert span.column >= 1


@pytest.mark.parametrize("chunk", range(CASES // CHUNK))
def test_damaged_specs_give_diagnostics(chunk: int) -> None:
    refused = 0
    for number in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        text, format = damaged(number)
        try:
            check_text(text, "spec.yaml", format=format)
        except DiagnosticError as error:
            refused += 1
            for diagnostic in error.diagnostics:
                check_places(diagnostic, text)
            for rendered in (render_text(error.diagnostics), render_github(error.diagnostics)):
                assert rendered
                assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e]", rendered)
            json.loads(render_json(error.diagnostics))
        except Exception as error:
            raise AssertionError(f"damaged({number}) raised {error!r}") from error
    assert refused > CHUNK // 2, "the damage is too small to test anything"


@pytest.mark.parametrize("spec", range(len(GOOD)))
def test_undamaged_specs_are_good(spec: int) -> None:
    text, format = GOOD[spec]
    check_text(text, "spec", format=format)
