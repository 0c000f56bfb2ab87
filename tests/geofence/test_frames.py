"""One fix per bike and step, against a dictionary."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bikes.telemetry import TelemetryBatch
from geofence.frames import frames, last_believed
from geofence.quality import BELIEVED
from tests.rides import START_MS, batch, judge, messy


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), step_ms=st.sampled_from([1, 5_000, 7_777, 3_600_000]))
def test_the_last_fix_of_a_step_stays(seed: int, step_ms: int) -> None:
    """Of every bike by itself; a fix at the end of a step is of the next."""
    fixes = messy(seed).distinct()
    last: dict[tuple[int, int], tuple[int, float]] = {}
    for bike, at_ms, lat in zip(
        fixes.bike.tolist(), fixes.timestamp_ms.tolist(), fixes.lat_deg.tolist(), strict=True
    ):
        last[bike, (at_ms - START_MS) // step_ms] = at_ms, lat
    found = frames(fixes, from_ms=START_MS, step_ms=step_ms)
    shown = zip(found.timestamp_ms.tolist(), found.lat_deg.tolist(), strict=True)
    assert list(shown) == list(last.values())


def test_headings_follow_from_the_way() -> None:
    """East, north, west; what the bike states itself stays; another bike begins anew."""
    way = batch([0, 5, 10, 15, 20], [0, 20, 20, 0, 2], [0, 0, 20, 20, 20])
    stated = replace(way, heading_deg=np.array([np.nan, np.nan, 7, np.nan, np.nan], np.float32))
    other = batch([0, 5], [0, 1], [0, 1], bike=1)
    fixes = TelemetryBatch.concat([stated, other])
    heading = frames(fixes, from_ms=START_MS, step_ms=5_000).heading_deg
    # The last way of the first bike is too short to tell: it looks where it looked before.
    assert heading[1:5].tolist() == pytest.approx([90, 7, 270, 270], abs=0.5)
    assert math.isnan(heading[0])
    assert np.isnan(heading[5:]).all()


def test_nothing_and_one() -> None:
    """No fix makes no frame, one makes one without a heading."""
    assert frames(TelemetryBatch.empty(), from_ms=0, step_ms=1).bike.size == 0
    one = frames(batch([0], [0], [0]), from_ms=START_MS, step_ms=60_000)
    assert one.timestamp_ms.tolist() == [START_MS]
    assert np.isnan(one.heading_deg).all()


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    step_ms=st.sampled_from([1_000, 20_000, 77_777, 900_000, 86_400_000]),
    ends=st.tuples(st.integers(-60, 3_600), st.integers(1, 3_600)),
    noise=st.sampled_from([0.0, 0.3, 0.9]),
)
def test_a_few_fixes_of_a_step_tell_what_all_of_them_tell(
    seed: int, step_ms: int, ends: tuple[int, int], noise: float
) -> None:
    """The last believed fix of each step is found without judging all, however many are bad."""
    fixes = messy(seed).distinct()
    rng = np.random.default_rng(seed)
    rough = rng.random(len(fixes)) < noise
    accuracy_m = np.where(rough, 90, fixes.accuracy_m).astype(np.float32)
    far = np.where(rng.random(len(fixes)) < noise, rng.choice([0.0, 0.05, 3.0]), 0.0)
    fixes = replace(fixes, accuracy_m=accuracy_m, lat_deg=fixes.lat_deg + far)
    from_ms = int(fixes.timestamp_ms.min()) + 1000 * ends[0]
    to_ms = from_ms + 1000 * ends[1]
    last: dict[tuple[int, int], int] = {}
    for row, verdict in enumerate(judge().verdicts(fixes).tolist()):
        at_ms = int(fixes.timestamp_ms[row])
        if verdict in BELIEVED and from_ms <= at_ms < to_ms:
            last[int(fixes.bike[row]), (at_ms - from_ms) // step_ms] = row
    found = last_believed(judge(), fixes, from_ms, to_ms, step_ms)
    assert found.tolist() == list(last.values())
