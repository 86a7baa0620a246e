"""Commands that tell what a spec amounts to, what there is to write one with, and what it runs on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netspec.commands.answers import DONE, SPEC_AT_FAULT, leave, print_json, settings_of, usage
from netspec.display.terminal import print_diagnostics
from netspec.options import (
    ExpandFormat,
    Format,
    FormatOption,
    Plugins,
    Settings,
    Spec,
    TableFormat,
    Variant,
)

if TYPE_CHECKING:
    from netspec.ir.graph import Graph


def show(
    spec: Spec,
    set_: Settings = None,
    variant: Variant = None,
    plugins: Plugins = None,
    at: Annotated[
        list[str] | None,
        typer.Option("--at", metavar="NAME=SIZE", help="Size of a symbolic dimension; may be repeated."),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option("--depth", min=1, metavar="N", help="Show N levels; deeper blocks as one line each."),
    ] = None,
    svg: Annotated[
        str | None,
        typer.Option("--svg", metavar="FILE", help="Draw the graph instead; - is standard output."),
    ] = None,
    unfold: Annotated[
        bool, typer.Option("--unfold", help="Draw identical repetitions one by one, not once.")
    ] = False,
    format: Annotated[
        TableFormat, typer.Option("--format", help="Text for people, JSON or CSV for programs.")
    ] = TableFormat.text,
) -> None:
    """Show the layer table: shapes, parameters, costs, windows.

    Multiply-adds are those of one sample. "31x31 /8" says that an element of the layer's output sees a
    window of 31 by 31 in the input, which moves by 8 from one element to the next.

    Example: netspec show specs/resnet.yaml --variant resnet50 --at H=224 --at W=224 --depth 1

    With --svg: the graph as a picture, in which blocks are boxes that nest, with the shapes of what flows.

    Example: netspec show specs/googlenet.yaml --svg googlenet.svg
    """
    if svg is None and unfold:
        usage("--unfold is for --svg, which is not given")
    if svg is not None and format is not TableFormat.text:
        usage("--svg draws and --format prints: give one of them")
    from netspec.analysis.table import tabulate
    from netspec.display.layers import layers_csv, layers_text
    from netspec.pipeline import check as check_spec

    checked = check_spec(spec, settings=settings_of(set_), variant=variant)
    sizes = _sizes(at, checked.graph)
    print_diagnostics(checked.warnings)
    if svg is not None:
        _draw(spec, checked.graph, sizes, depth, svg, unfold=unfold)
        return
    table = tabulate(checked.graph, sizes)
    if format is TableFormat.text:
        layers_text(table, depth)
    elif format is TableFormat.csv:
        sys.stdout.write(layers_csv(table))
    else:
        print_json(table.to_json())


def expand(
    spec: Spec,
    set_: Settings = None,
    variant: Variant = None,
    plugins: Plugins = None,
    format: Annotated[ExpandFormat, typer.Option("--format", help="YAML or JSON.")] = ExpandFormat.yaml,
) -> None:
    """Print the same network as a flat spec.

    It has no blocks, loops and parameters: every layer is a step, under the name that it has in the network.
    The same graph is made of it, and the same weights fit.

    Example: netspec expand specs/resnet.yaml --variant resnet18
    """
    from netspec.language.expand import expand as expanded
    from netspec.language.expand import expanded_yaml
    from netspec.pipeline import check as check_spec

    checked = check_spec(spec, settings=settings_of(set_), variant=variant)
    print_diagnostics(checked.warnings)
    flat = expanded(checked.graph)
    if format is ExpandFormat.json:
        print_json(flat)
    else:
        sys.stdout.writelines(f"{line}\n" for line in expanded_yaml(flat))


def eject(
    spec: Spec,
    set_: Settings = None,
    variant: Variant = None,
    plugins: Plugins = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write a file instead of printing.")
    ] = None,
) -> None:
    """Write a network as plain PyTorch, free of netspec.

    One Python file with a class for each block. It has the same state dict, so that weights that netspec
    saved fit it, and computes the same.

    Example: netspec eject specs/resnet18.yaml -o resnet18.py
    """
    from netspec.pipeline import check as check_spec
    from netspec.pipeline import eject as ejected

    checked = check_spec(spec, settings=settings_of(set_), variant=variant)
    print_diagnostics(checked.warnings)
    text = ejected(checked)
    if out is None:
        sys.stdout.write(text)
        return
    from netspec.files import published, writing

    with published(out) as beside, writing(beside):
        beside.write_text(text, encoding="utf-8")
    print(f"{spec}: written as PyTorch to {out}")


def ops(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="An operation, for all about it.")
    ] = None,
    plugins: Plugins = None,
    format: FormatOption = Format.text,
) -> None:
    """List the operations, or explain one.

    Example: netspec ops Conv2d
    """
    from netspec.display.listing import list_json, look_up, show_list
    from netspec.display.operations import operation_json, show_operation

    if name is None:
        print_json(list_json()) if format is Format.json else show_list()
        return
    operation = look_up(name)
    if format is Format.json:
        print_json(operation_json(operation))
    else:
        show_operation(operation)
    print_diagnostics(operation.faults)
    leave(SPEC_AT_FAULT if operation.faults else DONE)


def schema(
    certificate: Annotated[
        bool, typer.Option("--certificate", help="Print the schema of NAME.cert.json instead.")
    ] = False,
) -> None:
    """Print the JSON Schema by which editors complete and check specs.

    Example: netspec schema > netspec.schema.json
    """
    if certificate:
        from netspec.verify.certificate_schema import schema_text
    else:
        from netspec.language.schema import schema_text

    sys.stdout.write(schema_text())


def doctor(format: FormatOption = Format.text) -> None:
    """Examine the environment: packages, runtimes, GPUs.

    Example: netspec doctor
    """
    from netspec.display.examination import report_text
    from netspec.doctor import diagnose

    report = diagnose()
    if format is Format.json:
        print_json(report.to_json())
    else:
        report_text(report)
    leave(DONE if report.healthy else SPEC_AT_FAULT)


def _draw(
    spec: str, graph: Graph, sizes: dict[str, int], depth: int | None, file: str, *, unfold: bool
) -> None:
    """Draw a graph into a file, and say what the picture leaves out."""
    from netspec.drawing import draw
    from netspec.files import published, writing

    picture = draw(graph, sizes, depth=depth, fold_repetitions=not unfold)
    if file == "-":
        sys.stdout.write(picture.svg)
        return
    with published(Path(file)) as beside, writing(beside):
        beside.write_text(picture.svg, encoding="utf-8", newline="\n")
    print(f"{spec}: drawn to {file}")
    if picture.folded:
        print("  identical repetitions are drawn once; --unfold draws each of them")
    if picture.depth < picture.levels:
        print(f"  {picture.depth} of {picture.levels} levels are shown; --depth {picture.levels} shows all")


def _sizes(given: list[str] | None, graph: Graph) -> dict[str, int]:
    """`--at` options by name, each held against the limits of its dimension."""
    sizes = {}
    for text in given or ():
        name, _, value = (part.strip() for part in text.partition("="))
        if not value.isascii() or not value.isdigit():
            usage(f"--at takes NAME=SIZE, not {text!r}")
        bounds = graph.bounds.get(name)
        if bounds is None:
            known = ", ".join(graph.bounds) or "none"
            usage(f"--at {text}: the symbolic dimensions of this spec are {known}")
        sizes[name] = int(value)
        too_large = bounds.greatest is not None and sizes[name] > bounds.greatest
        if sizes[name] < bounds.least or sizes[name] % bounds.multiple_of or too_large:
            from netspec.display.limits import limits

            usage(f"--at {text}: {' '.join(limits({name: bounds}))}")
    return sizes
