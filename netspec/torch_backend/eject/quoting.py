"""Values as Python source, as ruff writes them: whatever a spec says enters a file through here alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch


def source_of(value: Any) -> str:
    """A literal of this value: None, a truth value, number, text, dtype, or tuples, lists, dicts of them."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if value is None or isinstance(value, bool | int | float | torch.dtype):
        return repr(value)
    if isinstance(value, tuple):
        return f"({_listed(value)}{',' if len(value) == 1 else ''})"
    if isinstance(value, list):
        return f"[{_listed(value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{source_of(key)}: {source_of(item)}" for key, item in value.items()) + "}"
    raise TypeError(f"{type(value).__name__} has no literal")


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(map(source_of, values))


def quoted(text: str) -> str:
    """A text in double quotes, or in single ones where it then needs fewer backslashes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + escaped(text, quote) + quote


def escaped(text: str, quote: str) -> str:
    """What stands between two quotes for a text; what is not printable is spelt out."""
    return "".join(
        f"\\{character}" if character == quote else character if character in "'\"" else repr(character)[1:-1]
        for character in text
    )


def docstring(lines: Iterable[str]) -> list[str]:
    """A docstring of these lines, whatever is in them; a single one does not end in a quote."""
    first, *others = (escaped(line, "").replace('"""', '\\"\\"\\"') for line in lines)
    return [f'"""{first}', *others, '"""'] if others else [f'"""{first}"""']
