"""README.md: what it shows is what the commands print, and its snippets run."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from netspec.cli import EPILOG, app
from netspec.display.listing import HEADLINES
from netspec.ops.catalogue import FAMILIES
from tests.pages import ROOT, UPDATING, Block, blocks, compare, hold, rewrite, session

PAGE = ROOT / "README.md"
BLOCKS = blocks(PAGE)
SESSIONS = [block for block in BLOCKS if block.language == "console"]
FILES = [block for block in BLOCKS if block.language in ("python", "toml") and block.marker]
SNIPPETS = [block for block in BLOCKS if block.language == "python" and not block.marker]
SPECS = [block for block in BLOCKS if block.language == "yaml"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a user has it: the specs, and those that the page writes down."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "specs", folder / "specs")
    for block in SPECS[1:]:
        first, *_ = block.text.splitlines()
        (folder / first.removeprefix("# ")).write_text(block.text, encoding="utf-8")
    for block in FILES:
        (folder / block.marker).write_text(block.text, encoding="utf-8")
    return folder


def test_every_block_is_looked_at() -> None:
    assert set(BLOCKS) == {*SESSIONS, *SNIPPETS, *SPECS, *FILES}
    assert (len(SPECS), len(SNIPPETS)) == (4, 2)
    assert [block.marker for block in FILES] == [
        "snake.py",
        "pyproject.toml",
        "test_snake.py",
    ]  # in tests/ops
    commands = [step.command.split()[1] for block in SESSIONS for step in session(block)]
    assert commands == ["show", "build", "show", "check", "build"]


def test_the_spec_is_that_of_lenet() -> None:
    lenet = (ROOT / "specs" / "lenet.yaml").read_text(encoding="utf-8")
    if UPDATING:
        rewrite(PAGE, SPECS[0], lenet)
    else:
        assert SPECS[0].text == lenet


@pytest.mark.parametrize("block", SESSIONS, ids=lambda block: f"line-{block.line}")
def test_sessions_print_what_is_shown(block: Block, folder: Path) -> None:
    compare(PAGE, block, folder)


def test_snippets_run_on_what_build_writes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    command = ["build", "specs/lenet.yaml"]
    assert CliRunner().invoke(app, [*command, "--save-weights", "lenet.safetensors"]).exit_code == 0
    deployed: dict[str, Any] = {}
    exec(SNIPPETS[0].text, deployed)
    assert deployed["logits"].shape == (1, 10)
    assert np.ptp(deployed["logits"]) > 0
    exec(SNIPPETS[1].text, {})
    assert CliRunner().invoke(app, [*command, "--weights", "trained.safetensors"]).exit_code == 0


def test_the_operations_are_counted_and_listed() -> None:
    rows = ["| family | operations |", "| --- | --- |"]
    for headline, families in HEADLINES.items():
        names = [name for name, family in FAMILIES.items() if family in families]
        rows.append(f"| {headline} | {', '.join(by_ranks(names))} |")
    told = [f"netspec has {len(FAMILIES)} operations:", "", *rows, ""]
    hold(PAGE, "<!-- operations -->\n", "<!-- /operations -->", "\n".join(told))


def by_ranks(names: Iterable[str]) -> Iterator[str]:
    """Names in which Conv1d, Conv2d and Conv3d are one entry."""
    for _, group in groupby(names, key=lambda name: re.sub(r"(?<=[a-z])[123]d$", "1d", name)):
        first, *others = group
        yield "/".join([first, *(name[-2:] for name in others)])


def test_every_command_has_its_row() -> None:
    rows = re.findall(r"^\| `netspec (\w+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == list(get_command(app).commands)  # type: ignore[attr-defined]


def test_the_options_exist() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    parameters = [parameter for command in commands.values() for parameter in command.params]
    known = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
    assert set(re.findall(r"`(--[a-z-]+)", PAGE.read_text(encoding="utf-8"))) <= known


def test_the_exit_codes_are_those_of_the_help() -> None:
    told = re.search(r"Exit codes: [^.]+\.", EPILOG)
    assert told is not None
    assert told[0] in PAGE.read_text(encoding="utf-8")


def test_links_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", PAGE.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_it_is_short() -> None:
    assert len(PAGE.read_text(encoding="utf-8").splitlines()) < 470
