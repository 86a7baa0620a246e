"""Weights in and out: whole or not at all, of this network or refused, in plain words."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.ir.fingerprint import graph_hash
from netspec.ir.graph import Graph
from netspec.torch_backend.weights import arrays, load, read_weights, save_weights
from tests.torch_backend.specs_as_modules import RICH, graph_of, module_of

SMALL = """
    netspec: 1
    name: small
    inputs: {x: [batch, 3]}
    layers:
      - {Linear: {out_features: 2}, name: first}
      - BatchNorm1d
      - {Linear: {out_features: 2}, name: last}
"""
OTHER = SMALL.replace("    - BatchNorm1d\n", "    - BatchNorm1d\n      - Tanh\n")


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    return graph_of(SMALL, tmp_path)


def refusal(graph: Graph, path: Path) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        load(module_of(graph), read_weights(path, graph), str(path))
    (fault,) = caught.value.diagnostics
    return fault


def test_a_file_holds_the_state_dict_and_the_hash_of_the_graph(graph, tmp_path):
    module = module_of(graph, seed=1)
    path = tmp_path / "new" / "weights.safetensors"
    save_weights(module, graph, path)
    assert [child.name for child in path.parent.iterdir()] == [path.name]
    assert {name: value.tolist() for name, value in load_file(path).items()} == {
        name: value.tolist() for name, value in module.state_dict().items()
    }
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"netspec.graph_hash": graph_hash(graph)}


def test_weights_come_back(tmp_path):
    graph = graph_of(RICH, tmp_path)
    module = module_of(graph, seed=1)
    with torch.no_grad():
        module.batch_norm2d_1.running_mean.fill_(3)
    save_weights(module, graph, tmp_path / "w")
    for device in ("meta", "cpu"):
        other = module_of(graph, seed=2, device=device)
        other.stem.weight.requires_grad_(False)
        load(other, read_weights(tmp_path / "w", graph))
        assert {name: v.tolist() for name, v in other.state_dict().items()} == {
            name: v.tolist() for name, v in module.state_dict().items()
        }
        frozen = [name for name, p in other.named_parameters() if not p.requires_grad]
        assert frozen == ["stem.weight"]
        assert isinstance(other.stem.weight, torch.nn.Parameter)


def test_arrays_share_the_module_s_memory_both_ways(graph):
    module = module_of(graph)
    views = arrays(module)
    assert list(views) == list(module.state_dict())
    views["first.weight"][0, 0] = 42
    assert module.first.weight[0, 0] == 42

    mine = {name: array.copy() for name, array in views.items()}
    mine["last.bias"].setflags(write=False)
    load(module, mine)
    assert all(np.shares_memory(array, mine[name]) for name, array in arrays(module).items())


def test_an_older_file_is_replaced_whole_or_stays(graph, tmp_path, monkeypatch):
    path = tmp_path / "weights"
    save_weights(module_of(graph, seed=1), graph, path)
    before = path.read_bytes()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("safetensors.torch.save_file", interrupted)
        with pytest.raises(KeyboardInterrupt):
            save_weights(module_of(graph, seed=2), graph, path)
    assert path.read_bytes() == before
    save_weights(module_of(graph, seed=2), graph, path)
    assert path.read_bytes() != before
    assert sorted(child.name for child in tmp_path.iterdir()) == ["spec.yaml", "weights"]


def test_a_file_that_cannot_be_written(graph, tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "weights"):
        with pytest.raises(DiagnosticError) as caught:
            save_weights(module_of(graph), graph, path)
        assert caught.value.diagnostics[0].code == "NS511"


def test_the_counters_may_be_missing_and_floats_of_other_widths_fit(graph, tmp_path):
    module = module_of(graph)
    tensors = {n: v.double() for n, v in module.state_dict().items() if "num_batches" not in n}
    save_file(tensors, tmp_path / "w")
    load(module, read_weights(tmp_path / "w", graph))
    assert module.first.weight.dtype == torch.float32
    assert module.batch_norm1d_1.num_batches_tracked.tolist() == 0


def test_every_difference_is_named(graph, tmp_path):
    state = module_of(graph).state_dict()
    state["first.weight"] = torch.zeros(2, 4)
    state["last.bais"] = state.pop("last.bias")
    state["last.weight"] = state["last.weight"].int()
    state["\x1b[2J"] = torch.zeros(1)
    save_file(state, tmp_path / "w")
    fault = refusal(graph, tmp_path / "w")
    assert (fault.code, fault.text) == (
        "NS571",
        f"{tmp_path / 'w'} does not hold the weights of this network: 5 tensors differ",
    )
    assert sorted(note.text for note in fault.notes) == [
        "\\x1b[2J belongs to no layer",
        "first.weight is (2, 4), the network needs (2, 3)",
        "last.bais belongs to no layer",
        "last.bias is missing; did you mean last.bais?",
        "last.weight holds int32, the network needs float32",
    ]


def test_after_a_refusal_the_module_is_as_it_was(graph):
    module = module_of(graph)
    before = module.first.weight.tolist()
    with pytest.raises(DiagnosticError, match="weights does not hold the weights of this network: 7 tens"):
        load(module, {"first.weight": torch.zeros(2, 3)})
    assert module.first.weight.tolist() == before


def test_weights_of_another_graph_need_a_word(graph, tmp_path):
    module = module_of(graph)
    save_weights(module, graph, tmp_path / "w")
    other = graph_of(OTHER, tmp_path)
    assert refusal(other, tmp_path / "w").code == "NS572"
    assert "--any-graph" in refusal(other, tmp_path / "w").help
    read = read_weights(tmp_path / "w", other, any_graph=True)
    load(module_of(other), read)
    assert read["first.weight"].tolist() == module.first.weight.tolist()


def header(claimed: int, data: object = None) -> bytes:
    text = b"" if data is None else json.dumps(data).encode()
    return struct.pack("<Q", claimed) + text


BROKEN = {
    "empty": (b"", "it is empty"),
    "text": (b"netspec: 1\nname: lenet\n", "it is no safetensors file, or is damaged"),
    "short": (b"\x01", "it is no safetensors file, or is damaged"),
    "huge header": (header(2**62, {}), "it is no safetensors file, or is damaged"),
    "header past the end": (header(1000, {}), "it is no safetensors file, or is damaged"),
    "no json": (header(3) + b"{{{", "it is no safetensors file, or is damaged"),
    "offsets past the end": (
        header(71, {"first.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}),
        "it is no safetensors file, or is damaged",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_files_that_hold_no_weights(kind, graph, tmp_path):
    content, reason = BROKEN[kind]
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    fault = refusal(graph, path)
    assert fault.code == "NS570"
    assert fault.text.startswith(f"cannot read weights from {path}: {reason}")
    assert len(fault.text.splitlines()) == 1


def test_a_file_that_was_cut_off(graph, tmp_path):
    path = tmp_path / "weights"
    save_weights(module_of(graph), graph, path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 40):
        path.write_bytes(whole[:length])
        assert refusal(graph, path).code == "NS570"


def test_files_that_cannot_be_read(graph, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    texts = [refusal(graph, path).text for path in (tmp_path / "no", tmp_path, tmp_path / "pipe")]
    assert [text.rpartition(": ")[2] for text in texts] == [
        "no such file or directory",
        "it is a folder",
        "it is not a regular file",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(graph, tmp_path):
    path = tmp_path / "weights"
    save_weights(module_of(graph), graph, path)
    path.chmod(0)
    assert refusal(graph, path).text.endswith("permission denied")


def test_a_checkpoint_of_torch_save_is_not_opened(graph, tmp_path):
    torch.save(module_of(graph).state_dict(), tmp_path / "weights.pt")
    fault = refusal(graph, tmp_path / "weights.pt")
    assert fault.code == "NS575"
    assert "safetensors.torch.save_file" in fault.help


def test_hostile_paths_are_printed_harmlessly(graph):
    assert refusal(graph, Path("a\x1b[2J{b}")).text == (
        "cannot read weights from a\\x1b[2J{b}: no such file or directory"
    )


def test_of_many_differences_the_first_are_shown(graph, tmp_path):
    path = tmp_path / "many.safetensors"
    save_file({f"stranger{number}": torch.zeros(1) for number in range(3000)}, path)
    fault = refusal(graph, path)
    assert len(fault.notes) == 21
    missing = [name for name in module_of(graph).state_dict() if "num_batches" not in name]
    assert f"{3000 + len(missing):,} tensors differ" in fault.text
    assert fault.notes[-1].text == f"and {3000 + len(missing) - 20:,} more"
