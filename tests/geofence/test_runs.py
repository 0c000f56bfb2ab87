"""When a visit is certain."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from geofence.runs import Visits
from tests.rides import batch, judge, messy


def certain(visits: Visits, at_ms: int) -> set[tuple[int, int]]:
    """Bikes and the cells that they have certainly visited at an instant."""
    known = visits.where(visits.certain_ms <= at_ms)
    return set(zip(known.bike.tolist(), known.cell.tolist(), strict=True))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0, 1))
@example(seed=137157874, share=0.12890625).via("a fix that only the second one after confirms")
def test_what_is_certain_is_never_taken_back(seed: int, share: float) -> None:
    """With the fixes up to an instant the same visits are certain at it as with all fixes."""
    fixes = messy(seed).distinct()
    first_ms, last_ms = int(fixes.timestamp_ms.min()), int(fixes.timestamp_ms.max())
    at_ms = round(first_ms + share * (last_ms - first_ms))
    _, all_ = judge().assess(fixes)
    _, some = judge().assess(fixes.take(fixes.timestamp_ms <= at_ms))
    assert certain(some, at_ms) == certain(all_, at_ms)
    assert (all_.certain_ms >= all_.settles_ms).all()


def test_a_riding_bike_is_certain_a_fix_later() -> None:
    """It has left the 15 m in which it could park; the last fix waits for its run to end."""
    ride = batch([0, 5, 10, 15], [0, 30, 60, 90], [0] * 4)
    _, visits = judge().assess(ride)
    seen = visits.where(visits.observed & (visits.at_ms < ride.timestamp_ms[3]))
    assert np.array_equal(seen.certain_ms, ride.timestamp_ms[1:])
    assert visits.certain_ms.max() == ride.timestamp_ms[3] + 120_000
