"""The kinds of arguments that operations take: what they accept, and how a message names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator

from netspec.ir.dim import Dim

SIZE_LIMIT = 2**31 - 1  # a larger size overflows the int32 that runtimes index with

INFERRED = frozenset(
    {
        "d_model",
        "embed_dim",
        "in1_features",
        "in2_features",
        "in_channels",
        "in_features",
        "input_size",
        "kdim",
        "normalized_shape",
        "num_channels",
        "num_features",
        "vdim",
    }
)
"""Arguments that the input determines; when written, they are asserted."""


class Expected(NamedTuple):
    """Metadata of an argument's type: how a message says what belongs there, and in each item of a list."""

    text: str
    item: str = ""


def spread(count: int) -> Callable[[Any], Any]:
    """A validator that turns one number into `count` of them, and a list into a tuple."""

    def validate(value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            return (value,) * count
        return tuple(value) if isinstance(value, list) else value

    return validate


class Symbolic(NamedTuple):
    """Metadata of an argument whose words are symbolic dimensions: `shape: [batch, 64, -1]`."""


def sized(value: Any) -> Any:
    """A size: an integer, or a symbolic dimension, which the caller has made of a word."""
    if isinstance(value, Dim) or (type(value) is int and -SIZE_LIMIT <= value <= SIZE_LIMIT):
        return value
    raise ValueError("not a size")


def _plain(size: Any) -> int | str:
    return size if isinstance(size, int) else str(size)


def listed(value: Any) -> Any:
    """Turn a list into a tuple: strict validation takes nothing else for one."""
    return tuple(value) if isinstance(value, list) else value


_Positive = Annotated[int, Field(ge=1, le=SIZE_LIMIT)]
_NonNegative = Annotated[int, Field(ge=0, le=SIZE_LIMIT)]

PositiveInt = Annotated[_Positive, Expected("a positive integer")]
NonNegativeInt = Annotated[_NonNegative, Expected("an integer of at least 0")]
Int = Annotated[int, Field(ge=-SIZE_LIMIT, le=SIZE_LIMIT), Expected("an integer")]
Bool = Annotated[bool, Expected("true or false")]
Float = Annotated[float, Expected("a number")]
PositiveFloat = Annotated[float, Field(gt=0), Expected("a positive number")]
NonNegativeFloat = Annotated[float, Field(ge=0), Expected("a number of at least 0")]
Probability = Annotated[float, Field(ge=0, le=1), Expected("a probability between 0 and 1")]
Number = Annotated[int | float, Expected("a number")]

Single = Annotated[
    tuple[_Positive],
    BeforeValidator(spread(1), json_schema_input_type=_Positive | tuple[_Positive]),
    Expected("a positive integer, or a list of one"),
]
Pair = Annotated[
    tuple[_Positive, _Positive],
    BeforeValidator(spread(2), json_schema_input_type=_Positive | tuple[_Positive, _Positive]),
    Expected("a positive integer, or a list of two (height, width)"),
]
Triple = Annotated[
    tuple[_Positive, _Positive, _Positive],
    BeforeValidator(spread(3), json_schema_input_type=_Positive | tuple[_Positive, _Positive, _Positive]),
    Expected("a positive integer, or a list of three (depth, height, width)"),
]

NonNegativeSingle = Annotated[
    tuple[_NonNegative],
    BeforeValidator(spread(1), json_schema_input_type=_NonNegative | tuple[_NonNegative]),
    Expected("an integer of at least 0, or a list of one"),
]
NonNegativePair = Annotated[
    tuple[_NonNegative, _NonNegative],
    BeforeValidator(spread(2), json_schema_input_type=_NonNegative | tuple[_NonNegative, _NonNegative]),
    Expected("an integer of at least 0, or a list of two (height, width)"),
]
NonNegativeTriple = Annotated[
    tuple[_NonNegative, _NonNegative, _NonNegative],
    BeforeValidator(
        spread(3), json_schema_input_type=_NonNegative | tuple[_NonNegative, _NonNegative, _NonNegative]
    ),
    Expected("an integer of at least 0, or a list of three (depth, height, width)"),
]

SizeArgument = Annotated[
    Any,
    PlainValidator(sized, json_schema_input_type=int | str),
    PlainSerializer(_plain),
    Symbolic(),
    Expected("an integer, or a symbolic dimension"),
]
"""A size in an argument: an `int` or a `Dim`; a rule says which integers it takes."""

Shape = Annotated[
    tuple[SizeArgument, ...],
    BeforeValidator(listed),
    Symbolic(),
    Expected("a list of sizes", "an integer, or a symbolic dimension"),
]
"""A shape in an argument: a tuple of `int` and `Dim`."""

Axes = Annotated[
    tuple[Int, ...],
    BeforeValidator(spread(1), json_schema_input_type=int | tuple[int, ...]),
    Expected("a dimension's number, or a list of them", "an integer"),
]
"""Dimensions by their numbers; one is written without a list."""

DTypeName = Annotated[
    Literal["float32", "float16", "bfloat16", "float64", "int64", "int32", "bool"],
    Expected("float32, float16, bfloat16, float64, int64, int32 or bool"),
]
RealDTypeName = Annotated[
    Literal["float32", "float16", "bfloat16", "float64"],
    Expected("float32, float16, bfloat16 or float64"),
]
"""The type of elements that no input determines."""


def symbols_in(*sizes: object) -> tuple[str, ...]:
    """The names of the symbolic dimensions in sizes that an argument holds, each once."""
    return tuple(dict.fromkeys(name for size in sizes if isinstance(size, Dim) for name in size.multiples))
