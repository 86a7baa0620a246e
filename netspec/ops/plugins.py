"""Operations from outside: of a file that the user names, of installed packages' entry points."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import Diagnostic, DiagnosticError, printable, spell
from netspec.ops.base import Op
from netspec.ops.catalogue import FAMILIES, add

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "netspec.ops"
"""The entry-point group in which a package offers operations, each under its own name."""

REQUIRED = ("infer", "build")


class UnreadablePlugin(Diagnostic):
    """A plugin that cannot be imported."""

    code = "NS395"
    message = "cannot load operations from {origin}: {reason}"

    origin: str
    reason: str


class NotAnOperation(Diagnostic):
    """Something that a plugin offers as an operation, and that is none."""

    code = "NS396"
    message = "{origin} offers {name}, which is no operation: {reason}"

    origin: str
    name: str
    reason: str

    @property
    def help(self) -> str:
        return "an operation is a subclass of netspec.Op with infer and build, and lower if it has a lowering"


class NameTaken(Diagnostic):
    """An operation of a plugin with the name of one that there is."""

    code = "NS397"
    message = "{origin} offers {name}, and there is an operation of this name"

    origin: str
    name: str

    @property
    def help(self) -> str:
        return "give the class another name"


def load_plugin(path: Path) -> tuple[type[Op], ...]:
    """Run a Python file and make the operations in its `OPERATIONS` known.

    Only for a file that the user names: it runs.

    Errors: NS395 to NS397.
    """
    origin = printable(str(path))
    module = _imported(path, origin)
    offered = getattr(module, "OPERATIONS", None)
    if not isinstance(offered, tuple | list) or not offered:
        reason = "it has no OPERATIONS, a tuple of classes"
        raise DiagnosticError(UnreadablePlugin(origin=origin, reason=reason))
    for operation in offered:
        _check(operation, getattr(operation, "__name__", spell(operation)), origin)
        add(operation)
    return tuple(offered)


def _imported(path: Path, origin: str) -> ModuleType:
    if not path.is_file():
        reason = "it is a folder" if path.is_dir() else "there is no such file"
        raise DiagnosticError(UnreadablePlugin(origin=origin, reason=reason))
    # Under a name of its own, so that it shadows no module; pickled layers find their classes there.
    name = f"netspec_plugin_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise DiagnosticError(UnreadablePlugin(origin=origin, reason="it is no Python file (NAME.py)"))
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a stranger's code raises is the plugin's fault, not netspec's
        del sys.modules[name]
        raise DiagnosticError(UnreadablePlugin(origin=origin, reason=_reason(error))) from error
    return module


def _reason(error: Exception) -> str:
    first = str(error).strip().partition("\n")[0]
    return printable(f"{type(error).__name__}: {first}" if first else type(error).__name__)


def installed(name: str) -> type[Op] | None:
    """The operation that an installed package offers under this name; None where none does.

    Errors: NS395, NS396.
    """
    found = entries().get(name)
    if found is None:
        return None
    origin = package(found)
    try:
        operation = found.load()
    except Exception as error:  # as in a plugin file
        raise DiagnosticError(UnreadablePlugin(origin=origin, reason=_reason(error))) from error
    checked = _check(operation, name, origin)
    if checked.__name__ != name:
        reason = f"its class is called {checked.__name__}"
        raise DiagnosticError(NotAnOperation(origin=origin, name=spell(name), reason=reason))
    return checked


def package(entry: EntryPoint) -> str:
    """The package that an entry point is of, in words."""
    return f"the package {printable(entry.dist.name if entry.dist is not None else entry.value)}"


@cache
def entries() -> Mapping[str, EntryPoint]:
    """What installed packages offer, by the names of the operations; nothing of it is loaded."""
    from importlib.metadata import entry_points  # here, since it takes longer than most checks

    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _check(operation: Any, name: str, origin: str) -> type[Op]:
    """The class, if it is an operation; NS396 or NS397 otherwise."""
    reason = ""
    if not isinstance(operation, type) or not issubclass(operation, Op):
        reason = "it is no subclass of netspec.Op"
    elif not name[:1].isupper():
        reason = "its name does not begin with a capital"
    else:
        missing = [rule for rule in REQUIRED if not hasattr(operation, rule)]
        reason = f"it lacks {missing[0]}" if missing else ""
    if reason:
        raise DiagnosticError(NotAnOperation(origin=origin, name=spell(name), reason=reason))
    if name in FAMILIES:
        raise DiagnosticError(NameTaken(origin=origin, name=spell(name)))
    found: type[Op] = operation
    return found
