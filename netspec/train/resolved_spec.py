"""A resolved spec as YAML that people read: a step a paragraph, and else what fits on a line on one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from netspec.language.expand import flow

WIDTH = 110


def resolved_yaml(resolved: Mapping[str, Any]) -> str:
    """The text of `Graph.resolved`, from which the same graph is made again."""
    return "".join(f"{line}\n" for line in _block(resolved, ""))


def _block(value: Any, indent: str) -> Iterator[str]:
    """A mapping or a list, an entry a line or a block of its own."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _entry(f"{flow(key)}:", item, indent)
    else:
        for item in value:
            yield from _entry("-", item, indent)


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    line = f"{indent}{head} {flow(value)}"
    is_step = head == "-" and isinstance(value, Mapping)
    if not isinstance(value, Mapping | list) or not value or (len(line) <= WIDTH and not is_step):
        yield line
        return
    inner = _block(value, f"{indent}  ")
    yield f"{indent}- {next(inner).lstrip()}" if head == "-" else f"{indent}{head}"
    yield from inner
