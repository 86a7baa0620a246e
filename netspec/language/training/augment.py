"""`augment:` in `train:`: its keys, and whether the network's inputs are images that can be changed so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from netspec.diagnostics import Advised, spell
from netspec.ir.graph import GraphInput, GraphOutput
from netspec.ir.training import Augment
from netspec.language.sections import Section
from netspec.ops.arguments import Bool, Expected

LARGEST_CROP = 1_000  # pixels; more would be black images


class AugmentMisfit(Advised):
    """Something that cannot be done to the network's inputs."""

    code = "NS409"
    message = "augment cannot be: {reason}"

    reason: str


class AugmentSection(Section):
    """What is done to training images at random."""

    expected: ClassVar[str] = "a mapping such as {flip: true, crop: 4}"

    flip: Bool = Field(False, description="Mirror half of the images left to right.")
    crop: Annotated[
        int, Field(ge=0, le=LARGEST_CROP), Expected(f"a number of pixels between 0 and {LARGEST_CROP}")
    ] = Field(0, description="Pad by so many black pixels on each side, and cut the old size out at random.")


def augment_faults(
    augment: Augment, inputs: Sequence[GraphInput], output: GraphOutput | None
) -> Iterator[AugmentMisfit]:
    """What keeps the images from being changed."""
    if not augment.flip and not augment.crop:
        return
    types = [item.value.type for item in inputs]
    images = [item for item, type in zip(inputs, types, strict=True) if len(type.shape or ()) == 4]
    if not images and all(type.shape is not None for type in types):
        shapes = ", ".join(f"{spell(item.name)} is {item.value.type}" for item in inputs)
        advice = "an image is [batch, channels, height, width]"
        yield AugmentMisfit(reason=f"no input is an image; {shapes}", advice=advice)
    target = None if output is None else output.value.type.shape
    if output is not None and target is not None and len(target) > 2:
        reason = f"targets of {spell(output.name)} are {output.value.type} too, and would not change along"
        yield AugmentMisfit(reason=reason, advice="leave augment out, or write your own data set")
    for item in images:
        sizes = [size for size in item.value.type.known[2:] if isinstance(size, int)]
        resized = item.preprocess is not None and item.preprocess.resize is not None
        if not resized and sizes and augment.crop >= min(sizes):
            reason = f"a crop of {augment.crop} leaves nothing of {spell(item.name)}, {item.value.type}"
            yield AugmentMisfit(reason=reason, advice="crop: 4 is usual for 32 x 32")
