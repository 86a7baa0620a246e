"""A tree to a Document: every section of a spec file validated, everything wrong collected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from netspec.diagnostics import Collector, Diagnostic, Span, nearest, spell
from netspec.ir.dim import UNKNOWN, Bounds
from netspec.language.names import check_name
from netspec.language.parameters import Parameters, load_parameters
from netspec.language.resolve import Resolver
from netspec.language.sections import (
    STEP_KEYS,
    DimSection,
    FileSection,
    InputSection,
    OutputSection,
    PreprocessSection,
    StepSection,
)
from netspec.language.tree import Entry, Tree
from netspec.language.validation import UnknownKey, WrongValue, first_line, quoted, section_faults


class Empty(Diagnostic):
    """A section without anything in it."""

    code = "NS208"
    message = "{section} is empty"

    section: str
    example: str

    @property
    def help(self) -> str:
        return "for example {example}"


class NoOperation(Diagnostic):
    """A step that names no operation, or more than one."""

    code = "NS209"
    message = "a step needs one operation, {problem}"

    problem: str

    @property
    def help(self) -> str:
        return "write ReLU, or Conv2d: {{out_channels: 8, kernel_size: 3}}; operations begin with a capital"


class NoSpecName(Diagnostic):
    """The file's own name cannot name the network."""

    code = "NS210"
    message = "the file's name cannot be the network's: {reason}"

    reason: str
    instead: str

    @property
    def help(self) -> str:
        return "add a line such as `name: {instead}`"


class UnknownDimension(Diagnostic):
    """`dims` speaks of a dimension that no input has."""

    code = "NS225"
    message = "no input has the symbolic dimension {name}"

    name: str
    suggestion: str | None

    @property
    def help(self) -> str:
        return (
            "did you mean {suggestion}?" if self.suggestion else "write it in an input's shape, or remove it"
        )


class EmptyInterval(Diagnostic):
    """Limits of a dimension that no size meets."""

    code = "NS226"
    message = "no size of {name} is at least {least}, at most {greatest} and a multiple of {multiple_of}"

    name: str
    least: int
    greatest: int
    multiple_of: int


@dataclass(frozen=True)
class Step:
    """One step of `layers`: what it calls, and where everything of it is written."""

    operation: str
    place: Span
    arguments: Tree | None
    tree: Tree
    section: StepSection

    def span_of(self, key: str) -> Span:
        """Where the value of `name`, `from`, `repeat` or `init` is written; else the operation."""
        entry = self.tree.entries.get(key)
        return entry.value.span if entry else self.place


@dataclass(frozen=True)
class Output:
    """One entry of `outputs`."""

    name: str | None
    reference: str
    labels: tuple[str, ...] | None
    place: Span


@dataclass(frozen=True)
class Document:
    """A spec file whose sections are each as they should be; names are not looked up yet."""

    tree: Tree
    name: str
    inputs: Mapping[str, InputSection]
    preprocess: Mapping[str, PreprocessSection]
    bounds: Mapping[str, Bounds]
    parameters: Parameters
    steps: tuple[Step, ...]
    outputs: tuple[Output, ...] | None


Model = TypeVar("Model", bound=BaseModel)


class _Loader:
    """Validates one file; everything wrong goes to the collector."""

    def __init__(self, tree: Tree, collector: Collector) -> None:
        self.tree = tree
        self.collector = collector

    def section(self, model: type[Model], where: str, tree: Tree, value: Any) -> Model | None:
        """`value` as the model of a section; None, and diagnostics, where it is not."""
        if value is UNKNOWN:
            return None
        try:
            return model.model_validate(value)
        except ValidationError as error:
            self.collector.extend(section_faults(where, model, error, tree))
            return None

    def document(self, overrides: Mapping[str, str]) -> Document | None:
        """The whole file, or None where it cannot be read any further."""
        tree, collector = self.tree, self.collector
        if not isinstance(tree.value, dict):
            fault = WrongValue(
                key="a spec", expected="a mapping of netspec, inputs, layers", got=quoted(tree.value)
            )
            collector.add(fault.at(tree.span))
            return None
        file = self.section(FileSection, "a spec", tree, tree.value)
        parameters = load_parameters(tree, overrides, collector)
        resolver = Resolver(parameters.values, {}, collector)
        inputs, preprocess = self._inputs(resolver)
        bounds = self._bounds(inputs, resolver)
        steps = tuple(self._steps())
        outputs = self._outputs(resolver)
        name = self._name(file)
        if file is None or name is None:
            return None
        return Document(tree, name, inputs, preprocess, bounds, parameters, steps, outputs)

    def _name(self, file: FileSection | None) -> str | None:
        if file is not None and file.name is not None:
            fault = check_name(file.name, "a network")
            if fault is not None:
                self.collector.add(fault.at(self.tree.find(("name",)).span))
            return file.name
        stem = PurePath(self.tree.source.name).stem
        fault = check_name(stem, "a network")
        if fault is None:
            return stem
        if stem.startswith("<"):
            return "network"  # standard input has no name
        instead = fault.instead or "my_network"
        self.collector.add(NoSpecName(reason=fault.reason, instead=instead, span=first_line(self.tree)))
        return None

    def _named(self, section: str, kind: str) -> Iterator[tuple[str, Tree]]:
        """The entries of a section whose keys are names, each name checked."""
        entry = self.tree.entries.get(section)
        if entry is None:
            return
        for name, item in entry.value.entries.items():
            fault = check_name(name, kind)
            if fault is not None:
                self.collector.add(fault.at(entry.value.key_span(name)))
            yield name, item.value

    def _inputs(self, resolver: Resolver) -> tuple[dict[str, InputSection], dict[str, PreprocessSection]]:
        inputs: dict[str, InputSection] = {}
        preprocess: dict[str, PreprocessSection] = {}
        entry = self.tree.entries.get("inputs")
        if entry is not None and not entry.value.value:
            fault = Empty(section="inputs", example="inputs: {image: [batch, 3, 224, 224]}")
            self.collector.add(fault.at(self.tree.key_span("inputs")))
        for name, tree in self._named("inputs", "an input"):
            value = resolver.value(tree)
            if isinstance(value, list):
                value = {"shape": value}
                tree = _under("shape", tree)
            section = self.section(InputSection, f"the input {spell(name)}", tree, value)
            if section is None:
                continue
            inputs[name] = section
            self._check_symbols(section, tree.find(("shape",)))
            if section.preprocess is not None:
                where = f"preprocess of {spell(name)}"
                place = tree.find(("preprocess",))
                found = self.section(PreprocessSection, where, place, section.preprocess)
                if found is not None:
                    preprocess[name] = found
        return inputs, preprocess

    def _check_symbols(self, section: InputSection, tree: Tree) -> None:
        for size, item in zip(section.shape, tree.items, strict=True):
            if isinstance(size, str):
                fault = check_name(size, "a dimension")
                if fault is not None:
                    self.collector.add(fault.at(item.span))

    def _bounds(self, inputs: Mapping[str, InputSection], resolver: Resolver) -> dict[str, Bounds]:
        """The limits of every symbolic dimension, in the order in which the inputs name them."""
        symbols = [size for section in inputs.values() for size in section.shape if isinstance(size, str)]
        bounds = {name: Bounds() for name in symbols}
        for name, tree in self._named("dims", "a dimension"):
            if name not in bounds and self.tree.entries.get("inputs"):
                fault = UnknownDimension(name=spell(name), suggestion=nearest(name, bounds))
                self.collector.add(fault.at(self.tree.entries["dims"].value.key_span(name)))
            section = self.section(DimSection, f"the dimension {spell(name)}", tree, resolver.value(tree))
            if section is None or name not in bounds:
                continue
            found = Bounds(section.min, section.max, section.multiple_of)
            if found.greatest is not None and found.greatest < found.least:
                assert section.max is not None
                empty = EmptyInterval(
                    name=name, least=section.min, greatest=section.max, multiple_of=section.multiple_of
                )
                self.collector.add(empty.at(tree.span))
            else:
                bounds[name] = found
        return bounds

    def _steps(self) -> Iterator[Step]:
        entry = self.tree.entries.get("layers")
        if entry is None:
            return
        layers = entry.value
        if not layers.value:
            example = "layers: [Flatten, {Linear: {out_features: 10}}]"
            self.collector.add(Empty(section="layers", example=example).at(self.tree.key_span("layers")))
        for tree in layers.items:
            step = self._step(tree)
            if step is not None:
                yield step

    def _step(self, tree: Tree) -> Step | None:
        value = tree.value
        if isinstance(value, str):
            if value[:1].isupper() or value.startswith("$"):
                return Step(value, tree.span, None, tree, _BARE)
            problem = f"and {quoted(value)} is none"
            self.collector.add(NoOperation(problem=problem).at(tree.span))
            return None
        if not isinstance(value, dict):
            self.collector.add(NoOperation(problem=f"not {quoted(value)}").at(tree.span))
            return None
        section = self.section(StepSection, "a step", tree, value)
        if section is None:
            return None
        operations = []
        for key in section.model_extra or {}:
            if key[:1].isupper():
                operations.append(key)
            else:
                suggestion = nearest(key, STEP_KEYS)
                unknown = UnknownKey(key=spell(key), where="a step", suggestion=suggestion, known=STEP_KEYS)
                self.collector.add(unknown.at(tree.key_span(key)))
        if len(operations) != 1:
            if operations:
                problem = f"not {len(operations)}: {', '.join(map(spell, operations))}"
                self.collector.add(NoOperation(problem=problem).at(tree.key_span(operations[1])))
            elif len(section.model_extra or {}) == 0:
                self.collector.add(NoOperation(problem="and this one has none").at(first_line(tree)))
            return None
        (operation,) = operations
        return Step(operation, tree.key_span(operation), tree.entries[operation].value, tree, section)

    def _outputs(self, resolver: Resolver) -> tuple[Output, ...] | None:
        entry = self.tree.entries.get("outputs")
        if entry is None or not isinstance(entry.value.value, (list, dict)):
            return None
        tree = entry.value
        if not tree.value:
            self.collector.add(
                Empty(section="outputs", example="outputs: [logits]").at(self.tree.key_span("outputs"))
            )
        outputs = []
        for item in tree.items:
            if isinstance(item.value, str):
                outputs.append(Output(None, item.value, None, item.span))
            else:
                fault = WrongValue(key="an output", expected="the name of a layer", got=quoted(item.value))
                self.collector.add(fault.at(item.span))
        for name, item in self._named("outputs", "an output"):
            if isinstance(item.value, str):
                outputs.append(Output(name, item.value, None, item.span))
                continue
            section = self.section(OutputSection, f"the output {spell(name)}", item, resolver.value(item))
            if section is not None:
                labels = None if section.labels is None else tuple(section.labels)
                outputs.append(Output(name, section.from_, labels, item.find(("from",)).span))
        return tuple(outputs)


_BARE = StepSection()


def _under(key: str, tree: Tree) -> Tree:
    """`tree` as the only value of a mapping: the short form of an input stands for its long one."""
    return Tree(
        tree.source, tree.start, tree.end, {key: tree.value}, entries={key: Entry(tree.start, tree.end, tree)}
    )


def load(tree: Tree, overrides: Mapping[str, str], collector: Collector) -> Document | None:
    """The document of a spec file, its parameters set by `overrides` (name to text, as on a command line).

    Errors: NS201 to NS210, NS219, NS220, NS225 and NS226, into the collector; None where nothing can be made
    of the file.
    """
    return _Loader(tree, collector).document(overrides)
