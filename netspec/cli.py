"""The command line: one short function per command, which parses, calls a stage and shows the outcome."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.display.terminal import print_diagnostics
from netspec.options import (
    CheckFormat,
    ExpandFormat,
    Format,
    FormatOption,
    Plugins,
    SamplesOption,
    SeedOption,
    Settings,
    Spec,
    Specs,
    TableFormat,
    Variant,
    WeightsMap,
)

if TYPE_CHECKING:
    from netspec.ir.graph import Graph
    from netspec.pipeline import Checked
    from netspec.verify.certificate import Certificate

DONE, SPEC_AT_FAULT, REJECTED, INCONCLUSIVE = 0, 1, 3, 4
BY_GRAVITY = (DONE, INCONCLUSIVE, SPEC_AT_FAULT, REJECTED)  # of several specs the gravest counts

EPILOG = (
    "Exit codes: 0 done, 1 the spec or the data is at fault, 2 usage, 3 verification failed, 4 inconclusive."
    "\n\nExample: netspec build specs/lenet.yaml"
)

app = typer.Typer(
    name="netspec",
    epilog=EPILOG,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)


def _version(asked: bool) -> None:
    if asked:
        from netspec import __version__

        print(f"netspec {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Check, build and verify neural networks that are written as YAML or JSON specs."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def check(
    specs: Specs,
    set_: Settings = None,
    variant: Variant = None,
    plugins: Plugins = None,
    format: Annotated[
        CheckFormat,
        typer.Option("--format", help="Text for people, JSON for programs, GitHub's annotations."),
    ] = CheckFormat.text,
) -> None:
    """Check specs: syntax, names, arguments and every shape.

    Needs no torch and builds nothing.

    Example: netspec check specs/lenet.yaml --set classes=47
    """
    from netspec.display.checked import checked_json, checked_line

    everything: list[Diagnostic] = []
    reports = []
    code = DONE
    for spec, checked, diagnostics in _checked(specs, set_, variant):
        everything += diagnostics
        if checked is None:
            code = SPEC_AT_FAULT
        elif format is CheckFormat.text:
            print(checked_line(spec, checked.graph))
        if format is CheckFormat.json:
            reports.append(checked_json(spec, diagnostics, checked is not None))
    if format is CheckFormat.text:
        print_diagnostics(everything)
    elif format is CheckFormat.github:
        from netspec.diagnostics.render import render_github

        sys.stdout.write(render_github(everything))
    else:
        _print_json(reports)
    _leave(code)


@app.command()
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
    format: Annotated[
        TableFormat, typer.Option("--format", help="Text for people, JSON or CSV for programs.")
    ] = TableFormat.text,
) -> None:
    """Show the layer table: shapes, parameters, costs, windows.

    Multiply-adds are those of one sample. "31x31 /8" says that an element of the layer's output sees a
    window of 31 by 31 in the input, which moves by 8 from one element to the next.

    Example: netspec show specs/resnet.yaml --variant resnet50 --at H=224 --at W=224 --depth 1
    """
    from netspec.analysis.table import tabulate
    from netspec.display.layers import layers_csv, layers_text
    from netspec.pipeline import check as check_spec

    checked = check_spec(spec, settings=_settings(set_), variant=variant)
    table = tabulate(checked.graph, _sizes(at, checked.graph))
    print_diagnostics(checked.warnings)
    if format is TableFormat.text:
        layers_text(table, depth)
    elif format is TableFormat.csv:
        sys.stdout.write(layers_csv(table))
    else:
        _print_json(table.to_json())


@app.command()
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

    checked = check_spec(spec, settings=_settings(set_), variant=variant)
    print_diagnostics(checked.warnings)
    flat = expanded(checked.graph)
    if format is ExpandFormat.json:
        _print_json(flat)
    else:
        sys.stdout.writelines(f"{line}\n" for line in expanded_yaml(flat))


@app.command()
def build(
    specs: Specs,
    set_: Settings = None,
    variant: Variant = None,
    plugins: Plugins = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights", metavar="FILE", help="Take weights from a file: safetensors, or of torch.save."
        ),
    ] = None,
    weights_map: Annotated[
        WeightsMap | None,
        typer.Option(
            "--weights-map",
            help="Match the file's tensors to the layers by name or by order, and print the alignment.",
        ),
    ] = None,
    save_weights: Annotated[
        Path | None,
        typer.Option("--save-weights", metavar="FILE", help="Save the weights as safetensors too."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where NAME.onnx appears.")] = Path(
        "exports"
    ),
    opset: Annotated[
        int | None, typer.Option("--opset", metavar="N", help="ONNX operator set; 18 unless given.")
    ] = None,
    samples: SamplesOption = None,
    seed: SeedOption = 0,
    keep_rejected: Annotated[
        bool,
        typer.Option("--keep-rejected", help="If verification fails, keep the file as NAME.rejected.onnx."),
    ] = False,
    format: FormatOption = Format.text,
) -> None:
    """Check, build, export to ONNX, verify, and certify.

    The file appears as exports/NAME.onnx only if onnxruntime computes from it what the network computes;
    exports/NAME.cert.json says how that was found. Weights are drawn from --seed unless --weights gives them.
    All specs are checked before the first is built; one that is at fault does not keep others from it.

    Example: netspec build specs/lenet.yaml --samples t10k-images-idx3-ubyte.gz
    """
    if len(specs) > 1 and (weights or save_weights):
        _usage("--weights and --save-weights are for one spec at a time")
    if weights_map and not weights:
        _usage("--weights-map is for --weights, which is not given")
    from netspec.display.alignment import taken_text
    from netspec.display.outcome import built_text, report_json
    from netspec.display.progress import ProgressDisplay
    from netspec.pipeline import build as build_spec
    from netspec.process import let_threads_sleep
    from netspec.torch_backend.alignment import Misaligned

    let_threads_sleep()
    codes = [DONE]
    reports = []
    for spec, checked, diagnostics in _distinct(list(_checked(specs, set_, variant)), out):
        built = taken = None
        found = list(diagnostics)
        try:
            if checked is not None:
                with ProgressDisplay(spec) as progress:
                    built = build_spec(
                        checked,
                        weights=weights,
                        weights_map=weights_map.value if weights_map else None,
                        save_weights=save_weights,
                        out=out,
                        opset=opset,
                        seed=seed,
                        samples=samples,
                        keep_rejected=keep_rejected,
                        progress=progress,
                    )
                taken = built.taken
                found += (*(taken.warnings if taken else ()), *built.certificate.problems)
        except DiagnosticError as error:
            taken = error.taken if isinstance(error, Misaligned) else None
            found += error.diagnostics
        codes.append(SPEC_AT_FAULT if built is None else _verdict_code(built.certificate))
        reports.append(report_json(spec, found, built, taken))
        if taken is not None and format is Format.text:
            taken_text(taken)
        if built is not None and format is Format.text:
            built_text(built)
        sys.stdout.flush()
        print_diagnostics(found)
    if format is Format.json:
        _print_json(reports)
    _leave(max(codes, key=BY_GRAVITY.index))


@app.command()
def verify(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="An .onnx file that netspec built.")],
    plugins: Plugins = None,
    samples: SamplesOption = None,
    seed: SeedOption = 0,
    format: FormatOption = Format.text,
) -> None:
    """Put an exported file through the gates again.

    Nothing else is needed: the network is built from the spec in the file's metadata, and its weights are
    the file's own.

    Example: netspec verify exports/lenet.onnx
    """
    from netspec.display.outcome import certificate_text
    from netspec.display.progress import ProgressDisplay
    from netspec.pipeline import verify_file
    from netspec.process import let_threads_sleep

    let_threads_sleep()
    with ProgressDisplay(str(model)) as progress:
        _, certificate = verify_file(model, samples=samples, seed=seed, progress=progress)
    if format is Format.json:
        _print_json(certificate.to_data())
    else:
        print(f"{model}: {certificate.verdict}")
        certificate_text(certificate)
    sys.stdout.flush()
    print_diagnostics(certificate.problems)
    _leave(_verdict_code(certificate))


@app.command()
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
        _print_json(list_json()) if format is Format.json else show_list()
        return
    operation = look_up(name)
    if format is Format.json:
        _print_json(operation_json(operation))
    else:
        show_operation(operation)
    print_diagnostics(operation.faults)
    _leave(SPEC_AT_FAULT if operation.faults else DONE)


@app.command()
def schema() -> None:
    """Print the JSON Schema by which editors complete and check specs.

    Example: netspec schema > netspec.schema.json
    """
    from netspec.language.schema import schema_text

    sys.stdout.write(schema_text())


@app.command()
def doctor(format: FormatOption = Format.text) -> None:
    """Examine the environment: packages, runtimes, GPUs.

    Example: netspec doctor
    """
    from netspec.display.examination import report_text
    from netspec.doctor import diagnose

    report = diagnose()
    if format is Format.json:
        _print_json(report.to_json())
    else:
        report_text(report)
    _leave(DONE if report.healthy else SPEC_AT_FAULT)


def _checked(
    specs: list[str], given: list[str] | None, variant: str | None
) -> Iterator[tuple[str, Checked | None, tuple[Diagnostic, ...]]]:
    """Every spec with what `check` gives, or None where it does not hold, and what was found in it."""
    from netspec.pipeline import check as check_spec

    settings = _settings(given)
    for spec in dict.fromkeys(specs):  # one given twice is meant once
        try:
            checked = check_spec(spec, settings=settings, variant=variant)
            yield spec, checked, checked.warnings
        except DiagnosticError as error:
            yield spec, None, error.diagnostics


class SameName(Diagnostic):
    """Two specs of one command whose files would replace each other."""

    code = "NS580"
    message = "the network {name} of {spec} would replace that of {other}: both go to {folder}"

    name: str
    spec: str
    other: str
    folder: str

    @property
    def help(self) -> str:
        return "give one of them another name, or build it by itself with another --out"


def _distinct(
    found: list[tuple[str, Checked | None, tuple[Diagnostic, ...]]], out: Path
) -> Iterator[tuple[str, Checked | None, tuple[Diagnostic, ...]]]:
    """The same, without the networks whose name an earlier one has; those are at fault."""
    taken: dict[str, str] = {}
    for spec, checked, diagnostics in found:
        if checked is not None and taken.setdefault(checked.graph.name, spec) is not spec:
            name = checked.graph.name
            fault = SameName(name=name, spec=printable(spec), other=printable(taken[name]), folder=str(out))
            yield spec, None, (*diagnostics, fault)
        else:
            yield spec, checked, diagnostics


def _settings(given: list[str] | None) -> dict[str, str]:
    """`--set` options by name."""
    settings = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            _usage(f"--set takes NAME=VALUE, not {text!r}")
        settings[name.strip()] = value
    return settings


def _sizes(given: list[str] | None, graph: Graph) -> dict[str, int]:
    """`--at` options by name, each held against the limits of its dimension."""
    sizes = {}
    for text in given or ():
        name, _, value = (part.strip() for part in text.partition("="))
        if not value.isascii() or not value.isdigit():
            _usage(f"--at takes NAME=SIZE, not {text!r}")
        bounds = graph.bounds.get(name)
        if bounds is None:
            known = ", ".join(graph.bounds) or "none"
            _usage(f"--at {text}: the symbolic dimensions of this spec are {known}")
        sizes[name] = int(value)
        too_large = bounds.greatest is not None and sizes[name] > bounds.greatest
        if sizes[name] < bounds.least or sizes[name] % bounds.multiple_of or too_large:
            from netspec.display.limits import limits

            _usage(f"--at {text}: {' '.join(limits({name: bounds}))}")
    return sizes


def _usage(message: str) -> NoReturn:
    """Leave with exit code 2."""
    raise typer.BadParameter(message)


def _verdict_code(certificate: Certificate) -> int:
    from netspec.verify.certificate import Verdict

    return {Verdict.PASSED: DONE, Verdict.INCONCLUSIVE: INCONCLUSIVE}.get(certificate.verdict, REJECTED)


def _leave(code: int) -> None:
    if code:
        raise typer.Exit(code)


def _print_json(data: Any) -> None:
    import json

    print(json.dumps(data, indent=2))


def main() -> NoReturn:
    """Run the command line; a user's mistake ends in a message and an exit code, never in a traceback."""
    from netspec.process import run

    # pydantic looks for plugins in every installed distribution, which takes as long as checking a spec.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")
    run(lambda: app(prog_name="netspec"))
