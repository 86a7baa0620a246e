"""An operation's docstring in its parts: a line that says what it does, prose, labelled sections."""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import cleandoc
from typing import NamedTuple

from netspec.ops.base import Op

LABELS = ("Shape", "Evaluation", "Ports", "Cost", "Errors", "Source", "Example")
"""The sections, in the order in which docstrings have them."""

_LABEL = re.compile(rf"^({'|'.join(LABELS)}): +", re.MULTILINE)
_CODE = re.compile(r"; (?=NS\d{3}\b)")


class Documentation(NamedTuple):
    """A docstring without its line breaks; the prose is what stands before the sections, by paragraphs."""

    summary: str
    prose: tuple[str, ...]
    sections: Mapping[str, str]

    @property
    def errors(self) -> tuple[str, ...]:
        """What the operation refuses, each with its code before it."""
        return tuple(_CODE.split(self.sections["Errors"].rstrip("."))) if "Errors" in self.sections else ()


def documentation(operation: type[Op]) -> Documentation:
    """An operation's docstring; one that has none says nothing."""
    summary, _, rest = cleandoc(operation.__doc__ or "").partition("\n")
    prose, *labelled = _LABEL.split(rest)
    paragraphs = tuple(_joined(text) for text in re.split(r"\n\s*\n", prose) if text.strip())
    sections = zip(labelled[::2], map(_joined, labelled[1::2]), strict=True)
    return Documentation(summary, paragraphs, dict(sections))


def _joined(text: str) -> str:
    return " ".join(text.split())
