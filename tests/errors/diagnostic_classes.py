"""Every diagnostic that the language side of netspec defines."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import netspec
from netspec.diagnostics import Diagnostic

LANGUAGE_SIDE = ("diagnostics", "ir", "language", "ops", "analysis")


def diagnostic_classes() -> list[type[Diagnostic]]:
    """The classes, in the order of their codes."""
    for package in LANGUAGE_SIDE:
        base = importlib.import_module(f"netspec.{package}")
        for module in pkgutil.walk_packages(base.__path__, f"{base.__name__}."):
            importlib.import_module(module.name)

    def below(cls: type[Diagnostic]) -> Iterator[type[Diagnostic]]:
        for subclass in cls.__subclasses__():
            yield subclass
            yield from below(subclass)

    # Other tests of the same process may have imported the backends.
    homes = tuple(f"{netspec.__name__}.{package}." for package in LANGUAGE_SIDE)
    found = [cls for cls in below(Diagnostic) if cls.__module__.startswith(homes)]
    return sorted((cls for cls in found if hasattr(cls, "code")), key=lambda cls: cls.code)
