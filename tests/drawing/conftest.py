"""Graphviz, which these tests need and not every machine has."""

from __future__ import annotations

import pytest

from netspec.diagnostics import DiagnosticError
from netspec.drawing.dot import Vertex, place


@pytest.fixture(autouse=True)
def graphviz() -> None:
    """Skip a test where nothing can be drawn."""
    try:
        place([Vertex(1, 1)], [])
    except DiagnosticError as error:
        pytest.skip(str(error))
