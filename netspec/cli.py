"""The command line: one short function per command, which parses, calls a stage and shows the outcome."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.display.terminal import print_diagnostics, use_utf8

SPEC_AT_FAULT, REJECTED, INCONCLUSIVE, INTERRUPTED = 1, 3, 4, 130

EPILOG = (
    "Exit codes: 0 done, 1 the spec or the data is at fault, 2 usage, 3 verification failed, 4 inconclusive."
)

app = typer.Typer(
    name="netspec",
    help="Check, build and verify neural networks that are written as YAML or JSON specs.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class CheckFormat(StrEnum):
    text = "text"
    json = "json"
    github = "github"


class TableFormat(StrEnum):
    text = "text"
    json = "json"
    csv = "csv"


class Format(StrEnum):
    text = "text"
    json = "json"


Specs = Annotated[
    list[str], typer.Argument(metavar="SPEC...", help="Spec files, YAML or JSON; - is standard input.")
]
Spec = Annotated[str, typer.Argument(metavar="SPEC", help="A spec file, YAML or JSON; - is standard input.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Give a parameter of the spec another value; may be repeated."
    ),
]
SamplesOption = Annotated[
    Path | None,
    typer.Option(
        "--samples", metavar="FILE", help="Verify on real inputs too: IDX (also .gz), .npy or .npz."
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of drawn weights and inputs.")]
FormatOption = Annotated[Format, typer.Option("--format", help="Text for people, JSON for programs.")]


def _version(asked: bool) -> None:
    if asked:
        from netspec import __version__

        print(f"netspec {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Check, build and verify neural networks that are written as YAML or JSON specs."""


@app.command()
def check(
    specs: Specs,
    set_: Settings = None,
    format: Annotated[
        CheckFormat,
        typer.Option("--format", help="Text for people, JSON for programs, GitHub's annotations."),
    ] = CheckFormat.text,
) -> None:
    """Check specs: syntax, names, arguments and every shape. Needs no torch, builds nothing.

    Example: netspec check specs/lenet.yaml --set classes=47
    """
    from netspec.pipeline import check as check_spec

    settings = _settings(set_)
    found: list[tuple[str, tuple[Diagnostic, ...], bool]] = []
    for spec in specs:
        try:
            checked = check_spec(spec, settings=settings)
            found.append((spec, checked.warnings, True))
            if format is CheckFormat.text:
                print(_one_line(checked.graph, spec))
        except DiagnosticError as error:
            found.append((spec, error.diagnostics, False))
    everything = [diagnostic for _, diagnostics, _ in found for diagnostic in diagnostics]
    if format is CheckFormat.text:
        print_diagnostics(everything)
    elif format is CheckFormat.github:
        from netspec.diagnostics.render import render_github

        sys.stdout.write(render_github(everything))
    else:
        import json

        from netspec.diagnostics.render import render_json

        reports = [
            {"file": spec, "ok": ok, "diagnostics": json.loads(render_json(diagnostics))}
            for spec, diagnostics, ok in found
        ]
        print(json.dumps(reports, indent=2))
    if not all(ok for _, _, ok in found):
        raise typer.Exit(SPEC_AT_FAULT)


def _one_line(graph: Any, spec: str) -> str:
    """What `check` says of a spec that holds."""
    inputs = ", ".join(str(item.value.type) for item in graph.inputs)
    outputs = ", ".join(str(item.value.type) for item in graph.outputs)
    from netspec.display.limits import limits

    needs = "; ".join(limits(graph.bounds))
    layers = "1 layer" if len(graph.nodes) == 1 else f"{len(graph.nodes):,} layers"
    return f"{spec}: ok, {layers}, {inputs} -> {outputs}" + (f", {needs}" if needs else "")


@app.command()
def show(
    spec: Spec,
    set_: Settings = None,
    format: Annotated[
        TableFormat, typer.Option("--format", help="Text for people, JSON or CSV for programs.")
    ] = TableFormat.text,
) -> None:
    """Show the layer table: shapes, parameters, multiply-adds, receptive fields.

    Multiply-adds are those of one sample. "31x31 /8" means that an element of the layer's output sees a
    window of 31 by 31 of the input, which moves by 8.

    Example: netspec show specs/alexnet.yaml
    """
    from netspec.analysis.table import tabulate
    from netspec.display.layers import layers_csv, layers_text
    from netspec.pipeline import check as check_spec

    checked = check_spec(spec, settings=_settings(set_))
    table = tabulate(checked.graph)
    print_diagnostics(checked.warnings)
    if format is TableFormat.text:
        layers_text(table)
    elif format is TableFormat.csv:
        sys.stdout.write(layers_csv(table))
    else:
        _print_json(table.to_json())


@app.command()
def build(
    specs: Specs,
    set_: Settings = None,
    weights: Annotated[
        Path | None,
        typer.Option("--weights", metavar="FILE", help="Weights from a safetensors file; else drawn."),
    ] = None,
    any_graph: Annotated[
        bool,
        typer.Option("--any-graph", help="Take weights that were saved from another network, if they fit."),
    ] = False,
    save_weights: Annotated[
        Path | None,
        typer.Option("--save-weights", metavar="FILE", help="Save the weights as safetensors too."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where NAME.onnx appears.")] = Path(
        "exports"
    ),
    opset: Annotated[int | None, typer.Option("--opset", help="ONNX operator set; 18 unless given.")] = None,
    samples: SamplesOption = None,
    seed: SeedOption = 0,
    keep_rejected: Annotated[
        bool,
        typer.Option("--keep-rejected", help="If verification fails, keep the file as NAME.rejected.onnx."),
    ] = False,
    format: FormatOption = Format.text,
) -> None:
    """Check, build, export to exports/NAME.onnx, verify in onnxruntime, and certify.

    The file appears only if it computes what the network computes; exports/NAME.cert.json says how that was
    found. Weights are drawn from --seed unless --weights gives them.

    Example: netspec build specs/lenet.yaml --samples t10k-images-idx3-ubyte.gz
    """
    from netspec.display.progress import ProgressDisplay
    from netspec.pipeline import Built
    from netspec.pipeline import build as build_spec

    if len(specs) > 1 and (weights or save_weights):
        _usage("--weights and --save-weights are for one spec at a time")
    worst = 0
    reports = []
    for spec in specs:
        try:
            with ProgressDisplay(spec) as progress:
                built: Built = build_spec(
                    spec,
                    settings=_settings(set_),
                    weights=weights,
                    any_graph=any_graph,
                    save_weights=save_weights,
                    out=out,
                    opset=opset,
                    seed=seed,
                    samples=samples,
                    keep_rejected=keep_rejected,
                    progress=progress,
                )
        except DiagnosticError as error:
            if format is Format.json:
                reports.append(_failure_json(spec, error))
            print_diagnostics(error.diagnostics)
            worst = max(worst, SPEC_AT_FAULT)
            continue
        from netspec.display.outcome import built_json, built_text

        print_diagnostics(built.checked.warnings)
        if format is Format.json:
            reports.append(built_json(spec, built))
        else:
            built_text(built)
        print_diagnostics(built.certificate.problems)
        worst = max(worst, _verdict_code(built.certificate))
    if format is Format.json:
        _print_json(reports)
    if worst:
        raise typer.Exit(worst)


@app.command()
def verify(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="An .onnx file that netspec built.")],
    samples: SamplesOption = None,
    seed: SeedOption = 0,
    format: FormatOption = Format.text,
) -> None:
    """Put an exported file through the gates again, from what it carries itself.

    The network is built from the spec in the file's metadata, its weights are the file's initializers.

    Example: netspec verify exports/lenet.onnx
    """
    from netspec.display.outcome import certificate_text
    from netspec.display.progress import ProgressDisplay
    from netspec.pipeline import verify_file

    with ProgressDisplay(str(model)) as progress:
        _, certificate = verify_file(model, samples=samples, seed=seed, progress=progress)
    if format is Format.json:
        _print_json(certificate.to_data())
    else:
        print(f"{model}: {certificate.verdict}")
        certificate_text(certificate)
    print_diagnostics(certificate.problems)
    code = _verdict_code(certificate)
    if code:
        raise typer.Exit(code)


@app.command()
def ops(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="An operation, for all about it.")
    ] = None,
    format: FormatOption = Format.text,
) -> None:
    """List the operations, or explain one: arguments, shapes, cost, errors.

    Example: netspec ops Conv2d
    """
    from netspec.display.operations import operation_json, operation_text, operations_text
    from netspec.ops.catalogue import catalogue

    operations = catalogue()
    if name is None:
        if format is Format.json:
            _print_json([operation_json(operation) for operation in operations.values()])
        else:
            print(operations_text(operations))
        return
    if name not in operations:
        from netspec.diagnostics import nearest, spell
        from netspec.language.arguments import UnknownOperation

        raise DiagnosticError(UnknownOperation(name=spell(name), suggestion=nearest(name, operations)))
    if format is Format.json:
        _print_json(operation_json(operations[name]))
    else:
        print(operation_text(operations[name]))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the language, by which editors complete and check specs.

    Example: netspec schema > netspec.schema.json
    """
    from netspec.language.schema import schema_text

    sys.stdout.write(schema_text())


@app.command()
def doctor(format: FormatOption = Format.text) -> None:
    """Examine the environment: packages, runtimes, GPUs, and what is wrong with them."""
    from netspec.display.examination import report_text
    from netspec.doctor import diagnose

    report = diagnose()
    if format is Format.json:
        _print_json(report.to_json())
    else:
        report_text(report)
    if not report.healthy:
        raise typer.Exit(1)


def _settings(given: list[str] | None) -> dict[str, str]:
    """`--set` options by name."""
    settings = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            _usage(f"--set takes NAME=VALUE, not {text!r}")
        settings[name.strip()] = value
    return settings


def _usage(message: str) -> NoReturn:
    """Leave with exit code 2."""
    raise typer.BadParameter(message)


def _verdict_code(certificate: Any) -> int:
    from netspec.verify.certificate import Verdict

    return {Verdict.PASSED: 0, Verdict.INCONCLUSIVE: INCONCLUSIVE}.get(certificate.verdict, REJECTED)


def _failure_json(spec: str, error: DiagnosticError) -> dict[str, Any]:
    import json

    from netspec.diagnostics.render import render_json

    return {"spec": spec, "verdict": None, "diagnostics": json.loads(render_json(error.diagnostics))}


def _print_json(data: Any) -> None:
    import json

    print(json.dumps(data, indent=2))


def main() -> NoReturn:
    """Run the command line; a user's mistake ends in a message and an exit code, never in a traceback."""
    use_utf8()
    # pydantic looks for plugins in every installed distribution, which takes as long as checking a spec.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")
    try:
        app()
    except DiagnosticError as error:
        print_diagnostics(error.diagnostics)
        sys.exit(SPEC_AT_FAULT)
    except KeyboardInterrupt:
        print("interrupted; nothing was left half written", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has enough of it; keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(0)
