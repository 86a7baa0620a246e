"""Tensors in a safetensors file: the same bytes every time, for whom the umask lets read them."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from netspec.diagnostics import DiagnosticError
from netspec.torch_backend.safetensors_file import write_tensors

TENSORS = {"ä": torch.ones(3, 2).t(), "none": torch.zeros(0), "b": torch.tensor(3)}
TEXT = {"q\n": "1\x7f", "a": "ü", "z": '"', "n": "{}", "e": ""}


def test_the_same_tensors_are_the_same_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.safetensors" for number in range(6)]
    for path in paths:
        write_tensors(path, TENSORS, TEXT)
    assert len({path.read_bytes() for path in paths}) == 1
    read = load_file(paths[0])
    assert all(torch.equal(read[name], tensor) for name, tensor in TENSORS.items())
    with safe_open(paths[0], framework="pt") as file:
        assert file.metadata() == TEXT


@pytest.mark.skipif(sys.platform == "win32", reason="no permissions of this kind")
@pytest.mark.parametrize(("umask", "expected"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_it_has_the_permissions_of_any_new_file(tmp_path: Path, umask: int, expected: int) -> None:
    before = os.umask(umask)
    try:
        write_tensors(tmp_path / "w.safetensors", TENSORS, TEXT)
    finally:
        os.umask(before)
    assert (tmp_path / "w.safetensors").stat().st_mode & 0o777 == expected


@pytest.fixture
def small_files() -> Iterator[None]:
    """The system lets no file grow beyond 4 kB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits")
@pytest.mark.usefixtures("small_files")
def test_what_the_system_refuses_is_said_and_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_tensors(path, TENSORS, TEXT)
    before = path.read_bytes()
    with pytest.raises(DiagnosticError) as caught:
        write_tensors(path, {"large": torch.zeros(4000)}, {}, durable=True)
    (found,) = caught.value.diagnostics
    assert found.code == "NS511"
    assert "file too large" in found.text
    assert "ulimit" in found.fill(found.help)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["w.safetensors"]
