"""The command line, run inside the test's process: quick, and patched as the test likes."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from netspec.cli import app
from netspec.process import exit_code

ROOT = Path(__file__).parents[1]
SPECS = ROOT / "specs"
LENET = SPECS / "lenet.yaml"
IMAGES = ROOT / "tests" / "data" / "fashion-mnist-subset" / "t10k-images-idx3-ubyte.gz"

TINY = """\
netspec: 1
name: {name}
inputs: {{x: [batch, 4]}}
layers:
  - Linear: {{out_features: 3}}
  - {last}
"""


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Its output, read as JSON."""
        return json.loads(self.out)


def netspec(*arguments: object, stdin: str = "") -> Outcome:
    """Run `netspec ARGUMENTS…` as `main` does, but for the process around it."""
    out, err = io.StringIO(), io.StringIO()
    given = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, "stdin", given):
        code = exit_code(lambda: app(args=list(map(str, arguments)), prog_name="netspec"))
    return Outcome(code, out.getvalue(), err.getvalue())


def files(folder: Path) -> list[str]:
    """Every name below a folder, hidden ones too; empty where there is no folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def tiny(folder: Path, name: str = "tiny", last: str = "Tanh") -> Path:
    """A file with a small spec."""
    path = folder / f"{name}.yaml"
    path.write_text(TINY.format(name=name, last=last), encoding="utf-8")
    return path
