"""`netspec verify`: an exported file through the gates again, and what else is to be known of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from netspec.commands.answers import leave, print_json, usage, verdict_code
from netspec.diagnostics import Diagnostic
from netspec.display.terminal import print_diagnostics
from netspec.options import Exporter, Format, FormatOption, Plugins, ReproOption, SamplesOption, SeedOption


def verify(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="An .onnx file that netspec built.")],
    plugins: Plugins = None,
    samples: SamplesOption = None,
    seed: SeedOption = 0,
    per_layer: Annotated[
        bool, typer.Option("--per-layer", help="Show the error of every layer alone beside its bound.")
    ] = False,
    against: Annotated[
        Exporter | None,
        typer.Option(
            "--against", help="Hold the file against another exporter's, and say which of them is right."
        ),
    ] = None,
    repro: ReproOption = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write a report in Markdown, and beside it a picture of the layers.",
        ),
    ] = None,
    format: FormatOption = Format.text,
) -> None:
    """Put an exported file through the gates again.

    Nothing else is needed: the network is built from the spec in the file's metadata, and its weights are
    the file's own. Where a gate fails, the first layer that is wrong by itself is named.

    Example: netspec verify exports/lenet.onnx
    """
    from netspec.display.cross_check import cross_check_text
    from netspec.display.layer_errors import layers_text
    from netspec.display.outcome import certificate_text
    from netspec.display.progress import ProgressDisplay
    from netspec.pipeline import verify_file
    from netspec.process import let_threads_sleep

    if report is not None and report.suffix.lower() == ".png":
        usage("--report names a Markdown file; the picture beside it has the same name and .png")
    let_threads_sleep()
    with ProgressDisplay(str(model)) as progress:
        _, certificate = verify_file(
            model,
            samples=samples,
            seed=seed,
            per_layer=per_layer or report is not None,
            against_torch=against is not None,
            repro=repro,
            progress=progress,
        )
    remarks: tuple[Diagnostic, ...] = ()
    if report is not None:
        from netspec.verify.report import write_report

        remarks = write_report(certificate, report)
    if format is Format.json:
        print_json(certificate.to_data())
    else:
        print(f"{model}: {certificate.verdict}")
        certificate_text(certificate)
        if per_layer and certificate.layers:
            layers_text(certificate)
        if certificate.against is not None:
            cross_check_text(certificate.against)
    sys.stdout.flush()
    print_diagnostics((*certificate.findings, *remarks))
    leave(verdict_code(certificate))
