"""Whatever happens to station, broker, store, disk and clock: each fix once, the same alerts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.chaos import LATER_MS, Outcome, Run, accepted, equal

SEEDS = range(int(os.environ.get("CHAOS_SEEDS", "10")))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What comes of a station that is left alone."""
    with Run(tmp_path_factory.mktemp("undisturbed"), 0) as run:
        run.take_in(calm=True)
        outcome = run.outcome()
    assert len(outcome.fixes) == len(outcome.points) == accepted(LATER_MS[-1])
    assert len(outcome.coverage.key)
    assert outcome.alerts
    return outcome


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_and_nothing_counts_twice(
    undisturbed: Outcome, tmp_path: Path, seed: int
) -> None:
    """Sent is stored or refused, once each; coverage, book and InfluxDB are those of calm."""
    with Run(tmp_path, seed) as run:
        run.take_in()
        outcome = run.outcome()
        happened = ", ".join(run.happened)
        assert equal(outcome.fixes, undisturbed.fixes), happened
        assert equal(outcome.coverage, undisturbed.coverage), happened
        assert outcome.alerts == undisturbed.alerts, happened
        assert outcome.points == undisturbed.points, happened
        kills = run.happened.count("kill") + run.happened.count("tear")
        assert max(run.notifier.told.values()) <= 1 + kills, happened
