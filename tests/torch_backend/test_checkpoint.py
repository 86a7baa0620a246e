"""Checkpoints of torch.save: the state dict is found, nothing in the file is run, nothing is a traceback."""

from __future__ import annotations

import argparse
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.torch_backend.checkpoint import read_state_dict

STATE = OrderedDict(
    [("z.weight", torch.arange(6.0).reshape(2, 3)), ("a.bias", torch.ones(2)), ("a.steps", torch.tensor(7))]
)


class RunsCode:
    """What a hostile file holds: unpickled, it calls what it likes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.fixture(params=[True, False], ids=["zip", "legacy"])
def save(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[object], Path]:
    """Saves an object as torch does now, and as it did before it wrote zips."""

    def saved(content: object) -> Path:
        torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=request.param)
        return tmp_path / "w.pth"

    return saved


def refusal(path: Path) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        read_state_dict(path)
    (fault,) = caught.value.diagnostics
    assert len(fault.text.splitlines()) == 1
    return fault


def as_lists(tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    return {name: tensor.tolist() for name, tensor in tensors.items()}


WRAPPED = {
    "bare": (STATE, ()),
    "with parameters": ({name: nn.Parameter(t, requires_grad=False) for name, t in STATE.items()}, ()),
    "state_dict": ({"epoch": 3, "state_dict": STATE, "best": torch.tensor(0.5)}, ("state_dict",)),
    "model": ({"model": STATE, "model_ema": STATE, "optimizer": {"state": {0: STATE}}}, ("model",)),
    "model_state_dict": ({"model_state_dict": STATE, "loss": 0.1}, ("model_state_dict",)),
    "settings beside it": ({"model": {"depth": 18}, "state_dict": STATE}, ("state_dict",)),
    "within another": ({"model": {"state_dict": STATE, "step": 1}}, ("model.state_dict",)),
    "under its own name": ({"net": STATE, "epoch": 3}, ("net",)),
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_a_state_dict_is_found_where_scripts_put_it(kind, save):
    content, names = WRAPPED[kind]
    found = read_state_dict(save(content))
    assert list(found.tensors) == list(STATE)
    assert as_lists(found.tensors) == as_lists(STATE)
    assert found.remarks == tuple(f"taken from {name} in the file" for name in names)


def test_what_is_no_tensor_is_left_out_and_said(save):
    found = read_state_dict(save({**STATE, "epoch": 3, "note": "a\x1b[2J"}))
    assert list(found.tensors) == list(STATE)
    assert found.remarks == ("left out, for they are no tensors: epoch, note",)


SCARCE: dict[str, tuple[object, str]] = {
    "a tensor": (torch.ones(2), "a tensor"),
    "a number": (3, "an object of type int"),
    "a list": ([STATE], "an object of type list"),
    "nothing": ({}, "an empty mapping"),
    "no tensors": ({"epoch": 3, "args": {}}, "a mapping (epoch, args)"),
    "names that are no text": ({0: torch.ones(2)}, "a mapping (0)"),
    "two of them": ({"model": STATE, "state_dict": STATE}, "several state dicts (state_dict, model)"),
    "two others": ({"generator": STATE, "critic": STATE}, "several state dicts (generator, critic)"),
}


@pytest.mark.parametrize("kind", SCARCE)
def test_a_file_without_the_state_dict_of_one_module(kind, save):
    content, found = SCARCE[kind]
    fault = refusal(save(content))
    assert (fault.code, fault.text.partition("holds ")[2]) == (
        "NS576",
        f"{found}, not the state dict of one module",
    )


def test_a_mapping_that_holds_itself(save):
    content: dict[str, object] = {}
    content["model"] = content["state_dict"] = content
    assert refusal(save(content)).code == "NS576"
    content["w"] = torch.ones(1)
    assert refusal(save(content)).code == "NS576"
    del content["state_dict"]
    assert list(read_state_dict(save(content)).tensors) == ["w"]


def test_nothing_in_a_file_is_run(save, tmp_path):
    fault = refusal(save({"state_dict": STATE, "more": RunsCode(tmp_path / "made")}))
    assert fault.code == "NS575"
    assert "posix.mkdir" in fault.text or "nt.mkdir" in fault.text
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_plain_pickle_is_not_run_either(protocol, tmp_path):
    (tmp_path / "w.pth").write_bytes(pickle.dumps(RunsCode(tmp_path / "made"), protocol=protocol))
    if protocol >= 2:  # what is older begins like text
        assert refusal(tmp_path / "w.pth").code in ("NS570", "NS575")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (nn.Linear(2, 3), "torch.nn.modules.linear.Linear"),
        ({"state_dict": STATE, "args": argparse.Namespace(epochs=3)}, "argparse.Namespace"),
    ],
)
def test_objects_that_only_their_code_restores(content, named, save):
    fault = refusal(save(content))
    assert (fault.code, named in fault.text) == ("NS575", True)
    assert "torch.save(model.state_dict(), FILE)" in fault.help


def test_a_torchscript_program(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as archive:
        for name in ("w/data.pkl", "w/constants.pkl", "w/code/__torch__.py"):
            archive.writestr(name, b"")
    fault = refusal(tmp_path / "w.pt")
    assert (fault.code, "TorchScript" in fault.text) == ("NS575", True)


def test_a_file_that_was_cut_off(save, tmp_path):
    whole = save(STATE).read_bytes()
    for length in (2, 5, 11, 60, 200, len(whole) // 2, len(whole) - 50, len(whole) - 1):
        (tmp_path / "cut.pth").write_bytes(whole[:length])
        fault = refusal(tmp_path / "cut.pth")
        # A name of torch's that is cut off is not torch's.
        assert fault.code == "NS575" or "it is damaged, or was cut off" in fault.text


def test_a_zip_of_something_else(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("notes.txt", "hello")
    assert refusal(tmp_path / "w.pth").text.endswith("it is a zip, but not one of torch.save")


def packed(path: Path, source: Path, **options: Any) -> zipfile.ZipFile:
    """A zip with the same entries, written by another program than torch."""
    archive = zipfile.ZipFile(path, "w", **options)
    with zipfile.ZipFile(source) as entries:
        for name in entries.namelist():
            archive.writestr(name, entries.read(name))
    return archive


def test_a_zip_that_was_packed_anew(tmp_path):
    """torch maps compressed entries as if they were tensors."""
    torch.save(STATE, tmp_path / "w.pth")
    packed(tmp_path / "packed.pth", tmp_path / "w.pth", compression=zipfile.ZIP_DEFLATED).close()
    assert as_lists(read_state_dict(tmp_path / "packed.pth").tensors) == as_lists(STATE)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_zip_with_two_entries_of_one_name(tmp_path):
    torch.save(STATE, tmp_path / "w.pth")
    with packed(tmp_path / "twice.pth", tmp_path / "w.pth") as archive:
        archive.writestr("w/data/0", bytes(24))
    assert refusal(tmp_path / "twice.pth").text.endswith("it holds two entries of one name")


def test_tensors_of_a_zip_are_mapped(tmp_path):
    """No second copy of them: the file's pages are the tensors."""
    torch.save({"w": torch.ones(1000)}, tmp_path / "w.pth")
    tensor = read_state_dict(tmp_path / "w.pth").tensors["w"]
    data = bytearray((tmp_path / "w.pth").read_bytes())
    at = data.index(torch.ones(1000).numpy().tobytes())
    with (tmp_path / "w.pth").open("r+b") as file:
        file.seek(at)
        file.write(torch.full((1000,), 2.0).numpy().tobytes())
    assert tensor.tolist() == [2] * 1000


class Sized:
    """A tensor that claims a size which its storage does not have."""

    def __init__(self, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
        self.size, self.stride = size, stride

    def __reduce__(self) -> tuple[Any, ...]:
        storage = torch.storage.TypedStorage(
            wrap_storage=torch.ones(4).untyped_storage(), dtype=torch.float32, _internal=True
        )
        arguments: tuple[Any, ...] = (storage, 0, self.size, self.stride, False, OrderedDict())
        return torch._utils._rebuild_tensor_v2, arguments


@pytest.mark.parametrize(("size", "stride"), [((10**13,), (1,)), ((-2,), (1,)), ((2,), (-1,))])
def test_a_tensor_that_claims_more_than_there_is(size, stride, save):
    assert refusal(save({"w": Sized(size, stride)})).code == "NS570"


def test_a_tensor_that_repeats_itself_costs_nothing(save):
    (tensor,) = read_state_dict(save({"w": Sized((10**6, 10**6), (0, 0))})).tensors.values()
    assert tensor.shape == (10**6, 10**6)


ODD = {
    "sparse": torch.eye(3).to_sparse(),
    "meta": torch.ones(3, device="meta"),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_tensor_that_is_not_plain(kind, tmp_path):
    torch.save({"w\x1b": ODD[kind]}, tmp_path / "w.pth")
    fault = refusal(tmp_path / "w.pth")
    assert (fault.code, fault.text) == (
        "NS578",
        f"w\\x1b in {tmp_path / 'w.pth'} is a {kind} tensor, which no layer can take",
    )
