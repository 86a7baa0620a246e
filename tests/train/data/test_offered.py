"""Data sets of installed packages, and names that nothing has."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from netspec.diagnostics import DiagnosticError
from netspec.train.data import offered
from netspec.train.data.archives import ArchiveMissing
from netspec.train.data.examples import Data, Examples
from tests.train.data.asking import opened, passing, refused, told, training


def read(graph, arguments, folder) -> Data:
    examples = Examples((np.full((4, 3), arguments["value"]),), np.arange(4) % 3)
    return Data(folder.name, examples, examples)


def broken(graph, arguments, folder) -> Data:
    raise ZeroDivisionError("no \x1b[2J digits\nand more")


def reporting(graph, arguments, folder) -> Data:
    raise DiagnosticError(ArchiveMissing(path="digits.bin"))


@pytest.fixture(autouse=True)
def offers(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("package_of_digits")
    module.read, module.broken, module.reporting, module.nothing = read, broken, reporting, lambda *asked: 3
    monkeypatch.setitem(sys.modules, module.__name__, module)
    names = {
        "digits": "read",
        "broken": "broken",
        "reporting": "reporting",
        "nothing": "nothing",
        "gone": "gone",
    }
    found = {
        name: EntryPoint(name, f"package_of_digits:{function}", offered.GROUP)
        for name, function in names.items()
    }
    monkeypatch.setattr("netspec.train.data.offered.offers", lambda: found)
    monkeypatch.setattr("netspec.train.data.opening.offers", lambda: found)


def test_a_package_offers_data(tmp_path: Path) -> None:
    data = opened(passing(3), training("digits", {"value": 0.5}), tmp_path)
    assert isinstance(data.train, Examples)
    assert data.name == tmp_path.name
    assert data.train.inputs[0].dtype == np.float32
    assert data.train.inputs[0][0, 0] == 0.5


def test_what_a_package_offers_is_held_against_the_network(tmp_path: Path) -> None:
    assert refused(passing(4), training("digits", {"value": 0.5}), tmp_path).code == "NS451"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken", "failed: ZeroDivisionError: no \\x1b[2J digits"),
        ("nothing", "failed: it gives int, not Data"),
        ("gone", "failed: AttributeError"),
    ],
)
def test_a_package_that_fails_is_named(tmp_path: Path, name: str, words: str) -> None:
    diagnostic = refused(passing(3), training(name), tmp_path)
    assert diagnostic.code == "NS439"
    assert diagnostic.text.startswith(f"the data set {name} of the package package_of_digits")
    assert words in diagnostic.text


def test_what_a_package_reports_is_reported(tmp_path: Path) -> None:
    assert refused(passing(3), training("reporting"), tmp_path).text == "there is no file digits.bin"


def test_unknown_names_are_told_what_is_near(tmp_path: Path) -> None:
    assert told(refused(passing(3), training("fashon-mnist"), tmp_path)) == (
        "NS438",
        "there is no data set fashon-mnist",
        "did you mean fashion-mnist?",
    )
    assert told(refused(passing(3), training("digit"), tmp_path))[2] == "did you mean digits?"
    far = told(refused(passing(3), training("imagenet-21k"), tmp_path))
    assert far[2].startswith("there are fashion-mnist, mnist, cifar10, folder, npz, digits")


def test_installed_packages_are_looked_through() -> None:
    assert isinstance(offered.offers(), dict)
