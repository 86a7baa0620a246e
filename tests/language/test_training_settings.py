"""`--set train.…`, and `train:` held against the network."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from netspec.cli import app
from netspec.ir.training import Augment
from netspec.pipeline import check_text
from tests.command_line import netspec
from tests.language.spec_text import codes, texts
from tests.language.training_text import NETWORK, SHORT, chosen, plain, refused, training

RICH = "train: {data: mnist, optimizer: {SGD: {lr: 0.1}}, augment: {flip: true}, schedule: cosine}"


@pytest.mark.parametrize(
    ("name", "value", "key", "expected"),
    [
        ("epochs", "2", "epochs", 2),
        ("epochs", "$classes", "epochs", 10),
        ("batch_size", "64", "batch_size", 64),
        ("clip", "0.5", "clip", 0.5),
        ("clip", "null", "clip", None),
        ("metrics", "[top5]", "metrics", ("top5",)),
        ("augment.crop", "2", "augment", Augment(flip=True, crop=2)),
        ("augment", "null", "augment", Augment()),
        ("data", "fashion-mnist", "data", ("fashion-mnist", {})),
        ("data", "{folder: flowers}", "data", ("folder", {"path": "flowers"})),
    ],
)
def test_settings(name: str, value: str, key: str, expected: object) -> None:
    assert plain(training(RICH, **{name.replace(".", "__"): value}))[key] == expected


def test_settings_of_arguments() -> None:
    found = plain(
        training(
            RICH,
            optimizer__SGD__lr="0.5",
            optimizer__SGD__momentum="0.9",
            schedule__cosine__warmup="2",
            loss__mse="{reduction: sum}",
            metrics="[]",
        )
    )
    assert (found["optimizer"][1]["lr"], found["optimizer"][1]["momentum"]) == (0.5, 0.9)
    assert found["schedule"] == ("cosine", {"warmup": 2.0, "min_lr": 0.0})
    assert found["loss"] == ("mse", {"reduction": "sum"})


def test_a_setting_of_a_short_choice_makes_it_long() -> None:
    found = training(
        "train: {data: {folder: a}, optimizer: Adam}", data__folder__path="b", optimizer__Adam__lr="1"
    )
    assert chosen(found.data) == ("folder", {"path": "b"})
    assert found.optimizer.arguments["lr"] == 1.0


def test_settings_have_places_of_their_own() -> None:
    found = training(SHORT, epochs="3")
    assert found.entries["epochs"].source.name == "--set"
    assert found.entries["data"].source.name == "net.yaml"
    (fault,) = refused(SHORT, batch_size="0")
    assert fault.span is not None
    assert str(fault.span) == "--set:1:18"


def test_a_setting_does_not_hide_what_the_file_has_wrong() -> None:
    found = refused("train: {data: mnist, optimizer: SDG, epochs: 0}", epochs="x", clip="-1")
    assert codes(found) == ["NS204", "NS204", "NS400"]


def test_settings_through_the_command(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(f"{NETWORK}{SHORT}\n")
    result = CliRunner().invoke(app, ["expand", str(tmp_path / "net.yaml"), "--set", "train.epochs=2"])
    assert result.exit_code == 0
    assert "  epochs: 2\n" in result.stdout
    assert netspec("check", str(tmp_path / "net.yaml"), "--set", "train.epoch=2").code == 1


# What goes with the network.


def test_output_that_the_loss_reads() -> None:
    assert training(SHORT, output="logits").output == "logits"
    warned = check_text(f"{NETWORK}{SHORT}\n", "n", format="yaml", settings={"train.output": "probabilities"})
    assert codes(list(warned.warnings)) == ["NS411"]


def test_a_fixed_batch() -> None:
    fixed = NETWORK.replace("[batch, 1, 28, 28]", "[32, 1, 28, 28]")
    assert training(SHORT, fixed, batch_size="32").batch_size == 32
    found = refused(SHORT, fixed)
    assert codes(found) == ["NS407", "NS407"]
    assert "its first dimension is 32" in texts(found)[0]


@pytest.mark.parametrize(
    ("dims", "size", "fits"),
    [
        ("max: 64", 64, True),
        ("max: 64", 65, False),
        ("multiple_of: 8", 64, True),
        ("multiple_of: 8", 60, False),
        ("min: 10", 9, False),
    ],
)
def test_limits_of_the_batch(dims: str, size: int, fits: bool) -> None:
    network = f"{NETWORK}dims: {{batch: {{{dims}}}}}\n"
    if fits:
        assert training(SHORT, network, batch_size=str(size)).batch_size == size
    else:
        assert codes(refused(SHORT, network, batch_size=str(size))) == ["NS407"]


def test_a_network_with_an_error_is_not_held_against_its_training() -> None:
    broken = NETWORK.replace("Softmax: {dim: 1}", "Softmax: {dim: 5}")
    assert codes(refused("train: {data: mnist, optimizer: SGD, epochs: 0}", broken)) == ["NS307", "NS204"]


def test_faults_of_the_section_and_of_what_it_asks_for_come_together() -> None:
    section = "train: {data: mnist, optimizer: SGD, epochs: 0, loss: mse, metrics: [accuracy], output: logit}"
    assert codes(refused(section)) == ["NS204", "NS408", "NS405"]
