"""How a command reads what it is given, and how it leaves: exit codes, usage errors, JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from netspec.verify.certificate import Certificate

DONE, SPEC_AT_FAULT, REJECTED, INCONCLUSIVE = 0, 1, 3, 4
BY_GRAVITY = (DONE, INCONCLUSIVE, SPEC_AT_FAULT, REJECTED)  # of several specs the gravest counts


def settings_of(given: list[str] | None) -> dict[str, str]:
    """`--set` options by name."""
    settings = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            usage(f"--set takes NAME=VALUE, not {text!r}")
        settings[name.strip()] = value
    return settings


def usage(message: str) -> NoReturn:
    """Leave with exit code 2."""
    raise typer.BadParameter(message)


def leave(code: int) -> None:
    """Leave with an exit code, unless all is well."""
    if code:
        raise typer.Exit(code)


def verdict_code(certificate: Certificate) -> int:
    """The exit code of a verdict."""
    from netspec.verify.certificate import Verdict

    return {Verdict.PASSED: DONE, Verdict.INCONCLUSIVE: INCONCLUSIVE}.get(certificate.verdict, REJECTED)


def print_json(data: Any) -> None:
    """Print what a program reads."""
    import json

    print(json.dumps(data, indent=2))
