"""MNIST and Fashion-MNIST from their published files, and what is wrong with files that are not those."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from netspec.train.data.examples import Examples
from tests.train.data.asking import (
    IMAGES,
    LABELS,
    SUBSET,
    classifier,
    idx,
    opened,
    refused,
    told,
    training,
    write_mnist,
)


@pytest.mark.parametrize("gzipped", [True, False])
@pytest.mark.parametrize("place", ["mnist", ""])
def test_images_and_labels_are_as_published(tmp_path: Path, gzipped: bool, place: str) -> None:
    write_mnist(tmp_path / place, gzipped=gzipped)
    data = opened(classifier(), training(), tmp_path)
    assert isinstance(data.train, Examples)
    assert isinstance(data.test, Examples)
    np.testing.assert_array_equal(data.train.inputs[0], IMAGES[:, None])
    np.testing.assert_array_equal(data.train.targets, LABELS)
    assert data.train.inputs[0].dtype == np.uint8
    assert data.train.targets.dtype == np.int64
    assert len(data.test) == 4
    assert data.classes == tuple("0123456789")


def test_real_images_have_their_labels() -> None:
    data = opened(classifier(), training("fashion-mnist"), SUBSET)
    assert isinstance(data.train, Examples)
    assert data.train.inputs[0].shape == (2000, 1, 28, 28)
    assert data.classes is not None
    assert data.classes[9] == "Ankle boot"
    # Trousers are narrow, bags are wide: the middle column against the rim.
    by_class = [data.train.inputs[0][data.train.targets == number, 0].mean(0) for number in (1, 8)]
    assert by_class[0][:, :6].mean() < 5 < 40 < by_class[1][:, :6].mean()


def test_its_own_folder_comes_first(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    write_mnist(tmp_path / "mnist", train_images=idx(IMAGES[:2]), train_labels=idx(LABELS[:2]))
    assert len(opened(classifier(), training(), tmp_path).train) == 2


BROKEN = {
    "cut off": ({"train_images": idx(IMAGES)[:-1]}, "NS433", "train-images"),
    "too long": ({"t10k_labels": idx(LABELS[:4]) + b"x"}, "NS433", "t10k-labels"),
    "of another format": ({"train_images": b"\x89PNG\r\n" + bytes(90)}, "NS433", "it is no IDX file"),
    "empty": ({"train_labels": b""}, "NS433", "train-labels"),
    "of real numbers": ({"train_images": idx(IMAGES.astype(">f4"), 0x0D)}, "NS434", "float32 numbers"),
    "of colours": ({"train_images": idx(IMAGES[None])}, "NS434", "arrays of 4 axes"),
    "labels for images": ({"train_images": idx(LABELS)}, "NS434", "should hold images, but it holds labels"),
    "images for labels": ({"train_labels": idx(IMAGES)}, "NS434", "should hold labels, but it holds images"),
    "fewer labels": ({"train_labels": idx(LABELS[:5])}, "NS435", "has 6 images"),
    "a label of no class": ({"t10k_labels": idx(LABELS[:4] + 6)}, "NS436", "label 2 in"),
    "no examples": ({"train_images": idx(IMAGES[:0]), "train_labels": idx(LABELS[:0])}, "NS459", "train on"),
    "no tests": ({"t10k_images": idx(IMAGES[:0]), "t10k_labels": idx(LABELS[:0])}, "NS459", "test on"),
}


@pytest.mark.parametrize("gzipped", [True, False])
@pytest.mark.parametrize("case", BROKEN)
def test_wrong_files_are_named(tmp_path: Path, case: str, gzipped: bool) -> None:
    files, code, words = BROKEN[case]
    write_mnist(tmp_path, gzipped=gzipped, **files)
    diagnostic = refused(classifier(), training(), tmp_path)
    assert diagnostic.code == code
    assert words in diagnostic.text


def test_swapped_files_are_told_apart(tmp_path: Path) -> None:
    write_mnist(tmp_path, gzipped=False, train_images=idx(LABELS), train_labels=idx(IMAGES))
    assert told(refused(classifier(), training(), tmp_path)) == (
        "NS434",
        f"{tmp_path}/train-images-idx3-ubyte should hold images, but it holds labels",
        "files were swapped or renamed: images-idx3 holds images, labels-idx1 holds labels",
    )


def test_damaged_and_lying_gzip_is_refused(tmp_path: Path) -> None:
    path = write_mnist(tmp_path) / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    claims = b"\0\0\x08\x03" + bytes.fromhex("00ffffff 00000010 00000010")
    checksum = whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:]
    for content, code in (
        (whole[:-20], "NS433"),
        (checksum, "NS433"),
        (gzip.compress(claims), "NS433"),
        (gzip.compress(claims[:4] + b"\x7f" * 12), "NS437"),
    ):
        path.write_bytes(content)
        assert refused(classifier(), training(), tmp_path).code == code


def test_a_folder_where_a_file_belongs(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.unlink()
    path.mkdir()
    assert told(refused(classifier(), training(), tmp_path))[:2] == (
        "NS432",
        f"cannot read {path}: it is not a file",
    )


def test_missing_files_are_listed_with_where_they_come_from(tmp_path: Path) -> None:
    write_mnist(tmp_path / "fashion-mnist")
    for name in ("train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz"):
        (tmp_path / "fashion-mnist" / name).unlink()
    diagnostic = refused(classifier(), training("fashion-mnist"), tmp_path)
    assert diagnostic.code == "NS430"
    notes = [note.text for note in diagnostic.notes]
    assert len(notes) == 2
    assert notes[0].startswith(f"missing: {tmp_path}/fashion-mnist/train-labels-idx1-ubyte.gz, from https://")
    assert "--data-dir" in diagnostic.help
