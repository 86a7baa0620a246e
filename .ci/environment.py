"""Fills .venv with what pyproject.toml asks for, in the versions of constraints.txt, unless it holds that.

Runs on the system's Python with the standard library alone, from the root of the repository:

    python3 .ci/environment.py

`.venv/.stamp` names what the environment was made from. It is written last, so that an interrupted
run leaves none, and it is compared by content, so that a touched file costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

OLDEST = (3, 11)
VENV = ".venv"
STAMP = os.path.join(VENV, ".stamp")
BIN = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin")


def main() -> None:
    if sys.version_info < OLDEST:
        stop(
            "netspec needs Python {}.{} or later; {} is {}.{}.".format(
                *OLDEST, sys.executable, *sys.version_info[:2]
            ),
            f"Name another one: make {goal()} PYTHON=/path/to/python3.11",
        )
    made_of = interpreter()
    wanted = {"interpreter": made_of, "requirements": requirements()}
    found = stamp()
    python = os.path.join(BIN, os.path.basename(sys.executable) if os.name == "nt" else "python")
    if found == wanted and os.path.exists(python):  # false for a link to a Python that is gone
        return

    if os.path.exists(STAMP):
        os.remove(STAMP)
    if found.get("interpreter") != made_of or not os.path.exists(python):
        create()
    print(f"Installing netspec and its tools into {VENV} (minutes the first time) ...", flush=True)
    install = "-m pip install --quiet --disable-pip-version-check -c constraints.txt -e .[dev]"
    if subprocess.call([python, *install.split()]) != 0:
        stop("pip could not install netspec; its message stands above.", "Mend the cause and run make again.")
    with open(STAMP + ".new", "w", encoding="utf-8") as file:
        json.dump(wanted, file, indent=2)
    os.replace(STAMP + ".new", STAMP)


def interpreter() -> list[str]:
    """What a virtual environment is tied to: the Python that made it, and the folder that it stands in."""
    return [sys.version, os.path.realpath(sys.base_prefix), os.path.realpath(VENV)]


def requirements() -> str:
    """A digest of everything that decides what pip installs; the settings of tools do not."""
    import tomllib  # here, because an older Python must get as far as the message above

    with open("pyproject.toml", "rb") as file:
        project = tomllib.load(file)
    with open("constraints.txt", encoding="utf-8") as file:
        constraints = file.read()
    decisive = [project["project"], project["build-system"], project["tool"]["hatch"], constraints]
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def stamp() -> dict[str, object]:
    """What .venv says it was made from; nothing when it was not finished."""
    try:
        with open(STAMP, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def create() -> None:
    """Make an empty virtual environment, in place of any other."""
    print(f"Creating {VENV} with Python {sys.version.split()[0]} ...", flush=True)
    try:
        import ensurepip  # noqa: F401 - Debian and Ubuntu leave it out of python3
        import venv
    except ImportError:
        stop(
            f"{sys.executable} cannot make virtual environments: its venv module is not installed.",
            "On Debian and Ubuntu: apt install python3-venv",
        )
    venv.create(VENV, clear=True, with_pip=True, symlinks=os.name != "nt")


def goal() -> str:
    """The make target that the user asked for, to repeat it in advice."""
    return os.environ.get("GOAL") or "setup"


def stop(problem: str, cure: str) -> None:
    sys.exit(f"error: {problem}\n  = help: {cure}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted; run make again to finish")
