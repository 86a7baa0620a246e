"""Every operation of the catalogue is found, documented, drawn for the contract test, and torch's own."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import netspec.ops
from netspec.ops import faults
from netspec.ops.base import Op
from netspec.ops.catalogue import FAMILIES, catalogue, find
from tests.ops.cases import FUNCTIONS
from tests.ops.drawing import STRATEGIES

NOT_FAMILIES = {"arguments", "base", "catalogue", "faults"}
"""Modules of netspec.ops that hold no operations."""

INFERRED = {"in_channels", "in_features", "num_features"}
"""Arguments that torch requires and a spec may leave out."""

TORCH_FUNCTIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "Add": (torch.add, {"other": None, "alpha": 1}),
    "Mul": (torch.mul, {"other": None}),
    "Concat": (torch.concat, {"dim": 1}),
}
"""What torch has as functions, whose signatures Python cannot read: the arguments that are no tensors.

`other` may also be a further input, and then it is none; joining along the channels is Concat's default, not
along the batch, which is torch's.
"""

SHAPE_IN_FIRST_LINE = {"Concat", "Dropout", "Flatten", "Identity"}
DEMANDS_OF_TYPE_ONLY = {"AdaptiveAvgPool2d", "Dropout", "ReLU", "Sigmoid", "Tanh"}
"""They ask for real numbers, some for images, which their first line says."""

OPERATIONS = list(catalogue().values())
every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)


def families() -> dict[str, tuple[type[Op], ...]]:
    """The operations that each family's module lists at its foot."""
    stems = {path.stem for path in Path(netspec.ops.__path__[0]).glob("*.py")} - {"__init__"}
    modules = {stem: import_module(f"netspec.ops.{stem}") for stem in sorted(stems - NOT_FAMILIES)}
    return {stem: module.OPERATIONS for stem, module in modules.items()}


def test_the_index_names_what_the_families_list() -> None:
    listed = {op.__name__: family for family, operations in families().items() for op in operations}
    assert listed == FAMILIES
    assert len(listed) == sum(map(len, families().values())), "one name in two families"
    assert all(find(op.__name__) is op for operations in families().values() for op in operations)


def test_modules_without_operations_have_none() -> None:
    for stem in NOT_FAMILIES:
        assert not hasattr(import_module(f"netspec.ops.{stem}"), "OPERATIONS"), stem


def test_an_unknown_name_is_not_found() -> None:
    assert find("Conv2D") is None
    assert find("Pool2d") is None


@pytest.mark.parametrize("name", {family: name for name, family in FAMILIES.items()}.values())
def test_an_operation_loads_its_own_family_alone_and_no_engine(name: str) -> None:
    program = (
        f"import sys; from netspec.ops.catalogue import find; find({name!r}); "
        "print(*(m for m in sys.modules if m.startswith('netspec.ops.')), "
        "*({'torch', 'onnx', 'onnxruntime', 'numpy'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert {item.removeprefix("netspec.ops.") for item in loaded} - NOT_FAMILIES == {FAMILIES[name]}


def test_every_operation_is_drawn() -> None:
    assert set(STRATEGIES) == set(FAMILIES)


@every_operation
def test_every_rule_is_there(operation: type[Op]) -> None:
    for rule in ("infer", "build", "lower"):
        assert callable(getattr(operation, rule)), rule


@every_operation
def test_the_docstring_says_what_and_whence(operation: type[Op]) -> None:
    text = inspect.getdoc(operation) or ""
    first, _, rest = text.partition("\n")
    assert "->" in first, "shapes in the first line"
    assert first.endswith(".")
    source = rest[rest.index("Source:") :]
    name = operation.__name__
    assert f"torch.nn.{name}" in source or f"torch.{name.lower()}" in source
    if operation.cost is not Op.cost:
        assert "Cost:" in rest
    if operation.infer.__qualname__.startswith(name) and name not in SHAPE_IN_FIRST_LINE:
        assert "Shape:" in rest
    if operation.demands is not Op.demands and name not in DEMANDS_OF_TYPE_ONLY:
        assert "Errors:" in rest


@every_operation
def test_the_docstring_names_only_codes_that_are_raised(operation: type[Op]) -> None:
    modules = (sys.modules[base.__module__] for base in operation.__mro__ if issubclass(base, Op))
    known = "\n".join(inspect.getsource(module) for module in (*modules, faults))
    for code in re.findall(r"NS\d{3}", inspect.getdoc(operation) or ""):
        assert f'code = "{code}"' in known, code


def normal(value: Any) -> Any:
    """A default as torch writes it: one number stands for two equal ones."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


@every_operation
def test_the_arguments_are_torchs_with_its_defaults(operation: type[Op]) -> None:
    name = operation.__name__
    fields = {
        field: ... if info.is_required() else normal(info.default)
        for field, info in operation.model_fields.items()
    }
    if name in TORCH_FUNCTIONS:
        function, arguments = TORCH_FUNCTIONS[name]
        assert callable(function)
        assert fields == arguments
        return
    parameters = inspect.signature(getattr(nn, name)).parameters.values()
    expected = {
        parameter.name: ... if parameter.default is parameter.empty else parameter.default
        for parameter in parameters
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and parameter.name not in ("device", "dtype")
    }
    assert fields == {
        argument: None if argument in INFERRED else default for argument, default in expected.items()
    }


def test_what_is_not_a_class_of_torch_is_a_function_of_it() -> None:
    assert {name for name in FAMILIES if not hasattr(nn, name)} == set(TORCH_FUNCTIONS) == set(FUNCTIONS)
