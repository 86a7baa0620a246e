"""A data set opened as a spec's `train:` says, and held against the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from netspec.diagnostics import Advised, DiagnosticError, nearest, spell
from netspec.ir.graph import Graph
from netspec.ir.training import Training
from netspec.pipeline import Progress
from netspec.train.data.archives import read_archive
from netspec.train.data.cifar import read_cifar
from netspec.train.data.examples import Data, Examples, Stream
from netspec.train.data.fitting import fit, held_out
from netspec.train.data.image_folder import read_folder
from netspec.train.data.mnist import read_mnist
from netspec.train.data.offered import offers, read_offered
from netspec.train.data.request import Request

READERS: Mapping[str, Callable[[Request], Data]] = {
    "fashion-mnist": read_mnist,
    "mnist": read_mnist,
    "cifar10": read_cifar,
    "folder": read_folder,
    "npz": read_archive,
}


class UnknownData(Advised):
    """A data set that neither netspec nor an installed package has."""

    code = "NS438"
    message = "there is no data set {name}"

    name: str


def open_data(
    graph: Graph,
    training: Training,
    folder: Path,
    *,
    progress: Progress | None = None,
    download: bool = True,
) -> Data:
    """The data set that `training` names, from `folder`; every array of it fits the network.

    `progress` is called with what is being done and the part of it that is done. Without `download` nothing
    is fetched.

    Errors: NS430 to NS468, at the spec's entry that they speak of.
    """
    name, arguments, span = training.data
    try:
        request = Request(name, arguments, graph, folder, progress or _silent, download)
        return fit(_reader(name)(request), graph, training)
    except DiagnosticError as error:
        raise DiagnosticError(*(d if d.span else d.at(span) for d in error.diagnostics)) from error


def _silent(stage: str, done: float) -> None:
    """The progress of a caller that asked for none."""


def _reader(name: str) -> Callable[[Request], Data]:
    if name in READERS:
        return READERS[name]
    if name in offers():
        return read_offered
    meant = nearest(name, (*READERS, *offers()))
    known = ", ".join((*READERS, *offers()))
    advice = f"did you mean {spell(meant)}?" if meant else f"there are {known}; packages can offer more"
    raise DiagnosticError(UnknownData(name=spell(name), advice=advice))


def split(
    examples: Examples | Stream, share: float, seed: int
) -> tuple[Examples | Stream, Examples | Stream]:
    """The examples to train on, and the `share` of them that is held out, drawn by the seed."""
    drawn = np.random.default_rng(seed).permutation(len(examples))
    held = held_out(len(examples), share)
    return examples.part(np.sort(drawn[held:])), examples.part(np.sort(drawn[:held]))
