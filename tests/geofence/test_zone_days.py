"""A day of a zone, against visits one can count."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geofence.zone_days import ZoneDay, duty_clock, zone_day

CELLS = np.array([4, 7, 9], np.int32)
HOURS = [(100, 200), (200, 250), (400, 500)]
"""Duty, as if milliseconds were hours; two stretches touch."""


def day(*visits: tuple[int, int], duty: list[tuple[int, int]] = HOURS) -> ZoneDay:
    """The day of visits to (cell, time)."""
    cell, at_ms = np.array(visits, np.int64).reshape(-1, 2).T
    return zone_day(cell.astype(np.int32), at_ms, CELLS, duty)


def test_a_cell_nobody_visits_is_idle_for_the_whole_duty() -> None:
    """250 ms of duty, however long the day; two visits of a cell cover it once."""
    assert day((4, 150), (4, 160), (7, 150)) == ZoneDay(2, 0.25)


def test_idleness_counts_duty_only() -> None:
    """From 250 to 400 nobody is on duty: cell 9 waits from 210 to 450, which is 90 of duty."""
    visits = [(cell, at) for cell in (4, 7) for at in range(100, 501, 10)]
    assert day(*visits, (9, 180), (9, 210), (9, 450)) == ZoneDay(3, 0.09)


def test_a_visit_off_duty_is_one_at_the_edge() -> None:
    """It covers the cell, and splits no duty."""
    assert day((4, 300), (7, 300), (9, 300)) == ZoneDay(3, 0.15)


def test_without_duty_there_is_no_idleness() -> None:
    """A record of no length: not 0, which would be the best there is."""
    assert day((4, 150), duty=[]) == ZoneDay(1, None)
    assert day(duty=[]) == ZoneDay(0, None)
    assert day() == ZoneDay(0, 0.25)


@given(st.lists(st.integers(0, 600), max_size=20))
def test_the_clock_of_duty_goes_on_in_duty_only(instants: list[int]) -> None:
    """As many milliseconds as lie in a stretch and before the instant."""
    starts, ends = np.array(HOURS, np.int64).T
    slow = [sum(any(a <= ms < b for a, b in HOURS) for ms in range(at)) for at in instants]
    assert duty_clock(starts, ends, np.array(instants, np.int64)).tolist() == slow
