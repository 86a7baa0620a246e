"""Lines of text with styles, painted for a terminal or left plain."""

from __future__ import annotations

from functools import cache

Line = list[tuple[str, str]]
"""Pieces of one line, each with a style by rich's names (`bold red`), or an empty one."""


def paint(line: Line, color: bool) -> str:
    """The line as one string: with ANSI colours, or plain."""
    if not color:
        return "".join(text for text, _ in line).rstrip()
    return "".join(_painted(text, style) if style else text for text, style in line)


@cache
def _painted(text: str, style: str) -> str:
    from rich.color import ColorSystem  # here, since plain output should not wait for rich
    from rich.style import Style

    return Style.parse(style).render(text, color_system=ColorSystem.STANDARD)
