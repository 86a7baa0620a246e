"""Specs of blocks, branches, conditions, loops and repetitions, drawn so that all of them hold.

Every step keeps the shape of an image, so that any may follow any; conditions depend on `$flag` alone.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from hypothesis import strategies as st

CHANNELS = 4
BLOCKS = 2
DEPTH = 3
CONV = {"out_channels": CHANNELS, "kernel_size": 3, "padding": 1}

PLAIN: list[Any] = [
    "ReLU",
    "$act",
    {"$act": None},
    {"Conv2d": CONV},
    {"Conv2d": {**CONV, "out_channels": "$prev.channels", "bias": "$n > 1"}},
    {"Conv2d": {**CONV, "groups": "$in.channels"}},
    {"BatchNorm2d": None},
    {"LeakyReLU": {"negative_slope": 0.5}},
]
ACTIVATIONS: list[Any] = ["Tanh", "$act", {"LeakyReLU": {"negative_slope": 0.25}}, {"ELU": {"alpha": "$n"}}]
CONDITIONS = ["$flag", "not $flag", True, "$n > 0 and $flag"]
TIMES = [0, 1, 2, "$n"]
PARAMETERS = {"flag": "bool", "n": 1, "act": "ReLU"}


class _Composer:
    """Draws the steps of one spec; what has a name of its own is numbered over the whole of it."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.numbers = count()
        self.lowest = 0  # of the blocks that may be called: those below, so that none contains itself

    def body(self, depth: int = 0, least: int = 0) -> list[Any]:
        steps = []
        for _ in range(self.draw(st.integers(least, 3 if depth < DEPTH else 1))):
            steps += self.steps(depth)
        return steps

    def steps(self, depth: int) -> list[Any]:
        """One step, or one and another that shares its weights."""
        kinds = ["plain", "plain", "call", "shared", "branches", "choice", "loop"]
        kind = self.draw(st.sampled_from(kinds if depth < DEPTH else kinds[:3]))
        if kind == "shared":
            owner = f"own_{next(self.numbers)}"
            return [{"Conv2d": CONV, "name": owner}, self.beside({"Conv2d": CONV, "share": owner})]
        return [self.beside(getattr(self, kind)(depth))]

    def beside(self, step: Any) -> Any:
        """A step with something beside it, or as it is."""
        if not isinstance(step, dict) or self.draw(st.booleans()):
            return step
        keys = self.draw(st.sets(st.sampled_from(["name", "if", "repeat", "from"])))
        values = {
            "name": f"own_{next(self.numbers)}",
            "if": self.draw(st.sampled_from(CONDITIONS)),
            "repeat": self.draw(st.sampled_from(TIMES)),
            "from": self.draw(st.sampled_from(["prev", "in"])),
        }
        return {**{key: values[key] for key in sorted(keys)}, **step}

    def plain(self, _: int) -> Any:
        return self.draw(st.sampled_from(PLAIN))

    def call(self, _: int) -> Any:
        if self.lowest == BLOCKS:
            return "Sigmoid"
        arguments = {
            "flag": self.draw(st.sampled_from(["$flag", True])),
            "act": self.draw(st.sampled_from(ACTIVATIONS)),
            "n": self.draw(st.sampled_from([0, 2, "$n"])),
        }
        left_out = self.draw(st.sets(st.sampled_from(["act", "n"])))
        number = self.draw(st.integers(self.lowest, BLOCKS - 1))
        return {f"Block{number}": {key: arguments[key] for key in arguments if key not in left_out}}

    def branches(self, depth: int) -> Any:
        words = self.draw(st.sampled_from([["main", "skip"], ["left", "middle", "right"]]))
        merge = self.draw(st.sampled_from(["Add", {"Mul": None}, {"Maximum": {}, "name": "?"}]))
        if isinstance(merge, dict) and "name" in merge:
            merge = {**merge, "name": f"own_{next(self.numbers)}"}
        return {"branches": {word: self.body(depth + 1) for word in words}, "merge": merge}

    def choice(self, depth: int) -> Any:
        step = {"if": self.draw(st.sampled_from(CONDITIONS)), "then": self.body(depth + 1)}
        return {**step, "else": self.body(depth + 1)} if self.draw(st.booleans()) else step

    def loop(self, depth: int) -> Any:
        name = f"i_{next(self.numbers)}"
        values = [{name: [1, 2]}, {name: ["a", "b"], f"{name}_too": [[], None]}, [{name: 3}, {name: 4}]]
        step = {"for": self.draw(st.sampled_from([*values, {name: "range($n)"}, {name: []}, []]))}
        step["do"] = self.body(depth + 1)
        return {**step, "between": self.body(depth + 1)} if self.draw(st.booleans()) else step


@st.composite
def compositions(draw: st.DrawFn) -> dict[str, Any]:
    """A spec that holds, with the parameters `flag`, `n` and `act`."""
    composer = _Composer(draw)
    blocks = {}
    for number in range(BLOCKS):
        composer.lowest = number + 1
        blocks[f"Block{number}"] = {"params": PARAMETERS, "layers": composer.body(depth=1)}
    composer.lowest = 0
    return {
        "netspec": 1,
        "name": "drawn",
        "inputs": {"image": ["batch", CHANNELS, "H", 8]},
        "params": {"flag": True, "n": 2, "act": "ReLU"},
        "blocks": blocks,
        "layers": composer.body(least=1),
    }
