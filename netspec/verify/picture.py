"""The picture of a report: how near to its bound every layer comes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from netspec.train.pictures.figure import (
    FAINT,
    INK,
    SMALL,
    SOFT,
    STRONG,
    STRONG_2,
    TINY,
    caption,
    drawn,
    short,
)
from netspec.verify.certificate import Certificate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMED = 60  # layers up to which each has its name
MARKERS = (("o", STRONG), ("s", STRONG_2), ("D", SOFT), ("^", INK))  # the engines, in order
LOWEST = 1e-10  # share of the bound that is told from none


def draw_layers(certificate: Certificate, path: Path) -> None:
    """Draw, for every layer in order, its errors as parts of their bounds, on a logarithmic scale.

    What is exact stands on the lowest line, what is infinitely wrong at the upper edge.

    Errors: NS495 without matplotlib, NS511 where the system refuses.
    """
    rows = certificate.layers
    engines = [judged.lane or judged.gate for judged in max(rows, key=lambda row: len(row.judged)).judged]
    finite = [j.measured.share for row in rows for j in row.judged if math.isfinite(j.measured.share)]
    top = 10.0 ** (math.ceil(math.log10(max([1.0, *finite]))) + 1)
    width = min(3.0 + 0.16 * len(rows), 10.0)  # inches
    with drawn(path, max(width, 5.0), 3.6) as figure:
        axes = figure.subplots()
        axes.set_yscale("log")
        axes.set_ylim(LOWEST / 3, top * 3)
        decades = range(round(math.log10(LOWEST)) + 2, round(math.log10(top)) + 1, 2)
        labels = ["exact", *("1" if power == 0 else f"1e{power}" for power in decades)]
        axes.set_yticks([LOWEST, *(10.0**power for power in decades)], labels)
        axes.minorticks_off()
        axes.axhline(1.0, color=STRONG_2, linewidth=0.9, zorder=1)
        axes.text(1.0, 1.0, " bound", transform=axes.get_yaxis_transform(), va="center", fontsize=TINY)
        for place, engine in enumerate(engines):
            marker, colour = MARKERS[place % len(MARKERS)]
            shares = {
                x: judged.measured.share
                for x, row in enumerate(rows)
                for judged in row.judged
                if (judged.lane or judged.gate) == engine
            }
            axes.scatter(
                list(shares),
                [min(max(share, LOWEST), top) for share in shares.values()],
                s=14 if len(rows) <= NAMED else 5,
                marker=marker,
                color=colour,
                label=engine,
                zorder=2,
            )
        _name(axes, certificate)
        axes.set_ylabel("error of the layer alone, over its bound")
        figure.legend(loc="outside lower left", ncols=len(engines))
        caption(axes, f"{short(certificate.file, 60)}: {certificate.verdict}, {len(rows):,} layers")


def _name(axes: Axes, certificate: Certificate) -> None:
    """The layers' names below, where there is room; otherwise their numbers."""
    rows = certificate.layers
    axes.set_xlim(-0.7, len(rows) - 0.3)
    if len(rows) > NAMED:
        axes.set_xlabel("layers in the order of the spec", fontsize=SMALL)
        return
    axes.set_xticks(range(len(rows)), [short(row.layer, 28) for row in rows], rotation=90, fontsize=TINY)
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="x", color=FAINT, linewidth=0.2)
