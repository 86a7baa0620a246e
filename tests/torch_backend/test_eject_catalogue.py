"""`netspec eject` on every operation, and on those of plugins: the very same outputs from plain PyTorch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import DataObject, data

from netspec import check
from netspec.ops.catalogue import FAMILIES
from netspec.torch_backend.eject import eject
from tests.command_line import netspec
from tests.errors.test_errors import HERE, compare
from tests.ops.cases import Case
from tests.ops.family import tame
from tests.ops.test_plugins import forget  # noqa: F401 - a fixture
from tests.torch_backend.ejecting import assert_same, imports, outputs, pair

# torch says, once a process, that an even kernel costs a copy of the input, and which recurrence is slow.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths"),
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN"),
]

EXAMPLES = 2


@pytest.mark.parametrize("op", FAMILIES)
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(drawn=data())
def test_an_operation_computes_the_very_same(op: str, drawn: DataObject) -> None:
    case = drawn.draw(tame(op))
    own, ejected = pair(case.graph())
    feeds = [torch.from_numpy(feed) for feed in case.feeds()]
    assert_same(own, ejected, feeds)
    own.train()
    try:
        outputs(own, feeds)
    except ValueError:
        return  # BatchNorm refuses to train on one value a channel
    ejected.train()
    assert_same(own, ejected, feeds)


def test_ruff_finds_nothing_to_do(tmp_path: Path) -> None:
    for op in FAMILIES:
        (tmp_path / f"{op.lower()}.py").write_text(eject(example(op).graph()), encoding="utf-8")
    for command in (["format", "--diff"], ["check", "--select", "E,F,W,I,B,C4,UP", "--ignore", "E501"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def example(op: str) -> Case:
    """One case of an operation, always the same."""
    found: list[Case] = []

    @settings(max_examples=1, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=tame(op))
    def draw(case: Case) -> None:
        found.append(case)

    draw()
    return found[-1]


PLUGIN = '''
from __future__ import annotations

import torch
from torch import Tensor, nn

from netspec.ops.base import Op

HALF = 0.5


def gated(x: Tensor, gate: Tensor) -> Tensor:
    return x * torch.sigmoid(gate)


class GateModule(nn.Module):
    """x times the sigmoid of a linear layer."""

    def __init__(self, features: int, scale: float = 1.0) -> None:
        super().__init__()
        self.gate = nn.Linear(features, features)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return gated(x, self.scale * self.gate(x))


class OddModule(GateModule):
    def forward(self, x: Tensor) -> Tensor:
        return HALF * super().forward(x)


class SineModule(nn.Module):
    def __init__(self, frequency: float) -> None:
        super().__init__()
        self.frequency = frequency

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.frequency * x) / self.frequency


class BothModule(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x + 1, torch.exp(x)


class Same(Op):
    """(*) -> (*)."""

    scale: float = 1.0

    def infer(self, x):
        return x

    def build(self, x):
        if type(self).__name__ == "Sine":
            return SineModule(self.scale)
        made = OddModule if type(self).__name__ == "Odd" else GateModule
        return made(x.known[-1], self.scale)


class Gate(Same):
    """(*) -> (*)."""


class Odd(Same):
    """(*) -> (*)."""


class Sine(Same):
    """(*) -> (*)."""


class Both(Same):
    """(*) -> (*), (*)."""

    def ports(self, x):
        return "output", "power"

    def infer(self, x):
        return x, x

    def build(self, x):
        return BothModule()


OPERATIONS = (Gate, Odd, Sine, Both)
'''

SPEC = "netspec: 1\nname: outside\ninputs: {x: [batch, 4]}\nlayers:\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    return tmp_path


@pytest.mark.usefixtures("forget")
def test_plugins_classes_come_along_with_what_they_use(folder: Path) -> None:
    (folder / "net.yaml").write_text(
        f"{SPEC}  - Gate: {{scale: 2.0}}\n  - Sine: {{scale: 3.0}}\n  - Gate\n  - Both\n"
        "outputs: {y: prev, z: both_1.power}\n",
        encoding="utf-8",
    )
    outcome = netspec("eject", "net.yaml", "--plugin", "plugin.py", "-o", "net.py")
    assert outcome.code == 0, outcome.err
    text = Path("net.py").read_text(encoding="utf-8")
    assert imports(text) == {"torch"}
    assert text.index("def gated(") < text.index("class GateModule(") < text.index("class Outside(")
    assert "torch.sin(3.0 * x) / 3.0" in text
    assert "both_1, both_1_power = x + 1, torch.exp(x)" in text
    own, ejected = pair(check("net.yaml").graph)
    assert_same(own, ejected, [torch.randn(3, 4)])


@pytest.mark.usefixtures("forget")
def test_a_class_that_needs_more_than_torch_is_reported_at_its_layer(folder: Path) -> None:
    (folder / "net.yaml").write_text(f"{SPEC}  - Odd\n", encoding="utf-8")
    outcome = netspec("eject", "net.yaml", "--plugin", "plugin.py", "-o", "net.py")
    assert outcome.code == 1
    compare(outcome.err, HERE / "made_layer_that_needs_more_than_torch.txt")
    assert not Path("net.py").exists()
