"""What is counted of a network's answers, on its device: read once an epoch, so that nothing waits for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from netspec.ir.training import Named
from netspec.train.distributed import World, summed

LOSS, EXAMPLES, CORRECT, TOP5, COUNTED = range(5)
"""Places in a meter's totals; answers are counted by pixel or token where targets have such axes."""


NO_CLASS = -1
"""In place of a class that is ignored: no answer is that."""


def ignored_class(loss: Named) -> int | None:
    """The class that a loss leaves out; None for a loss of numbers."""
    ignored: int | None = loss.arguments.get("ignore_index")
    return ignored


class Meter:
    """Adds up losses and right answers over batches, in tensors that stay where they are.

    `classes` is the number of classes where targets are classes, else 0. No answer counts where the target is
    the class `ignored`.
    """

    def __init__(
        self, device: torch.device, classes: int, metrics: Sequence[str], ignored: int | None = None
    ) -> None:
        self.totals = torch.zeros(5, dtype=torch.float64, device=device)
        self.matrix: Tensor | None = None
        self._classes, self._metrics, self._ignored = classes, metrics, ignored
        if "per_class" in metrics and classes:
            self.matrix = torch.zeros(classes * classes, dtype=torch.int64, device=device)

    @torch.no_grad()
    def add(self, charged: Tensor, outputs: Tensor, targets: Tensor) -> None:
        """Count a batch; `charged` is its loss, summed over its examples."""
        counts = [charged.double(), torch.full_like(self.totals[0], len(targets))]
        if self._classes and self._metrics:
            scores, wanted = outputs.detach().float(), targets
            if scores.ndim > 2:
                scores = scores.movedim(1, -1).flatten(0, -2)
                wanted = wanted.flatten()
            if self._ignored is not None:
                wanted = torch.where(wanted == self._ignored, NO_CLASS, wanted)
            answers = scores.argmax(1)
            counts.append((answers == wanted).sum().double())
            counts.append(self._among_first(scores, wanted))
            counts.append(self._counted(wanted))
            if self.matrix is not None:
                known = (wanted >= 0) & (wanted < self._classes)
                cells = torch.where(known, wanted * self._classes + answers, 0)
                self.matrix.index_add_(0, cells, known.long())
        self.totals[: len(counts)] += torch.stack(counts)

    def _counted(self, wanted: Tensor) -> Tensor:
        if self._ignored is None:
            return torch.full_like(self.totals[0], wanted.numel())
        return (wanted != NO_CLASS).sum().double()

    def _among_first(self, scores: Tensor, wanted: Tensor) -> Tensor:
        if "top5" not in self._metrics:
            return torch.zeros_like(self.totals[0])
        first = scores.topk(min(5, self._classes), dim=1).indices
        return (first == wanted[:, None]).any(1).sum().double()

    def reset(self) -> None:
        """Begin anew."""
        self.totals.zero_()
        if self.matrix is not None:
            self.matrix.zero_()

    def read(self, world: World) -> dict[str, float]:
        """The mean loss an example, and the metrics as parts of 1; the device is waited for."""
        return self.values(summed(self.totals, world).tolist())

    def values(self, totals: Sequence[float]) -> dict[str, float]:
        """The same from totals that were read already."""
        found = {"loss": _part(totals[LOSS], totals[EXAMPLES])}
        if self._classes:
            for name, place in (("accuracy", CORRECT), ("top5", TOP5)):
                if name in self._metrics:
                    found[name] = _part(totals[place], totals[COUNTED])
        return found

    def confusion(self, world: World) -> Tensor | None:
        """How often each class (row) was taken for each (column), (classes, classes), on the CPU."""
        if self.matrix is None:
            return None
        return summed(self.matrix, world).reshape(self._classes, self._classes).cpu()

    def state(self) -> Mapping[str, Tensor]:
        """What a checkpoint in the middle of an epoch keeps."""
        return {"totals": self.totals} | ({} if self.matrix is None else {"matrix": self.matrix})

    def load(self, state: Mapping[str, Tensor]) -> None:
        self.totals.copy_(state["totals"])
        if self.matrix is not None:
            self.matrix.copy_(state["matrix"])


def _part(count: float, whole: float) -> float:
    return count / whole if whole else math.nan
