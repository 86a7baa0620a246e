"""The stages as functions: what programs call, and what `verify` makes of files that were tampered with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, numpy_helper

import netspec
from netspec import process
from netspec.diagnostics import DiagnosticError
from netspec.onnx_backend.metadata import SPEC
from netspec.pipeline import verify_file
from netspec.process import Interrupted, interrupt
from netspec.torch_backend.build import build as build_module
from netspec.verify.certificate import Verdict
from tests.command_line import LENET, ROOT, SPECS, files


@pytest.fixture(scope="module")
def lenet(tmp_path_factory):
    return netspec.build(LENET, out=tmp_path_factory.mktemp("lenet"))


def test_check_gives_a_graph():
    checked = netspec.check(LENET, settings={"classes": "47"})
    assert checked.graph.name == "lenet"
    assert checked.warnings == ()
    assert str(checked.graph.outputs[0].value.type) == "(batch, 47)"
    assert netspec.check(str(LENET)).graph.name == "lenet"


def test_build_gives_what_it_made(lenet):
    assert lenet.certificate.verdict is Verdict.PASSED
    assert lenet.path.name == "lenet.onnx"
    assert lenet.certificate_path.name == "lenet.cert.json"
    assert (lenet.rejected, lenet.taken) == (None, None)
    assert files(lenet.path.parent) == ["lenet.cert.json", "lenet.onnx"]
    assert json.loads(lenet.certificate_path.read_text()) == lenet.certificate.to_data()
    assert lenet.export.size == lenet.path.stat().st_size


def test_build_takes_what_check_gave(lenet, tmp_path):
    again = netspec.build(netspec.check(LENET), out=tmp_path)
    assert again.path is not None
    assert again.path.read_bytes() == lenet.path.read_bytes()


def test_the_weights_are_the_module_s(lenet):
    module = build_module(netspec.check(LENET).graph, seed=0)
    model = onnx.load(lenet.path)
    exported = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for name, value in module.state_dict().items():
        assert np.array_equal(exported[name], value.numpy())


def test_untrained_statistics_are_calibrated(tmp_path):
    built = netspec.build(SPECS / "lenet_bn.yaml", out=tmp_path)
    assert built.path is not None
    model = onnx.load(built.path)
    exported = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert np.abs(exported["batch_norm2d_1.running_mean"]).max() > 0.01
    assert built.certificate.verdict is Verdict.PASSED


def test_progress_is_reported_in_order_and_parts(tmp_path):
    seen: list[tuple[str, float]] = []
    netspec.build(LENET, out=tmp_path, progress=lambda stage, done: seen.append((stage, done)))
    stages = list(dict.fromkeys(stage for stage, _ in seen))
    assert stages[0] == "importing torch"
    assert len(stages) >= 5
    assert all(0 <= done <= 1 for _, done in seen)
    for stage in stages:
        parts = [done for name, done in seen if name == stage]
        assert parts == sorted(parts)


def test_the_caller_s_random_state_and_dtype_stay(tmp_path):
    state = torch.get_rng_state()
    netspec.build(SPECS / "lenet_bn.yaml", out=tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_default_dtype() == torch.float32


# --- interruptions: at every stage and at many moments ---------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_at_any_stage_leaves_nothing(number, tmp_path, monkeypatch):
    monkeypatch.setattr(process, "_received", [])  # else every later command of this process ends at once
    stages: list[str] = []
    netspec.build(LENET, out=tmp_path / "whole", progress=lambda stage, _: stages.append(stage))
    old = signal.signal(number, interrupt)
    try:
        for stage in dict.fromkeys(stages):

            def progress(now: str, _: float, stage: str = stage) -> None:
                if now == stage:
                    signal.raise_signal(number)

            with pytest.raises(Interrupted) as caught:
                netspec.build(LENET, out=tmp_path / "out", save_weights=None, progress=progress)
            assert caught.value.code == 128 + number
            assert files(tmp_path / "out") == []
    finally:
        signal.signal(number, old)


MOMENTS = """
import signal, sys
from pathlib import Path
import netspec
from netspec.process import Interrupted, interrupt
spec, out = Path(sys.argv[1]), Path(sys.argv[2])
netspec.build(spec, out=out)
signal.signal(signal.SIGALRM, interrupt)
for number in range(50):
    for path in out.iterdir():
        path.unlink()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.002 * 1.1**number)
        netspec.build(spec, out=out)
        signal.setitimer(signal.ITIMER_REAL, 0)
        state = "finished"
    except Interrupted:
        state = "interrupted"
    print(state, *sorted(path.name for path in out.iterdir()))
    if state == "finished":
        break
"""


def test_an_interruption_at_any_moment_leaves_all_or_nothing(tmp_path):
    """In a process of its own, since a library that is interrupted may be unfit for use afterwards."""
    done = subprocess.run(
        [sys.executable, "-c", MOMENTS, LENET, tmp_path / "out"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert lines.count("interrupted") >= 10, done.stderr
    whole = "lenet.cert.json lenet.onnx"
    assert set(lines) <= {"interrupted", f"interrupted {whole}", f"finished {whole}"}


# --- verify: files that were tampered with ---------------------------------------------------------------


def tampered(built, folder: Path, change: Callable[[ModelProto], None]) -> Path:
    model = onnx.load(built.path)
    change(model)
    path = folder / "tampered.onnx"
    onnx.save(model, path)
    return path


def set_spec(text: str) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        (entry,) = (entry for entry in model.metadata_props if entry.key == SPEC)
        entry.value = text

    return change


def resolved(built):
    (text,) = (entry.value for entry in onnx.load(built.path).metadata_props if entry.key == SPEC)
    return json.loads(text)


def test_an_untouched_file_passes(lenet):
    graph, certificate = verify_file(lenet.path)
    assert graph.name == "lenet"
    assert certificate.verdict is Verdict.PASSED
    assert certificate.sha256 == lenet.certificate.sha256


def nudge(model: ModelProto) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "logits.bias")
    values = numpy_helper.to_array(tensor).copy()
    values[3] = np.nextafter(values[3], np.float32(1e9))
    tensor.raw_data = values.tobytes()


def drop_layer(model: ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "Sigmoid")
    node.op_type = "Tanh"


def rename_output(model: ModelProto) -> None:
    model.graph.output[0].name = model.graph.node[-1].output[0] = "scores"


@pytest.mark.parametrize("change", [nudge, drop_layer, rename_output])
def test_a_changed_model_fails(change, lenet, tmp_path):
    _, certificate = verify_file(tampered(lenet, tmp_path, change))
    assert certificate.verdict is Verdict.FAILED
    assert certificate.problems


def test_another_spec_fails(lenet, tmp_path):
    spec = resolved(lenet)
    text = json.dumps(spec).replace('"Sigmoid"', '"Tanh"')
    assert text != json.dumps(spec)
    _, certificate = verify_file(tampered(lenet, tmp_path, set_spec(text)))
    assert certificate.verdict is Verdict.FAILED


HOSTILE = [
    "forward",
    "training",
    "code",
    "graph",
    "half",
    "__class__",
    "lambda",
    "a.b",
    "x'); open('{mark}', 'w').close(); ('",
    'x"); __import__("os").system("touch {mark}"); ("',
    "x\nimport os; os.mkdir('{mark}')",
    "../{mark}",
    "",
]


@pytest.mark.parametrize("place", ["layer", "input", "output", "network"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_in_metadata_are_refused_and_run_no_code(name, place, lenet, tmp_path):
    mark = tmp_path / "mark"
    name = name.replace("{mark}", str(mark))
    spec = resolved(lenet)
    if place == "layer":
        if name == "a.b":
            return  # a layer may name the scopes that it is in, as those of an expanded spec do
        first = spec["layers"][0]
        spec["layers"][0] = {**(first if isinstance(first, dict) else {first: {}}), "name": name}
    elif place == "input":
        spec["inputs"] = {name: next(iter(spec["inputs"].values()))}
    elif place == "output":
        spec["outputs"] = {name: "logits"}
    elif name in ("forward", "training", "code", "graph", "half"):
        return  # the network's own name becomes a class, where these are harmless
    else:
        spec["name"] = name
    path = tampered(lenet, tmp_path, set_spec(json.dumps(spec)))
    with pytest.raises(DiagnosticError) as caught:
        verify_file(path)
    assert all(fault.code.startswith(("NS1", "NS2")) for fault in caught.value.diagnostics)
    assert all("\n" not in fault.text for fault in caught.value.diagnostics)
    assert not mark.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "netspec: 1", '{"netspec": 2}', "[" * 20_000])
def test_metadata_that_hold_no_spec(text, lenet, tmp_path):
    with pytest.raises(DiagnosticError):
        verify_file(tampered(lenet, tmp_path, set_spec(text)))


def test_a_model_of_another_exporter(lenet, tmp_path):
    def strip(model: ModelProto) -> None:
        del model.metadata_props[:]

    with pytest.raises(DiagnosticError, match="was not written by netspec"):
        verify_file(tampered(lenet, tmp_path, strip))
