"""Weights in and out of a module: whole or not at all, of this network or refused, in plain words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.ir.fingerprint import graph_hash
from netspec.ir.graph import Graph
from netspec.torch_backend.given_weights import take
from netspec.torch_backend.weights import arrays, load, save_weights
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
        take(module_of(graph), graph, path)
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
        metadata = file.metadata()
    assert metadata.pop("netspec.graph_hash") == graph_hash(graph)
    assert json.loads(metadata.pop("netspec.order")) == list(module.state_dict())
    assert metadata == {}


def test_weights_come_back(tmp_path):
    graph = graph_of(RICH, tmp_path)
    module = module_of(graph, seed=1)
    with torch.no_grad():
        module.batch_norm2d_1.running_mean.fill_(3)
    save_weights(module, graph, tmp_path / "w")
    for device in ("meta", "cpu"):
        other = module_of(graph, seed=2, device=device)
        other.stem.weight.requires_grad_(False)
        take(other, graph, tmp_path / "w")
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
    taken = take(module, graph, tmp_path / "w")
    assert taken.remarks == ("converted 8 tensors from float64 to float32",)
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
    assert "--weights-map" in refusal(other, tmp_path / "w").help
    for way in ("name", "order"):
        taker = module_of(other, device="meta")
        taken = take(taker, other, tmp_path / "w", way)
        assert taken.alignment.fits
        assert taken.warnings == ()
        assert taker.first.weight.tolist() == module.first.weight.tolist()


def test_of_many_differences_the_first_are_shown(graph, tmp_path):
    path = tmp_path / "many.safetensors"
    save_file({f"stranger{number}": torch.zeros(1) for number in range(3000)}, path)
    fault = refusal(graph, path)
    assert len(fault.notes) == 21
    missing = [name for name in module_of(graph).state_dict() if "num_batches" not in name]
    assert f"{3000 + len(missing):,} tensors differ" in fault.text
    assert fault.notes[-1].text == f"and {3000 + len(missing) - 20:,} more"


TIED = """
    netspec: 1
    name: tied
    inputs: {x: [batch, 3]}
    layers:
      - {Linear: {out_features: 3}, name: first}
      - {Linear: {out_features: 3}, name: last}
"""


def test_tied_weights_come_apart_and_no_others_are_copied(tmp_path):
    """A network that owns two tensors has two, whatever the file did; else training would move both."""
    graph = graph_of(TIED, tmp_path)
    weight, bias = torch.randn(3, 3), torch.randn(3)
    tensors = {"first.weight": weight, "last.weight": weight, "first.bias": bias, "last.bias": bias.clone()}
    module = module_of(graph, device="meta")
    load(module, tensors)
    assert module.first.weight.tolist() == module.last.weight.tolist()
    assert module.first.weight.data_ptr() != module.last.weight.data_ptr()
    assert weight.data_ptr() in (module.first.weight.data_ptr(), module.last.weight.data_ptr())
    assert module.first.bias.data_ptr() == bias.data_ptr()
    save_weights(module, graph, tmp_path / "w")
    assert load_file(tmp_path / "w")["last.weight"].tolist() == weight.tolist()


def test_tensors_in_any_layout_fit(graph):
    module = module_of(graph)
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    state["first.weight"] = torch.arange(6.0).reshape(3, 2).t()
    state["last.bias"] = torch.ones(1).expand(2)
    state["last.weight"] = torch.complex(torch.zeros(2, 2), torch.ones(2, 2)).conj().imag
    load(module, state)
    assert module.first.weight.tolist() == [[0, 2, 4], [1, 3, 5]]
    assert module.last.bias.tolist() == [1, 1]
    assert arrays(module)["last.weight"].tolist() == [[-1, -1], [-1, -1]]
    assert all(array.flags.c_contiguous for array in arrays(module).values())


def test_numbers_of_another_family_do_not_fit(graph):
    state = module_of(graph).state_dict()
    state["first.bias"] = state["first.bias"].to(torch.complex64)
    state["last.bias"] = state["last.bias"] > 0
    state["batch_norm1d_1.num_batches_tracked"] = torch.tensor(True)
    with pytest.raises(DiagnosticError) as caught:
        load(module_of(graph), state)
    assert [note.text for note in caught.value.diagnostics[0].notes] == [
        "first.bias holds complex64, the network needs float32",
        "batch_norm1d_1.num_batches_tracked holds bool, the network needs int64",
        "last.bias holds bool, the network needs float32",
    ]


def test_weights_under_other_names_are_told_of_the_map(graph):
    given = {f"net.{name}": tensor for name, tensor in module_of(graph).state_dict().items()}
    with pytest.raises(DiagnosticError) as caught:
        load(module_of(graph), given)
    assert "--weights-map order" in caught.value.diagnostics[0].help
