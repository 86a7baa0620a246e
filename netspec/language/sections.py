"""The sections of a spec file as pydantic models: their keys, the kinds of their values, their defaults."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from netspec.diagnostics import spell
from netspec.ops.arguments import Expected, PositiveInt

VERSION = 1  # of the language: the value of the key `netspec`
LABEL_LIMIT = 100_000  # labels of one output


class Section(BaseModel):
    """A mapping with fixed keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)

    expected: ClassVar[str] = "a mapping"
    """How messages name what belongs in its place."""

    @classmethod
    def example(cls, key: str, value: object) -> str:
        """How a key might be written, given the wrong `value` (None if there is none); empty if unknown."""
        return ""


class DimSection(Section):
    """What a symbolic dimension may be: `{min: 32, max: 1024, multiple_of: 32}`."""

    expected: ClassVar[str] = "its limits, such as {min: 32, multiple_of: 8}"

    min: PositiveInt = Field(1, description="The smallest size that is allowed.")
    max: PositiveInt | None = Field(None, description="The largest size that is allowed.")
    multiple_of: PositiveInt = Field(1, description="Every size is a multiple of this.")


Numbers = Annotated[
    float | Annotated[list[float], Field(min_length=1)],
    Expected("a number, or a list of one number a channel"),
    Field(union_mode="left_to_right"),
]


class PreprocessSection(Section):
    """How raw data becomes an input: resized, times `scale`, minus `mean`, over `std`."""

    expected: ClassVar[str] = "a mapping such as {mean: 0.5, std: 0.25}"

    scale: Annotated[float, Expected("a number")] | None = Field(
        None, description="Raw values are multiplied by this, for example 0.00392156862745098 (1 / 255)."
    )
    mean: Numbers | None = Field(None, description="Subtracted after scaling: one number, or one a channel.")
    std: Numbers | None = Field(None, description="Divided by after `mean`: one number, or one a channel.")
    resize: (
        Annotated[
            PositiveInt | Annotated[list[PositiveInt], Field(min_length=2, max_length=2)],
            Expected("a positive integer, or [height, width]"),
        ]
        | None
    ) = Field(None, description="Height and width that images are resized to, bilinearly, before all else.")


class InputSection(Section):
    """An input of the network, in its long form."""

    expected: ClassVar[str] = "its shape, such as [batch, 3, 224, 224], or a mapping with shape and dtype"

    shape: Annotated[
        list[PositiveInt | str],
        Field(min_length=1, max_length=8),
        Expected(
            "a list of 1 to 8 sizes: positive integers, or words for symbolic dimensions",
            item="a positive integer, or a word for a symbolic dimension",
        ),
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

    expected: ClassVar[str] = "the name of a layer, or a mapping with from and labels"

    from_: Annotated[str, Expected("the name of a layer, or prev")] = Field(
        alias="from", description="The layer, or its port, that the output gives."
    )
    labels: (
        Annotated[
            list[str],
            Field(min_length=1, max_length=LABEL_LIMIT),
            Expected("a list of words, one a class", item="text (numbers in quotes)"),
        ]
        | None
    ) = Field(None, description="What each class is called, in order.")


class FileSection(Section):
    """A spec file."""

    expected: ClassVar[str] = "a mapping with the keys netspec, inputs and layers"

    @classmethod
    def example(cls, key: str, value: object) -> str:
        if key == "inputs" and isinstance(value, list):
            return f"inputs: {{image: {spell(value)}}}"
        if key == "outputs" and isinstance(value, str):
            return f"outputs: [{spell(value)}]"
        return _EXAMPLES.get(key, "")

    # An integer within 1 and 1: Literal[1] would take true and 1.0 for it.
    netspec: Annotated[int, Field(ge=VERSION, le=VERSION), Expected("1, the version of the language")] = (
        Field(description="Version of the language.")
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
    variants: Annotated[dict[str, Any], Expected("a mapping from names to values of parameters")] = Field(
        default_factory=dict,
        description="Named sets of values for parameters; `--variant NAME` takes one.",
    )
    use: Annotated[
        list[str], Expected("a list of spec files", item="the path of a spec file, relative to this one")
    ] = Field(default_factory=list, description="Other files, whose blocks are brought in.")
    blocks: Annotated[dict[str, Any], Expected("a mapping from names to blocks")] = Field(
        default_factory=dict, description="Blocks: steps with parameters, to be used as operations are."
    )
    init: Any = Field(None, description="How weights are drawn; left out, as PyTorch does.")
    layers: Annotated[list[Any], Expected("a list of steps")] = Field(
        description="The steps of the network, from its inputs to its outputs."
    )
    outputs: Annotated[
        list[Any] | dict[str, Any], Expected("a list of layers, or a mapping from names to layers")
    ] | (None) = Field(None, description="What the network gives; left out, the last layer.")
    train: Any = Field(None, description="How the network is trained: on what, by which optimizer, how long.")
    schema_: Annotated[str, Expected("the address of a JSON Schema")] | None = Field(
        None, alias="$schema", description="Where editors find the schema of a JSON spec; netspec ignores it."
    )


class LibrarySection(Section):
    """A file of blocks alone, for others to use."""

    expected: ClassVar[str] = "a mapping with the keys netspec and blocks"

    @classmethod
    def example(cls, key: str, value: object) -> str:
        return _EXAMPLES.get(key, "")

    netspec: Annotated[int, Field(ge=VERSION, le=VERSION), Expected("1, the version of the language")]
    use: Annotated[
        list[str], Expected("a list of spec files", item="the path of a spec file, relative to this one")
    ] = Field(default_factory=list)
    blocks: Annotated[dict[str, Any], Expected("a mapping from names to blocks")]
    schema_: Annotated[str, Expected("the address of a JSON Schema")] | None = Field(None, alias="$schema")


class BlockSection(Section):
    """A block: steps with parameters and inputs of their own."""

    expected: ClassVar[str] = "a mapping with layers, and params, inputs and outputs if it has any"

    @classmethod
    def example(cls, key: str, value: object) -> str:
        return {"layers": "layers: [BatchNorm2d, ReLU]", "params": "params: {width: int, stride: 1}"}.get(
            key, ""
        )

    params: Annotated[
        dict[str, Any],
        Expected("a mapping from names to a type (int, float, bool, str, list, op) or a default"),
    ] = Field(
        default_factory=dict,
        description="Parameters: a type word (int, float, bool, str, list, op) makes one required, "
        "any other value is its default.",
    )
    inputs: Annotated[list[str], Expected("a list of names", item="a word")] | None = Field(
        None, description="Names of the inputs; left out, there is one, which is called `in`."
    )
    layers: Annotated[list[Any], Expected("a list of steps")] = Field(description="The steps of the block.")
    outputs: Annotated[
        list[Any] | dict[str, Any], Expected("a list of layers, or a mapping from names to layers")
    ] | (None) = Field(None, description="What is visible of the block; left out, what its last step gives.")


_EXAMPLES = {
    "netspec": "netspec: 1",
    "name": "name: lenet",
    "inputs": "inputs: {image: [batch, 3, 224, 224]}",
    "dims": "dims: {H: {min: 32}}",
    "params": "params: {classes: 10}",
    "variants": "variants: {large: {width: 128}}",
    "use": "use: [blocks/residual.yaml]",
    "blocks": "blocks: {Dense: {params: {width: int}, layers: [{Linear: {out_features: $width}}, ReLU]}}",
    "layers": "layers: [Flatten, {Linear: {out_features: 10}}]",
    "outputs": "outputs: [logits]",
}
