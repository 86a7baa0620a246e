"""Arguments and options that several commands share, as typer reads them from annotations."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


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
    list[str], typer.Argument(metavar="SPEC", help="Spec files, YAML or JSON; - is standard input.")
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
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, metavar="N", help="Seed of drawn weights and inputs.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="Text for people, JSON for programs.")]
