"""A Graph to a Python file of plain PyTorch, free of netspec."""

from __future__ import annotations

from netspec.torch_backend.eject.source import eject

__all__ = ["eject"]
