"""What a layer costs."""

from __future__ import annotations

from typing import NamedTuple

from netspec.ir.dim import Size


class Cost(NamedTuple):
    """Multiply-adds of one evaluation of a layer, over the whole batch; one multiply-add is two FLOPs."""

    macs: Size = 0
