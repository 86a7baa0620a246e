"""Work that kills its process: a module of its own, since every process that works on it imports it."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def dies_at_two_and_fails_at_three(item: int, folder: Path) -> int:
    """Ten times the item, but that it does not come back from 2, and raises an error at 3."""
    (folder / "now").write_text(f"item {item}")
    if item == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if item == 3:
        raise ValueError("three")
    return 10 * item
