"""The sections of a spec file as pydantic models: their keys, the kinds of their values, their defaults."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from netspec.ops.arguments import Expected, PositiveInt

VERSION = 1  # of the language: the value of the key `netspec`
LABEL_LIMIT = 100_000  # labels of one output


class Section(BaseModel):
    """A mapping with fixed keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True, defer_build=True
    )


class DimSection(Section):
    """What a symbolic dimension may be: `{min: 32, max: 1024, multiple_of: 32}`."""

    min: PositiveInt = Field(1, description="The smallest size that is allowed.")
    max: PositiveInt | None = Field(None, description="The largest size that is allowed.")
    multiple_of: PositiveInt = Field(1, description="Every size is a multiple of this.")


Numbers = Annotated[
    float | list[float],
    Expected("a number, or a list of one number a channel"),
    Field(union_mode="left_to_right"),
]


class PreprocessSection(Section):
    """How raw data becomes an input: resized, times `scale`, minus `mean`, over `std`."""

    scale: Annotated[float, Expected("a number")] | None = Field(
        None, description="Raw values are multiplied by this, for example 0.00392156862745098 (1 / 255)."
    )
    mean: Numbers | None = Field(None, description="Subtracted after scaling: one number, or one a channel.")
    std: Numbers | None = Field(None, description="Divided by after `mean`: one number, or one a channel.")
    resize: (
        Annotated[PositiveInt | list[PositiveInt], Expected("a positive integer, or [height, width]")] | None
    ) = Field(None, description="Height and width that images are resized to, bilinearly, before all else.")


class InputSection(Section):
    """An input of the network, in its long form."""

    shape: Annotated[
        list[PositiveInt | str],
        Field(min_length=1, max_length=8),
        Expected("a list of sizes: positive integers, or words for symbolic dimensions"),
    ] = Field(description="Sizes of the dimensions; a word is a symbolic dimension.")
    dtype: Annotated[
        Literal["float32", "float16", "bfloat16", "float64", "int64", "int32", "bool"],
        Expected("float32, float16, bfloat16, float64, int64, int32 or bool"),
    ] = Field("float32", description="Element type, by torch's name.")
    preprocess: Annotated[Any, Expected("a mapping")] = Field(
        None, description="How raw data becomes this input."
    )


class OutputSection(Section):
    """An output of the network, in its long form."""

    from_: Annotated[str, Expected("the name of a layer, or prev")] = Field(
        alias="from", description="The layer, or its port, that the output gives."
    )
    labels: (
        Annotated[
            list[str], Field(min_length=1, max_length=LABEL_LIMIT), Expected("a list of words, one a class")
        ]
        | None
    ) = Field(None, description="What each class is called, in order.")


class FileSection(Section):
    """A spec file."""

    netspec: Annotated[Literal[1], Expected("1, the version of the language")] = Field(
        description="Version of the language."
    )
    name: Annotated[str, Expected("a word")] | None = Field(
        None, description="The network's name; left out, it is the file's."
    )
    inputs: Annotated[dict[str, Any], Expected("a mapping from names to shapes")] = Field(
        description="What the network is given: names and their shapes."
    )
    dims: Annotated[dict[str, Any], Expected("a mapping from symbolic dimensions to their limits")] = Field(
        default_factory=dict, description="Limits of symbolic dimensions."
    )
    params: Annotated[dict[str, Any], Expected("a mapping from names to default values")] = Field(
        default_factory=dict, description="Parameters with their defaults; `--set NAME=VALUE` changes one."
    )
    init: Any = Field(None, description="How weights are drawn; left out, as PyTorch does.")
    layers: Annotated[list[Any], Expected("a list of steps")] = Field(
        description="The steps of the network, from its inputs to its outputs."
    )
    outputs: Annotated[
        list[Any] | dict[str, Any], Expected("a list of layers, or a mapping from names to layers")
    ] | (None) = Field(None, description="What the network gives; left out, the last layer.")


class StepSection(BaseModel):
    """One step: an operation with its arguments, and what netspec is told of it."""

    model_config = ConfigDict(
        frozen=True, extra="allow", strict=True, populate_by_name=True, defer_build=True
    )

    name: Annotated[str, Expected("a word")] | None = Field(
        None, description="The layer's name, for `from`, weights and the ONNX file."
    )
    from_: Annotated[
        str | list[str] | dict[str, str],
        Expected("the name of an earlier layer, a list of names, or a mapping from arguments to names"),
    ] = Field("prev", alias="from", description="What the step reads: earlier layers, inputs, prev.")
    repeat: Any = Field(None, description="How many times the step is taken, one after the other.")
    init: Any = Field(None, description="How this layer's weights are drawn.")


STEP_KEYS = tuple(field.alias or name for name, field in StepSection.model_fields.items())
