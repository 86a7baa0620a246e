"""The arguments of an operation that matter to a reader, in few words: `7×7, 64, stride 2`."""

from __future__ import annotations

from typing import Any

from netspec.diagnostics import spell
from netspec.ops.arguments import INFERRED
from netspec.ops.base import Op

ROOM = 30
"""How many characters the arguments may have together."""

MOST = 4
"""How many arguments are shown at most."""

ORDER = (
    "kernel_size",
    "output_size",
    "out_channels",
    "out_features",
    "hidden_size",
    "nhead",
    "num_heads",
    "stride",
    "groups",
)
"""What comes first, in this order; all others follow as the operation has them."""

WORDS = {
    "kernel_size": "{}",
    "output_size": "{}",
    "out_channels": "{}",
    "out_features": "{}",
    "hidden_size": "{}",
    "shape": "{}",
    "num_embeddings": "{}",
    "embedding_dim": "{}",
    "num_heads": "{} heads",
    "nhead": "{} heads",
    "num_layers": "{} layers",
}
"""How an argument reads that is known by its value alone; others bear their names."""

SIDES = frozenset({"kernel_size", "output_size", "size"})
"""What is a window or an image, whose sides are written with a cross."""

UNSEEN = frozenset({"inplace", "bias", "eps", "momentum", "dtype", "batch_first"}) | INFERRED
"""What tells a reader of a drawing nothing; hovering shows it."""


def given(op: Op) -> dict[str, Any]:
    """The arguments that are not at their defaults."""
    fields = type(op).model_fields
    values = {name: getattr(op, name) for name in fields}
    return {
        name: value for name, value in values.items() if value is not None and value != fields[name].default
    }


def telling(op: Op) -> str:
    """The few arguments that matter most, as many as there is room for."""
    values = {name: value for name, value in given(op).items() if name not in UNSEEN}
    names = [*(name for name in ORDER if name in values), *(name for name in values if name not in ORDER)]
    text = ""
    for name in names[:MOST]:
        longer = f"{text}, {_worded(name, values[name])}" if text else _worded(name, values[name])
        if len(longer) > ROOM:
            return text or longer[: ROOM - 1] + "…"
        text = longer
    return text


def spelled(op: Op) -> str:
    """The operation as it is called, with every argument that is not at its default."""
    return f"{type(op).__name__}({', '.join(f'{name}={spell(value)}' for name, value in given(op).items())})"


def _worded(name: str, value: Any) -> str:
    words = name.replace("_", " ")
    if value is True:
        return words
    if value is False:
        return f"no {words}"
    return WORDS.get(name, words + " {}").format(_plain(value, name in SIDES))


def _plain(value: Any, sides: bool) -> str:
    """A value in short: one number for equal ones, sides with a cross."""
    if not isinstance(value, tuple):
        return f"{value:g}" if isinstance(value, float) else spell(value)
    if sides and all(isinstance(side, int) for side in value):
        return "×".join(map(str, value))
    if len(set(value)) == 1:
        return spell(value[0])
    return f"({', '.join(map(spell, value))})" if value and not isinstance(value[0], tuple) else spell(value)
