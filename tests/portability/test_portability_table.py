"""The table that `make portability` writes."""

from __future__ import annotations

import pytest

from tests.portability.judging import Judged, Verdict
from tests.portability.running import Outcome
from tests.portability.runtimes import Runtime
from tests.portability.table import END, START, data, markdown, written

ONE, TWO, THREE = (Runtime(name, f"{name.title()} 1", "run_onnxruntime") for name in ("one", "two", "three"))
RIGHT = Judged(Verdict.RIGHT, share=0.25)
REFUSED = Judged(Verdict.REFUSED, words="no `Pad` | here")
WRONG = Judged(Verdict.WRONG, "y is not finite", share=float("inf"))
OUTCOMES = {
    ("one", "lenet"): Outcome("1.2.3", RIGHT),
    ("two", "lenet"): Outcome("2.0", REFUSED, RIGHT),
    ("one", "gru"): Outcome("1.2.3", REFUSED, WRONG),
    ("two", "gru"): Outcome("2.0", REFUSED, RIGHT),
}


@pytest.fixture
def text():
    return markdown([ONE, TWO, THREE], ["gru", "lenet"], OUTCOMES, {"three": "no wheel"})


def test_a_row_per_network_and_a_column_per_runtime(text) -> None:
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows[0] == "| spec | One 1.2.3 | Two 2.0 | Three 1 |"
    assert rows[2:] == [
        "| `gru` | wrong<sup>1</sup> | fixed<sup>2</sup> | – |",
        "| `lenet` | right | fixed<sup>2</sup> | – |",
    ]


def test_a_note_gives_the_words_as_code_and_once(text) -> None:
    assert "1. One 1: y is not finite" in text.splitlines()
    assert text.splitlines()[-1] == "2. Two 1, the file as it is refused: `no 'Pad' | here`"


def test_a_runtime_that_is_not_installed_is_told_of(text) -> None:
    assert "Three 1 could not be installed: `no wheel`" in text


def test_the_table_stands_between_its_marks(tmp_path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n{START}\nold\n{END}\nafter\n", encoding="utf-8")
    written(page, "new\n")
    written(page, "new\n")
    assert page.read_text(encoding="utf-8") == f"before\n{START}\n\nnew\n\n{END}\nafter\n"


def test_a_page_without_marks_is_left_alone(tmp_path) -> None:
    page = tmp_path / "README.md"
    page.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has not one pair"):
        written(page, "new\n")
    assert page.read_text(encoding="utf-8") == "nothing\n"


def test_the_data_hold_what_json_can_hold() -> None:
    found = data(OUTCOMES, {"three": "no wheel"})
    (wrong,) = [one for one in found["outcomes"] if (one["runtime"], one["network"]) == ("one", "gru")]
    assert wrong["fixed"]["share_of_bound"] is None
    assert wrong["as_is"]["words"] == "no `Pad` | here"
    assert found["not_installed"] == {"three": "no wheel"}
