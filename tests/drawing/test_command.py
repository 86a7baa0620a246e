"""`netspec show --svg`."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from netspec.drawing import dot
from tests.command_line import LENET, files, netspec
from tests.drawing.reading import SPECS, of_kind, one, parts

RESNET = SPECS / "resnet.yaml"


def test_the_picture_is_written_and_what_it_leaves_out_is_told(tmp_path: Path) -> None:
    target = tmp_path / "pictures" / "resnet152.svg"
    outcome = netspec("show", RESNET, "--variant", "resnet152", "--set", "classes=7", "--svg", target)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        f"{RESNET}: drawn to {target}",
        "  identical repetitions are drawn once; --unfold draws each of them",
        "  4 of 5 levels are shown; --depth 5 shows all",
    ]
    assert files(tmp_path) == ["pictures", "pictures/resnet152.svg"]
    found = parts(target.read_text(encoding="utf-8"))
    assert one(found, "layer", "logits").texts[0] == "Linear 7"


def test_nothing_left_out_nothing_told(tmp_path: Path) -> None:
    outcome = netspec("show", LENET, "--svg", tmp_path / "lenet.svg")
    assert outcome.out == f"{LENET}: drawn to {tmp_path / 'lenet.svg'}\n"


def test_depth_unfold_and_sizes() -> None:
    options = ("--depth", "2", "--unfold", "--at", "H=64", "--at", "W=64", "--svg", "-")
    outcome = netspec("show", RESNET, "--variant", "resnet18", *options)
    found = parts(outcome.out)
    assert [part.name for part in of_kind(found, "closed")][:2] == ["stage.0.block_1", "stage.0.block_2.0"]
    assert ET.fromstring(outcome.out).tag.endswith("svg")
    assert one(found, "value", "logits").texts == ("(batch, 1000)",)
    assert "(batch, 64, 16, 16)" in outcome.out


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--unfold",), "--unfold is for --svg"), (("--svg", "x.svg", "--format", "csv"), "--svg draws")],
)
def test_options_that_do_not_go_together(options: tuple[str, ...], words: str) -> None:
    outcome = netspec("show", LENET, *options)
    assert outcome.code == 2
    assert words in outcome.err


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    outcome = netspec("show", LENET, "--svg", tmp_path)
    assert outcome.code == 1
    assert "NS511" in outcome.err


def put_program(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `dot` the only program there is."""
    program = folder / "bin" / "dot"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{textwrap.dedent(code)}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))


@pytest.fixture
def forgotten() -> Iterator[None]:
    """No layout is remembered from before, and none afterwards."""
    dot._laid_out.cache_clear()
    yield
    dot._laid_out.cache_clear()


@pytest.mark.usefixtures("forgotten")
def test_without_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = netspec("show", LENET, "--svg", tmp_path / "lenet.svg")
    assert (outcome.code, outcome.out, files(tmp_path)) == (1, "", [])
    assert "error[NS600]: drawing needs Graphviz, and neither pygraphviz nor" in outcome.err
    assert "netspec-onnx[draw]" in outcome.err


@pytest.mark.usefixtures("forgotten")
def test_with_a_broken_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pygraphviz.py").write_text("raise ImportError('libglib-2.0.so.0: not found')")
    monkeypatch.delitem(sys.modules, "pygraphviz", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = netspec("show", LENET, "--svg", "-")
    assert outcome.code == 1
    assert "NS601" in outcome.err
    assert "libglib-2.0.so.0: not found" in outcome.err
    assert "apt install graphviz" in " ".join(outcome.err.split())


@pytest.mark.usefixtures("forgotten")
@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script")
def test_the_program_of_the_system_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygraphviz", reason="which the program is made of")
    expected = netspec("show", LENET, "--svg", "-").out
    dot._laid_out.cache_clear()
    code = """\
        import sys, pygraphviz
        assert sys.argv[1:] == ["-Tjson0"]
        graph = pygraphviz.AGraph(string=sys.stdin.read())
        sys.stdout.buffer.write(graph.draw(format="json0", prog="dot"))
        """
    put_program(tmp_path, code, monkeypatch)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    assert netspec("show", LENET, "--svg", "-").out == expected


@pytest.mark.usefixtures("forgotten")
@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script")
def test_a_broken_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_program(tmp_path, "raise SystemExit('no\\n layout plugin')", monkeypatch)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    outcome = netspec("show", LENET, "--svg", "-")
    assert outcome.code == 1
    assert "that of dot does not work: no layout plugin" in outcome.err
