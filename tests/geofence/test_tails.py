"""The tail of a record says as much of what comes as the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bikes.telemetry import TelemetryBatch
from geofence.quality import Limits
from geofence.runs import Visits
from geofence.tails import tails
from tests.rides import batch, judge, messy

REORDER_MS = 30_000


def rows(visits: Visits, from_ms: NDArray[np.int64]) -> list[tuple[object, ...]]:
    """Visits that hang on fixes from some instants on, by bike, in some order."""
    chosen = visits.where(visits.settles_ms >= from_ms[visits.bike])
    return sorted(zip(*(column.tolist() for column in chosen), strict=True))


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.02, 1), late=st.booleans())
def test_what_comes_is_judged_with_the_tail_as_with_the_whole(
    seed: int, share: float, late: bool
) -> None:
    """Cut anywhere, with fixes in disorder or not: verdicts and visits are those of one pass."""
    fixes = messy(seed).distinct()
    at_ms, whole = fixes.timestamp_ms, judge().judge(fixes)
    cut_ms = int(np.quantile(at_ms, share))
    known = at_ms <= cut_ms
    if late:  # some of the last half minute have not come yet
        known &= (at_ms <= cut_ms - REORDER_MS) | (np.arange(len(fixes)) % 3 > 0)
    newest_ms = np.zeros(2, np.int64)
    np.maximum.at(newest_ms, fixes.bike[known], at_ms[known])
    found = tails(judge().judge(fixes.take(known)), newest_ms - REORDER_MS + 1, Limits())
    lead_ms, first_ms, settled_ms = np.zeros((3, 2), np.int64)
    for of, column in zip((lead_ms, first_ms, settled_ms), found[1:], strict=True):
        of[found.bike] = column
    tail = fixes.take(at_ms >= lead_ms[fixes.bike])
    again = judge().judge(tail, tail.timestamp_ms < first_ms[tail.bike])
    open_ = tail.timestamp_ms >= settled_ms[tail.bike]
    assert np.array_equal(again.verdict[open_], whole.verdict[at_ms >= settled_ms[fixes.bike]])
    assert rows(judge().visits(again), settled_ms) == rows(judge().visits(whole), settled_ms)


@pytest.mark.parametrize(("speed_mps", "tail_s"), [(4.0, 60), (0.0, 300)])
def test_a_tail_is_short(speed_mps: float, tail_s: int) -> None:
    """Half a minute for disorder, and as long as it takes to leave the radius of a stay, twice."""
    at_s = [5.0 * i for i in range(400)]
    ride: TelemetryBatch = batch(at_s, [speed_mps * abs(s - 1_000) for s in at_s], [0.0] * 400)
    newest_ms = ride.timestamp_ms[-1:]
    found = tails(judge().judge(ride), newest_ms - REORDER_MS + 1, Limits())
    assert found.lead_ms >= newest_ms - tail_s * 1000
