"""Tensors written as a safetensors file: whole or not at all, and the same bytes for the same tensors."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch

from netspec.files import published, writing

LENGTH = 8
"""Bytes in front that count those of the header, the lowest first."""


def write_tensors(
    path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str], *, durable: bool = False
) -> None:
    """Write tensors that share no memory, with some text beside them; `durable` waits for the disk.

    Errors: NS511 where the system refuses.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    rows = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with published(path, durable=durable) as beside, writing(beside):
        # The library lets nobody else read what it writes; this has the permissions of any new file.
        beside.touch()
        permissions = beside.stat().st_mode
        try:
            save_file(rows, beside, metadata=dict(metadata))
        except SafetensorError as error:
            raise _refusal(str(error)) from error
        beside.chmod(permissions)
        _order_header(beside)


def _refusal(text: str) -> OSError:
    """The system's refusal out of the library's clothes: … No space left on device (os error 28)."""
    number = re.search(r"\(os error (\d+)\)", text)
    return OSError(text) if number is None else OSError(int(number[1]), os.strerror(int(number[1])))


def _order_header(path: Path) -> None:
    """Sort the header's text, which the library leaves in an order that is drawn anew each time."""
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(LENGTH), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        ordered = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        if len(ordered) <= size:  # spaces fill it up, as the format has it
            file.seek(LENGTH)
            file.write(ordered.ljust(size))
