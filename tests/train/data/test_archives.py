"""Arrays from .npz files: whose names say what they are for, and whose shapes say how they are meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netspec.train.data import archives
from netspec.train.data.examples import Examples
from netspec.verify.tolerance import Array
from tests.train.data.asking import classifier, opened, passing, refused, summed, told, training

random = np.random.default_rng(0)
GREY = random.integers(0, 256, (6, 8, 7), np.uint8)
COLOUR = random.integers(0, 256, (6, 8, 7, 3), np.uint8)
CLASSES = np.array([0, 1, 2, 0, 1, 2])
SECTION = training("npz", {"path": "digits.npz"})
SHARED = training("npz", {"path": "digits.npz"}, validate_on=0.3)


def write(folder: Path, **arrays: Array) -> Path:
    np.savez_compressed(folder / "digits.npz", allow_pickle=True, **arrays)
    return folder


def both(x: Array, y: Array) -> dict[str, Array]:
    return {"x_train": x, "y_train": y, "x_test": x[:3], "y_test": y[:3]}


@pytest.mark.parametrize(
    ("x", "shape", "expected"),
    [
        (GREY, (1, 8, 7), GREY[:, None]),
        (GREY[:, None], (1, 8, 7), GREY[:, None]),
        (GREY[..., None], (1, 8, 7), GREY[:, None]),
        (COLOUR, (3, 8, 7), COLOUR.transpose(0, 3, 1, 2)),
        (COLOUR.transpose(0, 3, 1, 2), (3, 8, 7), COLOUR.transpose(0, 3, 1, 2)),
        (GREY, (56,), GREY.reshape(6, 56)),
        (GREY.reshape(6, 56), (56,), GREY.reshape(6, 56)),
        (GREY[:, 0].astype(np.float64) / 3, (7,), (GREY[:, 0] / 3).astype(np.float32)),
        (GREY[:, 0].astype(np.int16), (7,), GREY[:, 0].astype(np.float32)),
    ],
)
def test_arrays_get_the_axes_and_the_type_of_the_input(
    tmp_path: Path, x: Array, shape: tuple[int, ...], expected: Array
) -> None:
    data = opened(classifier(*shape, classes=3), SECTION, write(tmp_path, **both(x, CLASSES)))
    assert isinstance(data.train, Examples)
    assert isinstance(data.test, Examples)
    (given,) = data.train.inputs
    assert given.dtype == (np.uint8 if x.dtype == np.uint8 else np.float32)
    assert given.flags.c_contiguous
    np.testing.assert_array_equal(given, expected)
    np.testing.assert_array_equal(data.test.inputs[0], expected[:3])
    np.testing.assert_array_equal(data.train.targets, CLASSES)
    assert data.train.targets.dtype == np.int64
    assert data.classes is None


def test_the_column_of_keras_is_a_row_of_classes(tmp_path: Path) -> None:
    data = opened(
        classifier(1, 8, 7), SECTION, write(tmp_path, **both(GREY, CLASSES[:, None].astype(np.uint8)))
    )
    np.testing.assert_array_equal(data.train.targets, CLASSES)


def test_column_major_arrays_are_arrays(tmp_path: Path) -> None:
    data = opened(classifier(1, 8, 7), SECTION, write(tmp_path, **both(np.asfortranarray(GREY), CLASSES)))
    assert isinstance(data.train, Examples)
    np.testing.assert_array_equal(data.train.inputs[0], GREY[:, None])


def test_each_input_has_its_arrays(tmp_path: Path) -> None:
    left, right, y = (random.normal(size=(6, 3)) for _ in range(3))
    section = training("npz", {"path": "digits.npz"}, loss="mse", validate_on=0.3)
    write(tmp_path, left_train=left, right_train=right, y_train=y)
    data = opened(summed(), section, tmp_path)
    assert isinstance(data.train, Examples)
    np.testing.assert_array_equal(data.train.inputs[1], right.astype(np.float32))
    write(tmp_path, left_train=left, x_train=right, y_train=y)
    assert told(refused(summed(), section, tmp_path))[:2] == (
        "NS450",
        f"{tmp_path}/digits.npz has no array right_train; it has left_train, x_train, y_train",
    )


def test_one_input_may_go_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, image_train=GREY, y_train=CLASSES)
    assert len(opened(classifier(1, 8, 7), SHARED, tmp_path).train) == 6


def test_missing_arrays_and_files_are_named(tmp_path: Path) -> None:
    graph = classifier(1, 8, 7)
    assert told(refused(graph, SECTION, tmp_path))[:2] == ("NS449", f"there is no file {tmp_path}/digits.npz")
    assert told(refused(graph, SHARED, write(tmp_path, x_train=GREY, y_trian=CLASSES))) == (
        "NS450",
        f"{tmp_path}/digits.npz has no array y_train; it has x_train, y_trian",
        "rename y_trian to y_train",
    )
    write(tmp_path, x_train=GREY, y_train=CLASSES, x_test=GREY)
    assert "no array y_test" in refused(graph, SECTION, tmp_path).text


class Opened:
    """A pickle of this would create a file."""

    def __reduce__(self):
        return (open, ("/tmp/netspec-data-was-unpickled", "w"))


def test_nothing_is_unpickled_or_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, path = classifier(1, 8, 7), tmp_path / "digits.npz"
    write(tmp_path, **both(np.array([Opened()] * 6, object), CLASSES))
    assert refused(graph, SECTION, tmp_path).code == "NS433"
    assert not Path("/tmp/netspec-data-was-unpickled").exists()
    write(tmp_path, **both(GREY, CLASSES))
    whole = path.read_bytes()
    for content in (whole[:-30], whole[:100] + bytes(50) + whole[150:], b"", b"PK\x03\x04"):
        path.write_bytes(content)
        assert refused(graph, SECTION, tmp_path).code == "NS433"
    path.write_bytes(whole)
    monkeypatch.setattr(archives, "ARRAY_LIMIT", 400)
    diagnostic = refused(graph, SECTION, tmp_path)
    assert diagnostic.code == "NS437"
    assert "the limit is 400" in diagnostic.text
    assert diagnostic.fill(diagnostic.help).endswith(
        "data: {folder: PATH}, which reads them as they are needed"
    )


def test_a_folder_by_that_name_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "digits.npz").mkdir()
    assert refused(passing(3), SECTION, tmp_path).code == "NS432"


def test_an_array_that_has_its_place_is_not_to_be_renamed(tmp_path: Path) -> None:
    write(tmp_path, left_train=GREY[:, 0, :3] / 1, y_train=CLASSES)
    code, text, cure = told(refused(summed(), SECTION, tmp_path))
    assert code == "NS450"
    assert "has no array right_train" in text
    assert "rename" not in cure
