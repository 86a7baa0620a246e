"""Short specs for the tests of the language side."""

from __future__ import annotations

from textwrap import dedent, indent

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.ir.graph import Graph
from netspec.pipeline import Checked, check_text


def spec(layers: str, *, inputs: str = "{image: [batch, 3, 32, 32]}", more: str = "") -> str:
    """A spec with these steps; `more` are further sections."""
    return (
        f"netspec: 1\nname: net\ninputs: {inputs}\n{dedent(more)}\nlayers:\n{indent(dedent(layers), '  ')}\n"
    )


def checked(text: str, **settings: str) -> Checked:
    return check_text(text, "net.yaml", format="yaml", settings=settings)


def graph(
    layers: str, *, inputs: str = "{image: [batch, 3, 32, 32]}", more: str = "", **settings: str
) -> Graph:
    """The graph of a spec that holds."""
    return checked(spec(layers, inputs=inputs, more=more), **settings).graph


def faults(
    layers: str, *, inputs: str = "{image: [batch, 3, 32, 32]}", more: str = "", **settings: str
) -> list[Diagnostic]:
    """What is wrong with a spec that does not hold."""
    try:
        checked(spec(layers, inputs=inputs, more=more), **settings)
    except DiagnosticError as error:
        return list(error.diagnostics)
    raise AssertionError("the spec holds")


def codes(found: list[Diagnostic]) -> list[str]:
    return [diagnostic.code for diagnostic in found]


def shapes(network: Graph) -> dict[str, str]:
    """Each layer's first output shape as text, by the layer's name."""
    return {node.name: str(node.output.type) for node in network}


def reads(network: Graph) -> dict[str, list[str]]:
    """The names of the values that each layer reads, by the layer's name."""
    return {node.name: [value.name for value in node.inputs] for node in network}


def values(network: Graph) -> dict[str, str]:
    """The value that each output gives, by the output's name."""
    return {output.name: output.value.name for output in network.outputs}


def texts(found: list[Diagnostic]) -> list[str]:
    return [diagnostic.text for diagnostic in found]
