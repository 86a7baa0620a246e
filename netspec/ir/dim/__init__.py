"""Sizes of tensors: integers, symbolic dimensions in one canonical form, and what can be decided of them."""

from __future__ import annotations

from netspec.ir.dim.arithmetic import Dim, Size, symbol
from netspec.ir.dim.binding import bind
from netspec.ir.dim.bounds import LARGEST_SIZE, Bounds
from netspec.ir.dim.comparison import (
    Comparison,
    Different,
    Equal,
    Relation,
    Sometimes,
    Undecided,
    compare,
    decide,
)
from netspec.ir.dim.errors import ComplexityError, DimError, UndecidableError
from netspec.ir.dim.ranges import least_value
from netspec.ir.dim.unknown import UNKNOWN, Unknown

__all__ = [
    "LARGEST_SIZE",
    "UNKNOWN",
    "Bounds",
    "Comparison",
    "ComplexityError",
    "Different",
    "Dim",
    "DimError",
    "Equal",
    "Relation",
    "Size",
    "Sometimes",
    "UndecidableError",
    "Undecided",
    "Unknown",
    "bind",
    "compare",
    "decide",
    "least_value",
    "symbol",
]
