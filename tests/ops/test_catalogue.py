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
from torch import nn

import netspec.ops
from netspec.ops.arguments import INFERRED
from netspec.ops.base import Op
from netspec.ops.catalogue import FAMILIES, catalogue, find
from tests.ops.family import family_of

NOT_FAMILIES = {
    "plugins",
    "arguments",
    "base",
    "broadcasting",
    "catalogue",
    "edges",
    "faults",
    "heads",
    "interpolation",
    "normalising",
    "pooling",
    "reducing",
    "scaling",
    "sequences",
    "unary",
}
"""Modules of netspec.ops that hold no operations."""

RULES_WITH_CODES = {"AtLeast", "Fault", "Same", "as_declared", "axis_of", "need_number", "window_fits"}
"""What `demands` uses where it asks for more than elements of a type or a rank, which the first line says."""

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


@pytest.mark.parametrize("op", FAMILIES)
def test_every_operation_is_drawn(op: str) -> None:
    assert op in family_of(op).strategies


@every_operation
def test_every_rule_is_there(operation: type[Op]) -> None:
    for rule in ("infer", "build"):
        assert callable(getattr(operation, rule)), rule
    lowering = operation.emit if "lower" in operation.model_fields else operation.lower
    assert callable(lowering)
    assert lowering is not Op.emit


@every_operation
def test_the_docstring_says_what_and_whence(operation: type[Op]) -> None:
    text = inspect.getdoc(operation) or ""
    first, _, rest = text.partition("\n")
    assert "->" in first, "shapes in the first line"
    assert first.endswith(".")
    source = rest[rest.index("Source:") :]
    name = operation.__name__
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    words = {name, snake, name.lower()}
    if name in family_of(name).signatures:
        words.add(family_of(name).signatures[name][0].__name__)
    assert re.search(rf"\btorch(vision)?\.([\w.]+\.)?({'|'.join(map(re.escape, words))})\b", source)
    if operation.cost is not Op.cost:
        assert "Cost:" in rest
    if "'" in first:  # a size that the first line leaves to a formula
        assert "Shape:" in rest
    if RULES_WITH_CODES & set(operation.demands.__code__.co_names):
        assert "Errors:" in rest


@every_operation
def test_the_docstring_names_only_codes_that_are_raised(operation: type[Op]) -> None:
    modules = (sys.modules[base.__module__] for base in operation.__mro__ if issubclass(base, Op))
    shared = (import_module(f"netspec.ops.{stem}") for stem in sorted(NOT_FAMILIES))
    known = "\n".join(inspect.getsource(module) for module in (*modules, *shared))
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
    signatures = family_of(name).signatures
    if name in signatures:
        function, arguments = signatures[name]
        assert callable(function)
        assert fields == dict(arguments)
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


@pytest.mark.parametrize("op", FAMILIES)
def test_what_is_not_a_class_of_torch_is_a_function_of_it(op: str) -> None:
    family = family_of(op)
    if not is_class_of_torch(op):
        assert op in family.functions
        assert op in family.signatures


def is_class_of_torch(name: str) -> bool:
    found = getattr(nn, name, None)
    return isinstance(found, type) and issubclass(found, nn.Module)
