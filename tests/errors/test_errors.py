"""Bad specs beside the messages that `netspec check` gives for them.

`NAME.yaml` (or `.json`) and `NAME.txt` belong together. After a message was changed on purpose,

    UPDATE_GOLDEN=1 pytest tests/errors

writes the files anew; read the difference as a newcomer would. What has no place in a file of its own (a
folder, 50 MB, bytes that are no text) is made here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from netspec.cli import app
from tests.command_line import netspec
from tests.errors.diagnostic_classes import diagnostic_classes

HERE = Path(__file__).parent
SPECS = sorted(path for path in HERE.iterdir() if path.suffix in (".yaml", ".json"))
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))

HEAD = re.compile(r"(?:\S.*?: )?(error|warning)\[NS\d{3}\]: \S")

GOOD = """\
netspec: 1
inputs: {image: [batch, 8]}
params: {classes: 10, rate: 0.5, wide: false, widths: [8, 16], act: relu}
layers:
  - Linear: {out_features: $classes}
"""


def check(*arguments: str) -> Result:
    """`netspec check` in the current folder, so that messages hold no path of this machine."""
    return CliRunner().invoke(app, ["check", *arguments])


def compare(shown: str, golden: Path) -> None:
    """Hold messages against a golden file, or write it."""
    if UPDATE:
        golden.write_text(shown, encoding="utf-8")
    assert golden.exists(), f"UPDATE_GOLDEN=1 pytest tests/errors writes {golden.name}"
    assert shown == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.name)
def test_messages_are_the_expected_ones(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)
    result = check(spec.name)
    shown = result.stderr
    compare(shown, spec.with_suffix(".txt"))
    is_error = "error[" in shown
    assert result.exit_code == (1 if is_error else 0)
    assert is_error or "warning[" in shown, "a spec without a fault belongs elsewhere"
    # Headlines may be longer than a terminal is wide, since they hold the path and what the user wrote.
    assert not [line for line in shown.splitlines() if len(line) > 80 and not HEAD.match(line)]


def test_every_golden_has_its_spec() -> None:
    assert {path.stem for path in HERE.glob("*.txt")} == {spec.stem for spec in SPECS} | {
        path.stem for path in HERE.glob("made_*.txt")
    }


def deep(brackets: int) -> str:
    return "netspec: 1\ninputs: {image: [batch, 8]}\nlayers: " + "[" * brackets + "]" * brackets + "\n"


def spec_of(expression: str) -> tuple[str, bytes]:
    """A spec with an expression in it."""
    return "spec.yaml", f"{GOOD}  - Linear: {{out_features: '{expression}'}}\n".encode()


MADE: dict[str, tuple[str, bytes]] = {
    "empty": ("spec.yaml", b""),
    "only_comments": ("spec.yaml", b"# nothing yet\n\n"),
    "empty_json": ("spec.json", b" \n"),
    "binary": ("spec.yaml", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    "invalid_utf8": ("spec.yaml", b"netspec: 1\nname: caf\xe9\n"),
    "utf16": ("spec.yaml", "netspec: 1\n".encode("utf-16")),
    "deep_yaml": ("spec.yaml", deep(10_000).encode()),
    "deep_json": ("spec.json", (b'{"a":' * 10_000) + b"1" + b"}" * 10_000),
    "control_character": ("spec.yaml", b"netspec: 1\nname: a\x07b\n"),
    "long_number": ("spec.yaml", b"netspec: 1\nname: " + b"7" * 2_000 + b"\n"),
    "long_line": ("spec.yaml", b"netspec: 1\nname: " + b"n" * 5_000 + b"\n"),
    "json_string": ("spec.json", b'{"netspec": 1, "name": "a\\qb"}'),
    "unwritten_quote": ("spec.yaml", b'netspec: 1\nname: "lenet\ninputs: {image: [batch, 8]}\n'),
    "many_layers": (
        "spec.yaml",
        GOOD.encode() + b"  - Identity\n" * 3 + b"  - Identity:\n    repeat: 1000000\n",
    ),
    "long_expression": spec_of("$classes" + " + 1" * 2_000),
    "deep_expression": spec_of("(" * 200 + "$classes" + ")" * 200),
    "list_times_number": spec_of("len($widths * 9999)"),
    "costly_expression": spec_of("sum(range(9999)) + " * 11 + "$classes"),
}
"""What no file of this folder should hold: a file's name and bytes, by the name of the expected text."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("case", MADE)
def test_made_files_give_the_expected_messages(case: str, folder: Path) -> None:
    name, data = MADE[case]
    (folder / name).write_bytes(data)
    result = check(name)
    assert result.exit_code == 1
    compare(result.stderr, HERE / f"made_{case}.txt")


def test_a_file_of_50_megabytes_is_not_read(folder: Path) -> None:
    with (folder / "huge.yaml").open("wb") as file:
        file.truncate(50_000_000)
    compare(check("huge.yaml").stderr, HERE / "made_huge.txt")


def test_a_folder(folder: Path) -> None:
    (folder / "nets").mkdir()
    (folder / "nets" / "lenet.yaml").write_text(GOOD)
    compare(check("nets").stderr, HERE / "made_folder.txt")


def test_missing_files(folder: Path) -> None:
    (folder / "lenet.yaml").write_text(GOOD)
    result = check("lenet5.yaml", "elsewhere/net.yaml", "lenet.yaml/net.yaml")
    assert result.exit_code == 1
    compare(result.stderr, HERE / "made_missing.txt")


def test_a_name_that_no_file_can_have(folder: Path) -> None:
    result = check("n" * 300 + ".yaml")
    assert result.exit_code == 1
    compare(result.stderr, HERE / "made_unreadable.txt")


def test_sizes_beyond_the_arithmetic_of_dimensions(folder: Path) -> None:
    """Many pools of one image, end to end: their lengths share no factor that could be drawn out."""
    steps = [
        f"  - AvgPool2d: {{kernel_size: {k}}}\n    from: image\n    name: p{k}\n"
        f"  - Flatten: {{start_dim: 2}}\n    name: f{k}\n"
        for k in range(1, 200)
    ]
    names = ", ".join(f"f{k}" for k in range(1, 200))
    spec = f"netspec: 1\ninputs: {{image: [batch, 1, H, W]}}\nlayers:\n{''.join(steps)}"
    (folder / "pools.yaml").write_text(f"{spec}  - Concat: {{dim: 2}}\n    from: [{names}]\n  - ReLU\n")
    compare(check("pools.yaml").stderr, HERE / "made_complicated.txt")


SETTINGS = {
    "unknown": ["clases=10"],
    "unknown_without_near": ["momentum=0.9"],
    "not_an_integer": ["classes=ten"],
    "fraction": ["classes=1.5"],
    "nothing": ["classes="],
    "not_a_number": ["rate=.nan"],
    "not_a_boolean": ["wide=yes"],
    "not_a_list": ["widths=8"],
    "broken_yaml": ["widths=[8,"],
    "anchor": ["widths=&a [8]"],
    "several": ["classes=true", "rates=3"],
    "value_that_does_not_fit": ["classes=0"],
}


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_give_the_expected_messages(case: str, folder: Path) -> None:
    (folder / "net.yaml").write_text(GOOD)
    result = check("net.yaml", *(part for setting in SETTINGS[case] for part in ("--set", setting)))
    assert result.exit_code == 1
    compare(result.stderr, HERE / f"made_set_{case}.txt")


TRAINED = f"{GOOD}train: {{data: fashion-mnist, optimizer: {{SGD: {{lr: 0.1}}}}}}\n"

TRAINING_SETTINGS = {
    "unknown": [
        "train.epoch=2",
        "train.optimizer.SGD.rate=1",
        "train.los.mse.reduction=sum",
        "train.loss.msee=1",
    ],
    "deeper": [
        "train=3",
        "train.epochs.first=2",
        "train.optimizer.SGD.lr.first=1",
        "train.augment.flop=true",
    ],
    "other_choice": ["train.optimizer.Adam.lr=1", "train.data.folder.path=a", "train.data.folders.path=a"],
    "value": [
        "train.epochs=two",
        "train.optimizer.SGD.momentum=-1",
        "train.clip=[",
        "train.schedule={step: {size: 3}}",
        "train.augment.crop=-1",
        "train.batch_size=$width",
    ],
}


@pytest.mark.parametrize("case", TRAINING_SETTINGS)
def test_settings_of_training_give_the_expected_messages(case: str, folder: Path) -> None:
    (folder / "net.yaml").write_text(TRAINED)
    result = check("net.yaml", *(part for setting in TRAINING_SETTINGS[case] for part in ("--set", setting)))
    assert result.exit_code == 1
    compare(result.stderr, HERE / f"made_set_train_{case}.txt")


def test_settings_of_training_need_its_section(folder: Path) -> None:
    (folder / "net.yaml").write_text(GOOD)
    result = check("net.yaml", "--set", "train.epochs=2")
    assert result.exit_code == 1
    compare(result.stderr, HERE / "made_set_train_nothing.txt")


@pytest.mark.parametrize(
    "setting",
    ["classes=47", "classes=0x10", "rate=1", "rate=1e-3", "wide=true", "widths=[1, 2, 3]", "act=", "act=3"],
)
def test_settings_that_are_fine(setting: str, folder: Path) -> None:
    (folder / "net.yaml").write_text(GOOD)
    assert check("net.yaml", "--set", setting).exit_code == 0


@pytest.mark.parametrize(
    "data",
    [
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\r").encode(),
        b"\xef\xbb\xbf" + GOOD.encode(),
        b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode(),
        GOOD.rstrip("\n").encode(),
    ],
    ids=["CRLF", "CR", "BOM", "BOM and CRLF", "no line break at the end"],
)
def test_line_breaks_and_byte_order_marks_are_fine(data: bytes, folder: Path) -> None:
    (folder / "net.yaml").write_bytes(data)
    assert check("net.yaml").exit_code == 0


def test_positions_count_from_after_a_byte_order_mark(folder: Path) -> None:
    text = GOOD.replace("netspec", "netspek").replace("\n", "\r\n")
    (folder / "net.yaml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert "net.yaml:1:1: error[NS202]" in check("net.yaml").stderr


def test_several_files_are_all_checked(folder: Path) -> None:
    (folder / "good.yaml").write_text(GOOD)
    (folder / "bad.yaml").write_text("netspec: 1\n")
    result = check("bad.yaml", "good.yaml")
    assert result.exit_code == 1
    assert "good.yaml: ok" in result.stdout
    assert result.stderr.count("error[NS203]") == 2


VARIED = GOOD + "variants: {large: {classes: 100}}\n"


@pytest.mark.parametrize(("case", "text"), [("near", VARIED), ("none", GOOD)])
def test_unknown_variants_give_the_expected_messages(case: str, text: str, folder: Path) -> None:
    (folder / "net.yaml").write_text(text)
    assert check("net.yaml", "--variant", "large").exit_code == (case == "none")
    result = check("net.yaml", "--variant", "larg")
    assert result.exit_code == 1
    compare(result.stderr, HERE / f"made_variant_{case}.txt")


BLOCKS = "netspec: 1\nblocks:\n  Head: {layers: [{Linear: {out_features: 10}}]}\n"


def test_blocks_of_used_files_give_the_expected_messages(folder: Path) -> None:
    (folder / "heads.yaml").write_text(BLOCKS)
    (folder / "others.yaml").write_text(f"{BLOCKS}use: [heads.yaml, broken.yaml]\n")
    (folder / "broken.yaml").write_text("netspec: 1\nblocks: [\n")
    (folder / "net.yaml").write_text(
        "netspec: 1\ninputs: {x: [batch, 8]}\nuse: [heads.yaml, others.yaml]\nlayers: [Head]\n"
    )
    compare(check("net.yaml").stderr, HERE / "made_used_blocks.txt")


def test_too_many_used_files(folder: Path) -> None:
    names = [f"b{number}.yaml" for number in range(120)]
    for number, name in enumerate(names):
        text = f"netspec: 1\nblocks: {{B{number}: {{layers: [ReLU]}}}}\n"
        (folder / name).write_text(text)
    used = ", ".join(names)
    (folder / "net.yaml").write_text(
        f"netspec: 1\ninputs: {{x: [batch, 8]}}\nuse: [{used}]\nlayers: [ReLU]\n"
    )
    compare(check("net.yaml").stderr, HERE / "made_too_many_files.txt")


PLUGINS = {
    "broken": "1 / 0\n",
    "no_operation": "OPERATIONS = (int,)\n",
    "taken": "from netspec.ops.shape import Identity\nclass ReLU(Identity): pass\nOPERATIONS = (ReLU,)\n",
}


@pytest.mark.parametrize("case", PLUGINS)
def test_plugins_give_the_expected_messages(case: str, folder: Path) -> None:
    (folder / "net.yaml").write_text(GOOD)
    (folder / "plugin.py").write_text(PLUGINS[case])
    outcome = netspec("check", "net.yaml", "--plugin", "plugin.py")
    assert outcome.code == 1
    compare(outcome.err, HERE / f"made_plugin_{case}.txt")


def codes_shown() -> Iterator[str]:
    for golden in HERE.glob("*.txt"):
        yield from re.findall(r"(?:error|warning)\[(NS\d{3})\]", golden.read_text(encoding="utf-8"))


def test_every_diagnostic_of_the_language_is_shown_here() -> None:
    codes = {cls.code for cls in diagnostic_classes() if cls.code < "NS430"}
    assert len(codes) > 80, "the classes were not found"
    assert codes - set(codes_shown()) == set()
