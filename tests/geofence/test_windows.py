"""Whether windows reached their targets, by tables."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.plan import ZonePlan
from alerts.policy import parse_policy
from geofence.record import ZoneRef
from geofence.windows import Window, Zone, judge_day, judge_window, judge_windows, missed_window
from tests.alerts.district import POLICY, SHANGHAI, FakePatrols, at

DAY = Window(at("23 00:00"), at("24 00:00"))
SHIFTS = ["Mon-Sat 08:00-12:00", "Mon-Sat 13:30-18:00"]
MORNING, EVENING = at("23 08:00"), at("23 13:30")
NEVER: list[tuple[str, str]] = []


class Told(FakePatrols):
    """A record in which the cells covered of each window, and silences, are given outright."""

    def __init__(self, cells: dict[int, int], silent: list[tuple[str, str]], known: str) -> None:
        super().__init__("Z01", since=known)
        self.told = cells
        self.silent = [(at(begin), at(end)) for begin, end in silent]

    def covered(self, zone_id: str, from_ms: int, to_ms: int) -> int:
        return self.told.get(from_ms, 10)

    def silences(self, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
        within = ((max(begin, from_ms), min(end, to_ms)) for begin, end in self.silent)
        return [(begin, end) for begin, end in within if begin < end]


def zone(
    cells: dict[int, int],
    *,
    now: str = "26 00:00",
    known: str = "20 00:00",
    silent: list[tuple[str, str]] = NEVER,
    **keys: Any,
) -> Zone:
    """A zone of 10 cells and a target of 8; so many covered in the windows that begin then."""
    policy = parse_policy("core", {**POLICY, "hours": SHIFTS, **keys}, SHANGHAI)
    record = Told(cells, silent, known)
    record.now_ms = at(now)
    return Zone(ZoneRef("Z01", "", None, "core", 10), ZonePlan([(0, policy)]), record)  # type: ignore[arg-type]


def verdict(day: Window = DAY, **asked: Any) -> bool | None:
    """Whether the targets of a day were reached; None for unknown."""
    found, _ = judge_day(zone(**asked), day)
    return {"reached": True, "short": False, "unknown": None}[found]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"cells": {MORNING: 8}}, ("reached", "target_reached")),
        ({"cells": {MORNING: 7}}, ("short", "window_short")),
        ({"cells": {MORNING: 8}, "now": "23 10:00"}, ("reached", "target_reached")),
        ({"cells": {MORNING: 7}, "now": "23 11:59"}, ("unknown", "not_over")),
        ({"cells": {MORNING: 7}, "now": "23 12:00"}, ("short", "window_short")),
        ({"cells": {MORNING: 7}, "known": "23 08:10"}, ("short", "window_short")),
        ({"cells": {MORNING: 7}, "known": "23 08:11"}, ("unknown", "before_record")),
        ({"cells": {MORNING: 8}, "known": "23 11:00"}, ("reached", "target_reached")),
        # The frequency is two hours: as long as a zone may go without anybody in it.
        ({"silent": [("23 09:00", "23 11:00")]}, ("short", "window_short")),
        ({"silent": [("23 09:00", "23 11:01")]}, ("unknown", "telemetry_silent")),
        (
            {"silent": [("23 09:00", "23 10:30"), ("23 10:31", "23 12:00")]},
            ("short", "window_short"),
        ),
        ({"silent": [("23 10:30", "23 15:00")]}, ("short", "window_short")),
        ({"silent": [("23 09:59", "23 15:00")]}, ("unknown", "telemetry_silent")),
        ({"silent": [("22 08:00", "23 08:05")]}, ("short", "window_short")),
        ({"silent": [("22 08:00", "24 08:00")]}, ("unknown", "telemetry_silent")),
        # All of a shift is silent that is shorter than the frequency.
        (
            {"silent": [("23 07:00", "23 12:30")], "frequency": "8h"},
            ("unknown", "telemetry_silent"),
        ),
        ({"silent": [("23 08:01", "23 12:30")], "frequency": "8h"}, ("short", "window_short")),
        (
            {"cells": {MORNING: 9}, "silent": [("23 08:30", "23 12:30")]},
            ("reached", "target_reached"),
        ),
        ({"hours": ["Tue 08:00-12:00"], "window": "day"}, ("unknown", "no_duty")),
    ],
)
def test_a_window_is_judged_by_a_table(asked: dict[str, Any], expected: tuple[str, str]) -> None:
    """Reached is reached; else time to come, time before the record and silence come first."""
    one = zone(**{"cells": {MORNING: 7}, **asked})
    found = judge_window(one, Window(MORNING, at("23 12:00")), one.plan.policy_at(MORNING))
    assert (found.verdict, found.reason) == expected
    assert (found.silence_s > 0) == (found.reason == "telemetry_silent")
    assert found.evidence["cells_needed"] == 8


def test_whoever_counts_windows_counts_those_with_duty() -> None:
    """Sundays are no windows; what nobody can tell is one."""
    week = zone({MORNING: 1, at("24 08:00"): 2}, silent=[("24 07:00", "24 19:00")], now="30 00:00")
    found = judge_windows(week, at("23 00:00"), at("30 00:00"))
    assert [judged.verdict for judged in found[:4]] == ["short", "reached", "unknown", "reached"]
    assert len(found) == 12


@pytest.mark.parametrize(
    ("cells", "silent", "now", "missed"),
    [
        ({}, NEVER, "24 07:00", None),
        ({EVENING: 7}, NEVER, "23 17:59", None),
        ({EVENING: 7}, NEVER, "23 18:00", EVENING),
        ({MORNING: 7}, NEVER, "23 13:29", MORNING),
        ({MORNING: 7, EVENING: 5}, NEVER, "23 14:00", MORNING),
        ({MORNING: 7, EVENING: 8}, NEVER, "23 14:00", None),
        ({MORNING: 7, EVENING: 7}, NEVER, "23 18:00", EVENING),
        # Of a silent shift nobody knows; the one before it was short.
        ({MORNING: 7, EVENING: 0}, [("23 13:00", "23 19:00")], "23 18:00", MORNING),
        ({EVENING: 0}, [("23 13:00", "23 19:00")], "23 18:00", None),
    ],
)
def test_a_zone_is_short_until_a_later_window_reaches_its_target(
    cells: dict[int, int], silent: list[tuple[str, str]], now: str, missed: int | None
) -> None:
    """The one that is on may; one of which nothing is known neither misses nor makes up."""
    found = missed_window(zone(cells, silent=silent, now=now), at(now))
    assert (found and found.window.from_ms) == missed


def test_a_short_window_is_not_held_against_a_zone_for_ever() -> None:
    """Fifteen windows are looked at, none of them before the record begins."""
    blind = [("23 12:30", "2026-12-30 00:00")]
    one = zone({MORNING: 1}, silent=blind, now="2026-12-02T00:00:00")
    cells = dict.fromkeys(range(MORNING, at("2026-12-02T00:00:00"), 1800000), 1)
    one.record.told = cells  # type: ignore[attr-defined]
    assert missed_window(one, at("30 12:00")) is not None
    assert missed_window(one, at("2026-12-02T00:00:00")) is None
    late = zone({MORNING: 1, EVENING: 1}, known="23 19:00", now="24 00:00")
    assert missed_window(late, at("24 00:00")) is None


@pytest.mark.parametrize(
    ("morning", "evening", "result"), [(8, 8, True), (7, 10, False), (10, 7, False)]
)
def test_every_shift_of_the_day_must_reach_its_target(
    morning: int, evening: int, result: bool
) -> None:
    """8 of 10 is the target of each; one does not make up for the other."""
    assert verdict(cells={MORNING: morning, EVENING: evening}) is result


def test_a_day_that_is_not_over_may_still_be_short_or_reached() -> None:
    """Nothing is said of a shift that goes on, unless it is there already."""
    assert verdict(cells={EVENING: 3}, now="23 15:00") is None
    assert verdict(cells={EVENING: 8}, now="23 15:00") is True
    assert verdict(cells={MORNING: 3, EVENING: 3}, now="23 15:00") is False
    assert verdict(cells={DAY.from_ms: 3}, now="23 15:00", window="day") is None
    assert verdict(cells={DAY.from_ms: 3}, now="24 00:00", window="day") is False
    assert verdict(cells={DAY.from_ms: 8}, now="23 15:00", window="day") is True


def test_without_duty_nothing_is_reached_or_missed() -> None:
    """On a Sunday nobody rides: neither the shifts nor the day say anything."""
    sunday = Window(at("29 00:00"), at("30 00:00"))
    for window in ("shift", "day"):
        asked = zone({}, now="30 12:00", window=window)
        assert judge_day(asked, sunday) == ("unknown", "no_window")


def test_a_week_is_no_matter_of_a_day() -> None:
    """Not even of the Sunday on which it ends."""
    for first in ("23 00:00", "29 00:00"):
        day = Window(at(first), at(first) + 86_400_000)
        assert verdict(cells={}, day=day, now="30 12:00", window="week") is None


def test_a_shift_over_midnight_is_of_the_day_it_ends_on() -> None:
    """It is judged once."""
    night = ["Mon 22:00-02:00"]
    tuesday = Window(DAY.to_ms, DAY.to_ms + 86_400_000)
    assert verdict(cells={at("23 22:00"): 1}, hours=night) is None
    assert verdict(cells={at("23 22:00"): 1}, hours=night, day=tuesday) is False
