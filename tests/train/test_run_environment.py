"""environment.json: what was used, as data."""

from __future__ import annotations

import json

import pytest
import torch

from netspec.train.environment import device_name, environment, write_environment
from netspec.verify.gates import versions


def test_it_says_what_was_used_and_how(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/home/somebody/bin/netspec", "train", "specs/lenet.yaml"])
    described = environment(torch.device("cpu"), {"weights": 3}, processes=2)
    write_environment(tmp_path / "environment.json", described)
    text = (tmp_path / "environment.json").read_text()
    assert json.loads(text) == described
    assert described["command"] == ["netspec", "train", "specs/lenet.yaml"]
    assert described["versions"].items() >= versions().items()
    assert described["seeds"] == {"weights": 3}
    assert (described["device"], described["processes"]) == ("cpu", 2)
    assert described["device_name"] == device_name(torch.device("cpu")) != ""
    assert described["threads"] == torch.get_num_threads()
    assert described["started"].endswith("+00:00")


@pytest.mark.gpu
def test_a_gpu_is_named():
    described = environment(torch.device("cuda"), {})
    assert described["device_name"] == torch.cuda.get_device_name()
    assert {"cuda", "cudnn"} <= described["versions"].keys()
