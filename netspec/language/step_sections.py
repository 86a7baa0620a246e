"""The keys of a step, for each kind of step, as pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from netspec.language.sections import Section
from netspec.ops.arguments import Expected


class StepSection(Section):
    """What stands beside a step of any kind."""

    expected: ClassVar[str] = "a mapping with an operation, or with branches, for or if"

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, defer_build=True)

    name: Annotated[str, Expected("a word")] | None = Field(
        None, description="The layer's name, for `from`, weights and the ONNX file."
    )
    from_: Annotated[
        str | list[str] | dict[str, str],
        Expected(
            "the name of an earlier layer, a list of names, or a mapping from inputs to names",
            item="the name of an earlier layer",
        ),
    ] = Field("prev", alias="from", description="What the step reads: earlier layers, inputs, prev.")
    if_: Any = Field(
        None, alias="if", description="The step is taken only if this holds; else it is the identity."
    )
    repeat: Any = Field(None, description="How many times the step is taken, one after the other.")


class CallSection(StepSection):
    """A step that takes an operation or a block."""

    init: Any = Field(None, description="How this layer's weights are drawn.")
    share: Annotated[str, Expected("the name of an earlier layer")] | None = Field(
        None, description="An earlier layer of the same kind, whose weights this one uses."
    )
    parametrize: Any = Field(
        None, description="How the weight is computed from others: weight_norm or spectral_norm."
    )


Steps = Annotated[list[Any], Expected("a list of steps")]


class BranchesSection(StepSection):
    """A step that runs several branches side by side and merges what they give."""

    @classmethod
    def example(cls, key: str, value: object) -> str:
        return {"merge": "merge: Add"}.get(key, "")

    branches: Annotated[dict[str, Any], Expected("a mapping from names to lists of steps")] = Field(
        description="The branches by name; each gets what the step gets. An empty one is the identity."
    )
    merge: Annotated[Any, Expected("an operation, such as Add or Concat")] = Field(
        description="The operation or block that takes the branches' outputs, in their order."
    )


class ChoiceSection(StepSection):
    """A step that takes one list of steps or another."""

    @classmethod
    def example(cls, key: str, value: object) -> str:
        return {"if": "if: $depth > 0", "then": "then: [ReLU]"}.get(key, "")

    if_: Any = Field(alias="if", description="Which steps are taken.")
    then: Steps = Field(description="The steps that are taken if it holds.")
    else_: Steps = Field(
        default_factory=list, alias="else", description="The steps that are taken otherwise."
    )


class LoopSection(StepSection):
    """A step that takes a list of steps once for each value of its variables."""

    @classmethod
    def example(cls, key: str, value: object) -> str:
        return {"for": "for: {width: [64, 128]}", "do": "do: [ReLU]"}.get(key, "")

    for_: Annotated[
        Any, Expected("columns such as {width: [64, 128]}, or rows such as [{width: 64}, {width: 128}]")
    ] = Field(alias="for", description="The variables: columns of values, taken in step, or a list of rows.")
    do: Steps = Field(description="The steps of one iteration.")
    between: Steps = Field(
        default_factory=list, description="Steps before each iteration but the first, with its variables."
    )


def keys(section: type[BaseModel]) -> tuple[str, ...]:
    """The keys of a kind of step, as they are written."""
    return tuple(field.alias or name for name, field in section.model_fields.items())


CALL_KEYS = keys(CallSection)
STEP_KEYS = tuple(
    dict.fromkeys(
        key for section in (CallSection, BranchesSection, ChoiceSection, LoopSection) for key in keys(section)
    )
)
"""Every key that may stand in a step."""
