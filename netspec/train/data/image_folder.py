"""A folder of images: one folder a class, whose images are the class's examples."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from netspec.diagnostics import Advised, Diagnostic, DiagnosticError, Severity, printable, spell
from netspec.ir.graph import Graph, GraphInput
from netspec.language.training.data_sets import path_out
from netspec.pipeline import Progress
from netspec.train.data.examples import Data, Examples, Stream
from netspec.train.data.images import MODES, SUFFIXES, decode, need_pillow, quiet
from netspec.train.data.request import Request
from netspec.verify.preprocess import resize
from netspec.verify.tolerance import Array

RESIDENT_LIMIT = 2**31
"""Bytes of images of one size that are kept in memory, decoded."""

AHEAD = 64  # images decoded side by side
TESTS = ("test", "val")


class FolderMissing(Diagnostic):
    """The folder of a data set is not there."""

    code = "NS440"
    message = "there is no folder {path}"

    path: str

    @property
    def help(self) -> str:
        return "put train/CLASS/… and test/CLASS/… there, or say with --data-dir in which folder it is"


class PathLeaves(Diagnostic):
    """A data set's path that could lead out of the folder of the data."""

    code = "NS441"
    message = "the path {path} may lead out of the data folder: {reason}"

    path: str
    reason: str

    @property
    def help(self) -> str:
        return "write a path relative to the folder that --data-dir names, without .."


class NoExamples(Advised):
    """A folder without classes, or a class without images."""

    code = "NS442"
    message = "{path} has no {what}"

    path: str
    what: str


class LinkLeaves(Diagnostic):
    """A symbolic link in a data set that leads out of it."""

    code = "NS445"
    message = "the link {path} leads out of the data set"

    path: str

    @property
    def help(self) -> str:
        return "put the file itself there, or remove the link"


class ClassFoldersDiffer(Diagnostic):
    """Training and test examples have other classes."""

    code = "NS446"
    message = "{path} lacks the classes {lacks}, which {other} has"

    path: str
    other: str
    lacks: tuple[str, ...]

    @property
    def help(self) -> str:
        return "both need the same class folders, since their order numbers the classes"


class OthersLeftOut(Diagnostic):
    """Things in a folder of images that are none."""

    code = "NS448"
    severity = Severity.WARNING
    message = "{count:,} other files or folders in {path} are left out, such as {example}"

    path: str
    count: int
    example: str


class SizesDiffer(Diagnostic):
    """Images of several sizes for a network that does not say to resize them."""

    code = "NS452"
    message = "the image {path} has the size {got}, others have {expected}"

    path: str
    got: str
    expected: str

    @property
    def help(self) -> str:
        return "let the spec resize them: preprocess: {{resize: [HEIGHT, WIDTH]}} at the input"


class NoImageInput(Diagnostic):
    """Images for a network whose input is none."""

    code = "NS463"
    message = "{name} gives images, but the input {input} is {type}"

    name: str
    input: str
    type: str

    @property
    def help(self) -> str:
        return "images need one input [batch, 1, HEIGHT, WIDTH] (grey) or [batch, 3, HEIGHT, WIDTH] (RGB)"


class Listing(NamedTuple):
    """The images under a folder, class by class, and what else lies there."""

    path: Path
    classes: tuple[str, ...]
    images: tuple[Path, ...]
    targets: Array
    others: tuple[Path, ...]

    @property
    def notices(self) -> tuple[Diagnostic, ...]:
        if not self.others:
            return ()
        example = printable(str(self.others[0].relative_to(self.path)))
        fault = OthersLeftOut(path=printable(str(self.path)), count=len(self.others), example=example)
        return (fault,)


@dataclass(frozen=True)
class ReadImage:
    """Reads an image by its number: bytes (C, H, W); float32 of the size `resized`, if there is one.

    `expected` is the size that all must have where nothing resizes them.
    """

    paths: tuple[Path, ...]
    channels: int
    resized: tuple[int, int] | None
    expected: tuple[int, int] | None

    def __call__(self, index: int) -> tuple[Array, ...]:
        with quiet():
            image = decode(self.paths[index], self.channels)
        if self.resized is not None:
            return (resize(image[None].astype(np.float32), self.resized)[0],)
        if self.expected is not None and image.shape[1:] != self.expected:
            raise DiagnosticError(_other_size(self.paths[index], image, self.expected))
        return (image,)


def read_folder(request: Request) -> Data:
    """Images as bytes (N, C, H, W) and classes (N,), from PATH/train and PATH/test (or val), or PATH alone.

    Classes are the folders' names in their order. Images of one size that fit into memory are decoded at
    once; others are read as they are needed, resized as the input's preprocess says.

    Errors: NS440 to NS448, NS452, NS463.
    """
    need_pillow()
    entry, channels = _image_input(request)
    root = _root(request)
    listings = [list_images(part, root) for part in _parts(root)]
    _check_classes(*listings)
    rule = entry.preprocess
    resized = rule.resize if rule is not None else None
    with quiet():
        parts = [_examples(listing, channels, resized, request.progress) for listing in listings]
    if resized is None:
        _check_sizes(parts, listings)
    notices = tuple(notice for listing in listings for notice in listing.notices)
    return Data(request.name, parts[0], parts[1] if parts[1:] else None, listings[0].classes, notices)


def _image_input(request: Request) -> tuple[GraphInput, int]:
    """The network's one input, and its channels."""
    graph: Graph = request.graph
    type = graph.inputs[0].value.type
    channels = type.known[1] if type.rank == 4 else None
    if len(graph.inputs) != 1 or not isinstance(channels, int) or channels not in MODES:
        fault = NoImageInput(name=request.name, input=graph.inputs[0].name, type=str(type))
        raise DiagnosticError(fault.at(graph.inputs[0].span))
    return graph.inputs[0], channels


def _root(request: Request) -> Path:
    given = str(request.arguments["path"])
    inside = within(request.folder, given)
    if not inside.is_dir():
        raise DiagnosticError(FolderMissing(path=printable(str(inside))))
    return inside


def within(folder: Path, given: str) -> Path:
    """A spec's relative path under a folder.

    Errors: NS441 where it could lead elsewhere, on this system or another.
    """
    reason = path_out(given)
    if reason:
        raise DiagnosticError(PathLeaves(path=spell(given), reason=reason))
    return folder / given


def _parts(root: Path) -> list[Path]:
    """The folder to train on, and that to test on if there is one."""
    if not (root / "train").is_dir():
        return [root]
    tests = [root / name for name in TESTS if (root / name).is_dir()]
    return [root / "train", *tests[:1]]


def list_images(path: Path, root: Path) -> Listing:
    """The images below a folder, by class and name; links may lead anywhere in `root`.

    Errors: NS442, NS445.
    """
    real = root.resolve()
    if not path.resolve().is_relative_to(real):
        raise DiagnosticError(LinkLeaves(path=printable(str(path))))
    classes: list[os.DirEntry[str]] = []
    others: list[os.DirEntry[str]] = []
    for entry in _sorted(path):
        (classes if entry.is_dir() and not entry.name.startswith(".") else others).append(entry)
    images: list[Path] = []
    targets: list[int] = []
    for number, folder in enumerate(classes):
        _check_link(folder, real)
        found = len(images)
        for entry in _sorted(Path(folder)):
            if entry.is_file() and Path(entry.name).suffix.lower() in SUFFIXES:
                _check_link(entry, real)
                images.append(Path(entry.path))
            else:
                others.append(entry)
        if len(images) == found:
            advice = "put PNG or JPEG images there, or remove the folder"
            shown = printable(folder.path)
            raise DiagnosticError(NoExamples(path=shown, what="image of its class", advice=advice))
        targets += [number] * (len(images) - found)
    if not classes:
        advice = "give each class a folder with its images"
        raise DiagnosticError(NoExamples(path=printable(str(path)), what="folder of a class", advice=advice))
    names = tuple(folder.name for folder in classes)
    left_out = tuple(Path(entry.path) for entry in others)
    return Listing(path, names, tuple(images), np.array(targets, np.int64), left_out)


def _sorted(path: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, by name."""
    try:
        with os.scandir(path) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DiagnosticError(
            NoExamples(path=printable(str(path)), what=f"readable files: {reason}")
        ) from error


def _check_link(entry: os.DirEntry[str], real: Path) -> None:
    if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(real):
        raise DiagnosticError(LinkLeaves(path=printable(entry.path)))


def _check_classes(train: Listing, test: Listing | None = None) -> None:
    if test is None:
        return
    for one, other in ((test, train), (train, test)):
        lacks = tuple(sorted(set(other.classes) - set(one.classes)))
        if lacks:
            names = tuple(spell(name) for name in lacks[:5])
            path, complete = printable(str(one.path)), printable(str(other.path))
            raise DiagnosticError(ClassFoldersDiffer(path=path, other=complete, lacks=names))


def _examples(
    listing: Listing, channels: int, resized: tuple[int, int] | None, progress: Progress
) -> Examples | Stream:
    """All images decoded if they have one size and fit, else a way to read them."""
    room = RESIDENT_LIMIT
    decoded: list[Array] = []
    for image in _decoded(listing.images, channels):
        room -= image.nbytes
        if room < 0 or (decoded and image.shape != decoded[0].shape):
            break
        decoded.append(image)
        progress(f"reading the images in {listing.path.name}", len(decoded) / len(listing.images))
    if len(decoded) == len(listing.images):
        return Examples((np.stack(decoded),), listing.targets)
    if resized is None and room >= 0:
        expected = (decoded[0].shape[1], decoded[0].shape[2])
        raise DiagnosticError(_other_size(listing.images[len(decoded)], image, expected))
    size = None if resized is not None else (image.shape[1], image.shape[2])
    read = ReadImage(listing.images, channels, resized, size)
    return Stream(read, listing.targets, np.arange(len(listing.targets)))


def _decoded(paths: Sequence[Path], channels: int) -> Iterator[Array]:
    """The images in their order, some of them decoded side by side."""
    waiting = iter(paths)
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 16)) as pool:
        while some := list(islice(waiting, AHEAD)):
            yield from pool.map(lambda path: decode(path, channels), some)


def _check_sizes(parts: Sequence[Examples | Stream], listings: Sequence[Listing]) -> None:
    """Training and test images have one size, since nothing resizes them."""
    first = [part.inputs[0][0] if isinstance(part, Examples) else part.read(0)[0] for part in parts]
    if len({image.shape for image in first}) > 1:
        expected = (first[0].shape[1], first[0].shape[2])
        raise DiagnosticError(_other_size(listings[1].images[0], first[1], expected))


def _other_size(path: Path, image: Array, expected: tuple[int, int]) -> SizesDiffer:
    got, wanted = (f"{height} x {width}" for height, width in (image.shape[1:], expected))
    return SizesDiffer(path=printable(str(path)), got=got, expected=wanted)
