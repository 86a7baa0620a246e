"""`outputs`: what a network gives, under which names, with which labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from netspec.diagnostics import Collector, Diagnostic, Note, Span, spell
from netspec.ir.graph import GraphOutput, Value
from netspec.language.names import named_entries
from netspec.language.references import DuplicateName, Names
from netspec.language.resolve import Resolver
from netspec.language.sections import OutputSection
from netspec.language.tree import Tree
from netspec.language.validation import WrongValue, quoted, validated


class UnnamedOutput(Diagnostic):
    """An output whose reference cannot be its name."""

    code = "NS222"
    message = "the output {reference} needs a name of its own"

    reference: str
    is_input: bool

    @property
    def label(self) -> str:
        return "an input is called so" if self.is_input else ""

    @property
    def instead(self) -> str:
        return f"{self.reference}_out" if self.is_input else self.reference.replace(".", "_")

    @property
    def help(self) -> str:
        return "write outputs: {{{instead}: {reference}}}"


class WrongLabels(Diagnostic):
    """More or fewer labels than the output has classes."""

    code = "NS224"
    message = "{name} has {classes} classes and {count} labels: {shape}"

    name: str
    classes: int
    count: int
    shape: str


class Output(NamedTuple):
    """One entry of `outputs`: what it is called, what it refers to, and where both are written."""

    name: str | None
    name_place: Span
    reference: str
    place: Span
    labels: tuple[str, ...] | None = None
    labels_place: Span | None = None

    @property
    def port(self) -> str:
        """What an output of a block is called."""
        return self.name or self.reference.replace(".", "_")


def load_outputs(tree: Tree, resolver: Resolver, collector: Collector) -> tuple[Output, ...] | None:
    """The outputs as they are written, a list of references or a mapping from names; None if left out.

    Errors: NS201 to NS204.
    """
    entry = tree.entries.get("outputs")
    if entry is None or not isinstance(entry.value.value, (list, dict)):
        return None
    outputs = []
    for item in entry.value.items:
        if isinstance(item.value, str):
            outputs.append(Output(None, item.span, item.value, item.span))
        else:
            fault = WrongValue(key="an output", expected="the name of a layer", got=quoted(item.value))
            collector.add(fault.at(item.span))
    for name, item in named_entries(tree, "outputs", "an output", collector):
        name_place = entry.value.key_span(name)
        if isinstance(item.value, str):
            outputs.append(Output(name, name_place, item.value, item.span))
            continue
        where = f"the output {spell(name)}"
        section = validated(OutputSection, where, item, resolver.value(item), collector)
        if section is not None:
            labels = None if section.labels is None else tuple(section.labels)
            place, labels_place = item.find(("from",)).span, item.find(("labels",)).span
            outputs.append(Output(name, name_place, section.from_, place, labels, labels_place))
    return tuple(outputs)


Find = Callable[[str, Span], Value | None]


class OutputResolver:
    """Gives the outputs of a document their names and values, in one scope of names."""

    def __init__(
        self, names: Names, inputs: Mapping[str, Any], last: str, find: Find, collector: Collector
    ) -> None:
        self.names = names
        self.inputs = inputs
        self.last = last  # the last step's name: what `prev` is called
        self.find = find
        self.collector = collector

    def graph_outputs(self, outputs: tuple[Output, ...]) -> Iterator[GraphOutput]:
        """The outputs whose references hold.

        Errors: NS211 a name that is taken, NS222 a reference that is no name, NS224 labels that do not fit.
        """
        defined: dict[str, Span] = {}
        for output in outputs:
            value = self.find(output.reference, output.place)
            name = None if value is None else self._name(output, value)
            if name is None or value is None:
                continue
            if name in defined:
                duplicate = DuplicateName(name=spell(name), span=output.name_place)
                self.collector.add(duplicate.at(output.name_place, Note("the other is here", defined[name])))
                continue
            defined[name] = output.name_place
            self._check_labels(name, output, value)
            yield GraphOutput(name, value, output.place, output.labels)

    def _name(self, output: Output, value: Value) -> str | None:
        """An output's own name; in a list it is the layer's."""
        if output.name is None:
            name = self.last if output.reference == "prev" else output.reference
            name = value.name if name == "in" else name
            if "." in name or name in self.inputs:
                # The file of an export cannot have an input and an output of one name.
                unnamed = UnnamedOutput(reference=spell(name), is_input=name in self.inputs)
                self.collector.add(unnamed.at(output.place))
                return None
            return name
        known = self.names.get(output.name)
        if known is not None and (output.name in self.inputs or self.names.means_other(output.name, value)):
            duplicate = DuplicateName(name=spell(output.name))
            what = "an input" if output.name in self.inputs else "a layer"
            self.collector.add(duplicate.at(output.name_place, Note(f"{what} has this name", known.span)))
            return None
        return output.name

    def _check_labels(self, name: str, output: Output, value: Value) -> None:
        shape = value.type.shape
        if output.labels is None or shape is None:
            return
        classes = shape[1] if len(shape) > 1 else shape[0]
        if isinstance(classes, int) and classes != len(output.labels):
            fault = WrongLabels(name=name, classes=classes, count=len(output.labels), shape=str(value.type))
            self.collector.add(fault.at(output.labels_place))
