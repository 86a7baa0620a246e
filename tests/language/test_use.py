"""`use`: the blocks of other files, beside the spec or below it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from netspec import check
from netspec.diagnostics import Diagnostic, DiagnosticError
from netspec.ir.fingerprint import graph_hash
from netspec.language.library import FILE_LIMIT
from netspec.pipeline import Checked, check_text
from tests.language.spec_text import codes, texts
from tests.pages import ROOT

HEAD = "netspec: 1\ninputs: {image: [batch, 3, 8, 8]}\n"
A = "netspec: 1\nblocks: {A: {layers: [ReLU]}}\n"


def used(folder: Path, spec: str, main: str = "net.yaml", /, **files: str) -> Checked:
    """The spec `main` among these files; their names have `__` for a slash and `_yaml` for their ending."""
    for name, text in {main.replace("/", "__").replace(".", "_"): HEAD + spec, **files}.items():
        stem, _, ending = name.replace("__", "/").rpartition("_")
        path = folder / f"{stem}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return check(folder / main)


def refused(folder: Path, spec: str, main: str = "net.yaml", /, **files: str) -> list[Diagnostic]:
    with pytest.raises(DiagnosticError) as caught:
        used(folder, spec, main, **files)
    return list(caught.value.diagnostics)


def names(found: Checked) -> list[str]:
    return [node.name for node in found.graph]


def test_blocks_of_another_file(tmp_path: Path) -> None:
    found = used(tmp_path, "use: [a.yaml]\nblocks: {B: {layers: [A]}}\nlayers: [A, B]", a_yaml=A)
    assert names(found) == ["a_1.relu_1", "b_1.a_1.relu_1"]
    assert found.warnings == ()


def test_json_uses_yaml_and_the_other_way_round(tmp_path: Path) -> None:
    spec = {"netspec": 1, "inputs": {"x": ["n", 3]}, "use": ["a.yaml"], "layers": ["A"]}
    (tmp_path / "net.json").write_text(json.dumps(spec), encoding="utf-8")
    library = {"netspec": 1, "$schema": "x.json", "blocks": {"B": {"layers": ["Tanh"]}}}
    found = used(tmp_path, "use: [b.json]\nlayers: [B]", a_yaml=A, b_json=json.dumps(library))
    assert names(found) == ["b_1.tanh_1"]
    assert names(check(tmp_path / "net.json")) == ["a_1.relu_1"]


def test_paths_are_relative_to_the_file_that_has_them(tmp_path: Path) -> None:
    found = used(
        tmp_path,
        "use: [parts/left.yaml]\nlayers: [Left]",
        parts__left_yaml="netspec: 1\nuse: [deep/right.yaml, ../own.yaml]\n"
        "blocks: {Left: {layers: [Right, Own]}}",
        parts__deep__right_yaml="netspec: 1\nblocks: {Right: {layers: [Tanh]}}",
        own_yaml="netspec: 1\nblocks: {Own: {layers: [Sigmoid]}}",
    )
    assert names(found) == ["left_1.right_1.tanh_1", "left_1.own_1.sigmoid_1"]


def test_a_file_that_two_use_is_read_once(tmp_path: Path) -> None:
    found = used(
        tmp_path,
        "use: [left.yaml, right.yaml, ./a.yaml, nowhere/../a.yaml]\nlayers: [Left, Right, A]",
        left_yaml="netspec: 1\nuse: [a.yaml]\nblocks: {Left: {layers: [A]}}",
        right_yaml="netspec: 1\nuse: [a.yaml]\nblocks: {Right: {layers: [A]}}",
        a_yaml=A,
    )
    assert names(found) == ["left_1.a_1.relu_1", "right_1.a_1.relu_1", "a_1.relu_1"]


def test_every_block_sees_every_other(tmp_path: Path) -> None:
    found = used(
        tmp_path,
        "use: [b.yaml]\nblocks: {Own: {layers: [Tanh]}}\nlayers: [B]",
        b_yaml="netspec: 1\nuse: [c.yaml]\nblocks: {B: {layers: [Own, C]}}",
        c_yaml="netspec: 1\nblocks: {C: {layers: [{B: , if: false}, Own]}}",
    )
    assert names(found) == ["b_1.own_1.tanh_1", "b_1.c_1.own_1.tanh_1"]


def test_of_a_whole_spec_only_the_blocks_are_used(tmp_path: Path) -> None:
    block = "{params: {width: 5}, layers: [{Linear: {out_features: $width}}]}"
    other = f"params: {{width: 3}}\nuse: [a.yaml]\nblocks: {{B: {block}}}\n"
    found = used(
        tmp_path, "use: [other.yaml]\nlayers: [B, A]", other_yaml=f"{HEAD}{other}layers: [B]", a_yaml=A
    )
    assert names(found) == ["b_1.linear_1", "a_1.relu_1"]
    assert "params" not in found.graph.resolved
    closed = other.replace("params: {width: 5}, ", "")
    (fault,) = refused(tmp_path, "use: [other.yaml]\nlayers: [B]", other_yaml=f"{HEAD}{closed}layers: [ReLU]")
    assert fault.text == "there is no `$width` here"


def test_the_resolved_spec_holds_what_is_used_and_stands_alone(tmp_path: Path) -> None:
    found = used(
        tmp_path,
        "use: [b.yaml]\nlayers: [B]",
        b_yaml="netspec: 1\nuse: [a.yaml]\nblocks: {B: {layers: [A]}, C: {layers: [A]}}",
        a_yaml=A,
    )
    resolved = found.graph.resolved
    assert "use" not in resolved
    assert list(resolved["blocks"]) == ["B", "A"]
    again = check_text(json.dumps(resolved), "again.json").graph
    assert graph_hash(again) == graph_hash(found.graph)


def test_blocks_of_other_files_need_not_be_used(tmp_path: Path) -> None:
    assert used(tmp_path, "use: [a.yaml]\nlayers: [ReLU]", a_yaml=A).warnings == ()


# What goes wrong in other files


def test_an_error_is_told_where_it_is(tmp_path: Path) -> None:
    bad = "netspec: 1\nblocks: {B: {layers: [{Conv2d: {out_channels: 3, kernel_size: 99}}]}}"
    (fault,) = refused(tmp_path, "use: [b.yaml]\nlayers: [B, B]", b_yaml=bad)
    assert (fault.code, fault.span and Path(fault.span.source.name).name) == ("NS302", "b.yaml")
    (note,) = [note for note in fault.notes if "used here" in note.text]
    assert note.span is not None
    assert Path(note.span.source.name).name == "net.yaml"


@pytest.mark.parametrize(
    ("library", "code", "place"),
    [
        ("", "NS241", "net.yaml"),
        ("netspec: 1\nblocks: {A: {layers: [ReLU}}", "NS124", "a.yaml"),
        ("[1, 2]", "NS204", "a.yaml"),
        ("netspec: 2\nblocks: {A: {layers: [ReLU]}}", "NS204", "a.yaml"),
        ("netspec: 1\n", "NS203", "a.yaml"),
        ("blocks: {A: {layers: [ReLU]}}", "NS203", "a.yaml"),
        ("netspec: 1\nblocks: {A: {layers: [ReLU]}}\nparams: {x: 1}", "NS202", "a.yaml"),
        ("netspec: 1\nblocks: {A: {layers: ReLU}}", "NS204", "a.yaml"),
        ("netspec: 1\nblocks: {a: {layers: [ReLU]}}", "NS237", "a.yaml"),
        ("netspec: 1\nuse: a.yaml\nblocks: {A: {layers: [ReLU]}}", "NS204", "a.yaml"),
    ],
)
def test_files_that_hold_no_blocks_as_they_should(
    tmp_path: Path, library: str, code: str, place: str
) -> None:
    found = refused(tmp_path, "use: [a.yaml]\nlayers: [ReLU]", a_yaml=library)
    assert codes(found) == [code]
    assert found[0].span is not None
    assert Path(found[0].span.source.name).name == place


@pytest.mark.parametrize("path", ["missing.yaml", "folder", "http://x.org/a.yaml", "a\\\\b.yaml"])
def test_files_that_are_none(tmp_path: Path, path: str) -> None:
    (tmp_path / "folder").mkdir()
    found = refused(tmp_path, f'use: ["{path}"]\nlayers: [A, {{B: {{x: 1}}}}]')
    assert codes(found) == ["NS241"], "that there is no A follows from it"


def test_two_blocks_of_one_name(tmp_path: Path) -> None:
    found = refused(tmp_path, "use: [a.yaml]\nblocks: {A: {layers: [Tanh]}}\nlayers: [A]", a_yaml=A)
    assert texts(found) == ["there are two blocks A"]


def test_files_in_a_circle(tmp_path: Path) -> None:
    found = refused(
        tmp_path,
        "use: [left.yaml]\nlayers: [Left]",
        left_yaml="netspec: 1\nuse: [right.yaml]\nblocks: {Left: {layers: [Right]}}",
        right_yaml="netspec: 1\nuse: [left.yaml]\nblocks: {Right: {layers: [ReLU]}}",
    )
    assert codes(found) == ["NS240"]
    assert "left.yaml uses " in found[0].text
    assert codes(refused(tmp_path, "use: [net.yaml]\nlayers: [ReLU]")) == ["NS240"]


def test_at_most_so_many_files(tmp_path: Path) -> None:
    others = {f"f{i}_yaml": f"netspec: 1\nblocks: {{B{i}: {{layers: [ReLU]}}}}" for i in range(FILE_LIMIT)}
    listed = ", ".join(f"f{i}.yaml" for i in range(FILE_LIMIT - 1))
    assert names(used(tmp_path, f"use: [{listed}]\nlayers: [B0]", **others)) == ["b0_1.relu_1"]
    found = refused(tmp_path, f"use: [{listed}, f{FILE_LIMIT - 1}.yaml]\nlayers: [B0]", **others)
    assert codes(found) == ["NS242"]


# The folder


@pytest.mark.parametrize("path", ["../a.yaml", "/etc/hostname", "sub/../../a.yaml", "sub/../../specs/a.yaml"])
def test_paths_do_not_leave_the_folder(tmp_path: Path, path: str) -> None:
    found = refused(tmp_path, f"use: [{path}]\nlayers: [A]", "specs/net.yaml", a_yaml=A)
    expected = "NS241" if path.endswith("specs/a.yaml") else "NS239"
    assert codes(found) == [expected]


def test_a_file_that_is_used_does_not_lead_out_either(tmp_path: Path) -> None:
    found = refused(
        tmp_path,
        "use: [sub/b.yaml]\nlayers: [B]",
        "specs/net.yaml",
        specs__sub__b_yaml="netspec: 1\nuse: [../../a.yaml]\nblocks: {B: {layers: [A]}}",
        a_yaml=A,
    )
    assert codes(found) == ["NS239"]


def test_links_do_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.yaml").write_text(A, encoding="utf-8")
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "a.yaml").symlink_to(tmp_path / "outside" / "a.yaml")
    (tmp_path / "specs" / "folder").symlink_to(tmp_path / "outside")
    for path in ("a.yaml", "folder/a.yaml"):
        assert codes(refused(tmp_path, f"use: [{path}]\nlayers: [A]", "specs/net.yaml")) == ["NS239"]


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    used(tmp_path, "use: [a.yaml]\nlayers: [A]", "specs/net.yaml", specs__a_yaml=A)
    (tmp_path / "link").symlink_to(tmp_path / "specs")
    assert names(check(tmp_path / "link" / "net.yaml")) == ["a_1.relu_1"]


def test_the_folder_is_that_of_the_spec_not_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used(tmp_path, "use: [a.yaml]\nlayers: [A]", "specs/net.yaml", specs__a_yaml=A)
    for folder, path in ((tmp_path, "specs/net.yaml"), (tmp_path / "specs", "net.yaml")):
        monkeypatch.chdir(folder)
        assert names(check(path)) == ["a_1.relu_1"]


def test_standard_input_is_in_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(A, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "netspec", "check", "-"],
        input=f"{HEAD}use: [a.yaml]\nlayers: [A]",
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1
    assert "error[NS239]: use cannot take a.yaml: this spec is in no folder" in done.stderr


def test_a_text_is_in_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(A, encoding="utf-8")
    with pytest.raises(DiagnosticError) as caught:
        check_text(f"{HEAD}name: net\nuse: [a.yaml]\nlayers: [A]", "a model", format="yaml")
    assert codes(list(caught.value.diagnostics)) == ["NS239"]
