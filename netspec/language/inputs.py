"""`inputs` and `dims`: the shapes that a network is given, and what their symbolic dimensions may be."""

from __future__ import annotations

from collections.abc import Mapping

from netspec.diagnostics import Collector, Diagnostic, nearest, spell
from netspec.ir.dim import Bounds
from netspec.ir.graph import Preprocess
from netspec.language.names import check_name, named_entries
from netspec.language.resolve import Resolver
from netspec.language.sections import DimSection, InputSection, PreprocessSection
from netspec.language.tree import Entry, Tree
from netspec.language.validation import validated


class UnknownDimension(Diagnostic):
    """`dims` speaks of a dimension that no input has."""

    code = "NS225"
    message = "no input has the symbolic dimension {name}"

    name: str
    suggestion: str | None
    known: tuple[str, ...]

    @property
    def help(self) -> str:
        if self.suggestion:
            return "did you mean {suggestion}?"
        if self.known:
            return "the inputs have {known}"
        return "write it in an input's shape, as in [batch, 3, H, W], or remove it here"


class EmptyInterval(Diagnostic):
    """Limits of a dimension that no size meets."""

    code = "NS226"
    message = "no size of {name} meets these limits: {problem}"

    name: str
    least: int
    greatest: int
    multiple_of: int

    @property
    def problem(self) -> str:
        if self.least > self.greatest:
            return f"min {self.least} is more than max {self.greatest}"
        return f"between {self.least} and {self.greatest} there is no multiple of {self.multiple_of}"


def load_inputs(tree: Tree, resolver: Resolver, collector: Collector) -> dict[str, InputSection | None]:
    """The inputs of a file in order; None for one with an error.

    Errors: NS201 to NS204.
    """
    inputs: dict[str, InputSection | None] = {}
    for name, written in named_entries(tree, "inputs", "an input", collector):
        value, item = resolver.value(written), written
        if isinstance(value, list):
            value, item = {"shape": value}, _under("shape", written)
        section = validated(InputSection, f"the input {spell(name)}", item, value, collector)
        inputs[name] = section
        if section is None:
            continue
        for size, place in zip(section.shape, item.find(("shape",)).items, strict=True):
            fault = check_name(size, "a dimension") if isinstance(size, str) else None
            if fault is not None:
                collector.add(fault.at(place.span))
    return inputs


def load_bounds(
    tree: Tree, inputs: Mapping[str, InputSection | None], resolver: Resolver, collector: Collector
) -> dict[str, Bounds]:
    """The limits of every symbolic dimension, in the order in which the inputs name them.

    Errors: NS204, NS225, NS226.
    """
    sections = [section for section in inputs.values() if section is not None]
    symbols = [size for section in sections for size in section.shape if isinstance(size, str)]
    bounds = {name: Bounds() for name in symbols}
    everything_known = len(sections) == len(inputs) > 0
    for name, item in named_entries(tree, "dims", "a dimension", collector):
        if name not in bounds and everything_known:
            unknown = UnknownDimension(
                name=spell(name), suggestion=nearest(name, bounds), known=tuple(bounds)
            )
            collector.add(unknown.at(tree.entries["dims"].value.key_span(name)))
        where = f"the dimension {spell(name)}"
        section = validated(DimSection, where, item, resolver.value(item), collector)
        if section is None or name not in bounds:
            continue
        found = Bounds(section.min, section.max, section.multiple_of)
        if section.max is not None and found.greatest is not None and found.greatest < found.least:
            empty = EmptyInterval(
                name=name, least=section.min, greatest=section.max, multiple_of=section.multiple_of
            )
            collector.add(empty.at(item.span))
        else:
            bounds[name] = found
    return bounds


def load_preprocess(
    tree: Tree,
    inputs: Mapping[str, InputSection | None],
    bounds: Mapping[str, Bounds],
    resolver: Resolver,
    collector: Collector,
) -> dict[str, Preprocess]:
    """The `preprocess` of each input that has one.

    Errors: NS202 and NS204; NS227 where it does not fit the input.
    """
    found: dict[str, Preprocess] = {}
    for name, given in inputs.items():
        if given is None or given.preprocess is None:
            continue
        place = tree.find(("inputs", name, "preprocess"))
        where = f"preprocess of {spell(name)}"
        section = validated(PreprocessSection, where, place, given.preprocess, collector)
        if section is not None:
            from netspec.language.preprocess import Examination, preprocess_rule

            found[name] = preprocess_rule(section)
            collector.extend(Examination(name, section, given, place, bounds).faults())
    return found


def _under(key: str, tree: Tree) -> Tree:
    """`tree` as the only value of a mapping: the short form of an input stands for its long one."""
    return Tree(
        tree.source, tree.start, tree.end, {key: tree.value}, entries={key: Entry(tree.start, tree.end, tree)}
    )
