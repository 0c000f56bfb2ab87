"""Verdicts: gates, neighbours, parking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bikes.telemetry import TelemetryBatch
from geofence.quality import VERDICTS, Limits
from tests.rides import batch, judge, messy


def verdicts(fixes: TelemetryBatch, limits: Limits | None = None) -> list[str]:
    codes, _ = judge(limits).assess(fixes)
    return [VERDICTS[code] for code in codes]


def riding(n: int, tau_s: float = 5.0, speed_mps: float = 4.0) -> tuple[list[float], list[float]]:
    at_s = [i * tau_s for i in range(n)]
    return at_s, [speed_mps * t for t in at_s]


def test_a_plain_ride_is_ok() -> None:
    """A bike at 4 m/s gives nothing but good fixes."""
    at_s, east = riding(20)
    assert verdicts(batch(at_s, east, [0.0] * 20)) == ["ok"] * 20


def test_nothing_and_one() -> None:
    """No fixes, no verdicts; a single fix has nobody to contradict it."""
    assert verdicts(TelemetryBatch.empty()) == []
    assert verdicts(batch([0], [0], [0])) == ["ok"]


def test_inaccurate_fixes_are_gated_and_leave_the_others_alone() -> None:
    """The accuracy gate is inclusive at the limit, and a stated NaN passes."""
    at_s, east = riding(5)
    fixes = batch(at_s, east, [0.0] * 5, accuracy_m=[5, 50, 50.1, float("nan"), 5])
    assert verdicts(fixes) == ["ok", "ok", "inaccurate", "ok", "ok"]


def test_positions_that_are_not_numbers_are_outside() -> None:
    """NaN lies in no cell."""
    assert verdicts(batch([0, 5], [float("nan"), 0], [0, 0])) == ["outside_district", "ok"]


def test_one_bad_fix_does_not_make_the_good_ones_after_it_look_bad() -> None:
    """An over-confident jump is a teleport; its neighbours are not."""
    at_s, east = riding(9)
    east[4] += 400
    assert verdicts(batch(at_s, east, [0.0] * 9)) == ["ok"] * 4 + ["teleport"] + ["ok"] * 4


def test_every_second_fix_bad() -> None:
    """Good fixes are found between bad ones that do not agree with each other."""
    at_s, east = riding(9)
    north = [0, 900, 0, -700, 0, 1500, 0, -400, 0]
    expected = ["ok", "teleport"] * 4 + ["ok"]
    assert verdicts(batch(at_s, east, [float(n) for n in north])) == expected


def test_a_jump_is_believed_when_two_fixes_agree() -> None:
    """After a jump the newest fix is doubted until the next confirms it."""
    at_s, east = riding(6)
    moved = [e + (800 if i >= 4 else 0) for i, e in enumerate(east)]
    assert verdicts(batch(at_s[:5], moved[:5], [0.0] * 5))[-1] == "teleport"
    assert verdicts(batch(at_s, moved, [0.0] * 6)) == ["ok"] * 6


def test_a_bike_in_a_van_is_too_fast() -> None:
    """20 m/s along a line is no patrol, and no teleport."""
    at_s, east = riding(12, speed_mps=20.0)
    assert verdicts(batch(at_s, east, [0.0] * 12))[1:-1] == ["too_fast"] * 10


@pytest.mark.parametrize(("stay_s", "expected"), [(115, "ok"), (130, "parked")])
def test_parked_after_two_minutes(stay_s: int, expected: str) -> None:
    """A stop to inspect is patrol, a stay of two minutes is parking."""
    at_s = list(range(0, 60, 5)) + list(range(60, 60 + stay_s, 5))
    at_s += [60 + stay_s + 5 * i for i in range(12)]
    east = [4.0 * min(t, 60) + 4.0 * max(0, t - 60 - stay_s) for t in at_s]
    result = verdicts(batch([float(t) for t in at_s], east, [0.0] * len(at_s)))
    during = result[14 : 14 + (stay_s - 30) // 5]
    assert set(during) == {expected}
    assert result[0] == result[-1] == "ok"


def test_a_drifting_fix_at_rest_stays_parked() -> None:
    """Real receivers drift by 2.5 m in 3 s while the bike stands."""
    rng = np.random.default_rng(3)
    n = 200
    drift = np.clip(np.cumsum(rng.normal(0, 0.8, (2, n)), axis=1), -6, 6)
    fixes = batch([3.0 * i for i in range(n)], list(drift[0]), list(drift[1]))
    assert set(verdicts(fixes)) == {"parked"}


def slow_parked(fixes: TelemetryBatch, limits: Limits, others: list[str]) -> list[bool]:
    """The definition of a stay, spelled out; one bike, one run."""
    grid = judge().atlas.grid
    x, y = grid.plane(fixes.lat_deg, fixes.lng_deg)
    believed = [i for i, verdict in enumerate(others) if verdict in ("ok", "parked")]
    usable = [
        i for i, verdict in enumerate(others) if verdict in ("ok", "parked", "teleport", "too_fast")
    ]
    marked = [False] * len(fixes)
    for i in believed:
        radius = max(limits.parked_radius_m, float(fixes.accuracy_m[i]))
        until = fixes.timestamp_ms[i] + limits.parked_after_ms
        window = [j for j in believed if j >= i and fixes.timestamp_ms[j] <= until]
        lasts = fixes.timestamp_ms[usable[-1]] >= until
        squared = [(x[j] - x[i]) ** 2 + (y[j] - y[i]) ** 2 for j in window]
        if lasts and all(s <= radius * radius for s in squared):
            for j in window:
                marked[j] = True
    return marked


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_parked_is_its_definition(seed: int) -> None:
    """The vectorised stay agrees with a loop over every pair."""
    rng = np.random.default_rng(seed)
    n = 120
    still = (np.arange(n) // 30) % 2 == 1
    step = np.where(still, 0.5, rng.uniform(0, 20, n))
    east, north = np.cumsum(rng.normal(0, 1, (2, n)) * step, axis=1)
    fixes = batch(
        list(np.cumsum(rng.uniform(1, 8, n))),
        list(east),
        list(north),
        accuracy_m=list(rng.choice([3, 20], n)),
    )
    found = verdicts(fixes)
    assert [verdict == "parked" for verdict in found] == slow_parked(fixes, Limits(), found)


@pytest.mark.parametrize("burst", [1, 3])
def test_a_lock_that_reports_every_five_minutes_does_not_patrol(burst: int) -> None:
    """No run of it is long enough to show a stay: that it stands is what it says itself."""
    at_s = [300.0 * n + 20 * i for n in range(12) for i in range(burst)]
    n = len(at_s)
    rests = replace(batch(at_s, [0] * n, [0] * n), speed_mps=np.zeros(n, np.float32))
    assert verdicts(rests) == ["parked"] * n
    assert judge().assess(rests)[1].cell.size == 0
    # One that says nothing of its speed, or that it rides, is believed to ride.
    for speed in (np.nan, 3.0):
        rides = replace(rests, speed_mps=np.full(n, speed, np.float32))
        assert verdicts(rides) == ["ok"] * n


def test_a_ride_that_begins_and_ends_at_a_light_is_a_ride() -> None:
    """Standing for a minute within a run that goes on is a stop to inspect."""
    at_s, east = riding(30)
    speed = np.where(np.arange(30) < 5, 0.0, 4.0).astype(np.float32)
    fixes = replace(batch(at_s, east, [0.0] * 30), speed_mps=speed)
    assert verdicts(fixes) == ["ok"] * 30


def slow_standing(fixes: TelemetryBatch, found: list[str], limits: Limits) -> list[bool]:
    """Run by run of one bike, by loops."""
    x, y = judge().atlas.grid.plane(fixes.lat_deg, fixes.lng_deg)
    at_ms = fixes.timestamp_ms.tolist()
    usable = [i for i, v in enumerate(found) if v in ("ok", "parked", "teleport", "too_fast")]
    runs: list[list[int]] = []
    for i in usable:
        if runs and at_ms[i] - at_ms[runs[-1][-1]] <= limits.max_gap_ms:
            runs[-1].append(i)
        else:
            runs.append([i])
    marked = [False] * len(fixes)
    for run in runs:
        members = [i for i in run if found[i] in ("ok", "parked")]
        if at_ms[run[-1]] - at_ms[run[0]] >= limits.parked_after_ms or not members:
            continue
        a = members[0]
        radius = max(limits.parked_radius_m, float(fixes.accuracy_m[a]))
        near = all((x[i] - x[a]) ** 2 + (y[i] - y[a]) ** 2 <= radius**2 for i in members)
        if near and all(fixes.speed_mps[i] < limits.standing_mps for i in members):
            for i in members:
                marked[i] = True
    return marked


@settings(max_examples=150)
@given(st.integers(0, 2**32 - 1))
def test_standing_is_its_definition(seed: int) -> None:
    """Bursts of all lengths, drifts, jumps and speeds, against loops; no midnight among them."""
    rng = np.random.default_rng(seed)
    n = 40
    at_s = np.cumsum(rng.choice([5, 30, 60, 119, 120, 121, 500], n))
    east = rng.choice([0.0, 4.0, 14.0, 16.0, 900.0], n, p=[0.5, 0.2, 0.1, 0.1, 0.1])
    fixes = replace(
        batch(
            at_s.tolist(), east.tolist(), [0.0] * n, accuracy_m=rng.choice([3, 20, 80], n).tolist()
        ),
        speed_mps=rng.choice([0.0, 0.4, 0.5, np.nan], n, p=[0.7, 0.2, 0.05, 0.05]).astype("f4"),
    )
    found = verdicts(fixes)
    unknown = verdicts(replace(fixes, speed_mps=np.full(n, np.nan, np.float32)))
    # What is parked beyond what a stay shows stands.
    expected = [
        a == "parked" or b
        for a, b in zip(unknown, slow_standing(fixes, found, Limits()), strict=True)
    ]
    assert [verdict == "parked" for verdict in found] == expected


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_verdicts_are_local(seed: int, where: float) -> None:
    """What lies further away than the limits say changes no verdict: the pipeline rests on it."""
    fixes = messy(seed, bikes=1).distinct()
    limits = Limits()
    whole, _ = judge().assess(fixes)
    at_ms = fixes.timestamp_ms
    middle = int(at_ms[0] + where * (at_ms[-1] - at_ms[0]))
    kept = (at_ms >= middle - limits.before_ms) & (at_ms <= middle + limits.after_ms)
    near = np.flatnonzero(kept)
    part, _ = judge().assess(fixes.take(near))
    # Exactly the fixes whose whole neighbourhood was kept must agree.
    safe = (at_ms[near] - limits.before_ms >= middle - limits.before_ms) & (
        at_ms[near] + limits.after_ms <= middle + limits.after_ms
    )
    assert np.array_equal(part[safe], whole[near][safe])
    after = np.flatnonzero(at_ms >= middle - limits.before_ms)
    part, _ = judge().assess(fixes.take(after))
    late = at_ms[after] >= middle
    assert np.array_equal(part[late], whole[after][late])
    before = np.flatnonzero(at_ms <= middle + limits.after_ms)
    part, _ = judge().assess(fixes.take(before))
    early = at_ms[before] <= middle
    assert np.array_equal(part[early], whole[before][early])
