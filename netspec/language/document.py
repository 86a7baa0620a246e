"""A tree to a Document: every section of a spec file validated, everything wrong collected."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from netspec.diagnostics import Collector, Diagnostic
from netspec.ir.dim import Bounds
from netspec.ir.graph import Preprocess
from netspec.language.callables import Callables
from netspec.language.inputs import load_bounds, load_inputs, load_preprocess
from netspec.language.load_steps import StepLoader
from netspec.language.names import check_name
from netspec.language.naming import name_steps
from netspec.language.outputs import Output, load_outputs
from netspec.language.parameters import Parameters, load_parameters, report_taken
from netspec.language.resolve import Resolver
from netspec.language.sections import FileSection, InputSection
from netspec.language.steps import Body
from netspec.language.tree import Tree
from netspec.language.validation import Empty, WrongValue, first_line, quoted, validated

if TYPE_CHECKING:
    from netspec.language.training.loading import Planned

MINIMAL = """\
for example
netspec: 1
inputs: {image: [batch, 784]}
layers:
  - Linear: {out_features: 10}"""


class NoSpecName(Diagnostic):
    """The file's own name cannot name the network."""

    code = "NS210"
    message = "the file's name cannot be the network's: {reason}"

    reason: str
    instead: str

    @property
    def help(self) -> str:
        return "add a line such as `name: {instead}`"


class Document(NamedTuple):
    """A spec file whose sections are each as they should be; names are not looked up yet.

    After an error an input is None, and `complete` is false where the names of inputs or layers may be others
    than those that are here.
    """

    tree: Tree
    name: str
    inputs: Mapping[str, InputSection | None]
    preprocess: Mapping[str, Preprocess]
    bounds: Mapping[str, Bounds]
    parameters: Parameters
    callables: Callables
    body: Body
    outputs: tuple[Output, ...] | None
    complete: bool
    training: Planned | None


def load(
    tree: Tree, overrides: Mapping[str, str], collector: Collector, variant: str | None = None
) -> Document | None:
    """The document of a spec file, its parameters set by one of its variants, and then by `overrides`.

    `overrides` is text by name, as on a command line; names that begin with `train` are of that section.

    Errors: NS201 to NS211, NS219, NS220, NS225 to NS227, NS234 to NS242, NS254 to NS256 and NS400 to NS404,
    into the collector; None where nothing can be made of the file.
    """
    if not isinstance(tree.value, dict):
        got = quoted(tree.value)
        fault = WrongValue(key="a spec", expected=FileSection.expected, got=got, advice=MINIMAL)
        collector.add(fault.at(tree.span))
        return None
    validated(FileSection, "a spec", tree, {**tree.value, **_emptied(tree, collector)}, collector)
    of_training = {name: text for name, text in overrides.items() if name.partition(".")[0] == "train"}
    own = {name: text for name, text in overrides.items() if name not in of_training}
    parameters = load_parameters(tree, own, collector, variant)
    resolver = Resolver(parameters.values, {}, collector, complete=parameters.complete)
    inputs = load_inputs(tree, resolver, collector)
    bounds = load_bounds(tree, inputs, resolver, collector)
    report_taken(tree, parameters.values, bounds, collector)
    preprocess = load_preprocess(tree, inputs, bounds, resolver, collector)
    callables = _callables(tree, collector)
    layers = tree.entries.get("layers")
    body = StepLoader(callables, collector).body(None if layers is None else layers.value, tree)
    places = tree.find(("inputs",))
    name_steps(body, {name: places.key_span(name) for name in inputs}, callables, collector)
    outputs = load_outputs(tree, resolver, collector)
    training = _training(tree, of_training, resolver, collector)
    name = _network_name(tree, collector)
    if variant is not None and parameters.complete:
        name = variant if name in variant else f"{name}_{variant}"
    complete = bool(inputs) and bool(body.steps) and body.complete
    return Document(
        tree, name, inputs, preprocess, bounds, parameters, callables, body, outputs, complete, training
    )


def _training(
    tree: Tree, settings: Mapping[str, str], resolver: Resolver, collector: Collector
) -> Planned | None:
    """What the file's `train` says; None, and nothing is loaded for it, where there is none."""
    if "train" not in tree.entries and not settings:
        return None
    from netspec.language.training.loading import load_training

    return load_training(tree, settings, resolver, collector)


def _callables(tree: Tree, collector: Collector) -> Callables:
    """The blocks of a file, and of those that it uses; every block may use every other."""
    callables = Callables()
    if "blocks" not in tree.entries and "use" not in tree.entries:
        return callables
    from netspec.language.blocks import declare_blocks, load_block

    declared = declare_blocks(tree, callables, collector)
    if "use" in tree.entries:
        from netspec.language.library import Library

        declared += Library(tree, callables, collector).blocks()
    for block in declared:
        load_block(block, callables, collector)
    return callables


def _emptied(tree: Tree, collector: Collector) -> dict[str, Any]:
    """NS208 for each section that must hold something and is empty; what null must be taken for there."""
    stand_ins: dict[str, Any] = {}
    for key, nothing in (("inputs", {}), ("layers", []), ("outputs", [])):
        given = tree.value.get(key, key)
        if given is None and key != "outputs":
            stand_ins[key] = nothing
        if given in ({}, []) or key in stand_ins:
            example = FileSection.example(key, None)
            collector.add(Empty(section=key, example=example, span=tree.key_span(key)))
    return stand_ins


def _network_name(tree: Tree, collector: Collector) -> str:
    """The network's name: the one given, else the file's."""
    given = tree.value.get("name")
    if isinstance(given, str):
        fault = check_name(given, "a network")
        if fault is not None:
            collector.add(fault.at(tree.find(("name",)).span))
        return given
    stem = PurePath(tree.source.name).stem
    if stem.startswith("<"):
        return "network"  # standard input has no name
    fault = check_name(stem, "a network")
    if fault is not None and given is None:
        no_name = NoSpecName(reason=fault.reason, instead=fault.instead or "my_network")
        collector.add(no_name.at(first_line(tree)))
    return stem
