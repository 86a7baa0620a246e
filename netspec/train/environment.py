"""Where a run took place: versions, machine, device, command; for whoever wants to have it again."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from netspec.files import published, writing
from netspec.verify.gates import versions


def environment(device: torch.device, seeds: Mapping[str, int], *, processes: int = 1) -> dict[str, Any]:
    """The environment as plain data, in the order in which it is written.

    `seeds` are by what they seed; `processes` counts those that train together.
    """
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": ["netspec", *sys.argv[1:]],
        "seeds": dict(seeds),
        "versions": versions() | _cuda_versions(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device.type,
        "device_name": device_name(device),
        "processes": processes,
    }


def write_environment(path: Path, described: Mapping[str, Any]) -> None:
    """Write it as JSON, whole or not at all.

    Errors: NS511 where the system refuses.
    """
    with published(path) as beside, writing(beside):
        beside.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8", newline="\n")


def device_name(device: torch.device) -> str:
    """What the device calls itself: NVIDIA H100 80GB HBM3; a CPU's architecture, where it gives no name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


def _cuda_versions() -> dict[str, str]:
    """Of the libraries that torch was built with; none in a build for the CPU alone."""
    if torch.version.cuda is None:
        return {}
    cudnn: int | None = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return {"cuda": torch.version.cuda, "cudnn": str(cudnn)}
