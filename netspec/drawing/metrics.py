"""How wide a text is: Helvetica's widths, which Arial and Liberation Sans share, with some room to spare."""

from __future__ import annotations

from unicodedata import east_asian_width

_WIDTHS = {
    222: "ijl",
    260: "|",
    278: " !,./:;I[\\]ft·",
    333: "()-`r",
    334: "{}",
    355: '"',
    389: "*",
    469: "^",
    500: "Jckscvxyz",
    556: "#$0123456789?L_abdeghnopqu–",
    584: "+<=>~×",
    611: "FTZ",
    667: "&ABEKPSVXY",
    722: "CDHNRUw",
    778: "GOQ",
    833: "Mm",
    889: "%",
    944: "W",
    1000: "…",
    1015: "@",
}
_WIDTH = {character: width for width, characters in _WIDTHS.items() for character in characters}
_OTHER, _WIDE = 600, 1000  # what the font has no entry for here, and what is as wide as high

SPARE = 1.16  # for where another font takes Helvetica's place
BOLD = 1.06


def width(text: str, size: float, *, bold: bool = False) -> float:
    """The width of a text in the units of `size`."""
    units = sum(
        _WIDTH.get(character) or (_WIDE if east_asian_width(character) in "WF" else _OTHER)
        for character in text
    )
    return units / 1000 * size * SPARE * (BOLD if bold else 1)
