"""What every test shares: one thread a process, plain output, fixed examples, GPU tests only on a GPU."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Set before torch or onnxruntime is imported anywhere: `make test` fills the cores with processes already,
# and one thread makes sums come out the same on every machine.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"
# Terminals and continuous integration force colours and widths on rich; messages are compared as text.
for variable in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "NO_COLOR", "COLUMNS"):
    os.environ.pop(variable, None)

# The suite draws the same examples on every machine, so that a failure is the change's own;
# `pytest --hypothesis-profile=search` draws new ones, and more of them.
settings.register_profile(
    "fixed", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("search", settings.get_profile("fixed"), derandomize=False, max_examples=1000)
settings.load_profile("fixed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked `gpu` where torch finds no CUDA device."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
