"""Ways to train the same network on the same examples, an epoch at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from netspec.ir.graph import Graph
from netspec.ir.training import Training
from netspec.pipeline import check
from netspec.torch_backend.build import build
from netspec.train.assembling import Options, Parts, assemble, prefers_channels_last
from netspec.train.data.examples import Data, Examples
from netspec.train.data.opening import open_data
from netspec.train.devices import choose_device
from netspec.train.distributed import ALONE, World
from netspec.train.loop import Loop
from netspec.train.optimizing import can_be_captured, make_optimizer
from netspec.train.preparing import Prepare
from netspec.train.records import EpochRecord
from netspec.train.step import EAGER_STEPS
from netspec.train.stopping import Stop
from tests.benchmarks.measuring.turns import Epoch

SPECS = Path(__file__).parents[3] / "specs"


class Quiet:
    """A listener that keeps the last record."""

    record: EpochRecord | None = None

    def batch(self, epoch: int, done: float, figures: Mapping[str, float], speed: float) -> None:
        pass

    def epoch(self, record: EpochRecord) -> None:
        self.record = record


class Network:
    """A spec's network with its training and its data."""

    def __init__(
        self,
        name: str,
        data_dir: Path,
        *,
        variant: str | None = None,
        device: str = "cpu",
        world: World = ALONE,
        examples: int | None = None,
    ) -> None:
        self.graph: Graph = check(SPECS / f"{name}.yaml", variant=variant).graph
        assert self.graph.training is not None
        self.training: Training = self.graph.training
        self.device, self.world = choose_device(device, world), world
        data = open_data(self.graph, self.training, data_dir)
        assert isinstance(data.train, Examples)
        self.examples = (
            data.train if examples is None else data.train.part(np.arange(examples) % len(data.train))
        )
        self.data: Data = data

    def netspec(self, compile: str = "auto") -> tuple[Epoch, Loop]:
        """netspec's own loop."""
        quiet = Quiet()
        loop = assemble(
            self.graph,
            self.training,
            build(self.graph, seed=0),
            self.data,
            Parts(self.examples, None),
            self.device,
            self.world,
            Options(compile=compile),
            quiet,
            Stop(),
            None,
            lambda record, is_best: None,
        )
        numbers = iter(range(10**9))

        def epoch() -> float:
            loop.epoch(next(numbers), 0)
            assert quiet.record is not None
            return quiet.record.examples_per_second

        return epoch, loop

    def step(
        self, *, wrap: Callable[[nn.Module], nn.Module] = lambda module: module
    ) -> Callable[..., Tensor]:
        """Forward, loss, backward and update on inputs that are ready; gives the loss."""
        module = build(self.graph, seed=0).to(self.device)
        if prefers_channels_last(module, self.device):
            module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        running = wrap(module)
        captured = self.device.type == "cuda" and can_be_captured(self.training.optimizer)
        optimizer = make_optimizer(
            self.training.optimizer, module.parameters(), self.device, captured=captured
        )

        def step(inputs: tuple[Tensor, ...], targets: Tensor) -> Tensor:
            loss = functional.cross_entropy(running(*inputs), targets)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss

        return step

    def bare(self, **wrapping: Any) -> Epoch:
        """The step alone, on one batch that is in place already; on a GPU as a CUDA graph, if it can."""
        step = self.step(**wrapping)
        size = self.training.batch_size // self.world.size
        raw = tuple(
            torch.from_numpy(array[:size]).to(self.device).contiguous() for array in self.examples.inputs
        )
        channels_last = prefers_channels_last(build(self.graph), self.device)
        prepare = Prepare(self.graph, channels_last=channels_last)
        inputs = prepare(raw)
        targets = torch.from_numpy(self.examples.targets[:size]).to(self.device)
        run: Callable[[], object] = lambda: step(inputs, targets)  # noqa: E731 - replaced on a GPU
        if self.device.type == "cuda" and self.world.size == 1:
            run = _captured(run)
        steps = len(self.examples) // self.training.batch_size

        def epoch() -> float:
            _synchronise(self.device)
            start = perf_counter()
            for _ in range(steps):
                run()
            _synchronise(self.device)
            return steps * self.training.batch_size / (perf_counter() - start)

        return epoch

    def usual(self, workers: int = 4) -> Epoch:
        """What tutorials do: a DataLoader, an image at a time by PIL, the loss read at every step."""
        module = build(self.graph, seed=0).to(self.device)
        optimizer = torch.optim.SGD(module.parameters(), self.training.optimizer.arguments["lr"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there are more workers than cores
            loader = DataLoader(
                PerItem(self.examples),
                batch_size=self.training.batch_size,
                shuffle=True,
                num_workers=workers,
                multiprocessing_context="fork",
            )

        def epoch() -> float:
            start, seen = perf_counter(), 0
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                batches = iter(loader)
            for images, targets in batches:
                optimizer.zero_grad()
                loss = functional.cross_entropy(module(images.to(self.device)), targets.to(self.device))
                loss.backward()
                optimizer.step()
                loss.item()
                seen += len(targets)
            return seen / (perf_counter() - start)

        return epoch


class PerItem(Dataset[tuple[Tensor, int]]):
    """Images one by one, by the same calls as torchvision's FashionMNIST with its ToTensor.

    From a tensor of bytes to a PIL image, as transforms want it, and that to a tensor of 0 to 1. torchvision
    itself, as PyPI has it, does not load beside the CPU build of torch.
    """

    def __init__(self, examples: Examples) -> None:
        self._images = torch.from_numpy(np.array(examples.inputs[0][:, 0]))
        self._targets = torch.from_numpy(np.array(examples.targets))

    def __len__(self) -> int:
        return len(self._targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self._images[index].numpy())
        rows = torch.from_numpy(np.array(image, copy=True)).view(image.height, image.width, 1)
        scaled = rows.permute(2, 0, 1).contiguous().to(torch.get_default_dtype()).div(255)
        return scaled, int(self._targets[index])


def _captured(run: Callable[[], object]) -> Callable[[], object]:
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(EAGER_STEPS):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        run()
    return graph.replay


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
