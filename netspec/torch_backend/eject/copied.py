"""Classes that come along in an ejected file: their own source, with what it needs of its module."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from netspec.torch_backend.eject.traced import Untraceable

ALLOWED = frozenset({"torch", "typing", "collections", "math"})
"""Packages that an ejected file may import."""

_IGNORED = re.compile(r"  # (type: ignore\[[\w, -]+\]|noqa.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Copied:
    """What comes along: the imports that it needs, and each source under its name, in an order that works."""

    imports: tuple[str, ...]
    sources: Mapping[str, str]


def copied(classes: Iterable[type]) -> Copied:
    """The sources of classes, with those of the classes and functions of their own files that they use.

    Errors: Untraceable where a class cannot stand in a file that has torch alone.
    """
    imports: dict[str, None] = {}
    sources: dict[Any, str] = {}
    for cls in classes:
        _add(cls, imports, sources)
    named = {item.__name__: source for item, source in sources.items()}
    if len(named) < len(sources):
        twice = next(item.__name__ for item in sources if sources[item] != named[item.__name__])
        raise Untraceable(f"two classes that it needs are called {twice}")
    return Copied(tuple(imports), named)


def _add(item: Any, imports: dict[str, None], sources: dict[Any, str]) -> None:
    if item in sources:
        return
    try:
        text = inspect.getsource(item)
        names = _names(text)
    except (OSError, TypeError, SyntaxError) as error:
        raise Untraceable(f"the source of {item.__name__} cannot be had by itself") from error
    home = sys.modules[item.__module__]
    sources[item] = ""  # it may name itself
    known = _imports(home)
    for name in names:
        value = vars(home).get(name)
        line, module = known.get(name, ("", ""))
        if module.partition(".")[0] in ALLOWED:
            imports.setdefault(line)
        elif isinstance(value, type | FunctionType) and _together(value, home):
            _add(value, imports, sources)
        elif module:
            raise Untraceable(f"{item.__name__} needs {name}, which is not of torch")
        elif name in vars(home) and name != "__name__":
            raise Untraceable(f"{item.__name__} needs {name} of its file")
    del sources[item]  # behind what it needs
    sources[item] = _IGNORED.sub("", text).rstrip()


def _together(item: Any, home: ModuleType) -> bool:
    """Whether a class or function is of the package that a module is of."""
    return str(item.__module__).partition(".")[0] == home.__name__.partition(".")[0]


def _names(text: str) -> list[str]:
    """Every name that a piece of source uses."""
    nodes = ast.walk(ast.parse(text))
    return list(dict.fromkeys(node.id for node in nodes if isinstance(node, ast.Name)))


def _imports(module: ModuleType) -> dict[str, tuple[str, str]]:
    """What a module imports: for each name the line that does it, and the module it is from."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                own = alias.asname or alias.name
                renamed = f" as {alias.asname}" if alias.asname else ""
                if isinstance(node, ast.ImportFrom):
                    found[own] = f"from {node.module} import {alias.name}{renamed}", node.module or ""
                else:
                    found[own] = f"import {alias.name}{renamed}", alias.name
    return found
