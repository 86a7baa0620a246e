"""Arguments and options that several commands share, as typer reads them from annotations."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


def load_plugins(paths: list[Path] | None) -> list[Path] | None:
    """Make the operations of the files that `--plugin` names known, before anything else is read."""
    if paths:
        from netspec.ops.plugins import load_plugin
        from netspec.process import let_threads_sleep

        let_threads_sleep()  # a plugin may import torch
        for path in paths:
            load_plugin(path)
    return paths


class CheckFormat(StrEnum):
    text = "text"
    json = "json"
    github = "github"


class TableFormat(StrEnum):
    text = "text"
    json = "json"
    csv = "csv"


class WeightsMap(StrEnum):
    by_name = "name"
    by_order = "order"


class ExpandFormat(StrEnum):
    yaml = "yaml"
    json = "json"


class Exporter(StrEnum):
    torch = "torch-export"


class ExportDType(StrEnum):
    float32 = "float32"
    float16 = "float16"
    bfloat16 = "bfloat16"


class Format(StrEnum):
    text = "text"
    json = "json"


Specs = Annotated[
    list[str], typer.Argument(metavar="SPEC", help="Spec files, YAML or JSON; - is standard input.")
]
Spec = Annotated[str, typer.Argument(metavar="SPEC", help="A spec file, YAML or JSON; - is standard input.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Give a parameter of the spec, or train.KEY, another value; may be repeated.",
    ),
]
Variant = Annotated[str | None, typer.Option("--variant", metavar="NAME", help="One of the spec's variants.")]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="A Python file with further operations, which is run; may be repeated.",
        callback=load_plugins,
        is_eager=True,
    ),
]
SamplesOption = Annotated[
    Path | None,
    typer.Option(
        "--samples", metavar="FILE", help="Verify on real inputs too: IDX (also .gz), .npy or .npz."
    ),
]
ReproOption = Annotated[
    Path | None,
    typer.Option(
        "--repro",
        metavar="FOLDER",
        help="If verification fails, write the layer at fault alone, with its inputs, as a model to run.",
    ),
]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, metavar="N", help="Seed of drawn weights and inputs.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="Text for people, JSON for programs.")]
