"""What all pictures share: their style, and how they become files."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from netspec.diagnostics import Diagnostic, DiagnosticError, Severity, printable
from netspec.files import published, writing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 160
SMALL, TINY = 8, 6.5
INK, FAINT = "#222222", "#8a8f98"
STRONG, SOFT = "#1f4e9e", "#8fb0dd"
STRONG_2, SOFT_2 = "#b4541a", "#e8b48f"
NAME_SHOWN = 18
"""Characters of a name beside an axis."""

STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so that pictures are alike everywhere
    "font.size": SMALL,
    "text.color": INK,
    # Names are the user's: a dollar in one is a dollar.
    "text.parse_math": False,
    "axes.titlesize": SMALL,
    "axes.titlelocation": "left",
    "axes.labelsize": SMALL,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": SMALL - 1,
    "ytick.labelsize": SMALL - 1,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "legend.fontsize": SMALL - 1,
    "lines.linewidth": 1.4,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
}


class PicturesNeedMatplotlib(Diagnostic):
    """matplotlib is not installed; nothing but the pictures needs it."""

    code = "NS495"
    message = "no pictures are drawn: matplotlib is not installed"
    severity = Severity.WARNING

    @property
    def help(self) -> str:
        return "install it: pip install 'netspec-onnx[train]'"


class NothingToDraw(Diagnostic):
    """A picture of what this network or this run does not have."""

    code = "NS496"
    message = "{picture} is not drawn: {reason}"
    severity = Severity.WARNING

    picture: str
    reason: str


@contextmanager
def drawn(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Gives a figure of (width, height) in inches, and writes it as PNG when the block ends.

    The same drawing gives the same bytes. matplotlib's settings are as they were behind the block, whatever
    they are: it is the user's too.

    Errors: NS495 without matplotlib, NS511 where the system refuses.
    """
    with _quiet():
        try:
            import matplotlib as mpl
            from matplotlib.figure import Figure
        except ImportError as error:
            raise DiagnosticError(PicturesNeedMatplotlib()) from error
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(STYLE)
            figure = Figure(figsize=(width, height), layout="constrained")
            yield figure
            with published(path) as beside, writing(beside):
                figure.savefig(beside, dpi=DPI, format="png", metadata={"Software": None})


@contextmanager
def _quiet() -> Iterator[None]:
    """matplotlib neither tells of its cache of fonts, nor of letters that its font lacks."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            yield
    finally:
        logger.setLevel(level)


def nothing(path: Path, reason: str) -> DiagnosticError:
    """The error of a picture that there is nothing to draw for."""
    return DiagnosticError(NothingToDraw(picture=printable(path.name), reason=reason))


def short(name: str, limit: int = NAME_SHOWN) -> str:
    """A user's name, printable and cut."""
    text = printable(name)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def caption(axes: Axes, text: str) -> None:
    """A line above the axes, in small print."""
    axes.set_title(text, fontsize=SMALL, color=INK, pad=6)


def bare(axes: Axes) -> None:
    """Axes without ticks and frame, for images."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def mosaic(rows: NDArray[np.float32], gap: int) -> NDArray[np.float32]:
    """Tiles (R, C, h, w) or (R, C, h, w, 3) as one image, `gap` pixels of NaN between them."""
    height, width = rows.shape[2] + gap, rows.shape[3] + gap
    image = np.full((rows.shape[0] * height - gap, rows.shape[1] * width - gap, *rows.shape[4:]), np.nan)
    for row, tiles in enumerate(rows):
        for column, tile in enumerate(tiles):
            top, left = row * height, column * width
            image[top : top + rows.shape[2], left : left + rows.shape[3]] = tile
    return image.astype(np.float32)


def thinned(length: int, limit: int) -> NDArray[np.int64]:
    """At most `limit` indices of so many, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, length - 1, min(length, limit)).round().astype(np.int64))
