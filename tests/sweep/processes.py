"""Work in several processes, which may fail or die: what each was at is known, and the rest goes on."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")
R = TypeVar("R")

ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Lost(NamedTuple):
    """An item whose work failed, or whose process was killed or killed itself; and what it was at."""

    reason: str
    note: str


def each(work: Callable[[T, Path], R], items: Sequence[T], jobs: int) -> Iterator[tuple[T, R | Lost]]:
    """`work(item, folder)` for every item, as they are done; the folder is the process's own.

    What `work` last wrote to `folder / "now"` is the note of the item during which its process died; such
    an item is not done again, those that had not begun are.
    """
    for variable in ONE_THREAD:
        os.environ[variable] = "1"
    waiting = dict(enumerate(items))
    while waiting:
        with tempfile.TemporaryDirectory() as temporary:
            root = Path(temporary)
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(jobs, mp_context=context) as pool:
                numbers = {pool.submit(partial(_one, work, root), n, item): n for n, item in waiting.items()}
                try:
                    for future in as_completed(numbers):
                        result = future.result()
                        yield waiting.pop(numbers[future]), result
                except BrokenProcessPool:
                    pass
            begun = [path for path in root.iterdir() if (path / "item").exists()]
            if waiting and not begun:
                raise RuntimeError("a process died before it had begun")
            for path in begun:
                item = waiting.pop(int((path / "item").read_text()), None)
                if item is not None:
                    yield item, Lost("the process died", _note(path))


def _one(work: Callable[[T, Path], R], root: Path, number: int, item: T) -> R | Lost:
    folder = root / str(os.getpid())
    folder.mkdir(exist_ok=True)
    (folder / "item").write_text(str(number))
    try:
        return work(item, folder)
    except Exception as error:  # one item of many
        return Lost(f"{type(error).__name__}: {error}", _note(folder))
    finally:
        (folder / "item").unlink()


def _note(folder: Path) -> str:
    now = folder / "now"
    return now.read_text() if now.exists() else ""
