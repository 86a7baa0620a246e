"""`preprocess` of an input: held against the input's shape and type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from netspec.diagnostics import Advised, spell
from netspec.ir.dim import Bounds
from netspec.ir.graph import Preprocess
from netspec.ir.tensor import DType
from netspec.language.sections import InputSection, PreprocessSection
from netspec.language.tree import Tree

AXES = ("height", "width")


class PreprocessMisfit(Advised):
    """A preprocessing that cannot give the input."""

    code = "NS227"
    message = "{key} of {name} {problem}"

    key: str
    name: str
    problem: str


class Examination(NamedTuple):
    """A `preprocess` section, written at `tree`, and the input that it is for."""

    name: str
    section: PreprocessSection
    given: InputSection
    tree: Tree
    bounds: Mapping[str, Bounds]

    def faults(self) -> Iterator[PreprocessMisfit]:
        """What of the preprocessing does not fit the input."""
        section = self.section
        if not DType(self.given.dtype).is_floating:
            problem = f"gives real numbers, but the input is {self.given.dtype}"
            advice = "give the input dtype: float32, or remove preprocess"
            yield self._misfit("preprocess", problem, advice)
        if section.scale == 0:
            yield self._misfit("scale", "is 0: all inputs would be the same", "leave it out")
        yield from self._channels("mean", section.mean)
        yield from self._channels("std", section.std)
        wrong = [number for number in numbers(section.std) or () if number <= 0]
        if wrong:
            yield self._misfit("std", f"must be positive, not {spell(wrong[0])}: values are divided by it")
        yield from self._resize(size(section.resize))

    def _misfit(self, key: str, problem: str, advice: str = "") -> PreprocessMisfit:
        span = self.tree.find((key,)).span
        return PreprocessMisfit(key=key, name=spell(self.name), problem=problem, advice=advice, span=span)

    def _channels(self, key: str, given: float | list[float] | None) -> Iterator[PreprocessMisfit]:
        """A list has one number a channel."""
        if not isinstance(given, list):
            return
        shape = spell(list(self.given.shape))
        if len(self.given.shape) < 2:
            yield self._misfit(
                key, f"is a list, but {shape} has no channels", f"write one number: {key}: 0.5"
            )
            return
        channels = self.given.shape[1]
        if isinstance(channels, int) and channels != len(given):
            has = "1 number" if len(given) == 1 else f"{len(given)} numbers"
            one = "1 channel" if channels == 1 else f"{channels} channels"
            advice = f"write {key}: {spell(given[0])} for all channels, or a list of {channels}"
            yield self._misfit(key, f"has {has}, but the input has {one}: {shape}", advice)

    def _resize(self, to: tuple[int, int] | None) -> Iterator[PreprocessMisfit]:
        """Images are resized to the size that the input has."""
        if to is None:
            return
        shape = self.given.shape
        if len(shape) != 4:
            advice = "an image is [batch, channels, height, width]"
            yield self._misfit("resize", f"needs an image, not {spell(list(shape))}", advice)
            return
        for axis, length, declared in zip(AXES, to, shape[2:], strict=True):
            if isinstance(declared, int) and declared != length:
                sizes = [s if isinstance(s, int) else n for s, n in zip(shape[2:], to, strict=True)]
                advice = f"write resize: {spell(sizes[0] if sizes[0] == sizes[1] else sizes)}"
                problem = f"gives images of {axis} {length}, but the input has {axis} {declared}"
                yield self._misfit("resize", problem, advice)
                return
            if isinstance(declared, str) and not self.bounds[declared].admits(length):
                problem = f"gives images of {axis} {length}, which dims does not allow for {declared}"
                yield self._misfit("resize", problem)
                return


def numbers(value: float | list[float] | None) -> tuple[float, ...] | None:
    """One number for all channels, or one a channel, as a tuple."""
    if value is None:
        return None
    return tuple(value) if isinstance(value, list) else (float(value),)


def size(resize: int | list[int] | None) -> tuple[int, int] | None:
    """Height and width."""
    if resize is None:
        return None
    return (resize, resize) if isinstance(resize, int) else (resize[0], resize[1])


def preprocess_rule(section: PreprocessSection) -> Preprocess:
    """The section as the graph has it."""
    return Preprocess(section.scale, numbers(section.mean), numbers(section.std), size(section.resize))
