"""Classes that come along in an ejected file: their own source, with what it needs of its module."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable
from types import FunctionType, ModuleType
from typing import Any

from netspec.torch_backend.eject.traced import Untraceable

_IGNORED = re.compile(r"  # (type: ignore\[[\w, -]+\]|noqa.*)$", re.MULTILINE)


def copied(classes: Iterable[type]) -> tuple[list[str], list[str]]:
    """The imports that classes need, and their sources with those of functions that they use, those first.

    Errors: Untraceable where a class cannot stand in a file that has torch alone.
    """
    imports: dict[str, None] = {}
    sources: dict[object, str] = {}
    for cls in classes:
        _add(cls, imports, sources)
    return list(imports), list(sources.values())


def _add(item: Any, imports: dict[str, None], sources: dict[object, str]) -> None:
    if item in sources:
        return
    try:
        text = inspect.getsource(item)
    except (OSError, TypeError) as error:
        raise Untraceable(f"{item.__name__} has no source") from error
    home = sys.modules[item.__module__]
    sources[item] = ""  # it may name itself
    known = _imports(home)
    for name in _names(text):
        value = vars(home).get(name)
        if name in known:
            line, module = known[name]
            if module.partition(".")[0] in ("torch", "typing", "collections", "math"):
                imports.setdefault(line)
                continue
        if isinstance(value, type | FunctionType) and value.__module__.startswith(
            home.__name__.partition(".")[0]
        ):
            _add(value, imports, sources)
        elif name in known or isinstance(value, ModuleType):
            raise Untraceable(f"{item.__name__} needs {name}, which is not of torch")
        elif name in vars(home):
            raise Untraceable(f"{item.__name__} needs {name} of its file")
    del sources[item]  # behind what it needs
    sources[item] = _IGNORED.sub("", text).rstrip()


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
