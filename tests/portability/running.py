"""One runtime on one network: its runner in a process of its own, within limits of time and memory."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tests.portability.judging import Array, Attempt, Case, Judged, Verdict, Verdicts, judge, worst
from tests.portability.runtimes import Runtime

TELLING = ("panicked at", "what():", "Check failed", "Assertion", "error")


@dataclass(frozen=True)
class Outcome:
    """What a runtime makes of a file as it is and, unless that is right, of the file with its sizes fixed:
    copies in which each symbolic dimension has been given a number."""

    version: str | None
    as_is: Judged
    fixed: Judged | None = None


def outcome(runtime: Runtime, environment: Path, folder: Path, seconds: float) -> Outcome:
    """Run a prepared network, as it is and then, if need be, at fixed sizes."""
    told = json.loads((folder / "cases.json").read_text(encoding="utf-8"))
    cases = list(_cases(told, folder, runtime.bound))
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        work = _Work(runtime, environment, folder, Path(temporary), seconds, told["outputs"])
        attempt, got = work.attempt(folder / "model.onnx", cases)
        as_is = worst(judge(cases, attempt, got))
        if as_is.verdict is Verdict.RIGHT or not any(case.values for case in cases):
            return Outcome(attempt.version, as_is)
        return Outcome(attempt.version, as_is, work.fixed(cases))


def _cases(told: Mapping[str, Any], folder: Path, bound: str) -> Iterator[Case]:
    with np.load(folder / "cases.npz") as archive:
        for number, entry in enumerate(told["cases"]):
            exact = {name: archive[f"{number}/exact/{name}"] for name in told["outputs"]}
            bounds = {name: entry["bounds"][name][bound] for name in told["outputs"]}
            yield Case(str(number), entry["values"], exact, bounds)


@dataclass(frozen=True)
class _Work:
    """A runtime about to run one network; `folder` is for files of the moment."""

    runtime: Runtime
    environment: Path
    network: Path
    folder: Path
    seconds: float
    outputs: Sequence[str]

    def fixed(self, cases: Sequence[Case]) -> Judged:
        """The worst of the verdicts on copies of the file, one for the cases of each size."""
        found: Verdicts = []

        def sizes(case: Case) -> list[tuple[str, int]]:
            return sorted(case.values.items())

        for values, group in groupby(sorted(cases, key=sizes), key=sizes):
            together = list(group)
            path = self.folder / "fixed.onnx"
            fix_sizes(self.network / "model.onnx", dict(values), path)
            found += judge(together, *self.attempt(path, together))
        return worst(found)

    def attempt(self, model: Path, cases: Sequence[Case]) -> tuple[Attempt, Mapping[str, Array]]:
        """One process over some cases: what it told, and what came out."""
        (model.parent / "outputs.txt").write_text("\n".join(self.outputs), encoding="utf-8")
        results, errors = self.folder / "results.npz", self.folder / "errors.txt"
        results.unlink(missing_ok=True)
        python = self.runtime.python(self.environment)
        numbers = [case.number for case in cases]
        arguments = [model, self.network / "cases.npz", results, *numbers]
        module = f"tests.portability.runners.{self.runtime.runner}"
        command = [str(part) for part in (python, "-m", module, *arguments)]
        lines, ended = self._run(command, errors)
        attempt = _read(lines, ended, errors.read_text(encoding="utf-8", errors="replace"))
        if attempt.ended or attempt.refused or not results.exists():
            return attempt, {}
        with np.load(results) as archive:
            return attempt, {name: archive[name] for name in archive.files}

    def _run(self, command: Sequence[str], errors: Path) -> tuple[str, str | None]:
        """What a process prints, and why it did not come to its end, if it did not."""
        variables = {**os.environ, **self.runtime.settings(self.environment)}
        with errors.open("w", encoding="utf-8") as stream:
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=stream,
                env=variables,
                encoding="utf-8",
                start_new_session=True,
                preexec_fn=_limited(self.runtime.memory),
            )
        late = False
        try:
            lines, _ = process.communicate(timeout=self.seconds)
        except subprocess.TimeoutExpired:
            late = True
        finally:
            with suppress(ProcessLookupError):  # nobody is left
                os.killpg(process.pid, signal.SIGKILL)  # a browser may be
        if late:
            lines, _ = process.communicate()
            return lines, f"not done after {self.seconds:g} s"
        if process.returncode < 0:
            return lines, f"killed by {signal.Signals(-process.returncode).name}"
        return lines, f"ended with status {process.returncode}" if process.returncode else None


def _limited(memory: int | None) -> Callable[[], None] | None:
    if memory is None:
        return None
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _read(lines: str, ended: str | None, errors: str) -> Attempt:
    """A runner's report. Its last line may be cut off where it was killed."""
    version: str | None = None
    refused: str | None = None
    begun: list[str] = []
    refusals: dict[str, str] = {}
    for line in lines.splitlines():
        if not line.endswith("}"):
            continue
        facts = json.loads(line)
        if "version" in facts:
            version = facts["version"]
        elif "case" not in facts:
            refused = facts["refused"]
        elif "refused" in facts:
            refusals[facts["case"]] = facts["refused"]
        else:
            begun.append(facts["case"])
    return Attempt(version, tuple(begun), refusals, refused, ended, _last_words(errors) if ended else "")


def _last_words(errors: str) -> str:
    """Of what a process printed before its end, the line that tells why."""
    lines = [line for line in errors.splitlines() if line.strip()]
    for number, line in enumerate(lines):
        if any(word in line for word in TELLING):
            return "\n".join(lines[number : number + 2])
    return lines[-1] if lines else ""


def fix_sizes(model: Path, values: Mapping[str, int], path: Path) -> None:
    """Copy a model with numbers for its symbolic dimensions; those of tensors in between are left out."""
    copy = onnx.load(model)
    for value in (*copy.graph.input, *copy.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in values:
                dim.dim_value = values[dim.dim_param]
            elif dim.dim_param:
                dim.ClearField("dim_param")
    del copy.graph.value_info[:]
    onnx.save(copy, path)
