"""The arguments of what `train:` chooses by name."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict


class Disagreement(NamedTuple):
    """An argument that is fine by itself, and not beside the others."""

    argument: str
    expected: str
    advice: str


class Choice(BaseModel):
    """The arguments of one that can be chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)

    alone: ClassVar[str | None] = None
    """The argument that is meant by a text without a name, as in `{folder: flowers}`."""

    def disagreement(self) -> Disagreement | None:
        """The first argument that does not go with the others."""
        return None


class Plain(Choice):
    """Takes no arguments."""
