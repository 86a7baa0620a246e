"""Data sets that lie in the data folder under a path of their own."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated

from pydantic import Field

from netspec.language.training.choice import Choice
from netspec.ops.arguments import Expected

DataPath = Annotated[str, Field(min_length=1), Expected("a path within the data folder")]


class Folder(Choice):
    """Images, one folder a class."""

    alone = "path"

    path: DataPath


class Npz(Choice):
    """Arrays of a .npz file: x_train, y_train, x_test, y_test."""

    alone = "path"

    path: DataPath


def path_out(path: str) -> str:
    """Why a path could lead out of the data folder, on any system; empty if it could not."""
    for read in (PurePosixPath(path), PureWindowsPath(path)):
        if read.drive or read.root:
            return "it begins at the root of a disk"
        if ".." in read.parts:
            return "it leads up with .."
    if path.startswith("~"):
        return "it begins at a home folder"
    return "" if path.isprintable() else "it has characters that cannot be seen"
