"""A scope for the tests of expressions, and three ways to ask what becomes of a text in it."""

from __future__ import annotations

import pytest

from netspec.ir.dim import UNKNOWN, symbol
from netspec.ir.tensor import TensorType
from netspec.language.expressions import ExpressionFault, evaluate, parse

N, H = symbol("batch"), symbol("H")
ACT = object()  # an operation is only handed on
SCOPE = {
    "n": 7,
    "width": 64,
    "xs": [3, 1, 2],
    "nested": [[1, 2], [3, 4]],
    "empty": [],
    "pair": (5, 6),
    "half": 0.5,
    "yes": True,
    "no": False,
    "mode": "same",
    "act": ACT,
    "lost": UNKNOWN,
    "partly": [1, UNKNOWN],
    "prev": TensorType((N, 64, H, 224)),
    "in": TensorType((N, 3, 32)),
    "flat": TensorType((N, 10)),
    "vector": TensorType((5,)),
    "broken": TensorType(None),
    "blurred": TensorType((N, UNKNOWN, 8, 8)),
}


def value(text, scope=SCOPE, bounds=None):
    return evaluate(parse(text), scope, bounds or {})


def fault(text, scope=SCOPE, bounds=None):
    """What is said of `text`: code, message, help, and the characters pointed at."""
    with pytest.raises(ExpressionFault) as caught:
        value(text, scope, bounds)
    diagnostic = caught.value.diagnostic
    assert diagnostic.span is None
    return (
        diagnostic.code,
        diagnostic.text,
        diagnostic.fill(diagnostic.help),
        text[caught.value.start : caught.value.end],
    )


def attempt(text, scope):
    """The value of `text` and no fault, or no value and the fault."""
    try:
        return value(text, scope), None
    except ExpressionFault as stopped:
        return None, stopped
