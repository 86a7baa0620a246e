"""`netspec train`: the command line of a training."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netspec.commands.answers import DONE, REJECTED, leave, print_json, settings_of, usage, verdict_code
from netspec.diagnostics import Diagnostic
from netspec.display.terminal import print_diagnostics
from netspec.options import Format, FormatOption, Plugins, Settings, Spec, Variant, WeightsMap

if TYPE_CHECKING:
    from netspec.train.finishing import Finished


class Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Compile(StrEnum):
    auto = "auto"
    on = "on"
    off = "off"


def train(
    spec: Spec,
    set_: Settings = None,
    variant: Variant = None,
    plugins: Plugins = None,
    data_dir: Annotated[
        Path, typer.Option("--data-dir", metavar="FOLDER", help="Where data sets lie, or are downloaded to.")
    ] = Path("data"),
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where runs are kept.")] = Path("runs"),
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the run; the network's unless given.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's newest checkpoint.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Remove an older run of this name and begin anew.")
    ] = False,
    device: Annotated[
        Device, typer.Option("--device", help="What trains; auto is the GPU if there is one.")
    ] = Device.auto,
    weights: Annotated[
        Path | None,
        typer.Option("--weights", metavar="FILE", help="Begin from these weights, as for build."),
    ] = None,
    weights_map: Annotated[
        WeightsMap | None, typer.Option("--weights-map", help="Match the file's tensors by name or by order.")
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            "--workers", min=0, metavar="N", help="Processes that read examples, where they stream."
        ),
    ] = 2,
    compile_: Annotated[
        Compile, typer.Option("--compile", help="Use torch.compile; auto does in long runs on a GPU.")
    ] = Compile.auto,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write figures for TensorBoard too.")
    ] = False,
    download: Annotated[
        bool, typer.Option("--download/--no-download", help="Fetch a known data set that is not there.")
    ] = True,
    export: Annotated[
        bool, typer.Option("--export/--no-export", help="Export and verify the trained network.")
    ] = True,
    opset: Annotated[
        int | None, typer.Option("--opset", metavar="N", help="ONNX operator set; 18 unless given.")
    ] = None,
    format: FormatOption = Format.text,
) -> None:
    """Train as the spec's `train:` says; export, verify.

    Everything goes to runs/NAME: the weights of the best and the last epoch, figures, pictures, and the
    verified model, which is run over the whole test set. A run that was stopped or killed goes on with
    --resume and ends with the same weights. Several devices or machines train together under torchrun.

    Example: netspec train specs/lenet_bn.yaml --set train.epochs=5
    """
    if resume and force:
        usage("--resume goes on with a run that --force would remove; give one of them")
    if weights_map and not weights:
        usage("--weights-map is for --weights, which is not given")
    from netspec.display.trained import trained_json, trained_text
    from netspec.display.training import TrainingDisplay
    from netspec.pipeline import check
    from netspec.pipeline import train as train_network
    from netspec.process import keep_freed_memory, let_threads_spin

    let_threads_spin()
    keep_freed_memory()
    is_first = os.environ.get("RANK", "0") == "0"
    checked = check(spec, settings=settings_of(set_), variant=variant)
    found: list[Diagnostic] = list(checked.warnings)
    epochs = 0 if checked.graph.training is None else checked.graph.training.epochs
    with TrainingDisplay(checked.graph.name, epochs, shown=is_first) as shown:
        trained = train_network(
            checked,
            data_dir=data_dir,
            out=out,
            name=name,
            device=device.value,
            resume=resume,
            overwrite=force,
            weights=weights,
            weights_map=weights_map.value if weights_map else None,
            workers=workers,
            compile=compile_.value,
            tensorboard=tensorboard,
            download=download,
            export=export,
            opset=opset,
            listener=shown,
            progress=shown.stage,
        )
    run, finished = trained.run, trained.finished
    if not is_first:
        leave(0 if run.stopped is None else 128 + run.stopped)
        return
    found += (*run.warnings, *finished.diagnostics)
    if run.stopped is not None:
        print_diagnostics(found)
        print(f"stopped after {len(run.records)} epochs and saved; go on with --resume", file=sys.stderr)
        leave(128 + run.stopped)
    if format is Format.json:
        print_json(trained_json(spec, run, finished, found))
    else:
        trained_text(run, finished)
    sys.stdout.flush()
    print_diagnostics(found)
    leave(_code(finished))


def _code(finished: Finished) -> int:
    if finished.disagrees:
        return REJECTED
    return DONE if finished.built is None else verdict_code(finished.built.certificate)
