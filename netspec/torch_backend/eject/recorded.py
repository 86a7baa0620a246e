"""What a module was made with: not every class of torch keeps it, so the calls themselves are watched."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class Construction:
    """One call of an `__init__`: of which module, in which of its classes, with which arguments.

    `given` are the values by name, defaults included; those without a name of their own are `unnamed`.
    """

    module: nn.Module
    owner: type
    unnamed: tuple[Any, ...]
    given: dict[str, Any]

    @property
    def defaults(self) -> dict[str, Any]:
        """What the arguments are where they are left out."""
        parameters = inspect.signature(vars(self.owner)["__init__"]).parameters.values()
        return {p.name: p.default for p in parameters if p.default is not p.empty}


@dataclass(frozen=True)
class Made:
    """A module with every call of an `__init__` on the way to it."""

    module: nn.Module
    constructions: tuple[Construction, ...]

    def arguments(self, cls: type) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]:
        """What a class was called with: unnamed arguments, named ones, and the defaults of named ones."""
        calls = [c for c in self.constructions if c.module is self.module and issubclass(cls, c.owner)]
        defaults: dict[str, Any] = {}
        for call in reversed(calls):  # an outer one passes on what it does not know itself
            defaults |= call.defaults
        return (calls[0].unnamed, calls[0].given, defaults) if calls else ((), {}, {})


def made(build: Callable[[], nn.Module]) -> Made:
    """Build a module, and watch."""
    with _watched() as constructions:
        module = build()
    return Made(module, tuple(constructions))


@contextmanager
def undrawn() -> Iterator[None]:
    """In here modules are made on no device, and draw nothing."""
    with torch.device("meta"), _Undrawn():
        yield


class _Undrawn(TorchFunctionMode):
    """Leaves tensors as they are: to draw some of them on no device, torch first loads for seconds."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name.endswith("_") and not name.startswith("_") and name != "requires_grad_":
            return next(iter((*args, *(kwargs or {}).values())))
        return func(*args, **(kwargs or {}))


@contextmanager
def _watched() -> Iterator[list[Construction]]:
    """Collects the calls of modules' `__init__` that this thread makes, in order."""
    constructions: list[Construction] = []

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_name == "__init__":
            construction = _construction(frame)
            if construction is not None:
                constructions.append(construction)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield constructions
    finally:
        sys.setprofile(before)


def _construction(frame: FrameType) -> Construction | None:
    """The call that a frame is, if it makes a module."""
    code, values = frame.f_code, frame.f_locals
    count = code.co_argcount + code.co_kwonlyargcount
    names = code.co_varnames[:count]
    module = values.get(names[0]) if names else None
    if not isinstance(module, nn.Module):
        return None
    owner = next(
        (c for c in type(module).__mro__ if getattr(vars(c).get("__init__"), "__code__", None) is code), None
    )
    if owner is None or owner is nn.Module:
        return None
    given = {name: values[name] for name in names[1:]}
    unnamed: tuple[Any, ...] = ()
    if code.co_flags & inspect.CO_VARARGS:
        unnamed = tuple(values[code.co_varnames[count]])
        count += 1
    if code.co_flags & inspect.CO_VARKEYWORDS:
        given |= values[code.co_varnames[count]]
    return Construction(module, owner, unnamed, given)
