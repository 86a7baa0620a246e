"""What holds of every diagnostic: a code of its own, and texts that no user's value can break."""

from __future__ import annotations

import ast
import inspect
import string
from collections.abc import Iterator

import pytest

from netspec.diagnostics import Diagnostic
from tests.errors.diagnostic_classes import diagnostic_classes

CLASSES = diagnostic_classes()


def test_every_code_means_one_thing() -> None:
    codes = [cls.code for cls in CLASSES]
    assert len(codes) == len(set(codes)), sorted(code for code in codes if codes.count(code) > 1)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_diagnostic_is_described(cls: type[Diagnostic]) -> None:
    assert cls.__doc__
    assert cls.code[:2] == "NS"
    assert cls.code[2:].isdecimal()


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_templates_name_facts(cls: type[Diagnostic]) -> None:
    """Each name in a template is a fact or a property; a misspelt one would end a message in a traceback."""
    for template in (cls.message, *templates(cls, "help"), *templates(cls, "label")):
        for _, name, spec, conversion in string.Formatter().parse(template):
            if name is not None:
                assert name.isidentifier(), f"{template!r} formats {name!r}"
                assert name in cls.facts or hasattr(cls, name), f"{template!r} needs {name}"
                assert spec in ("", ",", "02X"), f"{template!r} asks for {spec!r}"
                assert not conversion


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_templates_hold_no_facts(cls: type[Diagnostic]) -> None:
    """A template with a fact in it would take a user's braces for its own: the fact stands by its name."""
    for name in ("help", "label"):
        for node in ast.walk(ast.parse(source_of(cls, name))):
            if isinstance(node, ast.JoinedStr):
                inserted = [part for part in node.values if isinstance(part, ast.FormattedValue)]
                assert all(isinstance(part.value, ast.Name) for part in inserted), ast.unparse(node)
                assert not inserted, ast.unparse(node)


def source_of(cls: type[Diagnostic], name: str) -> str:
    """The source of a text's property where the class has its own; else nothing."""
    found = cls.__dict__.get(name)
    if not isinstance(found, property) or found.fget is None:
        return ""
    return inspect.cleandoc(inspect.getsource(found.fget))


def templates(cls: type[Diagnostic], name: str) -> Iterator[str]:
    """The strings that a text's property gives."""
    for node in ast.walk(ast.parse(source_of(cls, name))):
        if isinstance(node, ast.Return):
            for part in ast.walk(node):
                if isinstance(part, ast.IfExp):
                    for branch in (part.body, part.orelse):
                        if isinstance(branch, ast.Constant) and isinstance(branch.value, str):
                            yield branch.value
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                yield node.value.value
