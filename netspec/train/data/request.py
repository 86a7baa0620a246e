"""What the reader of a data set is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from netspec.ir.graph import Graph
from netspec.pipeline import Progress


class Request(NamedTuple):
    """A data set `name` with its arguments, for a network; `folder` is where data lies.

    `progress` is called with what is being done and the part of it that is done. Without `download` nothing
    is fetched that is not there.
    """

    name: str
    arguments: Mapping[str, Any]
    graph: Graph
    folder: Path
    progress: Progress
    download: bool
