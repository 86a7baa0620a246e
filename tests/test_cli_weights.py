"""`netspec build --weights`: what it says of a file of weights, to people and to programs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.command_line import netspec, tiny

LAYERS = """\
netspec: 1
name: layers
inputs: {x: [batch, 4]}
layers:
  - Linear: {out_features: 6}
  - BatchNorm1d
  - Linear: {out_features: 3}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in a folder with a spec, and with weights whose names are others than the spec's."""
    monkeypatch.chdir(tmp_path)
    Path("layers.yaml").write_text(LAYERS)
    torch.manual_seed(0)
    linears = {
        "module.first": nn.Linear(4, 6),
        "module.last": nn.Linear(6, 3),
        "module.norm": nn.BatchNorm1d(6),
    }
    weights = {
        f"{n}.{key}": tensor for n, layer in linears.items() for key, tensor in layer.state_dict().items()
    }
    weights["module.last.bias"] = weights["module.last.bias"].half()
    torch.save({"epoch": 3, "state_dict": weights}, "w.pth")


def build(*options: object) -> tuple[int, str, str]:
    outcome = netspec("build", "layers.yaml", "--weights", "w.pth", *options)
    return outcome.code, outcome.out, outcome.err


ALIGNMENT = """\
w.pth, by order: 3 modules with 8 tensors
  taken from state_dict in the file
  left the prefix module. out of every name, which DataParallel puts there
  converted 1 tensor from float16 to float32

in the file  in the network  tensors
────────────────────────────────────────────────────────────────────────────────────
first        linear_1        weight (6, 4), bias (6)
norm         batch_norm1d_1  weight (6), bias (6), running_mean (6), running_var (6)
last         linear_2        weight (3, 6), bias (3)

warning[NS579]: w.pth lists last before norm, but the network runs linear_2 after batch_norm1d_1
   = help: each kind of module was taken in its own order: see that the
           alignment is right

1 warning
"""


def test_the_alignment_is_printed():
    code, out, err = build("--weights-map", "order")
    assert (code, err) == (0, ALIGNMENT)
    assert out.splitlines()[0].endswith("given weights")


def test_the_alignment_for_programs():
    outcome = netspec(
        "build", "layers.yaml", "--weights", "w.pth", "--weights-map", "order", "--format", "json"
    )
    assert outcome.code == 0
    (report,) = outcome.data
    weights = report["weights"]
    assert (weights["file"], weights["map"], weights["fits"]) == ("w.pth", "order", True)
    assert len(weights["remarks"]) == 3
    assert weights["alignment"][0] == {
        "file": "first.weight",
        "file_shape": [6, 4],
        "network": "linear_1.weight",
        "network_shape": [6, 4],
    }
    assert [row["network"] for row in weights["alignment"]][2] == "batch_norm1d_1.weight"
    assert [diagnostic["code"] for diagnostic in report["diagnostics"]] == ["NS579"]


@pytest.mark.parametrize("asked", [True, False])
def test_weights_that_do_not_fit_for_programs(asked):
    options = ["--weights-map", "name"] if asked else []
    outcome = netspec("build", "layers.yaml", "--weights", "w.pth", *options, "--format", "json")
    assert (outcome.code, "left over" in outcome.err) == (1, False)
    (report,) = outcome.data
    assert (report["model"], report["weights"]["fits"]) == (None, False)
    rows = [(row["file"], row["network"]) for row in report["weights"]["alignment"]]
    assert (None, "linear_1.weight") in rows
    assert ("first.weight", None) in rows
    assert [diagnostic["code"] for diagnostic in report["diagnostics"]] == ["NS571"]


def test_by_name_only_what_does_not_fit_has_a_line():
    code, _, err = build("--weights-map", "name")
    assert code == 1
    assert "w.pth, by name: 0 of 6 modules fit\n" in err
    assert "last         -               left over: weight (3, 6), bias (3)\n" in err
    assert "-            linear_2        missing: weight (3, 6), bias (3)\n" in err
    _, _, unasked = build()
    assert "taken from state_dict" in unasked
    assert "left over" not in unasked


def test_weights_of_their_own_names_need_no_word():
    assert netspec("build", "layers.yaml", "--save-weights", "own.st", "--out", "a").code == 0
    outcome = netspec("build", "layers.yaml", "--weights", "own.st", "--out", "b")
    assert (outcome.code, outcome.err) == (0, "")
    assert Path("a/layers.onnx").read_bytes() == Path("b/layers.onnx").read_bytes()
    torch.save(load_file("own.st"), "own.pth")
    outcome = netspec("build", "layers.yaml", "--weights", "own.pth", "--out", "c", "--format", "json")
    assert outcome.data[0]["weights"]["remarks"] == []
    assert Path("a/layers.onnx").read_bytes() == Path("c/layers.onnx").read_bytes()
    outcome = netspec("build", "layers.yaml", "--weights", "own.pth", "--weights-map", "name")
    assert (outcome.code, outcome.err) == (0, "own.pth, by name: 3 modules with 8 tensors\n\n")


def test_drawn_weights_are_nothing_to_report(tmp_path):
    assert netspec("build", tiny(tmp_path), "--format", "json").data[0]["weights"] is None


def test_what_was_taken_in_order_is_saved_under_the_spec_s_names():
    code, *_ = build("--weights-map", "order", "--save-weights", "own.st", "--out", "a")
    assert code == 0
    assert netspec("build", "layers.yaml", "--weights", "own.st", "--out", "b").code == 0
    assert Path("a/layers.onnx").read_bytes() == Path("b/layers.onnx").read_bytes()
    # The file may be replaced while its own tensors are the network's.
    assert netspec("build", "layers.yaml", "--weights", "own.st", "--save-weights", "own.st").code == 0


def test_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    _, _, err = build("--weights-map", "order")
    table = err.partition("\n\n")[2].partition("\n\n")[0]
    assert max(map(len, table.splitlines())) <= 40


def test_names_that_would_move_the_cursor():
    torch.save({"\x1b[2J.weight": torch.ones(1), "\ud800": torch.ones(1), "": torch.ones(1)}, "w.pth")
    for options in ([], ["--weights-map", "order"], ["--format", "json"]):
        code, out, err = build(*options)
        assert code == 1
        assert "\x1b" not in out + err
        assert "\ud800" not in out + err
