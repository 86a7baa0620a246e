"""Data sets from outside: of installed packages, by entry points.

A package offers a data set under a name of its own in the group `netspec.data`:

    [project.entry-points."netspec.data"]
    digits = "my_package.digits:read"

    def read(graph: netspec.Graph, arguments: Mapping[str, Any], folder: Path) -> Data: ...

`arguments` are those of `train: {data: {digits: {…}}}` in the spec, `folder` is `--data-dir`. What it gives
is a `netspec.train.data.examples.Data`, whose arrays are then held against the network as any other's are.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.ops.plugins import package
from netspec.train.data.examples import Data
from netspec.train.data.request import Request

GROUP = "netspec.data"
"""The entry-point group in which a package offers data sets, each under its own name."""


class OfferFailed(Diagnostic):
    """A data set of a package that cannot be read."""

    code = "NS439"
    message = "the data set {name} of {origin} failed: {reason}"

    name: str
    origin: str
    reason: str


@cache
def offers() -> dict[str, EntryPoint]:
    """What installed packages offer, by the names of the data sets; nothing of it is loaded."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def read_offered(request: Request) -> Data:
    """The data set that an installed package offers under the name that is asked for.

    Errors: NS439; and what the package itself reports as diagnostics.
    """
    entry = offers()[request.name]
    request.progress(f"reading {request.name}", 0.0)
    try:
        data = entry.load()(request.graph, request.arguments, request.folder)
    except DiagnosticError:
        raise
    except Exception as error:  # whatever a stranger's code raises is the package's fault, not netspec's
        first = str(error).strip().partition("\n")[0]
        raise DiagnosticError(_failed(entry, f"{type(error).__name__}: {first}")) from error
    if not isinstance(data, Data):
        raise DiagnosticError(_failed(entry, f"it gives {type(data).__name__}, not Data"))
    return data


def _failed(entry: EntryPoint, reason: str) -> OfferFailed:
    return OfferFailed(name=printable(entry.name), origin=package(entry), reason=printable(reason))
