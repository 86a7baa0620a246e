"""An exported LeNet, and edits of it."""

from __future__ import annotations

import pytest
from onnx import ModelProto

from netspec.onnx_backend.export import export
from tests.onnx_backend.networks import draw, lenet


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """An exported LeNet."""
    path = tmp_path_factory.mktemp("lenet") / "lenet.onnx"
    export(lenet(), draw(lenet()), path)
    return path.read_bytes()


@pytest.fixture
def edited(tmp_path, content):
    """Writes that LeNet after an edit of its message."""

    def write(edit):
        message = ModelProto.FromString(content)
        edit(message)
        path = tmp_path / "edited.onnx"
        path.write_bytes(message.SerializeToString())
        return path

    return write
