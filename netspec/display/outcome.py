"""What `build` and `verify` found, for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from netspec.display.terminal import console
from netspec.pipeline import Built
from netspec.verify.certificate import Certificate, Verdict, summary

STYLES = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NOT_RUN: "dim",
}


def certificate_text(certificate: Certificate) -> None:
    """Print the gates of a certificate to stdout, one line each."""
    from rich.text import Text

    out = console()
    rows = summary(certificate)
    width = max(len(row.gate) for row in rows)
    for row in rows:
        line = Text("  ")
        line.append(str(row.verdict), style=STYLES[row.verdict])
        line.append(" " * (13 - len(row.verdict)))
        line.append(f"{row.gate:{width}}  {row.detail}")
        out.print(line, soft_wrap=True)


def built_text(built: Built) -> None:
    """Print what `build` made and what verification found of it, to stdout."""
    certificate = built.certificate
    origin = "" if built.trained else ", weights drawn"
    if built.path is not None:
        size = size_text(built.export.size)
        print(f"{shown(built.path)}: {certificate.verdict}, {size}, opset {built.export.opset}{origin}")
    else:
        print(f"{built.checked.graph.name}: {certificate.verdict}, nothing was written")
    certificate_text(certificate)
    if built.rejected is not None:
        print(f"  the rejected file is {shown(built.rejected)}")


def built_json(spec: str, built: Built) -> dict[str, Any]:
    """The same as data."""
    return {
        "spec": spec,
        "verdict": str(built.certificate.verdict),
        "model": None if built.path is None else str(built.path),
        "certificate": built.certificate.to_data(),
        "bytes": built.export.size,
        "opset": built.export.opset,
        "rejected": None if built.rejected is None else str(built.rejected),
    }


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
