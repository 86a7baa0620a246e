"""What became of a file of weights: which of its modules went to which of the network's."""

from __future__ import annotations

import sys
from typing import Any

from netspec.diagnostics import printable
from netspec.torch_backend.alignment import Alignment, Pair, Taken

NONE = "-"


def taken_text(taken: Taken) -> None:
    """Print to stderr how a file of weights was read and, where it was asked for, the alignment.

    By order every module has its line; by name, those that do not fit.
    """
    alignment = taken.alignment
    lines = [f"  {remark}" for remark in taken.remarks]
    if taken.is_asked or lines:
        lines.insert(0, f"{printable(taken.origin)}, by {alignment.way}: {_extent(alignment)}")
    for line in lines:
        print(line, file=sys.stderr)
    shown = alignment.pairs if alignment.way == "order" else [p for p in alignment.pairs if not p.fits]
    if taken.is_asked and shown:
        _print_table(shown)
    elif lines:
        print(file=sys.stderr)


def _extent(alignment: Alignment) -> str:
    pairs = alignment.pairs
    if not alignment.fits:
        return f"{sum(pair.fits for pair in pairs):,} of {_count(len(pairs), 'module')} fit"
    tensors = sum(len(pair.wanted.shapes) for pair in pairs if pair.wanted is not None)
    return f"{_count(len(pairs), 'module')} with {_count(tensors, 'tensor')}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _print_table(pairs: tuple[Pair, ...] | list[Pair]) -> None:
    """The pairs, a line each; what is too long for the terminal goes on below itself."""
    from rich import box
    from rich.table import Table

    from netspec.display.terminal import console

    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("in the file", "in the network", "tensors"):
        grid.add_column(title, overflow="fold")
    for pair in pairs:
        names = (NONE if group is None else group.shown for group in pair)
        grid.add_row(*names, _tensors(pair), style=None if pair.fits else "bold red")
    out = console(sys.stderr)
    with out.capture() as capture:
        out.print(grid)
    print(file=sys.stderr)
    for line in capture.get().splitlines():
        print(line.rstrip(), file=sys.stderr)
    print(file=sys.stderr)


def _tensors(pair: Pair) -> str:
    given, wanted = pair
    if given is None or wanted is None:
        return f"missing: {wanted.tensors}" if wanted else f"left over: {given.tensors}" if given else ""
    return wanted.tensors if pair.fits else f"{given.tensors}\nneeds {wanted.tensors}"


def taken_json(taken: Taken) -> dict[str, Any]:
    """The same as data: every tensor's name and shape on both sides, null where one side lacks it."""
    return {
        "file": taken.origin,
        "map": taken.alignment.way,
        "fits": taken.alignment.fits,
        "remarks": list(taken.remarks),
        "alignment": [
            {
                "file": row.given,
                "file_shape": row.given_shape,
                "network": row.wanted,
                "network_shape": row.wanted_shape,
            }
            for row in taken.alignment.rows()
        ],
    }
