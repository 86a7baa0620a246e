"""Published files, brought from where they are published; what comes is what was published, or nothing."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.request import Request, urlopen

from netspec.diagnostics import Diagnostic, DiagnosticError, Note, printable
from netspec.files import published, writing
from netspec.pipeline import Progress

TIMEOUT = 30  # seconds without a byte
CHUNK = 2**16


class DataMissing(Diagnostic):
    """Files of a published data set that are not there, nor to be had; a note says where each belongs."""

    code = "NS430"
    message = "the data set {name} is not complete: {reason}"

    name: str
    reason: str

    @property
    def help(self) -> str:
        return "put the files there, or say with --data-dir in which folder they are"


class NotAsPublished(Diagnostic):
    """A download that is another file than the published one."""

    code = "NS431"
    message = "{url} gave another file than the published one: {difference}"

    url: str
    difference: str
    path: str

    @property
    def help(self) -> str:
        return "nothing was kept; try again later, or get the file elsewhere and put it at {path}"


class PublishedFile(NamedTuple):
    """A file as it was published: its size and SHA-256, and where it is to be had."""

    name: str
    size: int
    sha256: str
    urls: tuple[str, ...]


def fetch(name: str, missing: Mapping[Path, PublishedFile], download: bool, progress: Progress) -> None:
    """Bring the files that a data set misses, each to its path; each appears whole or not at all.

    Errors: NS430 where one cannot be had, NS431 where it is another one.
    """
    for path, file in missing.items():
        fault = _fetch_one(path, file, progress) if download else "files are missing"
        if isinstance(fault, Diagnostic):
            raise DiagnosticError(fault)
        if fault:
            left = {path: file for path, file in missing.items() if not path.exists()}
            notes = tuple(
                Note(f"missing: {printable(str(path))}, from {file.urls[0]}") for path, file in left.items()
            )
            raise DiagnosticError(DataMissing(name=name, reason=fault, notes=notes))


def _fetch_one(path: Path, file: PublishedFile, progress: Progress) -> str | Diagnostic:
    """Try a file's addresses in turn: what was wrong with the last, '' where one gave it."""
    fault: str | Diagnostic = ""
    for url in file.urls:
        try:
            difference = _download(url, path, file, progress)
        except (OSError, http.client.HTTPException, ValueError) as error:
            fault = f"downloading it failed ({printable(_reason(error))})"
            continue
        if not difference:
            return ""
        fault = NotAsPublished(url=url, difference=difference, path=printable(str(path)))
    return fault


class _Different(Exception):
    """Leaves `published` so that nothing appears."""


def _download(url: str, path: Path, file: PublishedFile, progress: Progress) -> str:
    """Write what a URL gives to `path` if it is the published file; else say how it differs."""
    digest = hashlib.sha256()
    got = 0
    request = Request(url, headers={"User-Agent": "netspec"})
    try:
        with urlopen(request, timeout=TIMEOUT) as answer, published(path) as beside:
            with writing(path):
                sink = beside.open("wb")
            with sink:
                while got <= file.size and (data := answer.read(CHUNK)):
                    digest.update(data)
                    got += len(data)
                    with writing(path):
                        sink.write(data)
                    progress(f"downloading {file.name}", min(got / file.size, 1.0))
            if got > file.size:
                raise _Different(f"it has more than {file.size:,} bytes")
            if got < file.size:
                raise _Different(f"it has {got:,} bytes, not {file.size:,}")
            if digest.hexdigest() != file.sha256:
                raise _Different(f"its SHA-256 is {digest.hexdigest()}, not {file.sha256}")
    except _Different as different:
        return str(different)
    return ""


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", error)
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror.lower()
    return " ".join(str(inner).split()).lower() or type(inner).__name__
