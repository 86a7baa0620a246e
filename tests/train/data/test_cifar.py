"""CIFAR-10 in its binary form, as files and as the archive."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from netspec.train.data.cifar import RECORD, TEST, TRAIN
from netspec.train.data.examples import Examples
from tests.train.data.asking import classifier, opened, refused, training

RECORDS = np.random.default_rng(0).integers(0, 10, (12, RECORD), np.uint8)
FILES = {name: RECORDS[2 * at : 2 * at + 2].tobytes() for at, name in enumerate((*TRAIN, TEST))}

NETWORK = classifier(3, 32, 32)


def archive(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def write(home: Path, files: dict[str, bytes]) -> None:
    home.mkdir(parents=True)
    for name, content in files.items():
        (home / name).write_bytes(content)


@pytest.mark.parametrize(
    "place", ["cifar10/cifar-10-batches-bin", "cifar-10-batches-bin", "cifar10", "archive", "cifar10/archive"]
)
def test_planes_and_labels_are_as_published(tmp_path: Path, place: str) -> None:
    root = tmp_path / "data"
    home = root / place.removesuffix("archive")
    if place.endswith("archive"):
        write(home, {"cifar-10-binary.tar.gz": archive(FILES | {"readme.html": b"about"})})
    else:
        write(home, FILES)
    data = opened(NETWORK, training("cifar10"), root)
    assert isinstance(data.train, Examples)
    assert isinstance(data.test, Examples)
    assert data.train.inputs[0].shape == (10, 3, 32, 32)
    np.testing.assert_array_equal(data.train.targets, RECORDS[:10, 0])
    np.testing.assert_array_equal(data.test.inputs[0][1].ravel(), RECORDS[11, 1:])
    # The record's first plane is red, its rows one after the other.
    assert data.train.inputs[0][4, 0, 2, 3] == RECORDS[4, 1 + 2 * 32 + 3]
    assert data.classes is not None
    assert (len(data.classes), data.classes[6]) == (10, "frog")


def test_broken_files_are_named(tmp_path: Path) -> None:
    for number, (name, content, code) in enumerate(
        [
            (TRAIN[2], FILES[TRAIN[2]][:-1], "NS433"),
            (TEST, b"\x0a" + FILES[TEST][1:], "NS436"),
        ]
    ):
        write(tmp_path / f"{number}", FILES | {name: content})
        diagnostic = refused(NETWORK, training("cifar10"), tmp_path / f"{number}")
        assert diagnostic.code == code
        assert name in diagnostic.text


def test_broken_archives_are_refused(tmp_path: Path) -> None:
    whole = archive(FILES)
    incomplete = archive({name: content for name, content in FILES.items() if name != TEST})
    for number, content in enumerate([whole[:-400], incomplete, gzip.compress(b"no tar"), b"no gzip", b""]):
        write(tmp_path / f"{number}", {"cifar-10-binary.tar.gz": content})
        assert refused(NETWORK, training("cifar10"), tmp_path / f"{number}").code == "NS433"


def test_links_in_the_archive_are_no_files(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name in FILES:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(member)
    write(tmp_path / "data", {"cifar-10-binary.tar.gz": stream.getvalue()})
    assert "lacks" in refused(NETWORK, training("cifar10"), tmp_path / "data").text


def test_the_pickled_version_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "cifar10" / "cifar-10-batches-py").mkdir(parents=True)
    diagnostic = refused(NETWORK, training("cifar10"), tmp_path)
    assert diagnostic.code == "NS430"
    assert [
        ("it is pickled" in note.text, "cifar-10-binary.tar.gz" in note.text) for note in diagnostic.notes
    ] == [
        (False, True),
        (True, False),
    ]
