"""`use`: the blocks of other files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from netspec.diagnostics import Collector, Diagnostic, DiagnosticError, Note, Span, spell
from netspec.language.blocks import Block, declare_blocks
from netspec.language.callables import Callables
from netspec.language.sections import LibrarySection
from netspec.language.source import read
from netspec.language.tree import Tree
from netspec.language.validation import validated

FILE_LIMIT = 100  # files that one spec may bring together


class UsedOutside(Diagnostic):
    """A path in `use` that leads out of the spec's own folder, or a spec that is in none."""

    code = "NS239"
    message = "use cannot take {path}: {reason}"

    path: str
    reason: str

    @property
    def help(self) -> str:
        return "put the file beside the spec, or in a folder below it"


class UseCycle(Diagnostic):
    """Files that use one another in a circle."""

    code = "NS240"
    message = "{path} is used by itself: {chain}"

    path: str
    chain: str

    @property
    def help(self) -> str:
        return "move what both need into a file of its own"


class UnusableFile(Diagnostic):
    """A used file that cannot be read or is no spec."""

    code = "NS241"
    message = "cannot use {path}: {reason}"

    path: str
    reason: str


class TooManyFiles(Diagnostic):
    """More files than anybody uses."""

    code = "NS242"
    message = "the spec brings together more than {limit} files"

    limit: int = FILE_LIMIT


class Library:
    """Brings the blocks of used files into one set of callables, each file once."""

    def __init__(self, root: Tree, callables: Callables, collector: Collector) -> None:
        self.root = root
        self.callables = callables
        self.collector = collector
        self.folder = Path(root.source.name).parent
        self.seen: set[str] = set()

    def blocks(self) -> Iterator[Block]:
        """The declared blocks of every file that the root uses, whatever uses it first.

        Errors: NS239 to NS242, and those of the files.
        """
        own = os.path.normpath(self.root.source.name)
        self.seen.add(os.path.realpath(own))
        yield from self._used(self.root, (own,))

    def _used(self, tree: Tree, chain: tuple[str, ...]) -> Iterator[Block]:
        used = tree.find(("use",)) if "use" in tree.entries else None
        if used is not None and not isinstance(used.value, list):
            self.callables.complete = False
        for item in used.items if used is not None else ():
            if isinstance(item.value, str):
                path = self._path(item.value, tree, item.span)
                if path is None:
                    self.callables.complete = False
                else:
                    yield from self._file(path, item.span, chain)

    def _path(self, written: str, tree: Tree, place: Span) -> str | None:
        """The file that is meant, inside the root's folder; None, and NS239, otherwise."""
        reason = ""
        name = tree.source.name
        if not Path(self.root.source.name).is_file():
            reason = "this spec is in no folder"
        elif "\0" in written:
            reason = "no file has such a name"
        elif PurePosixPath(written).is_absolute() or Path(written).is_absolute():
            reason = "the path is not relative"
        else:
            path = os.path.normpath(Path(name).parent / written)
            inside = os.path.realpath(self.folder)
            real = os.path.realpath(path)
            if os.path.commonpath([inside, real]) == inside:
                return path
            reason = "the path leaves the spec's folder"
        self.collector.add(UsedOutside(path=spell(written), reason=reason, span=place))
        return None

    def _file(self, path: str, place: Span, chain: tuple[str, ...]) -> Iterator[Block]:
        if path in chain:
            circle = " uses ".join([*chain[chain.index(path) :], path])
            self.collector.add(UseCycle(path=spell(path), chain=circle, span=place))
            self.callables.complete = False
            return
        real = os.path.realpath(path)  # links to one file are one file
        if real in self.seen:
            return
        self.seen.add(real)
        if len(self.seen) > FILE_LIMIT:
            if len(self.seen) == FILE_LIMIT + 1:
                self.collector.add(TooManyFiles(span=place))
            self.callables.complete = False
            return
        try:
            tree = read(path)
        except DiagnosticError as error:
            for found in error.diagnostics:
                if found.span is None or found.span.end == found.span.start == 0:
                    unusable = UnusableFile(path=spell(path), reason=found.text)
                    self.collector.add(unusable.at(place))
                else:
                    self.collector.add(found.at(found.span, Note("used here", place)))
            self.callables.complete = False
            return
        whole = isinstance(tree.value, dict) and "layers" in tree.value
        if not whole:
            validated(LibrarySection, f"the file {spell(path)}", tree, tree.value, self.collector)
        yield from declare_blocks(tree, self.callables, self.collector)
        yield from self._used(tree, (*chain, path))
