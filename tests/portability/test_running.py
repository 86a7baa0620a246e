"""A runtime in a process of its own: what it gives, refuses, and how it ends; and what is pinned."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from packaging.version import Version

from tests.pages import ROOT
from tests.portability.judging import Verdict
from tests.portability.networks import VARIANTS, networks, prepare
from tests.portability.running import fix_sizes, outcome
from tests.portability.runtimes import RUNTIMES, WEB, InBrowser, Runtime


class Here(Runtime):
    """The onnxruntime of this environment."""

    def python(self, environment: Path) -> Path:
        return Path(sys.executable)


HERE = Here("here", "Here", "run_onnxruntime", "near")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    (network,) = (network for network in networks() if network.name == "edge_detector")
    folder = tmp_path_factory.mktemp("networks") / "edge_detector"
    prepare(network, folder)
    return folder


@pytest.fixture
def spoiled(prepared, tmp_path):
    """Gives that network after an edit of its model, as one whose sizes are all numbers."""

    def write(edit):
        folder = tmp_path / "spoiled"
        folder.mkdir()
        told = json.loads((prepared / "cases.json").read_text(encoding="utf-8"))
        told["cases"] = [{**case, "values": {}} for case in told["cases"]]
        (folder / "cases.json").write_text(json.dumps(told), encoding="utf-8")
        (folder / "cases.npz").write_bytes((prepared / "cases.npz").read_bytes())
        model = onnx.load(prepared / "model.onnx")
        edit(model)
        onnx.save(model, folder / "model.onnx")
        return folder

    return write


def test_an_export_is_right_where_it_was_judged(prepared) -> None:
    found = outcome(HERE, prepared, prepared, 60)
    assert found.as_is.verdict is Verdict.RIGHT
    assert found.fixed is None
    assert 0 <= found.as_is.share <= 1
    assert not [path for path in prepared.parent.iterdir() if path != prepared], "it leaves nothing behind"


def test_an_export_that_computes_otherwise_is_wrong(spoiled) -> None:
    def exchange(model):
        model.graph.initializer[0].raw_data = np.array([0.5, 0.25], "f").tobytes()

    found = outcome(HERE, Path(), spoiled(exchange), 60)
    assert found.as_is.verdict is Verdict.WRONG
    assert found.as_is.share > 1


def test_an_operator_that_a_runtime_lacks_is_refused_in_its_words(spoiled) -> None:
    def rename(model):
        model.graph.node[0].op_type = "Convolve"

    found = outcome(HERE, Path(), spoiled(rename), 60)
    assert found.as_is.verdict is Verdict.REFUSED
    assert "Convolve" in found.as_is.words


def test_a_runtime_that_takes_too_long_is_ended(prepared) -> None:
    found = outcome(HERE, prepared, prepared, 0.01)
    assert found.as_is.verdict is Verdict.CRASHED
    assert found.as_is.reason == "not done after 0.01 s, while it loaded"
    assert found.fixed == found.as_is


def test_fixed_sizes_leave_no_symbol(prepared, tmp_path) -> None:
    fix_sizes(prepared / "model.onnx", {"batch": 3}, tmp_path / "fixed.onnx")
    graph = onnx.load(tmp_path / "fixed.onnx").graph
    (given,), (edges,) = graph.input, graph.output
    assert [dim.dim_value for dim in given.type.tensor_type.shape.dim] == [3, 1, 6, 8]
    assert [dim.dim_value for dim in edges.type.tensor_type.shape.dim] == [3, 1, 6, 7]
    assert not graph.value_info


def test_a_network_is_prepared_once(prepared) -> None:
    (network,) = (network for network in networks() if network.name == "edge_detector")
    before = (prepared / "cases.npz").stat()
    prepare(network, prepared)
    assert (prepared / "cases.npz").stat() == before


def test_every_spec_is_run_and_the_variants_exist() -> None:
    names = [network.name for network in networks()]
    assert {path.stem for path in (ROOT / "specs").glob("*.yaml")} | {*VARIANTS} == {*names}
    assert len({*names}) == len(names)


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_everything_that_is_installed_has_its_version(runtime: Runtime) -> None:
    assert all(path.is_file() for path in (*runtime.pinned, *runtime.sources))
    if not isinstance(runtime, InBrowser):
        lines = runtime.pinned[0].read_text(encoding="utf-8").splitlines()
        assert all(re.fullmatch(r"#.*|[\w.-]+==[\w.]+", line) for line in lines), lines


def test_the_browsers_package_is_locked_as_asked_for() -> None:
    asked, locked = (json.loads((WEB / name).read_text()) for name in ("package.json", "package-lock.json"))
    for name, version in asked["dependencies"].items():
        assert locked["packages"][f"node_modules/{name}"]["version"] == version
    assert all("integrity" in entry for path, entry in locked["packages"].items() if path)


def test_the_newest_onnxruntime_is_no_older_than_the_one_that_everything_is_tested_with() -> None:
    (newest,) = (runtime for runtime in RUNTIMES if runtime.name == "onnxruntime-newest")
    run, tested = (
        Version(line.partition("==")[2])
        for page in (newest.pinned[0], ROOT / "constraints.txt")
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("onnxruntime==")
    )
    assert run >= tested
