"""Every layer's own error beside its bound, as a table."""

from __future__ import annotations

from netspec.display.terminal import console
from netspec.verify.certificate import Certificate, Judged, LayerErrors


def layers_text(certificate: Certificate) -> None:
    """Print a table of the layers to stdout: their errors alone, as parts of their bounds."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    first = max(certificate.layers, key=lambda row: len(row.judged))
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("layer", overflow="fold", ratio=None)
    table.add_column("operation", overflow="fold")
    for judged in first.judged:
        table.add_column(judged.lane or judged.gate, justify="right", min_width=7)
    for row in certificate.layers:
        cells = [
            Text(_figure(judged), style="" if is_within(judged) else "bold red") for judged in row.judged
        ]
        cells += [Text("")] * (len(first.judged) - len(cells))
        table.add_row(row.layer, row.operation, *cells)
    case = first.judged[0].measured.case
    out = console()
    out.print()
    out.print(table)
    out.print(
        f"Each layer alone, its error over its bound, on the inputs {case}; 1 is at the bound.",
        soft_wrap=False,
    )
    for row in certificate.layers:
        for judged in row.judged:
            if judged.reason:
                out.print(f"{_place(row, judged)}: {judged.reason}", soft_wrap=True)


def is_within(judged: Judged) -> bool:
    """Whether a layer alone is within its bound."""
    return judged.measured.share <= 1


def _figure(judged: Judged) -> str:
    share = judged.measured.share
    if judged.reason:
        return "fails"
    return "0" if share == 0 else f"{share:.2g}"


def _place(row: LayerErrors, judged: Judged) -> str:
    return f"{row.layer}, {judged.lane or judged.gate}"
