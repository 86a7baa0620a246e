"""Every diagnostic about data is met by a test."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

from netspec.diagnostics import Diagnostic
from netspec.train import data

HERE = Path(__file__).parent


def test_every_diagnostic_of_the_data_is_shown_here() -> None:
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.iter_modules(data.__path__, f"{data.__name__}.")
    ]
    classes = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Diagnostic) and value.__module__ == module.__name__
    ]
    codes = [cls.code for cls in classes]
    assert len(codes) == len(set(codes)) > 30
    assert all("NS430" <= code <= "NS469" or code == "NS479" for code in codes)
    tested = {code for path in HERE.glob("test_*.py") for code in re.findall(r"NS\d{3}", path.read_text())}
    assert set(codes) - tested == set()
