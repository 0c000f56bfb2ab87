"""Whether a zone reached its targets on a day."""

from __future__ import annotations

import pytest

from alerts.days import reached
from alerts.duty_hours import Window
from alerts.plan import ZonePlan
from alerts.policy import parse_policy

from .district import POLICY, SHANGHAI, at

DAY = Window(at("23 00:00"), at("24 00:00"))
SHIFTS = ["Mon-Sat 08:00-12:00", "Mon-Sat 13:30-18:00"]
MORNING, EVENING = at("23 08:00"), at("23 13:30")


def plan(**keys: object) -> ZonePlan:
    """A plan of one policy with a target of 8 cells in 10."""
    return ZonePlan([(0, parse_policy("core", {**POLICY, "hours": SHIFTS, **keys}, SHANGHAI))])


def asked(
    cells: dict[int, int],
    *,
    now: str = "26 00:00",
    known: str = "20 00:00",
    day: Window = DAY,
    **keys: object,
) -> bool | None:
    """With so many cells covered in the windows that begin then; 10 in all others."""
    return reached(
        plan(**keys),
        day,
        lambda window: cells.get(window.from_ms, 10),
        cells_total=10,
        known_from_ms=at(known),
        now_ms=at(now),
    )


@pytest.mark.parametrize(
    ("morning", "evening", "result"), [(8, 8, True), (7, 10, False), (10, 7, False)]
)
def test_every_shift_of_the_day_must_reach_its_target(
    morning: int, evening: int, result: bool
) -> None:
    """8 of 10 is the target of each; one does not make up for the other."""
    assert asked({MORNING: morning, EVENING: evening}) is result


def test_a_day_that_is_not_over_may_still_be_short_or_reached() -> None:
    """Nothing is said of a shift that goes on, unless it is there already."""
    assert asked({EVENING: 3}, now="23 15:00") is None
    assert asked({EVENING: 8}, now="23 15:00") is True
    assert asked({MORNING: 3, EVENING: 3}, now="23 15:00") is False
    assert asked({DAY.from_ms: 3}, now="23 15:00", window="day") is None
    assert asked({DAY.from_ms: 3}, now="24 00:00", window="day") is False
    assert asked({DAY.from_ms: 8}, now="23 15:00", window="day") is True


def test_what_began_before_the_record_is_not_held_against_anybody() -> None:
    """Ten minutes of duty may be missing; reached is reached all the same."""
    assert asked({MORNING: 7}, known="23 08:10") is False
    assert asked({MORNING: 7}, known="23 08:11") is None
    assert asked({MORNING: 8}, known="23 11:00") is True


def test_without_duty_nothing_is_reached_or_missed() -> None:
    """On a Sunday nobody rides: neither the shifts nor the day say anything."""
    sunday = Window(at("29 00:00"), at("30 00:00"))
    for window in ("shift", "day"):
        assert asked({}, day=sunday, now="30 12:00", window=window) is None


def test_a_week_is_no_matter_of_a_day() -> None:
    """Not even of the Sunday on which it ends."""
    for first in ("23 00:00", "29 00:00"):
        day = Window(at(first), at(first) + 86_400_000)
        assert asked({}, day=day, now="30 12:00", window="week") is None


def test_a_shift_over_midnight_is_of_the_day_it_ends_on() -> None:
    """It is judged once."""
    night = ["Mon 22:00-02:00"]
    tuesday = Window(DAY.to_ms, DAY.to_ms + 86_400_000)
    assert asked({at("23 22:00"): 1}, hours=night) is None
    assert asked({at("23 22:00"): 1}, hours=night, day=tuesday) is False
