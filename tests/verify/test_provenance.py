"""A file that stands alone: its metadata and its initializers are those of its own spec, or it fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper

import netspec
from netspec.pipeline import verify_file
from netspec.verify.certificate import Verdict

SPEC = """
netspec: 1
name: pets
inputs: {image: {shape: [batch, 3, 4, 4], preprocess: {scale: 0.25, mean: 0.5}}}
layers: [Flatten, {Linear: {out_features: 2}}]
outputs: {pet: {from: prev, labels: [cat, dog]}}
"""


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pets")
    (folder / "pets.yaml").write_text(SPEC)
    path = netspec.build(folder / "pets.yaml", out=folder).path
    assert path is not None
    return path


def told(key: str, text: str | None) -> Callable[[ModelProto], None]:
    """The metadata say something else, or nothing."""

    def change(model: ModelProto) -> None:
        (entry,) = (entry for entry in model.metadata_props if entry.key == f"netspec.{key}")
        if text is None:
            model.metadata_props.remove(entry)
        else:
            entry.value = text

    return change


def holding(name: str, *shape: int) -> Callable[[ModelProto], None]:
    """The file holds another tensor."""
    tensor = numpy_helper.from_array(np.zeros(shape, np.float32), name)
    return lambda model: model.graph.initializer.append(tensor)


def older_opset(model: ModelProto) -> None:
    model.opset_import[0].version = 17


@pytest.mark.parametrize(
    ("change", "code", "part"),
    [
        (told("labels", json.dumps({"pet": ["dog", "cat"]})), "NS529", "netspec.labels is"),
        (told("labels", None), "NS529", "netspec.labels is none"),
        (told("preprocess", '{"image":{"scale":1.0}}'), "NS529", "netspec.preprocess is"),
        (told("opset", "12"), "NS529", "netspec.opset is 12, where its spec and its graph say 18"),
        (older_opset, "NS529", "netspec.opset is 18, where its spec and its graph say 17"),
        (told("labels", "x" * 10_000), "NS529", "xxx…"),
        (holding("stranger", 3), "NS536", "stranger, which is the weight of no layer"),
        (holding("image", 1, 3, 4, 4), "NS536", "image, which is a default for an input"),
    ],
)
def test_a_file_that_says_other_than_its_spec_fails(
    change: Callable[[ModelProto], None], code: str, part: str, pets: Path, tmp_path: Path
) -> None:
    model = onnx.load(pets)
    change(model)
    changed = tmp_path / "pets.onnx"
    onnx.save(model, changed)
    _, certificate = verify_file(changed)
    assert certificate.verdict is Verdict.FAILED
    assert [problem.code for problem in certificate.problems] == ["NS527", code]
    assert part in certificate.problems[1].text
    assert len(certificate.problems[1].text) < 500


def test_the_file_itself_passes(pets: Path) -> None:
    _, certificate = verify_file(pets)
    assert certificate.verdict is Verdict.PASSED
