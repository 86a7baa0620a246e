"""What there is to choose from in `train:`; a model of arguments is only loaded when it is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from netspec.language.training.choice import Choice

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Kind(NamedTuple):
    """What one key chooses from.

    `noun` is what messages call one, `example` how it may be written. `homes` has the class of each name's
    arguments and the module that it is in. `default` is chosen where the key is left out, with its arguments.
    In an `open` kind other names may be those of installed packages.
    """

    key: str
    noun: str
    example: str
    homes: Mapping[str, str]
    default: str | None = None
    defaults: Mapping[str, Any] = NOTHING
    open: bool = False

    @property
    def expected(self) -> str:
        """How messages name what belongs there."""
        return f"the name of {self.noun}, such as {self.example}"

    def model(self, name: str) -> type[Choice]:
        """The arguments of the one with this name."""
        home, _, called = self.homes[name].rpartition(".")
        found: type[Choice] = getattr(import_module(f"{__package__}.{home}"), called)
        return found


OPTIMIZERS = Kind(
    "optimizer",
    "an optimizer",
    "SGD or {SGD: {lr: 0.1}}",
    {
        "SGD": "optimizers.sgd.SGD",
        "Adam": "optimizers.adam.Adam",
        "AdamW": "optimizers.adam.AdamW",
        "NAdam": "optimizers.adam.NAdam",
        "RAdam": "optimizers.adam.RAdam",
        "Adamax": "optimizers.adam.Adamax",
        "Adagrad": "optimizers.others.Adagrad",
        "Adadelta": "optimizers.others.Adadelta",
        "RMSprop": "optimizers.others.RMSprop",
        "ASGD": "optimizers.others.ASGD",
        "Rprop": "optimizers.others.Rprop",
    },
)

SCHEDULES = Kind(
    "schedule",
    "a schedule",
    "cosine or {step: {step_size: 5}}",
    {
        "constant": "schedules.Constant",
        "step": "schedules.Step",
        "multistep": "schedules.MultiStep",
        "cosine": "schedules.Cosine",
        "one_cycle": "schedules.OneCycle",
        "linear": "schedules.Linear",
    },
    "constant",
    {"warmup": 0.0},
)

LOSSES = Kind(
    "loss",
    "a loss",
    "mse or {cross_entropy: {label_smoothing: 0.1}}",
    {
        "cross_entropy": "losses.CrossEntropy",
        "mse": "losses.MSE",
        "l1": "losses.L1",
        "huber": "losses.Huber",
        "bce_with_logits": "losses.BCEWithLogits",
    },
    "cross_entropy",
    {"reduction": "mean", "label_smoothing": 0.0, "weight": None, "ignore_index": -100},
)

DATA_SETS = Kind(
    "data",
    "a data set",
    "fashion-mnist or {folder: flowers}",
    {
        "fashion-mnist": "choice.Plain",
        "mnist": "choice.Plain",
        "cifar10": "choice.Plain",
        "folder": "data_sets.Folder",
        "npz": "data_sets.Npz",
    },
    open=True,
)

KINDS = {kind.key: kind for kind in (DATA_SETS, OPTIMIZERS, SCHEDULES, LOSSES)}

METRICS: Mapping[str, tuple[str, ...]] = {"cross_entropy": ("accuracy", "top5", "per_class")}
"""What can be measured beside a loss: where there are no classes, nothing."""

CONFUSION_LIMIT = 2_048
"""Classes of which is counted who is taken for whom, in a table of their square."""
