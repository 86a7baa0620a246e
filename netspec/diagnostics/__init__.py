"""Diagnostics as data: what is wrong, where, and what would cure it. Rendering is in `render`."""

from netspec.diagnostics.collector import Collector
from netspec.diagnostics.diagnostic import (
    Advised,
    Diagnostic,
    DiagnosticError,
    Note,
    Severity,
    Suggesting,
    nearest,
    printable,
    spell,
)
from netspec.diagnostics.span import Source, Span

__all__ = [
    "Advised",
    "Collector",
    "Diagnostic",
    "DiagnosticError",
    "Note",
    "Severity",
    "Source",
    "Span",
    "Suggesting",
    "nearest",
    "printable",
    "spell",
]
