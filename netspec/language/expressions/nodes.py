"""The tree of an expression. Every node knows which characters of the text it was read from.

Operators of one precedence are kept in one node with many operands, not in a ladder of pairs, so that the
tree of a long sum is as shallow as it looks.
"""

from __future__ import annotations

from collections.abc import Iterator


class Node:
    """Characters `start` up to but not including `end` of the expression's text.

    Nodes never change once parsed. They are no dataclasses: to define so many would cost every run 10 ms.
    """

    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end


class Literal(Node):
    """A number, a string, `true` or `false`."""

    __slots__ = ("value",)

    def __init__(self, start: int, end: int, value: int | float | str | bool) -> None:
        super().__init__(start, end)
        self.value = value


class Name(Node):
    """`$name`."""

    __slots__ = ("name",)

    def __init__(self, start: int, end: int, name: str) -> None:
        super().__init__(start, end)
        self.name = name


class ListOf(Node):
    """`[a, b]`."""

    __slots__ = ("items",)

    def __init__(self, start: int, end: int, items: tuple[Node, ...]) -> None:
        super().__init__(start, end)
        self.items = items


class Item(Node):
    """`[index]` behind a list; the node spans the brackets."""

    __slots__ = ("index",)

    def __init__(self, start: int, end: int, index: Node) -> None:
        super().__init__(start, end)
        self.index = index


class Attribute(Node):
    """`.name` behind an input or a layer; the node spans the dot and the name."""

    __slots__ = ("name",)

    def __init__(self, start: int, end: int, name: str) -> None:
        super().__init__(start, end)
        self.name = name


class Access(Node):
    """`base.attribute[index]…`: items and attributes, taken from left to right."""

    __slots__ = ("base", "steps")

    def __init__(self, start: int, end: int, base: Node, steps: tuple[Item | Attribute, ...]) -> None:
        super().__init__(start, end)
        self.base = base
        self.steps = steps


class Call(Node):
    """`function(a, b)`."""

    __slots__ = ("arguments", "function")

    def __init__(self, start: int, end: int, function: str, arguments: tuple[Node, ...]) -> None:
        super().__init__(start, end)
        self.function = function
        self.arguments = arguments


class Negation(Node):
    """`-a`."""

    __slots__ = ("operand",)

    def __init__(self, start: int, end: int, operand: Node) -> None:
        super().__init__(start, end)
        self.operand = operand


class Not(Node):
    """`not a`."""

    __slots__ = ("operand",)

    def __init__(self, start: int, end: int, operand: Node) -> None:
        super().__init__(start, end)
        self.operand = operand


class Arithmetic(Node):
    """`a + b - c` or `a * b // c`: operators of one precedence, applied from left to right."""

    __slots__ = ("first", "rest")

    def __init__(self, start: int, end: int, first: Node, rest: tuple[tuple[str, Node], ...]) -> None:
        super().__init__(start, end)
        self.first = first
        self.rest = rest


class Comparison(Node):
    """`a < b <= c`: every neighbouring pair must hold, as in Python."""

    __slots__ = ("first", "rest")

    def __init__(self, start: int, end: int, first: Node, rest: tuple[tuple[str, Node], ...]) -> None:
        super().__init__(start, end)
        self.first = first
        self.rest = rest


class AllOf(Node):
    """`a and b and c`."""

    __slots__ = ("operands",)

    def __init__(self, start: int, end: int, operands: tuple[Node, ...]) -> None:
        super().__init__(start, end)
        self.operands = operands


class AnyOf(Node):
    """`a or b or c`."""

    __slots__ = ("operands",)

    def __init__(self, start: int, end: int, operands: tuple[Node, ...]) -> None:
        super().__init__(start, end)
        self.operands = operands


class Conditional(Node):
    """`chosen if condition else otherwise`."""

    __slots__ = ("chosen", "condition", "otherwise")

    def __init__(self, start: int, end: int, chosen: Node, condition: Node, otherwise: Node) -> None:
        super().__init__(start, end)
        self.chosen = chosen
        self.condition = condition
        self.otherwise = otherwise


class Expression:
    """A parsed expression: its text, its tree, and the `$names` that it reads."""

    __slots__ = ("names", "root", "text")

    def __init__(self, text: str, root: Node, names: frozenset[str]) -> None:
        self.text = text
        self.root = root
        self.names = names

    @property
    def lone_name(self) -> str | None:
        """The name, when the whole expression is one `$name`."""
        return self.root.name if isinstance(self.root, Name) else None


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below `node`, from left to right."""
    match node:
        case ListOf(items=nodes) | Call(arguments=nodes) | AllOf(operands=nodes) | AnyOf(operands=nodes):
            yield from nodes
        case Access():
            yield node.base
            yield from (step.index for step in node.steps if isinstance(step, Item))
        case Negation() | Not():
            yield node.operand
        case Arithmetic() | Comparison():
            yield node.first
            yield from (operand for _, operand in node.rest)
        case Conditional():
            yield from (node.chosen, node.condition, node.otherwise)
