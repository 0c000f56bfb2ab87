"""A day of a zone, against visits one can count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.idleness import ZoneDay, duty_clock, zone_day

CELLS = np.array([4, 7, 9], np.int32)
HOURS = [(100, 200), (200, 250), (400, 500)]
"""Duty, as if milliseconds were hours; two stretches touch."""


def day(*visits: tuple[int, int], duty: list[tuple[int, int]] = HOURS) -> ZoneDay:
    """The day of visits to (cell, time)."""
    cell, at_ms = np.array(visits, np.int64).reshape(-1, 2).T
    return zone_day(cell.astype(np.int32), at_ms, CELLS, duty)


def slow_mean_s(visits: list[tuple[int, int]]) -> float:
    """The ages of the cells, added up millisecond by millisecond of duty [s]."""
    duty = [ms for start, end in HOURS for ms in range(start, end)]
    ages = 0.0
    for cell in CELLS.tolist():
        at = {ms for visited, ms in visits if visited == cell}
        age = 0.0
        for previous, ms in zip([duty[0], *duty], duty, strict=False):
            # A visit off duty is one at the edge.
            age = 0.0 if any(previous < t <= ms for t in at) else age
            ages += age + 0.5
            age += 1.0
    return ages / len(duty) / CELLS.size / 1000


def test_half_of_the_duty_where_nobody_came() -> None:
    """250 ms of duty, however long the day; two visits of a cell cover it once."""
    assert day() == ZoneDay(0, 0.125)
    assert day((4, 100), (4, 100), (7, 100)).cells_covered == 2
    assert day(*[(cell, 500) for cell in CELLS.tolist()]) == ZoneDay(3, 0.125)


def test_one_cell_left_out_does_not_hide_what_was_done() -> None:
    """The worst idleness would be all of the duty, as if nobody had come at all."""
    visits = [(cell, at) for cell in (4, 7) for at in range(100, 501, 10)]
    found = day(*visits)
    assert found.mean_idle_s == pytest.approx((0.005 + 0.005 + 0.125) / 3)


def test_bikes_that_keep_going_round_halve_the_lap() -> None:
    """Almeida et al.: k agents evenly spaced on a cycle of T: mean idleness T / 2k."""
    cells, lap_ms = np.arange(100, dtype=np.int32), 1000
    for k in (1, 2, 5):
        every_ms, laps = lap_ms // k, 200 * k
        at_ms = np.concatenate([cells * 10 % every_ms + n * every_ms for n in range(laps)])
        duty = [(0, laps * every_ms)]
        found = zone_day(np.tile(cells, laps), at_ms, cells, duty)
        assert found.mean_idle_s == pytest.approx(lap_ms / 2 / k / 1000, rel=0.01)


@given(st.lists(st.tuples(st.sampled_from([4, 7, 9]), st.integers(0, 600)), max_size=12))
def test_idleness_counts_duty_only(visits: list[tuple[int, int]]) -> None:
    """Against ages added up; from 250 to 400 nobody is on duty."""
    assert day(*visits).mean_idle_s == pytest.approx(slow_mean_s(visits))


def test_without_duty_there_is_no_idleness() -> None:
    """A record of no length: not 0, which would be the best there is."""
    assert day((4, 150), duty=[]) == ZoneDay(1, None)
    assert day(duty=[]) == ZoneDay(0, None)


@given(st.lists(st.integers(0, 600), max_size=20))
def test_the_clock_of_duty_goes_on_in_duty_only(instants: list[int]) -> None:
    """As many milliseconds as lie in a stretch and before the instant."""
    starts, ends = np.array(HOURS, np.int64).T
    slow = [sum(any(a <= ms < b for a, b in HOURS) for ms in range(at)) for at in instants]
    assert duty_clock(starts, ends, np.array(instants, np.int64)).tolist() == slow
