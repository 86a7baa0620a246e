"""Work that kills its process: a module of its own, since every process that works on it imports it."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def dies_at_two(item: int, folder: Path) -> int:
    """Ten times the item, but that it does not come back from 2."""
    (folder / "now").write_text(f"item {item}")
    if item == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return 10 * item
