"""What a layer costs."""

from __future__ import annotations

from dataclasses import dataclass

from netspec.ir.dim import Size


@dataclass(frozen=True, slots=True)
class Cost:
    """Multiply-adds of one evaluation of a layer, over the whole batch; one multiply-add is two FLOPs."""

    macs: Size = 0
