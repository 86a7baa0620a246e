"""Files of weights: safetensors and what torch.save writes; whatever else there is, is refused in a line."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.torch_backend.weights_file import read_weights

TENSORS = {"b.weight": torch.zeros(2, 3), "a.weight": torch.ones(2), "a.steps": torch.tensor(7)}


def refusal(path: Path) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        read_weights(path)
    (fault,) = caught.value.diagnostics
    return fault


def header(claimed: int, data: object = None) -> bytes:
    text = b"" if data is None else json.dumps(data).encode()
    return struct.pack("<Q", claimed) + text


def entry(start: int, end: int) -> dict[str, object]:
    return {"dtype": "F32", "shape": [(end - start) // 4], "data_offsets": [start, end]}


NEITHER = "it is neither a safetensors file nor one of torch.save"
DAMAGED = "it is a damaged safetensors file"
TWICE = b'{"a":' + json.dumps(entry(0, 4)).encode() + b',"a":' + json.dumps(entry(0, 4)).encode() + b"}"

BROKEN = {
    "empty": (b"", "it is empty"),
    "text": (b"netspec: 1\nname: lenet\n", NEITHER),
    "short": (b"\x01", NEITHER),
    "image": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", NEITHER),
    "huge header": (header(2**62, {}), DAMAGED),
    "header past the end": (header(1000, {}), DAMAGED),
    "no json": (header(3) + b"{{{", DAMAGED),
    "offsets past the end": (header(71, {"first.weight": entry(0, 24)}), DAMAGED),
    "a name twice": (
        struct.pack("<Q", len(TWICE)) + TWICE + bytes(4),
        f"{DAMAGED} (a name stands twice in its header)",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_files_that_hold_no_weights(kind, tmp_path):
    content, reason = BROKEN[kind]
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    fault = refusal(path)
    assert fault.code == "NS570"
    assert fault.text.startswith(f"cannot read weights from {path}: {reason}")
    assert len(fault.text.splitlines()) == 1


def test_a_file_that_was_cut_off(tmp_path):
    path = tmp_path / "weights"
    save_file(TENSORS, path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 10):
        path.write_bytes(whole[:length])
        assert refusal(path).code == "NS570"


def test_files_that_cannot_be_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    texts = [refusal(path).text for path in (tmp_path / "no", tmp_path, tmp_path / "pipe")]
    assert [text.rpartition(": ")[2] for text in texts] == [
        "no such file or directory",
        "it is a folder",
        "it is not a regular file",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path):
    path = tmp_path / "weights"
    save_file(TENSORS, path)
    path.chmod(0)
    assert refusal(path).text.endswith("permission denied")


def test_hostile_paths_are_printed_harmlessly():
    assert refusal(Path("a\x1b[2J{b}")).text == (
        "cannot read weights from a\\x1b[2J{b}: no such file or directory"
    )


def test_every_length_of_a_header_is_safetensors(tmp_path):
    """A header of 640 bytes begins as a pickle does."""
    for length in range(600, 1300, 8):
        path = tmp_path / "w"
        save_file({"a": torch.ones(1)}, path, metadata={"pad": "x" * length})
        assert list(read_weights(path).tensors) == ["a"]


def test_safetensors_are_sorted_and_said_to_be(tmp_path):
    save_file(TENSORS, tmp_path / "w")
    file = read_weights(tmp_path / "w")
    assert list(file.tensors) == ["a.steps", "a.weight", "b.weight"]
    assert (file.is_sorted, file.graph, file.remarks) == (True, None, ())


@pytest.mark.parametrize(
    ("recorded", "is_sorted"),
    [
        ('["b.weight","a.weight","a.steps"]', False),
        ('["b.weight","a.weight"]', True),
        ('["b.weight","a.weight",3]', True),
        ("3", True),
        ("[", True),
        ("[" * 100_000, True),
    ],
)
def test_an_order_that_was_written_down_counts(recorded, is_sorted, tmp_path):
    save_file(TENSORS, tmp_path / "w", metadata={"netspec.order": recorded, "netspec.graph_hash": "f"})
    file = read_weights(tmp_path / "w")
    assert (file.is_sorted, file.graph) == (is_sorted, "f")
    if not is_sorted:
        assert list(file.tensors) == list(TENSORS)


def test_another_writer_s_order_counts(tmp_path):
    text = json.dumps({"b": entry(0, 4), "a": entry(4, 8)}).encode()
    (tmp_path / "w").write_bytes(struct.pack("<Q", len(text)) + text + struct.pack("<2f", 1, 2))
    file = read_weights(tmp_path / "w")
    assert {name: tensor.tolist() for name, tensor in file.tensors.items()} == {"b": [1], "a": [2]}
    assert not file.is_sorted


def test_a_state_dict_keeps_its_order(tmp_path):
    torch.save(TENSORS, tmp_path / "w")
    file = read_weights(tmp_path / "w")
    assert list(file.tensors) == list(TENSORS)
    assert (file.is_sorted, file.graph) == (False, None)
