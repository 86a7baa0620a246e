"""Right files pass, whatever weights and inputs are drawn; `make false-alarms` tries all specs."""

from __future__ import annotations

import pytest

from tests.trials.false_alarms import SAMPLE, SMALLER, tried


@pytest.mark.parametrize("spec", SAMPLE)
def test_right_files_pass_at_every_seed(spec: str) -> None:
    row = tried(spec, (1, 2), SMALLER.get(spec, {}))
    assert len(row.certificates) == 2
    assert not row.alarms
