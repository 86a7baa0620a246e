"""Which edges of a layout are to be straight, and where they need room to part and to meet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from netspec.drawing.dot import Edge

MAIN = 6  # how straight the main way is, in Graphviz's weights


def straightened(edges: Sequence[Edge]) -> list[Edge]:
    """The edges with their weights and lengths; where several begin or end, they go over two ranks.

    The main way is straight: what a shortcut goes around, or the middle one of several branches. An even
    number of branches has none, and gets an unseen edge to where they meet: so both ends stand above each
    other.
    Vertices must be numbered in an order of evaluation.
    """
    heads: dict[int, list[int]] = {}
    for edge in edges:
        heads.setdefault(edge.tail, []).append(edge.head)
    meeting = Counter(edge.head for edge in edges)
    forks = {tail: _fork(ways, heads) for tail, ways in heads.items()}
    passed: Counter[int] = Counter()
    straight: list[Edge] = []
    for edge in edges:
        ways, (main, end) = heads[edge.tail], forks[edge.tail]
        if end is not None and passed[edge.tail] == len(ways) // 2:
            straight.append(Edge(edge.tail, end, weight=MAIN, ranks=2, seen=False))
        passed[edge.tail] += 1
        ranks = 2 if len(ways) > 1 or meeting[edge.head] > 1 else 1
        straight.append(edge._replace(ranks=ranks, weight=max(edge.weight, MAIN if edge.head == main else 1)))
    return straight


def _fork(ways: Sequence[int], heads: Mapping[int, Sequence[int]]) -> tuple[int | None, int | None]:
    """Which of the ways from a vertex is the main one; if none is, where all of them meet first."""
    if len(ways) == 1:
        return ways[0], None
    behind = [_behind(way, heads) for way in ways]
    for way, found in zip(ways, behind, strict=True):
        if found.issuperset(ways):
            return way, None
    if len(ways) % 2:
        return ways[len(ways) // 2], None
    return None, min(set.intersection(*behind), default=None)


def _behind(start: int, heads: Mapping[int, Sequence[int]]) -> set[int]:
    """Everything that edges lead to from a vertex on, itself included."""
    seen, left = {start}, [start]
    while left:
        new = [head for head in heads.get(left.pop(), ()) if head not in seen]
        seen.update(new)
        left += new
    return seen
