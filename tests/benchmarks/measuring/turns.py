"""Ways to train that take turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

Epoch = Callable[[], float]
"""Trains on some examples; gives examples a second."""


def in_turns(ways: Mapping[str, Epoch], rounds: int) -> Iterator[dict[str, float]]:
    """Examples a second of every way, round by round; the first round warms up and does not count."""
    for number in range(rounds + 1):
        found = {name: epoch() for name, epoch in ways.items()}
        if number:
            yield found
