"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netspec.train.pictures.figure import INK, SMALL, TINY, caption, drawn, nothing, short
from netspec.verify.tolerance import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COUNTED = 20  # classes up to which counts are written into the squares
NAMED = 50  # classes up to which each is named
CELLS = 250  # rows of the picture; more classes are joined in groups
GAMMA = 0.45  # of the colours: rare mistakes are seen beside what is right


def confusion(matrix: Array, classes: Sequence[str] | None, path: Path) -> None:
    """Draw counts (K, K) of true classes (rows) and predicted ones (columns), coloured by rows.

    Up to 20 classes the counts themselves are written; beyond 250 neighbouring classes share a square.

    Errors: NS495 without matplotlib, NS496 without classes, NS511 where the system refuses.
    """
    count = len(matrix)
    if not count:
        raise nothing(path, "there are no classes")
    total, right = int(matrix.sum()), int(np.trace(matrix))
    group = -(-count // CELLS)
    cells = _joined(matrix, group)
    totals = cells.sum(axis=1, keepdims=True)
    shares = np.divide(cells, totals, out=np.zeros(cells.shape), where=totals > 0)
    names = [short(name) for name in classes] if classes is not None and len(classes) == count else None
    side = 2.2 + 0.28 * count if count <= COUNTED else 6.0
    with drawn(path, max(side, 3.0) + 0.4, max(side, 3.0)) as figure:
        axes = figure.subplots()
        _squares(axes, shares, bar=count > COUNTED)
        _names(axes, names, count, group)
        if count <= COUNTED:
            _counts(axes, cells, shares)
        together = f"; {group} classes a square" if group > 1 else ""
        caption(axes, f"{right:,} of {total:,} right{_percent(right, total)}{together}")


def _joined(matrix: Array, group: int) -> NDArray[np.int64]:
    """Counts of groups of neighbouring classes."""
    starts = np.arange(0, len(matrix), group)
    return np.add.reduceat(np.add.reduceat(matrix.astype(np.int64), starts, axis=0), starts, axis=1)


def _percent(right: int, total: int) -> str:
    return f" ({right / total:.2%})" if total else ""


def _squares(axes: Axes, shares: NDArray[np.float64], *, bar: bool) -> None:
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    colours = LinearSegmentedColormap.from_list(
        "share", ["#ffffff", "#b9cde8", "#5f8cc9", "#1f4e9e", "#0b2350"]
    )
    image = axes.imshow(shares, cmap=colours, norm=PowerNorm(GAMMA, 0, 1), interpolation="nearest")
    for spine in axes.spines.values():
        spine.set_visible(True)
    if bar and axes.figure is not None:
        scale = axes.figure.colorbar(image, ax=axes, shrink=0.6, pad=0.02, ticks=[0, 0.05, 0.25, 0.5, 1])
        scale.ax.set_yticklabels(["0", "5%", "25%", "50%", "100%"])
        scale.outline.set_linewidth(0.4)


def _names(axes: Axes, names: Sequence[str] | None, count: int, group: int) -> None:
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.tick_params(length=0 if count <= NAMED else 2.5)
    if count > NAMED:
        if group > 1:
            from matplotlib.ticker import FuncFormatter

            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(FuncFormatter(lambda place, _: f"{place * group:.0f}"))
        return
    names = names or [str(number) for number in range(count)]
    size = SMALL - 1 if count <= COUNTED else TINY - 1.5
    slanted = max(map(len, names)) > 3
    axes.set_yticks(range(count), names, fontsize=size)
    axes.set_xticks(
        range(count),
        names,
        fontsize=size,
        rotation=45 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor" if slanted else "default",
    )


def _counts(axes: Axes, cells: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    for row, column in np.argwhere(cells > 0):
        dark = shares[row, column] ** GAMMA > 0.5
        axes.text(
            column,
            row,
            _compact(int(cells[row, column])),
            ha="center",
            va="center",
            fontsize=TINY - 0.5,
            color="white" if dark else INK,
        )


def _compact(count: int) -> str:
    """A number of at most four characters: 980, 5.1k, 12k, 3.4M."""
    for limit, unit in ((10_000, ""), (10_000_000, "k"), (10_000_000_000, "M")):
        if count < limit:
            scaled = count / max(1, limit // 10_000)
            return f"{scaled:.0f}{unit}" if unit == "" or scaled >= 10 else f"{scaled:.1f}{unit}"
    return f"{count:.0e}"
