"""The keys of `train:` as a pydantic model: the kinds of their values, their defaults."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from netspec.language.sections import Section
from netspec.ops.arguments import Bool, Expected, NonNegativeInt, PositiveFloat, PositiveInt


class TrainSection(Section):
    """How the network is trained."""

    expected: ClassVar[str] = "a mapping such as {data: fashion-mnist, optimizer: {SGD: {lr: 0.1}}}"

    @classmethod
    def example(cls, key: str, value: object) -> str:
        return _EXAMPLES.get(key, "")

    data: Any = Field(description="What to train on: a data set's name, {folder: PATH} or {npz: PATH}.")
    epochs: PositiveInt = Field(10, description="How often all training examples are gone through.")
    batch_size: PositiveInt = Field(128, description="Examples of one step, over all devices.")
    optimizer: Any = Field(description="An optimizer of torch.optim, with its arguments.")
    schedule: Any = Field("constant", description="How the learning rate changes.")
    loss: Any = Field("cross_entropy", description="What is made small.")
    metrics: (
        Annotated[
            list[Literal["accuracy", "top5", "per_class"]],
            Expected("a list of accuracy, top5 and per_class", item="accuracy, top5 or per_class"),
        ]
        | None
    ) = Field(
        None, description="What is measured beside the loss; left out, accuracy where there are classes."
    )
    precision: Annotated[
        Literal["float32", "tf32", "bf16", "fp16"], Expected("float32, tf32, bf16 or fp16")
    ] = Field("float32", description="What numbers the network is computed in while it is trained.")
    augment: Any = Field(None, description="What is done to training images at random.")
    clip: PositiveFloat | None = Field(None, description="The greatest norm that a gradient may have.")
    accumulate: PositiveInt = Field(1, description="Batches whose gradients make one step of the optimizer.")
    ema: Annotated[float, Field(gt=0, lt=1), Expected("a number between 0 and 1")] | None = Field(
        None, description="Average the weights: how much of the average stays at each step, such as 0.999."
    )
    seed: NonNegativeInt = Field(
        0, description="Of the weights, the order of the examples, all that is drawn."
    )
    validate_on: Annotated[
        Literal["test"] | Annotated[float, Field(gt=0, lt=1)],
        Expected("test, or the share of the training examples that is held out, such as 0.1"),
    ] = Field(
        "test", description="The test examples, or the share of the training examples that is held out."
    )
    sync_batch_norm: Bool = Field(False, description="Normalise batches over all devices together.")
    output: Annotated[str, Expected("the name of an output")] | None = Field(
        None, description="The output that the loss reads; left out, the first."
    )


_EXAMPLES = {
    "data": "data: fashion-mnist",
    "optimizer": "optimizer: {SGD: {lr: 0.1}}",
}
