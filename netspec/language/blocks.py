"""`blocks`: steps with parameters and inputs of their own, read once and used any number of times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.diagnostics import Collector, Diagnostic, Note, Severity, Span, spell
from netspec.language.callables import Callables
from netspec.language.load_steps import StepLoader
from netspec.language.names import check_name, named_entries
from netspec.language.naming import name_steps
from netspec.language.outputs import Output, load_outputs
from netspec.language.references import DuplicateName
from netspec.language.resolve import Resolver
from netspec.language.sections import BlockSection
from netspec.language.steps import Body
from netspec.language.tree import Tree
from netspec.language.validation import Empty, UnknownKey, WrongValue, quoted, validated
from netspec.ops.catalogue import known

TYPE_WORDS: Mapping[str, str] = {
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "str": "a word",
    "list": "a list",
    "op": "an operation, such as ReLU or {LeakyReLU: {negative_slope: 0.1}}",
}
"""The types of a block's parameters, and how messages name them."""


class BlockNamedAsOperation(Diagnostic):
    """A block with the name of an operation, which its own steps could then not mean."""

    code = "NS236"
    message = "the block {name} has the name of an operation"

    name: str

    @property
    def help(self) -> str:
        return "call it otherwise, for example {name}Block"


class SmallBlock(Diagnostic):
    """A block whose name begins with a small letter, as only netspec's own words do."""

    code = "NS237"
    message = "the name of a block begins with a capital, and {name} does not"

    name: str
    instead: str

    @property
    def help(self) -> str:
        return "call it {instead}"


class DuplicateBlock(Diagnostic):
    """Two blocks of one name, as a rule from two files."""

    code = "NS238"
    message = "there are two blocks {name}"

    name: str

    @property
    def help(self) -> str:
        return "give one of the two another name"


class TypeMisspelt(Diagnostic):
    """A parameter whose default is a text that was likely meant as its type."""

    code = "NS259"
    severity = Severity.WARNING
    message = "the parameter {name} has the text {word} as its default"

    name: str
    word: str
    meant: str

    @property
    def help(self) -> str:
        return "write {meant} to make it required, {expected}; put quotes around it if it is a text"

    @property
    def expected(self) -> str:
        return TYPE_WORDS[self.meant]


_LIKE_TYPES: Mapping[str, str] = {
    **{word: word for word in TYPE_WORDS},
    **dict.fromkeys(("integer",), "int"),
    **dict.fromkeys(("number", "real", "double", "float32", "float64"), "float"),
    **dict.fromkeys(("boolean",), "bool"),
    **dict.fromkeys(("string",), "str"),
    **dict.fromkeys(("array", "tuple", "ints", "integers", "floats", "numbers", "strings", "lists"), "list"),
    **dict.fromkeys(("operation", "operator", "module"), "op"),
}
"""Words that other languages have for the types, in small letters."""


class BlockParameter:
    """A parameter of a block: its type word if it is required, otherwise its default."""

    __slots__ = ("place", "type", "written")

    def __init__(self, place: Span, type: str | None, written: Tree) -> None:
        self.place = place
        self.type = type
        self.written = written

    @property
    def default(self) -> Tree | None:
        """The default as it is written, or None."""
        return self.written if self.type is None else None


class Block:
    """A block as it is written.

    `inputs` is None where it has one that it calls `in`. A `broken` block has an error that leaves open what
    it gives.
    """

    __slots__ = ("body", "broken", "inputs", "name", "outputs", "parameters", "place", "tree")

    def __init__(self, name: str, place: Span, tree: Tree) -> None:
        self.name = name
        self.place = place
        self.tree = tree
        self.parameters: dict[str, BlockParameter] = {}
        self.inputs: Mapping[str, Span] | None = None
        self.body = Body((), place)
        self.outputs: tuple[Output, ...] | None = None
        self.broken = False

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the inputs, in order."""
        return ("in",) if self.inputs is None else tuple(self.inputs)


def declare_blocks(tree: Tree, callables: Callables, collector: Collector) -> list[Block]:
    """The blocks of a file by name, with their parameters and inputs; their steps are read later.

    Errors: NS201 to NS204, NS236 to NS238.
    """
    declared = []
    for name, item in named_entries(tree, "blocks", "a block", collector):
        place = tree.entries["blocks"].value.key_span(name)
        if known(name):
            collector.add(BlockNamedAsOperation(name=name, span=place))
        elif not name[:1].isupper() and name[:1].isalpha():
            instead = name[:1].upper() + name[1:]
            collector.add(SmallBlock(name=spell(name), instead=spell(instead), span=place))
        block = Block(name, place, item)
        other = callables.blocks.setdefault(name, block)
        if other is not block:
            collector.add(DuplicateBlock(name=name).at(place, Note("the other is here", other.place)))
        section = validated(BlockSection, f"the block {spell(name)}", item, item.value, collector)
        block.broken = section is None or known(name)
        if section is not None and section.outputs in ([], {}):
            place = item.key_span("outputs")
            collector.add(Empty(section=f"outputs of {spell(name)}", example="outputs: [conv]", span=place))
        for parameter, written in named_entries(item, "params", "a parameter", collector):
            word = written.value if isinstance(written.value, str) and written.value in TYPE_WORDS else None
            place = item.find(("params",)).key_span(parameter)
            block.parameters[parameter] = BlockParameter(place, word, written)
            meant = None if word is not None else _type_meant(written, callables)
            if meant is not None:
                misspelt = TypeMisspelt(name=spell(parameter), word=spell(written.value), meant=meant)
                collector.add(misspelt.at(written.span))
        block.inputs = _inputs(block, collector) if section is not None else None
        declared.append(block)
    return declared


def _type_meant(written: Tree, callables: Callables) -> str | None:
    """The type that a default may be meant for: a word without quotes that names one elsewhere."""
    value = written.value
    if not isinstance(value, str) or written.source.text[written.start] in "'\"":
        return None
    word = value.partition("[")[0]  # as in list[int]
    return None if value in callables.blocks or known(value) else _LIKE_TYPES.get(word.lower())


def _inputs(block: Block, collector: Collector) -> Mapping[str, Span] | None:
    entry = block.tree.entries.get("inputs")
    if entry is None or not isinstance(entry.value.value, list):
        return None
    inputs: dict[str, Span] = {}
    for item in entry.value.items:
        fault = check_name(item.value, "an input")
        if fault is not None:
            collector.add(fault.at(item.span))
        if item.value in block.parameters or item.value in inputs:
            other = inputs.get(item.value) or block.parameters[item.value].place
            wrong = WrongValue(key="an input", expected="a name that no other has", got=quoted(item.value))
            collector.add(wrong.at(item.span, Note("the other is here", other)))
        inputs.setdefault(item.value, item.span)
    return inputs


def load_block(block: Block, callables: Callables, collector: Collector) -> None:
    """Read the steps and outputs of a declared block, once all blocks are declared.

    Errors: those of steps and of their names.
    """
    layers = block.tree.entries.get("layers") if isinstance(block.tree.value, dict) else None
    body = StepLoader(callables, collector).body(None if layers is None else layers.value, block.tree)
    block.body = body
    name_steps(body, block.inputs or {}, callables, collector)
    nothing: dict[str, Any] = {}
    block.outputs = load_outputs(block.tree, Resolver(nothing, {}, collector, complete=False), collector)
    ports: dict[str, Span] = {}
    for output in block.outputs or ():
        other = ports.setdefault(output.port, output.name_place)
        if other is not output.name_place:
            duplicate = DuplicateName(name=spell(output.port))
            collector.add(duplicate.at(output.name_place, Note("the other is here", other)))
        if output.labels is not None and output.labels_place is not None:
            advice = "outputs of the file have labels, those of a block have none"
            where = f"the output {spell(output.name or '')} of a block"
            unknown = UnknownKey(key="labels", where=where, suggestion=None, known=("from",), advice=advice)
            collector.add(unknown.at(output.labels_place))
