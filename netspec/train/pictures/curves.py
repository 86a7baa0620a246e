"""Loss and accuracy by epoch, in training and in validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netspec.train.pictures.figure import (
    FAINT,
    SOFT,
    SOFT_2,
    STRONG,
    STRONG_2,
    TINY,
    caption,
    drawn,
    nothing,
    thinned,
)
from netspec.train.records import EpochRecord, best

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 1_000  # of a curve; more than pixels show nothing
DENSE = 200  # points from which a curve is a thin line
DOTS = 30  # epochs up to which each has its dot
ENORMOUS = 1e30
"""Losses beyond it are left out, as infinite ones are: they would make a line of all others."""

ACCURACIES = {"accuracy": ("accuracy", SOFT, STRONG), "top5": ("top-5 accuracy", SOFT_2, STRONG_2)}


def curves(records: Sequence[EpochRecord], path: Path) -> None:
    """Draw the loss on the left, accuracies on the right where there are any, and mark the best epoch.

    Errors: NS495 without matplotlib, NS496 before the first epoch has ended, NS511 where the system refuses.
    """
    if not records:
        raise nothing(path, "no epoch has ended")
    chosen = best(records)
    places = set(thinned(len(records), POINTS).tolist())
    shown = [record for place, record in enumerate(records) if place in places or record is chosen]
    measured = [name for name in ACCURACIES if any(name in r.train or name in r.validation for r in records)]
    with drawn(path, 7 if measured else 4, 2.7) as figure:
        panels = figure.subplots(1, 2 if measured else 1, squeeze=False)[0]
        _panel(panels[0], shown, chosen, {"loss": ("loss", SOFT, STRONG)})
        caption(panels[0], "loss")
        if measured:
            _panel(panels[1], shown, chosen, {name: ACCURACIES[name] for name in measured})
            caption(panels[1], "accuracy")


def _panel(
    axes: Axes,
    records: Sequence[EpochRecord],
    chosen: EpochRecord | None,
    kinds: Mapping[str, tuple[str, str, str]],
) -> None:
    """Curves of some kinds of figures, each with its title and the colours of training and validation."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    epochs = [record.epoch for record in records]
    marker, width = "o" if len(records) <= DOTS else "", 1.4 if len(records) < DENSE else 0.7
    for name, (title, soft, strong) in kinds.items():
        lead = "" if len(kinds) == 1 else f"{title}, "
        for part, colour in (("train", soft), ("validation", strong)):
            values = _finite([getattr(record, part).get(name, np.nan) for record in records])
            if not np.isnan(values).all():
                axes.plot(
                    epochs,
                    values,
                    color=colour,
                    linewidth=width,
                    marker=marker,
                    markersize=2.5,
                    label=f"{lead}{part}",
                )
    if chosen is not None:
        axes.axvline(chosen.epoch, color=FAINT, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
        _mark(axes, chosen, kinds)
    axes.set_xlabel("epoch")
    if len(records) == 1:
        axes.set_xlim(epochs[0] - 1, epochs[0] + 1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.grid(axis="y", color="#e6e8eb", linewidth=0.6)
    axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best")


def _mark(axes: Axes, chosen: EpochRecord, kinds: Mapping[str, tuple[str, str, str]]) -> None:
    """The best epoch: a dot on the first curve of validation that has its figure, which stands above."""
    for name, (_, _, strong) in kinds.items():
        value = chosen.validation.get(name, np.nan)
        if np.isfinite(value) and abs(value) < ENORMOUS:
            axes.plot([chosen.epoch], [value], "o", color=strong, markersize=5, markeredgecolor="white")
            told = f"{value:.4g} in epoch {chosen.epoch:,}"
            axes.set_title(told, loc="right", fontsize=TINY, color=strong, pad=6)
            return


def _finite(values: Sequence[float]) -> NDArray[np.float64]:
    numbers = np.array(values, np.float64)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(numbers) < ENORMOUS, numbers, np.nan)
