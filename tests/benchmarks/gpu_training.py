"""The five published networks on a GPU: ten epochs each on Fashion-MNIST, beside the published results.

    python -m tests.benchmarks.gpu_training [--data-dir data] [--out FOLDER] [--epochs 10] [NAME ...]

Aims: the published test accuracy at the best epoch; lenet_bn at least 50 times its published examples a
second, vgg11_small, googlenet and resnet18 20 times, densenet 10 times. Beside them stands what part of the
bare step (the same as a CUDA graph, on a batch that is already in place) whole epochs reach.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch

from netspec.pipeline import check
from netspec.train.assembling import Options
from netspec.train.environment import device_name
from netspec.train.training import train
from tests.benchmarks.measuring.tables import show
from tests.benchmarks.measuring.training import SPECS, Network, Quiet


class Published(NamedTuple):
    """A row of the published results: one GPU, ten epochs."""

    spec: str
    variant: str | None
    accuracy: float
    speed: float
    aim: int
    """How many times that speed is asked for."""


NETWORKS = {
    "lenet_bn": Published("lenet_bn", None, 0.830, 19297, 50),
    "vgg11_small": Published("vgg", "vgg11_small", 0.911, 679, 20),
    "googlenet": Published("googlenet", None, 0.886, 1072, 20),
    "resnet18": Published("resnet18", None, 0.915, 1534, 20),
    "densenet": Published("densenet", None, 0.882, 5545, 10),
}


def row(name: str, arguments: argparse.Namespace, out: Path) -> tuple[str, ...]:
    """Train one network and give its line of the table."""
    published = NETWORKS[name]
    settings = {"train.epochs": str(arguments.epochs), "train.precision": arguments.precision}
    checked = check(SPECS / f"{published.spec}.yaml", variant=published.variant, settings=settings)
    found = train(
        checked,
        data_dir=arguments.data_dir,
        out=out,
        name=name,
        device=arguments.device,
        overwrite=True,
        options=Options(compile=arguments.compile),
        listener=Quiet(),
        progress=lambda stage, done: None,
    )
    # The first epoch chooses algorithms and captures.
    speed = median(record.examples_per_second for record in found.records[1:] or found.records)
    network = Network(published.spec, arguments.data_dir, variant=published.variant, device=arguments.device)
    bare = network.bare()
    bare()
    fraction = speed / bare()
    best = found.best
    accuracy = 0.0 if best is None else best.validation["accuracy"]
    times = speed / published.speed
    return (
        name,
        f"{accuracy:.4f}",
        f"{published.accuracy:.3f}",
        "yes" if accuracy >= published.accuracy else "no",
        f"{speed:,.0f}",
        f"{times:.1f}",
        f"{published.aim}",
        f"{fraction:.2f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(NETWORKS)}; all unless given"
    )
    parser.add_argument("--data-dir", type=Path, default=Path("data"), help="where Fashion-MNIST lies")
    parser.add_argument("--out", type=Path, help="where the runs are kept; nowhere unless given")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--precision", default="tf32", choices=("float32", "tf32", "bf16"))
    parser.add_argument("--compile", default="auto", choices=("auto", "on", "off"))
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the script")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print("torch finds no CUDA device: nothing is measured")
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.names or NETWORKS:
            rows.append(row(name, arguments, arguments.out or Path(folder)))
            print(*rows[-1], sep="\t", flush=True)
    device = torch.device("cuda" if arguments.device == "cuda" else "cpu")
    print(
        f"{device_name(device)}, torch {torch.__version__}, {arguments.precision}, {arguments.epochs} epochs"
    )
    columns = (
        "network",
        "accuracy",
        "published",
        "reached",
        "examples/s",
        "times",
        "asked",
        "of the bare step",
    )
    show(columns, rows)


if __name__ == "__main__":
    main()
