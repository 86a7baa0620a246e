"""Spec text to a Tree: from a file, from standard input, or from a string; YAML or JSON."""

from __future__ import annotations

import gc
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO, Literal

from netspec.diagnostics import Diagnostic, DiagnosticError, Source, Span, nearest, printable
from netspec.language.tree import Tree

MAX_BYTES = 8_000_000
"""Bytes of a spec file; a straight chain of 100,000 layers takes half of it."""

NEIGHBOURS = 2_000  # file names of a folder that are compared with a mistyped one

STDIN = "-"

Format = Literal["yaml", "json"]


def read(path: Path | str) -> Tree:
    """The tree of a spec file; `-` is standard input. A name that ends in `.json` is read as JSON, else YAML.

    Standard input is JSON when it begins as a JSON object does: `{"` or `{}`.

    Errors: NS101 to NS107 for the file, NS108 to NS129 for the text.
    """
    if str(path) == STDIN:
        text = _decode(_bounded(sys.stdin.buffer, "<stdin>"), "<stdin>")
        begins_as_json = "".join(text[:1_000].split())[:2] in ('{"', "{}")
        return parse(text, "<stdin>", "json" if begins_as_json else "yaml")
    name = os.fspath(path)
    text = _decode(_file_bytes(name), name)
    return parse(text, name, "json" if name.lower().endswith(".json") else "yaml")


def parse(text: str, name: str, format: Format) -> Tree:
    """The tree of a text that messages call `name`.

    Errors: NS108 and what `parse_yaml` or `parse_json` find.
    """
    source = Source(name, text)
    collecting = gc.isenabled()
    gc.disable()  # reading makes many objects and no garbage: looking for it would double the time
    try:
        tree = _parse(source, format)
    finally:
        if collecting:
            gc.enable()
    if tree is None or (tree.value is None and tree.start == tree.end):
        raise DiagnosticError(EmptySpec(span=Span(source, 0, 0)))
    return tree


def _parse(source: Source, format: Format) -> Tree | None:
    """The tree, or None of an empty text; only the reader that is wanted is loaded."""
    if format == "json":
        from netspec.language.json_source import parse_json

        return parse_json(source) if source.text.strip() else None
    from netspec.language.yaml_source import parse_yaml

    return parse_yaml(source)


def _file_bytes(name: str) -> bytes:
    try:
        # What is too large is never read: the size is asked first. Devices and pipes have none; for those,
        # and for a file that grows, the reading itself is bounded.
        status = os.stat(name)
        if stat.S_ISDIR(status.st_mode):
            raise DiagnosticError(_directory(name))
        if status.st_size > MAX_BYTES:
            raise DiagnosticError(FileTooLarge(size=status.st_size, span=_whole(name)))
        with open(name, "rb") as file:
            return _bounded(file, name)
    except (FileNotFoundError, NotADirectoryError):
        raise DiagnosticError(_missing(name)) from None
    except OSError as error:
        raise DiagnosticError(FileUnreadable(reason=_reason(error), span=_whole(name))) from None
    except ValueError:  # a NUL or a lone surrogate in the name itself
        raise DiagnosticError(FileUnreadable(reason="its name is not valid", span=_whole(name))) from None


def _bounded(stream: BinaryIO, name: str) -> bytes:
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise DiagnosticError(FileTooLarge(size=None, span=_whole(name)))
    return data


def _decode(data: bytes, name: str) -> str:
    """The text of UTF-8 bytes, without a byte-order mark: positions count from the character after it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DiagnosticError(Utf16(span=_whole(name)))
    if b"\0" in data:
        raise DiagnosticError(BinaryFile(span=_whole(name)))
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        at = len(data[: error.start].decode())
        shown = Source(name, data.decode(errors="replace"))
        raise DiagnosticError(InvalidUtf8(byte=data[error.start], span=Span(shown, at, at + 1))) from None


def _whole(name: str) -> Span:
    """A place for what is said of a file whose text is not at hand."""
    return Span(Source(printable(name), ""), 0, 0)


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _missing(name: str) -> Diagnostic:
    folder, base = os.path.split(name)
    try:
        neighbours = os.listdir(folder or os.curdir)[:NEIGHBOURS]
    except OSError:  # the folder is missing too
        neighbours = []
    near = nearest(base, neighbours)
    suggestion = os.path.join(folder, near) if near else None
    return FileMissing(name=name, suggestion=suggestion, span=_whole(name))


def _directory(name: str) -> Diagnostic:
    try:
        specs = sorted(entry for entry in os.listdir(name) if entry.endswith((".yaml", ".yml", ".json")))
    except OSError:
        specs = []
    return FileIsDirectory(
        name=name, example=os.path.join(name, specs[0]) if specs else None, span=_whole(name)
    )


class FileMissing(Diagnostic):
    """No file has the name."""

    code = "NS101"
    message = "there is no file {shown}"

    name: str
    suggestion: str | None

    @property
    def shown(self) -> str:
        return printable(self.name)

    @property
    def help(self) -> str:
        if self.suggestion:
            return "did you mean {suggestion_shown}?"
        return "check the name and the folder from which the command runs"

    @property
    def suggestion_shown(self) -> str:
        return printable(self.suggestion or "")


class FileIsDirectory(Diagnostic):
    """A folder where a file is wanted."""

    code = "NS102"
    message = "{shown} is a folder, not a spec file"

    name: str
    example: str | None

    @property
    def shown(self) -> str:
        return printable(self.name)

    @property
    def help(self) -> str:
        return "name a file in it, such as {example_shown}" if self.example else "name a .yaml or .json file"

    @property
    def example_shown(self) -> str:
        return printable(self.example or "")


class FileUnreadable(Diagnostic):
    """The system does not let the file be read."""

    code = "NS103"
    message = "this file cannot be read: {reason}"

    reason: str

    @property
    def help(self) -> str:
        return "check the file's owner and permissions" if "permission" in self.reason else ""


class FileTooLarge(Diagnostic):
    """More than MAX_BYTES; `size` is None where reading stopped at the limit."""

    code = "NS104"
    message = "this file is too large for a spec: {size_text}; the limit is {limit:,} bytes"

    size: int | None
    limit: int = MAX_BYTES

    @property
    def size_text(self) -> str:
        return "more than that" if self.size is None else f"{self.size:,} bytes"

    @property
    def help(self) -> str:
        return "give the spec, not weights or data; write repeated layers once, with repeat"


class BinaryFile(Diagnostic):
    """NUL bytes: an image, an archive, a model."""

    code = "NS105"
    message = "this is a binary file, not a spec"

    @property
    def help(self) -> str:
        return "give the .yaml or .json file that describes the network"


class InvalidUtf8(Diagnostic):
    """A byte that UTF-8 does not allow at its place."""

    code = "NS106"
    message = "the byte 0x{byte:02X} is not valid UTF-8"

    byte: int

    @property
    def label(self) -> str:
        return "shown as a replacement character"

    @property
    def help(self) -> str:
        return "save the file in the encoding UTF-8"


class Utf16(Diagnostic):
    """The byte-order mark of UTF-16 or UTF-32."""

    code = "NS107"
    message = "this file is in UTF-16 or UTF-32, not in UTF-8"

    @property
    def help(self) -> str:
        return "save the file in the encoding UTF-8"


class EmptySpec(Diagnostic):
    """Nothing but white space and comments."""

    code = "NS108"
    message = "this file is empty: it holds no spec"

    @property
    def help(self) -> str:
        return "a spec has at least inputs and layers"
