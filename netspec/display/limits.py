"""What symbolic dimensions may be, for people."""

from __future__ import annotations

from collections.abc import Mapping

from netspec.ir.dim import Bounds


def limits(bounds: Mapping[str, Bounds]) -> list[str]:
    """What the layers and the spec ask of symbolic dimensions, one line each: `H >= 5, a multiple of 4`."""
    lines = []
    for name, bound in bounds.items():
        parts = [f"{name} >= {bound.least}"] if bound.least > 1 else []
        if bound.greatest is not None:
            parts.append(f"{name} <= {bound.greatest}")
        if bound.multiple_of > 1:
            parts.append(f"{name} is a multiple of {bound.multiple_of}")
        if parts:
            lines.append(", ".join(parts))
    return lines
