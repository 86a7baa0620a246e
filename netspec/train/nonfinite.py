"""Where a loss that is no number came from: the run is done again from its last checkpoint, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from netspec.diagnostics import Diagnostic, Note
from netspec.ir.graph import Graph, Node
from netspec.train.batches import Batch
from netspec.train.distributed import any_of
from netspec.train.loop import Loop, Position


class LossNotFinite(Diagnostic):
    """Training came to NaN or infinity."""

    code = "NS473"
    message = "the loss is no finite number at step {step:,} (epoch {epoch}): {cause}"

    step: int
    epoch: int
    cause: str

    @property
    def help(self) -> str:
        return (
            "lower the learning rate, clip gradients (train: {{clip: 1.0}}) or warm up; the checkpoints of "
            "before are kept"
        )


def explain(loop: Loop, graph: Graph, until: Position) -> LossNotFinite:
    """The step and the layer at which a run became other than finite, some time before `until`.

    The run goes on from its last checkpoint exactly as it did, so that the same step fails.
    """
    assert loop.checkpoints is not None
    checkpoint, _ = loop.checkpoints.newest()
    assert checkpoint is not None, "a run saves before its first step"
    position = loop.load(checkpoint)
    learner, plan = loop.learner, loop.batches.plan
    learner.plain.train()
    learner.optimizer.zero_grad(set_to_none=True)
    for epoch in range(position.epoch, until.epoch + 1):
        first = position.batch if epoch == position.epoch else 0
        for number, batch in enumerate(loop.batches.epoch(epoch, first), first):
            loop.begin(epoch, number)
            loss = learner.charge(batch.inputs, batch.targets, batch.whole, batch.weight)
            if any_of(not bool(torch.isfinite(loss)), learner.world, learner.device):
                cause, notes = _first_fault(loop, graph, batch, epoch, number)
                step = loop.step_of(epoch, number) + 1
                return LossNotFinite(step=step, epoch=epoch + 1, cause=cause, notes=notes)
            if plan.updates(number):
                learner.update()
                learner.optimizer.zero_grad(set_to_none=True)
                unsound = next((n for n in graph if not _weights_sound(learner.plain, n)), None)
                if unsound is not None:
                    cause = f"the update makes weights of layer {unsound.name} infinite or NaN"
                    step = loop.step_of(epoch, number) + 1
                    return LossNotFinite(step=step, epoch=epoch + 1, cause=cause, notes=_place(unsound))
    raise AssertionError("the run did not repeat itself")


def _first_fault(
    loop: Loop, graph: Graph, batch: Batch, epoch: int, number: int
) -> tuple[str, tuple[Note, ...]]:
    """The first layer whose output is not finite for a batch, and where the spec has it."""
    learner = loop.learner
    found: list[Node] = []
    hooks = []
    for node in graph:
        layer = learner.plain.get_submodule(node.owner)

        def look(_: nn.Module, __: Any, outputs: Any, node: Node = node) -> None:
            if not found and not _is_finite(outputs):
                found.append(node)

        hooks.append(layer.register_forward_hook(look))
    try:
        loop.begin(epoch, number)
        with torch.no_grad():
            learner.forward(batch.inputs)
    finally:
        for hook in hooks:
            hook.remove()
    if not found:
        return "every layer is finite, the loss itself is not", ()
    return f"layer {found[0].name} is the first that gives NaN or infinity", _place(found[0])


def _place(node: Node) -> tuple[Note, ...]:
    return (Note("the layer is here", node.span),)


def _is_finite(outputs: Any) -> bool:
    if isinstance(outputs, Tensor):
        return not outputs.is_floating_point() or bool(torch.isfinite(outputs).all())
    if isinstance(outputs, Mapping):
        outputs = outputs.values()
    return all(_is_finite(part) for part in outputs) if isinstance(outputs, tuple | list) else True


def _weights_sound(module: nn.Module, node: Node) -> bool:
    if node.shares is not None:
        return True
    return all(bool(torch.isfinite(p).all()) for p in module.get_submodule(node.name).parameters())
