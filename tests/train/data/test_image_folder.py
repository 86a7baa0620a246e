"""Folders of images: how they are read, and what is wrong with folders of strangers."""

from __future__ import annotations

import io
import pickle
import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netspec.diagnostics import DiagnosticError, Severity
from netspec.ir.graph import Graph, Preprocess
from netspec.train.data import image_folder, images
from netspec.train.data.examples import Examples, Stream
from netspec.train.data.images import decode
from netspec.verify.preprocess import resize
from netspec.verify.tolerance import Array
from tests.train.data.asking import classifier, opened, refused, summed, told, training

random = np.random.default_rng(0)
FLOWERS = training("folder", {"path": "flowers"})
SHARED = training("folder", {"path": "flowers"}, validate_on=0.25)
NETWORK = classifier(3, 5, 4, classes=2)


def pixels(height: int = 5, width: int = 4) -> Array:
    """A coloured image (H, W, 3)."""
    return random.integers(0, 256, (height, width, 3), np.uint8)


def encoded(image: Image.Image | Array, format: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, format, **options)
    return stream.getvalue()


def write(root: Path, files: Mapping[str, bytes | Array]) -> Path:
    for name, content in files.items():
        path = root / "flowers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else encoded(content))
    return root


DAISIES = [pixels() for _ in range(3)]
ROSES = [pixels() for _ in range(2)]
SPLIT: dict[str, bytes | Array] = {
    "train/rose/b.png": ROSES[1],
    "train/rose/a.PNG": ROSES[0],
    "train/daisy/1.png": DAISIES[0],
    "train/daisy/2.png": DAISIES[1],
    "test/daisy/3.png": DAISIES[2],
    "test/rose/c.png": ROSES[0],
}


def planes(*images: Array) -> Array:
    return np.stack([image.transpose(2, 0, 1) for image in images])


@pytest.mark.parametrize("test", ["test", "val"])
def test_classes_are_folders_in_the_order_of_their_names(tmp_path: Path, test: str) -> None:
    write(tmp_path, {name.replace("test/", f"{test}/"): image for name, image in SPLIT.items()})
    data = opened(NETWORK, FLOWERS, tmp_path)
    assert isinstance(data.train, Examples)
    assert isinstance(data.test, Examples)
    assert data.classes == ("daisy", "rose")
    np.testing.assert_array_equal(data.train.inputs[0], planes(*DAISIES[:2], *ROSES))
    np.testing.assert_array_equal(data.train.targets, [0, 0, 1, 1])
    np.testing.assert_array_equal(data.test.inputs[0], planes(DAISIES[2], ROSES[0]))
    assert data.notices == ()


def test_without_parts_a_share_is_held_out(tmp_path: Path) -> None:
    write(tmp_path, {name.removeprefix("train/"): SPLIT[name] for name in SPLIT if "train" in name})
    data = opened(NETWORK, SHARED, tmp_path)
    assert (len(data.train), data.test, data.classes) == (4, None, ("daisy", "rose"))
    assert told(refused(NETWORK, FLOWERS, tmp_path)) == (
        "NS461",
        "folder has no test set to validate on",
        "hold out a share of the training examples: validate_on: 0.1",
    )


SIZED: dict[str, bytes | Array] = {
    "train/a/1.png": pixels(9, 6),
    "train/a/2.jpg": encoded(pixels(20, 7), "JPEG"),
    "train/b/3.jpeg": encoded(pixels(5, 4), "JPEG"),
    "test/a/4.png": pixels(3, 3),
    "test/b/5.png": pixels(5, 4),
}
RESIZED = classifier(3, 5, 4, classes=2, rule=Preprocess(scale=1 / 255, resize=(5, 4)))


def test_images_of_several_sizes_are_read_as_they_are_needed(tmp_path: Path) -> None:
    write(tmp_path, SIZED)
    data = opened(RESIZED, FLOWERS, tmp_path)
    assert isinstance(data.train, Stream)
    read = pickle.loads(pickle.dumps(data.train.read))
    for index, name in enumerate(sorted(name for name in SIZED if "train" in name)):
        raw = np.asarray(Image.open(tmp_path / "flowers" / name)).transpose(2, 0, 1)
        (got,) = read(index)
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, resize(raw[None].astype(np.float32), (5, 4))[0])
    np.testing.assert_array_equal(data.train.targets, [0, 0, 1])
    part = data.train.part(np.array([2, 0]))
    np.testing.assert_array_equal(part.targets, [1, 0])
    np.testing.assert_array_equal(part.indices, [2, 0])


def test_more_images_than_memory_holds_are_read_as_they_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, SPLIT)
    monkeypatch.setattr(image_folder, "RESIDENT_LIMIT", 3 * 5 * 4 * 2)
    data = opened(NETWORK, FLOWERS, tmp_path)
    assert isinstance(data.train, Stream)
    assert isinstance(data.test, Examples)
    np.testing.assert_array_equal(data.train.read(3)[0], planes(ROSES[1])[0])
    path = tmp_path / "flowers/train/rose/b.png"
    path.write_bytes(encoded(pixels(5, 6)))
    with pytest.raises(DiagnosticError) as raised:
        data.train.read(3)
    assert raised.value.diagnostics[0].text == f"the image {path} has the size 5 x 6, others have 5 x 4"


@pytest.mark.parametrize("odd", ["train/a/2.jpg", "test/a/4.png"])
def test_several_sizes_need_a_size(tmp_path: Path, odd: str) -> None:
    same = {name: pixels() for name in SIZED if not name.endswith(("jpg", "jpeg"))} | {
        "train/b/3.png": pixels()
    }
    write(tmp_path, same | {odd: SIZED[odd]})
    code, text, cure = told(refused(NETWORK, FLOWERS, tmp_path))
    assert code == "NS452"
    assert f"flowers/{odd.partition('/')[0]}/" in text
    assert cure == "let the spec resize them: preprocess: {resize: [HEIGHT, WIDTH]} at the input"


def test_one_size_that_the_network_does_not_take(tmp_path: Path) -> None:
    write(tmp_path, SPLIT)
    assert told(refused(classifier(3, 8, 8, classes=2), FLOWERS, tmp_path)) == (
        "NS451",
        "each example of folder is (3, 5, 4), but the input image is (batch, 3, 8, 8)",
        "let the spec resize them: preprocess: {resize: [8, 8]} at the input",
    )


def test_grey_networks_get_grey_images(tmp_path: Path) -> None:
    write(tmp_path, SPLIT)
    data = opened(classifier(1, 5, 4, classes=2), FLOWERS, tmp_path)
    assert isinstance(data.train, Examples)
    expected = np.asarray(Image.fromarray(DAISIES[0]).convert("L"))
    np.testing.assert_array_equal(data.train.inputs[0][0, 0], expected)


@pytest.mark.parametrize("graph", [classifier(4, 5, 4), classifier(20), summed()])
def test_other_networks_take_no_images(tmp_path: Path, graph: Graph) -> None:
    write(tmp_path, SPLIT)
    assert refused(graph, FLOWERS, tmp_path).code == "NS463"


UPRIGHT = pixels(2, 3)


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_exif_turns_images(tmp_path: Path, format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    path = tmp_path / "image"
    options = {"quality": 100, "subsampling": 0} if format == "JPEG" else {}
    path.write_bytes(encoded(UPRIGHT, format, exif=exif, **options))
    turned = decode(path, 3)
    assert turned.shape == (3, 3, 2)
    np.testing.assert_allclose(turned, np.rot90(UPRIGHT, -1).transpose(2, 0, 1), atol=60 if options else 0)


def test_every_mode_becomes_grey_or_colour(tmp_path: Path) -> None:
    grey = random.integers(0, 256, (4, 5), np.uint8)
    deep = grey.astype(np.uint16) * 257
    path = tmp_path / "image.png"
    for image in (
        Image.fromarray(grey),
        Image.fromarray(deep),
        Image.fromarray(np.dstack([grey] * 3)),
        Image.fromarray(np.dstack([grey] * 4)),
        Image.fromarray(np.dstack([grey, grey])),
        Image.fromarray(np.dstack([grey] * 3)).quantize(256),
    ):
        path.write_bytes(encoded(image))
        np.testing.assert_array_equal(decode(path, 1)[0], grey)
        np.testing.assert_array_equal(decode(path, 3), np.stack([grey] * 3))
    path.write_bytes(encoded(Image.fromarray(grey > 127)))
    np.testing.assert_array_equal(decode(path, 1)[0], np.where(grey > 127, 255, 0))
    path.write_bytes(encoded(Image.new("CMYK", (5, 4)), "JPEG"))
    assert decode(path, 3).shape == (3, 4, 5)


def png_of(width: int, height: int) -> bytes:
    """The head of a PNG that claims a size, without its pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


UNREADABLE = {
    "empty": (b"", "NS443"),
    "text": (b"hello", "NS443"),
    "gif": (encoded(pixels(), "GIF"), "NS443"),
    "cut off": (encoded(pixels(60, 60))[:-3000], "NS443"),
    "jpeg cut off": (encoded(pixels(60, 60), "JPEG")[:-900], "NS443"),
    "without pixels": (png_of(4, 5), "NS443"),
    "too large": (png_of(2**13 + 1, 2**13), "NS444"),
    "larger": (png_of(2**14, 2**13), "NS444"),
    "absurd": (png_of(2**30, 2**30), "NS443"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_unreadable_images_are_named(tmp_path: Path, case: str) -> None:
    content, code = UNREADABLE[case]
    write(tmp_path, SPLIT | {"train/rose/b.png": content})
    diagnostic = refused(NETWORK, FLOWERS, tmp_path)
    assert diagnostic.code == code
    assert f"{tmp_path}/flowers/train/rose/b.png" in diagnostic.text


def test_changed_bytes_raise_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "image"
    with images.quiet():
        for format in ("PNG", "JPEG"):
            whole = encoded(pixels(30, 30), format)
            for _ in range(100):
                content = bytearray(whole)
                for at in random.integers(0, len(whole), 3):
                    content[at] = random.integers(256)
                path.write_bytes(content)
                with suppress(DiagnosticError):
                    assert decode(path, 3).shape[0] == 3


def test_an_image_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    with pytest.raises(DiagnosticError, match="is a directory"):
        decode(tmp_path / "image", 1)


def test_empty_classes_and_folders_are_named(tmp_path: Path) -> None:
    write(tmp_path, SPLIT)
    (tmp_path / "flowers/train/tulip").mkdir()
    assert told(refused(NETWORK, FLOWERS, tmp_path)) == (
        "NS442",
        f"{tmp_path}/flowers/train/tulip has no image of its class",
        "put PNG or JPEG images there, or remove the folder",
    )
    (tmp_path / "empty").mkdir()
    empty = training("folder", {"path": "empty"})
    assert told(refused(NETWORK, empty, tmp_path))[1] == f"{tmp_path}/empty has no folder of a class"
    missing = training("folder", {"path": "flours"})
    assert told(refused(NETWORK, missing, tmp_path))[:2] == (
        "NS440",
        f"there is no folder {tmp_path}/flours",
    )


def test_other_files_are_counted(tmp_path: Path) -> None:
    others = ("train/notes.txt", "train/rose/x.gif", "train/.hidden/y.png", "test/t.csv")
    write(tmp_path, {**SPLIT, **dict.fromkeys(others, b"x")})
    (tmp_path / "flowers/train/rose/more.png").mkdir()
    notices = opened(NETWORK, FLOWERS, tmp_path).notices
    assert [(notice.code, notice.severity) for notice in notices] == [("NS448", Severity.WARNING)] * 2
    assert notices[0].text == (
        f"4 other files or folders in {tmp_path}/flowers/train are left out, such as .hidden"
    )


@pytest.mark.parametrize("classes", [("daisy", "rose", "tulip"), ("daisy",)])
def test_other_classes_in_the_test_are_named(tmp_path: Path, classes: tuple[str, ...]) -> None:
    train = {name: image for name, image in SPLIT.items() if "train" in name}
    write(tmp_path, train | {f"test/{name}/1.png": pixels() for name in classes})
    code, text, _ = told(refused(NETWORK, FLOWERS, tmp_path))
    assert code == "NS446"
    lacks, name = ("train", "tulip") if "tulip" in classes else ("test", "rose")
    assert text.startswith(f"{tmp_path}/flowers/{lacks} lacks the classes {name}, which")


@pytest.mark.parametrize("name", ["train/rose/x.png", "train/tulip"])
def test_links_out_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, SPLIT)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.png").write_bytes(encoded(pixels()))
    link = tmp_path / "flowers" / name
    link.symlink_to(outside / "x.png" if link.suffix else outside)
    assert told(refused(NETWORK, FLOWERS, tmp_path))[:2] == (
        "NS445",
        f"the link {link} leads out of the data set",
    )


def test_a_part_that_is_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, SPLIT)
    (tmp_path / "flowers/test").rename(tmp_path / "outside")
    (tmp_path / "flowers/test").symlink_to(tmp_path / "outside")
    assert refused(NETWORK, FLOWERS, tmp_path).code == "NS445"


def test_links_inside_the_folder_are_followed(tmp_path: Path) -> None:
    write(tmp_path, SPLIT)
    (tmp_path / "flowers/train/rose/x.png").symlink_to("a.PNG")
    assert len(opened(NETWORK, FLOWERS, tmp_path).train) == 5


@pytest.mark.parametrize(
    "path", ["/etc", "../flowers", "a/../../b", "C:\\flowers", "\\\\host\\share", "..\\x", "a\0b"]
)
def test_paths_out_of_the_data_folder_are_refused(tmp_path: Path, path: str) -> None:
    assert refused(NETWORK, training("folder", {"path": path}), tmp_path).code == "NS441"
    assert refused(NETWORK, training("npz", {"path": path}), tmp_path).code == "NS441"


def test_without_pillow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PIL.Image", None)
    assert told(refused(NETWORK, FLOWERS, tmp_path)) == (
        "NS447",
        "reading images needs Pillow, which is not installed",
        "pip install 'netspec-onnx[train]'",
    )
