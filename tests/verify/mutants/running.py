"""The mutants of a network, drawn and judged, in a process of their own."""

from __future__ import annotations

import logging
import random
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from tests.verify.mutants.judging import Judge, Outcome
from tests.verify.mutants.mutations import Mutant, mutants
from tests.verify.mutants.networks import networks


def chosen(every: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """So many of them, each kind as often as its share allows and at least once."""
    draw = random.Random(seed)
    kinds: dict[str, list[Mutant]] = {}
    for mutant in draw.sample(every, len(every)):
        kinds.setdefault(mutant.kind, []).append(mutant)
    found: list[Mutant] = []
    while len(found) < count and any(kinds.values()):
        for of_kind in kinds.values():
            found += [of_kind.pop()] if of_kind and len(found) < count else []
    return found


def judged(name: str, count: int, seed: int) -> list[Outcome]:
    """The outcomes of one network's mutants, untrained and trained."""
    return list(_judged(name, count, seed))


def _judged(name: str, count: int, seed: int) -> Iterator[Outcome]:
    for network in networks(name):
        with tempfile.TemporaryDirectory() as folder:
            judge = Judge(network, Path(folder))
            for mutant in chosen(list(mutants(judge.model, seed)), count, seed):
                outcome = judge.judge(mutant)
                if outcome is not None:
                    yield outcome


def in_own_process(arguments: tuple[str, int, int]) -> list[Outcome]:
    """`judged` on one thread, without what torch and onnxruntime remark."""
    import torch

    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    return judged(*arguments)
