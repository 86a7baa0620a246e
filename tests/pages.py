"""Markdown pages as tests: their fenced blocks, and the console sessions among them, run and compared.

With UPDATE_GOLDEN=1 in the environment (and one test process), what has changed is written into the page.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
UPDATING = bool(os.environ.get("UPDATE_GOLDEN"))

_FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_MARKER = re.compile(r"<!-- (?P<words>[^\n]*) -->\s*\Z")
_MEASURED = re.compile(r"\d(?:\.\d+)?e[-+]\d+")


@dataclass(frozen=True)
class Block:
    """The fenced block `number` of a page: its language and text, and the comment right above it."""

    number: int
    language: str
    text: str
    line: int
    marker: str


@dataclass(frozen=True)
class Step:
    """A command of a console session, and the output that the page shows."""

    command: str
    shown: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page that have a language."""
    text = page.read_text(encoding="utf-8")
    found = []
    for number, fence in enumerate(_FENCE.finditer(text)):
        above = _MARKER.search(text[: fence.start()])
        line = text.count("\n", 0, fence.start()) + 1
        marker = above["words"] if above else ""
        found.append(Block(number, fence["language"], fence["text"], line, marker))
    return found


def session(block: Block) -> Iterator[Step]:
    """The commands of a console block; a line that begins with `$ ` is one, the others are its output."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield Step(command, shown)


def run(command: str, folder: Path) -> str:
    """What a netspec command prints in a folder: its results, then its messages (`build`: its results)."""
    program, *arguments = shlex.split(command)
    assert program == "netspec", command
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-m", "netspec", *arguments],
        cwd=folder,
        env={**bare, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    # Progress, which appears when building takes long, is no part of what a page shows.
    return done.stdout if arguments[0] == "build" and done.returncode == 0 else done.stdout + done.stderr


def tidy(text: str) -> str:
    """Text without what may differ: trailing blanks, measured errors."""
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    return _MEASURED.sub("#", "\n".join(lines).strip("\n"))


def compare(page: Path, block: Block, folder: Path) -> None:
    """Run a console block's commands in a folder and hold their output against what the page shows."""
    given = [(step, run(step.command, folder)) for step in session(block)]
    changed = [step.command for step, output in given if tidy(output) != tidy(step.shown)]
    if changed and UPDATING:
        rewrite(page, block, "\n".join(f"$ {step.command}\n{_trimmed(output)}" for step, output in given))
        return
    for step, output in given:
        assert tidy(step.shown) == tidy(output), (
            f"{page.name}:{block.line}: `{step.command}` prints otherwise"
        )


def _trimmed(output: str) -> str:
    return "\n".join(line.rstrip() for line in output.splitlines()).strip("\n") + "\n"


def rewrite(page: Path, block: Block, text: str) -> None:
    """Put other text into a block of a page; others may have been rewritten before."""
    whole = page.read_text(encoding="utf-8")
    fence = list(_FENCE.finditer(whole))[block.number]
    page.write_text(whole[: fence.start("text")] + text + whole[fence.end("text") :], encoding="utf-8")


def hold(page: Path, start: str, end: str, wanted: str) -> None:
    """What stands between two marks of a page is generated; with UPDATE_GOLDEN it is written there."""
    text = page.read_text(encoding="utf-8")
    assert text.count(start) == text.count(end) == 1
    shown = text.partition(start)[2].partition(end)[0]
    if UPDATING and shown != wanted:
        page.write_text(text.replace(start + shown + end, start + wanted + end), encoding="utf-8")
        return
    assert shown == wanted, f"run UPDATE_GOLDEN=1 pytest on the tests of {page.name}"
