"""What the runners share. They need numpy and their runtime alone: each has an environment of its own.

    python -m tests.portability.runners.RUNNER MODEL CASES RESULTS [N …]

runs the cases N (all of them, unless named) of the archive CASES and writes to the archive RESULTS
`N/got/Y` for every output Y. Each line of its output is a JSON object: `{"version": V}` first; then
`{"refused": WORDS}` where the model is not even loaded; for each case `{"case": N}` when it begins, so that
a crash can be laid to it, and `{"case": N, "refused": WORDS}` where it does not run.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Feeds = Mapping[str, NDArray[Any]]
Run = Callable[[Feeds], Feeds]

LONGEST = 4000  # characters of a refusal that are passed on


def serve(version: str, load: Callable[[str], Run]) -> None:
    """Load the model, run the cases, and tell of both on a standard output that is the caller's alone."""
    model, cases, results, *chosen = sys.argv[1:]
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a runtime prints is no part of the report

    def tell(**facts: object) -> None:
        channel.write(json.dumps(facts) + "\n")
        channel.flush()

    tell(version=version)
    try:
        run = load(model)
    except Exception as error:
        tell(refused=_words(error))
        return
    got: dict[str, Any] = {}
    with np.load(cases) as archive:
        names = [name.split("/", 2) for name in archive.files]
        for case in chosen or sorted({number for number, *_ in names}, key=int):
            tell(case=case)
            feeds = {key: archive[f"{case}/in/{key}"] for n, kind, key in names if (n, kind) == (case, "in")}
            try:
                given = run(feeds)
            except Exception as error:
                tell(case=case, refused=_words(error))
                continue
            got |= {f"{case}/got/{name}": np.asarray(y) for name, y in given.items()}
    np.savez(results, **got)


def _words(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__)[:LONGEST]
