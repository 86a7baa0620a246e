"""`import netspec`: its names, and what it does not import."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import netspec
from netspec import pipeline
from tests.command_line import LENET, ROOT

NAMES = [
    "Built",
    "Checked",
    "Diagnostic",
    "DiagnosticError",
    "Graph",
    "Op",
    "__version__",
    "build",
    "check",
    "eject",
]

LOADED = """
import sys
import netspec
assert netspec.__version__
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "onnx", "onnxruntime", "numpy",
      "pydantic", "typer", "rich", "yaml"}))
print(*sorted(name for name in sys.modules if name.startswith("netspec")))
netspec.check(sys.argv[1])
print(*sorted({name for name in sys.modules} & {"torch", "onnx", "onnxruntime", "numpy", "typer", "rich"}))
"""


def test_the_public_names_are_these_and_documented():
    assert sorted(netspec.__all__) == NAMES
    for name in NAMES:
        value = getattr(netspec, name)
        if name != "__version__":
            assert inspect.getdoc(value)
            assert name in netspec.__dir__()
    assert netspec.build is pipeline.build
    assert netspec.check is pipeline.check
    assert netspec.eject is pipeline.eject


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'netspec' has no attribute 'biuld'"):
        netspec.biuld  # noqa: B018 - the access is the test


def test_importing_netspec_imports_little_and_checking_no_engine():
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(LENET)],
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["", "netspec", ""]


def test_the_names_that_editors_see_are_those_that_are_given():
    assert set(netspec._HOMES) | {"__version__"} == set(netspec.__all__)
