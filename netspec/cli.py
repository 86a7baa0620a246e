"""The command line: one short function per command, which parses, calls a stage and shows the outcome."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from netspec.commands import examining, training, verifying
from netspec.commands.answers import (
    BY_GRAVITY,
    DONE,
    SPEC_AT_FAULT,
    leave,
    print_json,
    settings_of,
    usage,
    verdict_code,
)
from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.display.terminal import print_diagnostics
from netspec.options import (
    CheckFormat,
    ExportDType,
    Format,
    FormatOption,
    Plugins,
    ReproOption,
    SamplesOption,
    SeedOption,
    Settings,
    Specs,
    Variant,
    WeightsMap,
)

if TYPE_CHECKING:
    from netspec.pipeline import Checked

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
        print_json(reports)
    leave(code)


app.command()(examining.show)
app.command()(examining.expand)
app.command()(examining.eject)


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
    dtype: Annotated[
        ExportDType,
        typer.Option("--dtype", help="Export in this element type, with the weights rounded to it."),
    ] = ExportDType.float32,
    samples: SamplesOption = None,
    seed: SeedOption = 0,
    keep_rejected: Annotated[
        bool,
        typer.Option("--keep-rejected", help="If verification fails, keep the file as NAME.rejected.onnx."),
    ] = False,
    repro: ReproOption = None,
    format: FormatOption = Format.text,
) -> None:
    """Check, build, export to ONNX, verify, and certify.

    The file appears as exports/NAME.onnx only if onnxruntime computes from it what the network computes;
    exports/NAME.cert.json says how that was found. Weights are drawn from --seed unless --weights gives them.
    All specs are checked before the first is built; one that is at fault does not keep others from it.

    Example: netspec build specs/lenet.yaml --samples t10k-images-idx3-ubyte.gz
    """
    if len(specs) > 1 and (weights or save_weights):
        usage("--weights and --save-weights are for one spec at a time")
    if weights_map and not weights:
        usage("--weights-map is for --weights, which is not given")
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
                        dtype=dtype.value,
                        seed=seed,
                        samples=samples,
                        keep_rejected=keep_rejected,
                        repro=repro,
                        progress=progress,
                    )
                taken = built.taken
                found += (*(taken.warnings if taken else ()), *built.certificate.findings)
        except DiagnosticError as error:
            taken = error.taken if isinstance(error, Misaligned) else None
            found += error.diagnostics
        codes.append(SPEC_AT_FAULT if built is None else verdict_code(built.certificate))
        reports.append(report_json(spec, found, built, taken))
        if taken is not None and format is Format.text:
            taken_text(taken)
        if built is not None and format is Format.text:
            built_text(built)
        sys.stdout.flush()
        print_diagnostics(found)
    if format is Format.json:
        print_json(reports)
    leave(max(codes, key=BY_GRAVITY.index))


app.command()(training.train)
app.command()(verifying.verify)
app.command()(examining.ops)
app.command()(examining.schema)
app.command()(examining.doctor)


def _checked(
    specs: list[str], given: list[str] | None, variant: str | None
) -> Iterator[tuple[str, Checked | None, tuple[Diagnostic, ...]]]:
    """Every spec with what `check` gives, or None where it does not hold, and what was found in it."""
    from netspec.pipeline import check as check_spec

    settings = settings_of(given)
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


def main() -> NoReturn:
    """Run the command line; a user's mistake ends in a message and an exit code, never in a traceback."""
    from netspec.process import run

    # pydantic looks for plugins in every installed distribution, which takes as long as checking a spec.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")
    run(lambda: app(prog_name="netspec"))
