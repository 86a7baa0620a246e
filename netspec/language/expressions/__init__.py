"""`$`-expressions: text -> tokens -> a small tree -> a value. Interpreted, never given to Python's eval.

    2 * $width        $stride != 1 or $in.channels != $channels        $depths[0] if $deep else 1

The grammar and its precedence are Python's, cut down to numbers, booleans, strings, lists, comparisons and
the functions of `functions.FUNCTIONS`. A name is marked by `$`; `$$` is a literal dollar.
"""

from netspec.language.expressions.fault import ExpressionFault
from netspec.language.expressions.interpreter import evaluate, evaluate_condition
from netspec.language.expressions.lexer import is_expression, unescape
from netspec.language.expressions.nodes import Expression
from netspec.language.expressions.parser import names, parse
from netspec.language.expressions.values import Scope, Value, kind

__all__ = [
    "Expression",
    "ExpressionFault",
    "Scope",
    "Value",
    "evaluate",
    "evaluate_condition",
    "is_expression",
    "kind",
    "names",
    "parse",
    "unescape",
]
