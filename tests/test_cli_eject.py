"""`netspec eject`: to the terminal, to a file, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec import eject
from tests.command_line import LENET, SPECS, files, netspec, tiny


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)


def test_it_prints_the_file(tmp_path: Path) -> None:
    outcome = netspec("eject", LENET, "--set", "classes=47")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == eject(LENET, settings={"classes": "47"})
    assert "self.logits = nn.Linear(84, 47)" in outcome.out
    assert files(tmp_path) == []


def test_it_writes_a_file_over_an_older_one(tmp_path: Path) -> None:
    Path("net.py").write_text("old")
    outcome = netspec("eject", SPECS / "resnet.yaml", "--variant", "resnet18", "--out", "net.py")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"{SPECS / 'resnet.yaml'}: written as PyTorch to net.py\n"
    assert Path("net.py").read_text() == eject(SPECS / "resnet.yaml", variant="resnet18")
    assert files(tmp_path) == ["net.py"]


def test_a_spec_may_come_by_standard_input() -> None:
    outcome = netspec("eject", "-", stdin=tiny(Path()).read_text())
    assert outcome.out.startswith('"""tiny in plain PyTorch, written by netspec from <stdin>.\n')


def test_of_a_bad_spec_there_is_nothing(tmp_path: Path) -> None:
    bad = tiny(tmp_path, last="Tahn")
    outcome = netspec("eject", bad, "-o", "net.py")
    assert (outcome.code, outcome.out) == (1, "")
    assert "did you mean Tanh?" in outcome.err
    assert files(tmp_path) == [bad.name]


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    good = tiny(tmp_path)
    outcome = netspec("eject", good, "-o", good / "net.py")
    assert (outcome.code, outcome.out) == (1, "")
    assert "error[NS511]: cannot write" in outcome.err


def test_warnings_do_not_mix_with_the_file(tmp_path: Path) -> None:
    spec = tiny(tmp_path)
    spec.write_text(f"{spec.read_text()}  - {{Tanh: {{}}, from: x}}\n")
    outcome = netspec("eject", spec)
    assert outcome.code == 0
    assert "warning[NS218]" in outcome.err
    compile(outcome.out, "tiny.py", "exec")
