"""`train:`: what is made of the section, where it goes along, and what the specs say in theirs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from netspec import check
from netspec.ir.fingerprint import graph_hash, spec_hash
from netspec.ir.training import Augment
from netspec.language.expand import expand, expanded_yaml
from netspec.language.training.data_sets import path_out
from netspec.pipeline import check_text
from tests.language.training_text import FULL, NETWORK, SHORT, chosen, plain, refused, trained, training

SPECS = Path(__file__).parents[2] / "specs"


def test_what_is_left_out() -> None:
    assert plain(training(SHORT)) == {
        "data": ("fashion-mnist", {}),
        "epochs": 10,
        "batch_size": 128,
        "optimizer": (
            "SGD",
            {
                "lr": 1e-3,
                "momentum": 0.0,
                "dampening": 0.0,
                "weight_decay": 0.0,
                "nesterov": False,
                "maximize": False,
            },
        ),
        "schedule": ("constant", {"warmup": 0.0}),
        "loss": (
            "cross_entropy",
            {"reduction": "mean", "label_smoothing": 0.0, "weight": None, "ignore_index": -100},
        ),
        "metrics": ("accuracy",),
        "precision": "float32",
        "augment": Augment(),
        "clip": None,
        "accumulate": 1,
        "ema": None,
        "seed": 0,
        "validate_on": "test",
        "sync_batch_norm": False,
        "output": "logits",
    }


def test_everything_that_can_be_said() -> None:
    found = plain(training(FULL))
    assert found["data"] == ("folder", {"path": "flowers/2024"})
    assert found["optimizer"][1]["betas"] == (0.5, 0.75)
    assert found["optimizer"][1]["lr"] == 0.25
    assert found["schedule"][1]["max_lr"] == 0.25, "left out, it is the optimizer's"
    assert found["schedule"][1]["warmup"] == 1.0
    assert found["loss"][1]["weight"] == (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 0.0)
    assert found["metrics"] == ("per_class", "top5")
    assert found["augment"] == Augment(flip=True, crop=4)
    rest = {key: found[key] for key in ("clip", "accumulate", "ema", "seed", "validate_on")}
    assert rest == {"clip": 5.0, "accumulate": 2, "ema": 0.99, "seed": 7, "validate_on": 0.1}
    assert isinstance(found["clip"], float)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("mnist", ("mnist", {})),
        ("$data", ("mnist", {})),
        ("{cifar10: }", ("cifar10", {})),
        ("{folder: {path: a/b}}", ("folder", {"path": "a/b"})),
        ("{npz: digits.npz}", ("npz", {"path": "digits.npz"})),
        ("{npz: $data}", ("npz", {"path": "mnist"})),
        ("own_set", ("own_set", {})),
        ("kmnist", ("kmnist", {})),
        ("cifar100", ("cifar100", {})),
        (
            "{own_set: {side: $classes, parts: [a, $data]}}",
            ("own_set", {"side": 10, "parts": ["a", "mnist"]}),
        ),
    ],
)
def test_data_sets(data: str, expected: tuple[str, dict[str, Any]]) -> None:
    assert chosen(training(f"train: {{data: {data}, optimizer: SGD}}").data) == expected


@pytest.mark.parametrize(
    "name", ["Fashion-MNIST", "fashion_mnist", "FashionMNIST", "mnsit", "foldr", "CIFAR"]
)
def test_misspelt_data_sets(name: str) -> None:
    (fault,) = refused(f"train: {{data: {name}, optimizer: SGD}}")
    assert fault.code == "NS400"
    assert fault.fill(fault.help).startswith("did you mean")


def test_a_data_set_that_is_installed_is_not_misspelt(tmp_path: Path) -> None:
    info = tmp_path / "sets-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sets\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[netspec.data]\nmnsit = sets:open_it\n")
    sys.path.insert(0, str(tmp_path))
    try:
        assert training("train: {data: mnsit, optimizer: SGD}").data.name == "mnsit"
    finally:
        sys.path.remove(str(tmp_path))


@pytest.mark.parametrize(
    "path",
    [
        "/etc",
        "../up",
        "a/../../b",
        "C:/data",
        "C:data",
        "\\\\host\\share",
        "a\\..\\..\\b",
        "~/data",
        "a\0b",
        "..",
    ],
)
def test_paths_that_could_lead_out(path: str) -> None:
    assert path_out(path)


@pytest.mark.parametrize("path", ["flowers", "a/b c/d.npz", "./here", "..a/b..", "Blumen/Rose ü"])
def test_paths_that_stay(path: str) -> None:
    assert path_out(path) == ""


def test_keys_have_places() -> None:
    found = training(FULL)
    assert [found.entries[key].line for key in ("data", "epochs", "output")] == [14, 15, 29]
    assert found.span.line == 13
    assert found.optimizer.span.line == 17


def loaded(spec: Path) -> set[str]:
    """The modules that a process has loaded after it checked a spec."""
    code = "import sys, netspec; netspec.check(sys.argv[1]); print(*sys.modules)"
    command = [sys.executable, "-c", code, str(spec)]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_without_a_section_there_is_nothing_and_nothing_is_loaded(tmp_path: Path) -> None:
    assert trained("").training is None
    (tmp_path / "net.yaml").write_text(NETWORK)
    assert not [name for name in loaded(tmp_path / "net.yaml") if "training" in name]


def test_torch_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(f"{NETWORK}{FULL}")
    assert loaded(tmp_path / "net.yaml") & {"torch", "numpy"} == set()


def test_variants_set_what_training_reads(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(f"{NETWORK}train: {{data: mnist, optimizer: {{SGD: {{lr: $lr}}}}}}\n")
    rates = []
    for variant in (None, "slow"):
        found = check(tmp_path / "net.yaml", variant=variant).graph.training
        assert found is not None
        rates.append(found.optimizer.arguments["lr"])
    assert rates == [0.25, 0.5]


# What it goes along with.


def test_the_graph_is_the_same_and_the_spec_is_not() -> None:
    without, with_it = trained(""), trained(FULL)
    assert graph_hash(without) == graph_hash(with_it)
    assert spec_hash(without.resolved) != spec_hash(with_it.resolved)


@pytest.mark.parametrize(
    "section", [SHORT, FULL, "train: {data: {npz: $$a.npz}, optimizer: Adam, loss: mse}"]
)
def test_the_resolved_and_the_expanded_spec_train_alike(section: str) -> None:
    network = trained(section, epochs="5", optimizer="{RMSprop: {alpha: 0.5}}")
    expected = plain(network.training)
    assert expected["epochs"] == 5
    again = check_text(json.dumps(network.resolved), "resolved.json").graph
    flat = expand(network)
    flat_again = check_text("\n".join(expanded_yaml(flat)), "flat.yaml", format="yaml").graph
    assert plain(again.training) == expected
    assert plain(flat_again.training) == expected
    assert expand(flat_again)["train"] == flat["train"]


def test_an_expanded_spec_says_only_what_differs() -> None:
    section = expand(trained(SHORT, batch_size="32", output="logits"))["train"]
    assert section == {"data": "fashion-mnist", "batch_size": 32, "optimizer": "SGD"}


# The specs, as the table of published networks has them.

TABLE = {
    "edge_detector": (0.03, 1),
    "lenet": (0.9, 256),
    "lenet5": (0.9, 256),
    "lenet_bn": (1.0, 256),
    "alexnet": (0.01, 128),
    "vgg": (0.05, 128),
    "nin": (0.1, 128),
    "googlenet": (0.1, 128),
    "resnet18": (0.05, 256),
    "densenet": (0.1, 256),
    "simple_convnet": (1e-3, 100),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_spec_is_trained_as_published(name: str) -> None:
    found = check(SPECS / f"{name}.yaml").graph.training
    assert found is not None
    assert (found.optimizer.arguments["lr"], found.batch_size) == TABLE[name]
    assert found.optimizer.name == ("Adam" if name == "simple_convnet" else "SGD")
    assert found.epochs == 10
    assert found.schedule.name == "constant"
    if name == "edge_detector":
        assert chosen(found.data) == ("npz", {"path": "edges.npz"})
        assert chosen(found.loss) == ("mse", {"reduction": "sum"})
    else:
        assert found.data.name == "fashion-mnist"
        assert found.loss.name == "cross_entropy"
        assert found.metrics == ("accuracy",)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("alexnet", 224),
        ("vgg", 224),
        ("nin", 224),
        ("googlenet", 96),
        ("resnet18", 96),
        ("densenet", 96),
        ("lenet5", 32),
    ],
)
def test_images_are_resized_as_published(name: str, size: int) -> None:
    (image,) = check(SPECS / f"{name}.yaml").graph.inputs
    assert image.preprocess is not None
    assert image.preprocess.resize == (size, size)
    assert image.preprocess.scale == 1 / 255
