"""A part of the sweep, `make sweep`, and what the sweep itself rests on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from netspec.ops.catalogue import FAMILIES
from tests.ops.cases import Case
from tests.ops.engines import Expected
from tests.sweep import report
from tests.sweep.configurations import at_batches, configurations, known, pieces, shares
from tests.sweep.exporters import Comparison, compare
from tests.sweep.judging import KINDS, Failure, Tally, judge
from tests.sweep.mortal import dies_at_two_and_fails_at_three
from tests.sweep.processes import Lost, each

SHARE = 3  # configurations of every operation


@pytest.mark.parametrize("op", FAMILIES)
def test_a_part_of_the_sweep_is_clean(op: str, tmp_path: Path) -> None:
    tally = Tally()
    for case in configurations(op, SHARE, "part"):
        tally.add(judge(case, tmp_path))
    assert not tally.failures, report.failures({op: tally})


def test_a_seed_draws_the_same_configurations_always() -> None:
    first, again, other = (
        [case.spec() for case in configurations("Conv2d", 20, seed)] for seed in ("0/0", "0/0", "1/0")
    )
    assert first == again != other
    assert len(set(first)) == 20


def test_every_operation_gets_its_share() -> None:
    assert shares(["Conv2d", "Linear", "ReLU"], 11) == {"Conv2d": 4, "Linear": 4, "ReLU": 3}
    three = list(pieces(["Conv2d"], 600, seed=7))
    assert [piece.count for piece in three] == [250, 250, 100]
    assert len({piece.seed for piece in three}) == 3


def test_operations_are_chosen_by_name_or_family() -> None:
    assert known([]) == list(FAMILIES)
    assert known(["linear", "Conv2d"]) == [
        op for op, family in FAMILIES.items() if family == "linear" or op == "Conv2d"
    ]
    with pytest.raises(SystemExit, match="Conv9d"):
        known(["Conv9d"])


def test_a_batch_is_symbolic_or_fixed() -> None:
    case = Case("Linear", {"out_features": 2}, ((5, 3),))
    symbolic = Case("Linear", {"out_features": 2}, ((5, 3),), symbols=(("d0", None),))
    assert [[one.shapes for one in bound] for bound in at_batches(case, (1, 3))] == [
        [((1, 3),)],
        [((3, 3),)],
    ]
    assert [[one.shapes for one in bound] for bound in at_batches(symbolic, (1, 3))] == [
        [((1, 3),), ((3, 3),)]
    ]
    fixed = Case("Linear", {"out_features": 2}, ((3,),))
    assert list(at_batches(fixed, (1, 3))) == [[fixed]]


def test_a_wrong_result_is_counted_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("ReLU", {}, ((2, 3),))
    run = onnxruntime.InferenceSession.run
    monkeypatch.setattr(
        onnxruntime.InferenceSession,
        "run",
        lambda self, *args: [y + np.float32(1e-3) for y in run(self, *args)],
    )
    tally = judge(case, tmp_path)
    assert report.wrongs(tally) == [1, 0, 0, 0]
    text = report.failures({"ReLU": tally})
    assert text.startswith("ReLU: rounding: opset 17: y0: off by 1.0e-03")
    assert '"layers": [{"ReLU": {}' in text
    (row, total) = report.rows({"ReLU": tally})
    assert row[:3] == [FAMILIES["ReLU"], "1", "1"]
    assert total[0] == "all"
    document = report.document({"ReLU": tally}, None, {"seed": 0})
    assert document["families"][FAMILIES["ReLU"]] == {
        "configurations": 1,
        "runs": tally.runs,
        "rounding": 1,
        "function": 0,
        "shape": 0,
        "crash": 0,
    }


def test_a_crash_is_counted_and_the_sweep_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise MemoryError("out of it")

    monkeypatch.setattr(Expected, "of", crash)
    tally = judge(Case("ReLU", {}, ((2, 3),)), tmp_path)
    assert report.wrongs(tally) == [0, 0, 0, 1]
    assert tally.failures[0].text == "MemoryError: out of it"


def test_a_process_that_dies_costs_its_own_item_alone() -> None:
    found = dict(each(dies_at_two_and_fails_at_three, [1, 2, 3, 4], 1))
    assert found == {
        1: 10,
        2: Lost("the process died", "item 2"),
        3: Lost("ValueError: three", "item 3"),
        4: 40,
    }


def test_torchs_exporter_is_judged_by_the_same_bound(tmp_path: Path) -> None:
    # torch 2.13 drops divisor_override without a word.
    pool = Case("AvgPool2d", {"kernel_size": 2, "divisor_override": 3}, ((2, 1, 4, 4),))
    found = Comparison()
    for case in (pool, Case("ReLU", {}, ((2, 3),))):
        found.add(compare(case, tmp_path))
    assert found.outcomes["netspec"] == {"right": 2}
    assert found.outcomes["torch.onnx.export"] == {"right": 1, "silently wrong": 1}
    assert report.comparison(found).splitlines()[2:] == [
        "| netspec | 2 | 0 | 0 |",
        "| torch.onnx.export | 1 | 1 | 0 |",
    ]


def test_tables_are_aligned() -> None:
    assert report.plain(("name", "n"), [["a", "10"], ["all", "1,000"]]) == "\n".join(
        ["name      n", "a        10", "all   1,000"]
    )
    tallies = {"ReLU": Tally(2, 16), "Linear": Tally(1, 8, failures=[Failure("Linear", "shape", "", "", "")])}
    assert list(report.by_family(tallies)) == [FAMILIES["ReLU"], FAMILIES["Linear"], "all"]
    assert report.by_family(tallies)["all"].configurations == 3
    assert len(report.wrongs(tallies["ReLU"])) == len(KINDS)
