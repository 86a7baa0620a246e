"""What `build` and `verify` found, for people and programs."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from netspec.diagnostics import Diagnostic
from netspec.display.alignment import taken_json
from netspec.display.terminal import console, width
from netspec.pipeline import Built
from netspec.torch_backend.alignment import Taken
from netspec.verify.certificate import Certificate, Verdict, summary

STYLES = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NOT_RUN: "dim",
}


def certificate_text(certificate: Certificate) -> None:
    """Print the gates of a certificate to stdout, one a line where the terminal is wide enough."""
    from rich.text import Text

    out = console()
    rows = summary(certificate)
    verdicts = max(len(row.verdict) for row in rows)
    gates = max(len(row.gate) for row in rows)
    indent = verdicts + gates + 6
    room = max(width(sys.stdout) - indent, 20)
    for row in rows:
        first, *further = _lines(row.detail, room)
        line = Text("  ")
        line.append(f"{row.verdict:{verdicts}}", style=STYLES[row.verdict])
        line.append(f"  {row.gate:{gates}}  {first}")
        out.print(line, soft_wrap=True)
        for text in further:
            out.print(" " * indent + text, soft_wrap=True)


def _lines(detail: str, room: int) -> list[str]:
    """A detail in lines of at most `room` characters, broken between its parts where that is enough."""
    if len(detail) <= room:
        return [detail]
    parts = [f"{part};" for part in detail.split("; ")]
    parts[-1] = parts[-1].removesuffix(";")
    return [line for part in parts for line in textwrap.wrap(part, room)]


def built_text(built: Built, *, weights: str = "") -> None:
    """Print what `build` made and what verification found of it, to stdout.

    `weights` says where they came from, where `build` cannot know it.
    """
    certificate = built.certificate
    if built.path is not None:
        size = size_text(built.export.size)
        weights = weights or _weights(built)
        print(f"{shown(built.path)}: {certificate.verdict}, {size}, opset {built.export.opset}, {weights}")
    else:
        print(f"{built.checked.graph.name}: {certificate.verdict}, so no model was written")
    certificate_text(certificate)
    if built.rejected is not None:
        print(f"  the rejected file is {shown(built.rejected)}")


def _weights(built: Built) -> str:
    """Where the weights came from."""
    if not any(node.op.weights(*node.input_types) for node in built.checked.graph):
        return "no weights"
    return "untrained weights" if built.taken is None else "given weights"


def report_json(
    spec: str, diagnostics: Sequence[Diagnostic], built: Built | None, taken: Taken | None
) -> dict[str, Any]:
    """What became of one spec and its weights, as data; the same keys whether it was built or not."""
    import json

    from netspec.diagnostics.render import render_json

    report: dict[str, Any] = dict.fromkeys(("verdict", "model", "rejected", "bytes", "opset", "certificate"))
    if built is not None:
        report |= {
            "verdict": str(built.certificate.verdict),
            "model": None if built.path is None else str(built.path),
            "rejected": None if built.rejected is None else str(built.rejected),
            "bytes": built.export.size,
            "opset": built.export.opset,
            "certificate": built.certificate.to_data(),
        }
    weights = None if taken is None else taken_json(taken)
    return {"spec": spec, **report, "weights": weights, "diagnostics": json.loads(render_json(diagnostics))}


def size_text(count: int) -> str:
    """Bytes for people: 246 KB."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"


def shown(path: Path) -> str:
    """A path as users know it: relative to where they are, if it is below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
