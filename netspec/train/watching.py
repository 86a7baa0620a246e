"""Looking at a meter while the device works, without making anything wait."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from netspec.train.metrics import Meter


class Watch:
    """Gives a meter's totals as they were a moment ago.

    On a GPU they are copied to the host behind the work that is queued; the copy is read once it has arrived.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._is_cuda = meter.totals.device.type == "cuda"
        self._copy = torch.zeros(meter.totals.shape, dtype=meter.totals.dtype, pin_memory=self._is_cuda)
        self._arrives: torch.cuda.Event | None = None

    def totals(self) -> Sequence[float] | None:
        """The newest totals that are here; None where there are none since the last call."""
        if not self._is_cuda:
            return list(self._meter.totals.tolist())
        arrived = None
        if self._arrives is not None:
            if not self._arrives.query():  # type: ignore[no-untyped-call]
                return None
            arrived = list(self._copy.tolist())
        self._copy.copy_(self._meter.totals, non_blocking=True)
        self._arrives = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._arrives.record()
        return arrived
