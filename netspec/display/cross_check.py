"""A file beside another exporter's, output by output."""

from __future__ import annotations

from netspec.diagnostics import printable
from netspec.verify.certificate import CrossCheck, Side


def cross_check_text(check: CrossCheck) -> None:
    """Print to stdout which file is right in each output, and by how much each is off."""
    print(f"\nBeside {check.exporter}, both by exact arithmetic:")
    for name, (ours, theirs) in check.outputs.items():
        print(f"  {printable(name)}")
        print(f"    this file       {_side(ours)}")
        print(f"    torch's export  {_side(theirs)}")


def _side(side: Side) -> str:
    verdict = "right" if side.right else "wrong"
    if side.reason:
        return f"{verdict}: {printable(side.reason)}"
    return f"{verdict}: " + (
        "no error" if side.error == 0 else f"error {side.error:.1e}, bound {side.bound:.1e}"
    )
