"""torch.compile where it was asked for and where it was not, on a machine that cannot compile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from netspec.diagnostics import DiagnosticError
from netspec.train.assembling import Options
from netspec.train.compiling import compile_faults, compiled
from tests.train.running import checked, run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::UserWarning:torch")


@pytest.fixture
def no_compiler() -> Iterator[None]:
    import torch._inductor.config as inductor

    with inductor.patch({"cpp.cxx": (None, "/nowhere/g++"), "force_disable_caches": True}):
        torch._dynamo.reset()
        yield
    torch._dynamo.reset()
    torch._dynamo.config.suppress_errors = False


@pytest.mark.usefixtures("no_compiler")
def test_what_was_asked_for_and_fails_is_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        run(checked({"epochs": 1}), tmp_path, options=Options(compile="on", download=False))
    (found,) = caught.value.diagnostics
    assert found.code == "NS483"
    assert "compiler" in found.text
    assert "--compile off" in found.help
    assert "\n" not in found.text


@pytest.mark.usefixtures("no_compiler")
def test_what_nobody_asked_for_and_fails_runs_as_it_is() -> None:
    plain = nn.Sequential(nn.Linear(3, 5), nn.Sigmoid())
    x = torch.randn(7, 3)
    with compile_faults():
        assert torch.equal(compiled(plain, asked=False)(x), plain(x))


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="of another kind"), compile_faults():
        raise RuntimeError("of another kind")
