"""How zones stand and stood, and what is asked of them."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from dashboards.api.answers.answer import Time


class VisitBy(TypedDict):
    """A visit: which bike (`vendor/bike_id`), and when."""

    bike: str
    at: Time


class ZoneCoverage(TypedDict):
    """How a zone stands. Idle times and frequency count duty time only [s].

    `state` and `reason` are words of the contract; `detail` is for people. `campaign` is the one
    in force; in a pause `paused_until` is its end, if it has one, and `detail` why.
    `bikes_inside` are live bikes; null for an instant of the past. `last_visit_by` is the newest
    visit of any cell, patrol or not. `cells_expected` is what the window will come to at the rate
    at which new cells come, by which coverage_at_risk is judged; null when nothing can be said.
    """

    zone_id: str
    name: str
    name_zh: str | None
    policy: str
    state: str
    reason: str
    detail: str
    covered_ratio: float
    cells_covered: int
    cells_total: int
    cells_expected: int | None
    target: float
    window_from: Time | None
    window_to: Time | None
    idle_s: float
    frequency_s: int
    due_in_s: float | None
    oldest_cell_age_s: float | None
    mean_cell_age_s: float | None
    last_patrolled: Time | None
    campaign: str | None
    paused_until: Time | None
    bikes_inside: int | None
    last_visit_by: VisitBy | None


class Coverage(TypedDict):
    """All zones, the most urgent first."""

    at: Time
    zones: list[ZoneCoverage]


class ZoneAt(ZoneCoverage):
    """A zone at an instant."""

    at: Time


# "from" is a word of Python, so this one cannot be written as a class.
WindowCoverage = TypedDict(
    "WindowCoverage",
    {
        "zone_id": str,
        "name": str,
        "name_zh": str | None,
        "from": Time,
        "to": Time,
        "covered_ratio": float,
        "cells_covered": int,
        "cells_total": int,
    },
)
"""Cells of a zone visited in [from, to), which are rounded outwards to quarters of an hour."""


ZoneTrend = TypedDict(
    "ZoneTrend",
    {
        "zone_id": str,
        "from": Time | None,
        "to": Time | None,
        "step_s": int,
        "target": float,
        "covered_ratio": list[float | None],
    },
)
"""The covered ratio of a zone's window at the end of each quarter hour of the clock so far; the
last one is as of now. Null before the record; no window before the first shift."""


class Trend(TypedDict):
    """How the current windows of all zones came to be as they are."""

    at: Time
    zones: list[ZoneTrend]


class ZoneDay(TypedDict):
    """A local day of a zone.

    `reached` is whether each shift or day that ends on it reached its target: null for weeks,
    without duty, and while it cannot be said. `duty_s` is the duty so far. `mean_idle_s` is how
    long a cell had been unvisited, in duty time, averaged over the day and the cells; null without
    duty.
    """

    date: str
    covered_ratio: float
    cells_covered: int
    cells_total: int
    target: float
    reached: bool | None
    duty_s: float
    mean_idle_s: float | None


class ZoneDays(TypedDict):
    """Days of a zone. A day of which nothing is known, or that has not begun, is left out."""

    zone_id: str
    days: list[ZoneDay]


HoursException = TypedDict("HoursException", {"summary": str, "from": Time, "to": Time})
"""There is no duty in [from, to), and why."""


class ZonePolicy(TypedDict):
    """What is asked of a zone at an instant. `hours` are lines as in the configuration.

    `paused` says why patrols are paused; null when they are not. `exceptions` are the next
    five, of a year.
    """

    zone_id: str
    policy: str
    campaign: str | None
    frequency_s: int
    target: float
    window: Literal["shift", "day", "week"]
    hours: list[str]
    exceptions: list[HoursException]
    min_cells: int
    look_back_s: int | None
    paused: str | None
    auto_close: bool
    close_hold_s: int
