"""`netspec eject` on what the specs do not have: odd structures, shared weights, hostile names."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from netspec.pipeline import check_text
from netspec.torch_backend.eject import eject
from tests.torch_backend.ejected_cases import TEXTS, graph_of
from tests.torch_backend.ejecting import assert_same, feeds, pair

SIZES = {"batch": 3, "range": 2, "length": 5, "H": 8, "W": 12}


@pytest.mark.parametrize("case", TEXTS)
def test_it_computes_and_trains_the_same(case: str) -> None:
    graph = graph_of(TEXTS[case])
    own, ejected = pair(graph)
    given = feeds(graph, SIZES)
    assert_same(own, ejected, given)
    assert_same(own.train(), ejected.train(), given)
    for (name, expected), found in zip(own.state_dict().items(), ejected.state_dict().values(), strict=True):
        assert expected.equal(found), name


def test_ruff_finds_nothing_to_do(tmp_path: Path) -> None:
    for number, text in enumerate(TEXTS.values()):
        (tmp_path / f"case_{number}.py").write_text(eject(graph_of(text)), encoding="utf-8")
    for command in (["format", "--diff"], ["check", "--select", "E,F,W,I,B,C4,UP", "--ignore", "E501"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_blocks_a_hundred_deep() -> None:
    graph = graph_of(
        """
netspec: 1
inputs: {x: [batch, 4]}
blocks:
  Deep:
    params: {n: int}
    layers:
      - Linear: {out_features: $n + 1}
      - for: {k: [0]}
        do: [{Deep: {n: $n - 1}, if: $n > 0}]
layers: [{Deep: {n: 97}}]
outputs: {y: prev}
"""
    )
    pair(graph)  # the state dicts are the same


def test_what_the_spec_says_of_data_comes_along_as_it_is() -> None:
    labels = ['a"b', "it's", '"""\\\n{x}', "é\u2028\x07"]
    spec = {
        "netspec": 1,
        "name": "labelled",
        "inputs": {
            "image": {"shape": ["batch", 3, 8, 8], "preprocess": {"resize": 8, "mean": [0.1, 0.2, 0.3]}}
        },
        "params": {"word": '"""\\ and more'},
        "layers": ["Flatten", {"Linear": {"out_features": 4}, "name": "logits"}],
        "outputs": {"logits": {"from": "logits", "labels": labels}},
    }
    graph = check_text(json.dumps(spec), 'of """evil\\""".json').graph
    names: dict[str, Any] = {}
    exec(compile(eject(graph), "ejected.py", "exec"), names)
    assert names["LABELS"] == {"logits": tuple(labels)}
    assert names["PREPROCESS"] == {"image": {"resize": (8, 8), "mean": (0.1, 0.2, 0.3)}}
    first, *_ = str(names["__doc__"]).splitlines()
    assert first == 'labelled in plain PyTorch, written by netspec from of """evil\\""".json.'


# --- how it reads -------------------------------------------------------------------------------------


def test_parts_that_only_some_instances_have_are_conditions() -> None:
    text = eject(graph_of(TEXTS["steps that some instances leave out"]))
    assert text.count("class Block") == 1
    assert "if batch_norm1d_1:" in text
    assert "if dropout_1:" in text


def test_structures_that_differ_are_classes_of_their_own() -> None:
    text = eject(
        graph_of(
            """
netspec: 1
inputs: {x: [batch, 4]}
blocks:
  Block:
    params: {skip: bool}
    layers:
      - if: $skip
        then: [{branches: {main: [{Linear: {out_features: 4}}], keep: []}, merge: Add}]
        else: [{Linear: {out_features: 4}}]
layers: [{Block: {skip: false}}, {Block: {skip: true}}, {Block: {skip: true}}]
outputs: {y: prev}
"""
        )
    )
    assert classes_of(text) == ["Block", "BlockWithAdd", "Made"]


def classes_of(text: str) -> list[str]:
    return re.findall(r"^class (\w+)", text, flags=re.M)


def test_a_condition_says_what_it_depends_on() -> None:
    text = eject(
        graph_of(
            """
netspec: 1
inputs: {x: [batch, 4, 32]}
blocks:
  Down:
    params: {stride: 1}
    layers:
      - Conv1d: {out_channels: 4, kernel_size: 3, stride: $stride, padding: 1}
      - {AvgPool1d: {kernel_size: 2}, if: $stride != 1}
      - branches:
          main: [Tanh]
          keep: []
        merge: Add
layers: [Down, {Down: {stride: 2}}, Down]
outputs: {y: prev}
"""
        )
    )
    assert "if stride != 1:\n            self.avg_pool1d_1 = nn.AvgPool1d(kernel_size=2)" in text
    assert classes_of(text) == ["Down", "Made"]


def test_tables_are_of_what_differs() -> None:
    text = eject(
        graph_of(
            """
netspec: 1
inputs: {x: [batch, 3, 32]}
layers:
  - for: {width: [8, 16, 24, 32, 40]}
    name: stage
    do:
      - Conv1d: {out_channels: $width, kernel_size: 3, padding: 1}
      - {Linear: {out_features: 32}, repeat: $width // 8}
outputs: {y: prev}
"""
        )
    )
    assert "for in_channels, out_channels, count in [" in text
    assert "(3, 8, 1)," in text
    assert "linear_1=nn.Sequential(*(nn.Linear(32,32)for_inrange(count)))" in "".join(text.split())


def test_even_steps_are_a_range() -> None:
    text = eject(
        graph_of(
            """
netspec: 1
inputs: {x: [batch, 4]}
blocks:
  Grow:
    layers: [{branches: {keep: [], new: [{Linear: {out_features: 4}}]}, merge: Concat}]
layers: [{Grow: {}, repeat: 6}]
outputs: {y: prev}
"""
        )
    )
    assert "*(Grow(in_features) for in_features in range(4, 28, 4))" in text
