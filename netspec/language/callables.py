"""What a step may call: the operations of the catalogue, and the blocks of the file."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from netspec.diagnostics import Collector, Diagnostic, DiagnosticError, Span, nearest, spell
from netspec.ops.base import Op
from netspec.ops.catalogue import find, known, names, offered

if TYPE_CHECKING:
    from netspec.language.blocks import Block


class UnknownOperation(Diagnostic):
    """A word where an operation or a block belongs that is neither."""

    code = "NS205"
    message = "there is no operation {name}"

    name: str
    suggestion: str | None
    written: bool = False  # by netspec, into a file: there was such an operation

    @property
    def help(self) -> str:
        if self.written:
            return "if it comes from a plugin, name that with --plugin; an older netspec may lack it too"
        if self.suggestion and "(" in self.name:
            return "arguments follow a colon, as in Conv2d: {{out_channels: 8, kernel_size: 3}}"
        return "did you mean {suggestion}?" if self.suggestion else "netspec ops lists them all"


class Callables:
    """Finds operations and blocks by name. Blocks are added while a file is read, all before any is used.

    Where an error leaves open which blocks there are, they are not `complete`: a name that is missing is then
    unknown, not wrong.
    """

    def __init__(self) -> None:
        self.blocks: dict[str, Block] = {}
        self.complete = True

    def meant(self, name: str) -> str:
        """What is called `name`, or was likely meant by it; `name` itself where nothing is near."""
        if name in self.blocks or known(name) or offered(name):
            return name
        return nearest(name.partition("(")[0].strip(), (*self.blocks, *names())) or name

    def means(self, name: str) -> bool:
        """Whether `name` is the name of something, or near one."""
        meant = self.meant(name)
        return meant in self.blocks or known(meant) or offered(meant)

    def advice(self, value: object) -> str:
        """What a value that should be an operation may be meant for; empty where it is nothing near one."""
        return f"did you mean {self.meant(value)}?" if isinstance(value, str) and self.means(value) else ""

    def arguments(self, name: str) -> Collection[str]:
        """The arguments of what is meant by a name."""
        meant = self.meant(name)
        if meant in self.blocks:
            return self.blocks[meant].parameters
        operation = find(meant)
        return () if operation is None else operation.model_fields

    def find(self, name: str, place: Span, collector: Collector) -> type[Op] | Block | None:
        """The block or operation of this name; None, and NS205, where there is none.

        Where only capitals differ, NS205 and what was meant, so that its arguments are checked too.
        """
        block = self.blocks.get(name)
        if block is not None:
            return block
        try:
            operation = find(name)
        except DiagnosticError as error:  # an installed package that does not hold
            collector.extend(fault.at(place) for fault in error.diagnostics)
            return None
        if operation is not None:
            return operation
        if not self.complete:
            return None
        meant = self.meant(name)
        near = meant in self.blocks or known(meant)
        collector.add(UnknownOperation(name=spell(name), suggestion=meant if near else None).at(place))
        if name.lower() == meant.lower() and near:
            return self.blocks.get(meant) or find(meant)
        return None
