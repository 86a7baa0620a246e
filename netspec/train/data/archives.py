"""Arrays in an .npz: x_train, y_train, x_test, y_test, or one a network's input."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from netspec.data_formats.npy import npy_header, npz_members
from netspec.data_formats.rows import read_all
from netspec.diagnostics import Advised, Diagnostic, DiagnosticError, nearest, printable, spell
from netspec.ir.graph import Graph
from netspec.train.data.examples import Data, Examples
from netspec.train.data.files import ARRAY_LIMIT, reading
from netspec.train.data.image_folder import within
from netspec.train.data.request import Request
from netspec.verify.tolerance import Array


class ArchiveMissing(Diagnostic):
    """The file of a data set is not there."""

    code = "NS449"
    message = "there is no file {path}"

    path: str

    @property
    def help(self) -> str:
        return "numpy.savez(FILE, x_train=…, y_train=…, x_test=…, y_test=…) writes it"


class ArrayMissing(Advised):
    """An .npz without an array that training needs."""

    code = "NS450"
    message = "{path} has no array {name}; it has {has}"

    path: str
    name: str
    has: tuple[str, ...]


def read_archive(request: Request) -> Data:
    """The arrays as they are stored; what they are for is told by their names.

    x_train and y_train (or INPUT_train for each of several inputs) are needed; those of the test are not.

    Errors: NS432, NS433, NS437, NS441, NS449, NS450.
    """
    path = within(request.folder, str(request.arguments["path"]))
    if not path.exists():
        raise DiagnosticError(ArchiveMissing(path=printable(str(path))))
    request.progress(f"reading {path.name}", 0.0)
    arrays = _arrays(path)
    train = _part(arrays, "train", request.graph, path)
    has_test = any(name.endswith("_test") for name in arrays)
    test = _part(arrays, "test", request.graph, path) if has_test else None
    return Data(request.name, train, test)


def _arrays(path: Path) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    with reading(path) as (stream, _):
        for name, inside, member in npz_members(stream, ARRAY_LIMIT):
            header = npy_header(inside, member.file_size)
            arrays[name] = read_all(inside, header, ARRAY_LIMIT, member.compress_size)
    return arrays


def _part(arrays: Mapping[str, Array], part: str, graph: Graph, path: Path) -> Examples:
    inputs = [entry.name for entry in graph.inputs]
    names = [f"{name}_{part}" for name in inputs]
    if len(inputs) == 1 and names[0] not in arrays:
        names = [f"x_{part}"]
    for name in (*names, f"y_{part}"):
        if name not in arrays:
            raise DiagnosticError(_missing(name, arrays, path, _expected(graph)))
    return Examples(tuple(arrays[name] for name in names), arrays[f"y_{part}"])


def _expected(graph: Graph) -> set[str]:
    """The names that arrays can have."""
    inputs = [entry.name for entry in graph.inputs]
    return {f"{name}_{part}" for name in (*inputs, "x", "y") for part in ("train", "test")}


def _missing(name: str, arrays: Mapping[str, Array], path: Path, expected: set[str]) -> ArrayMissing:
    meant = nearest(name, arrays.keys() - expected)
    advice = f"rename {spell(meant)} to {name}" if meant else ""
    has = tuple(spell(known) for known in arrays)
    return ArrayMissing(path=printable(str(path)), name=name, has=has, advice=advice)
