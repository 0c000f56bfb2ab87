"""Shapes of the answers, as the OpenAPI document states them.

They are encoded by msgspec, which writes NaN as null and takes a tenth of the time that
validating them again would. Those with a key `from` are written as calls: it is a word of Python.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired

import msgspec
from starlette.responses import Response
from typing_extensions import TypedDict

from geofence.windows import Verdict

Time = str
"""RFC 3339 with the district's offset."""


class Answer(Response):
    """A response whose content is encoded as JSON by msgspec."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return msgspec.json.encode(content)


class GeoAnswer(Answer):
    """GeoJSON (RFC 7946)."""

    media_type = "application/geo+json"


# -- zones as they are drawn, and their cells ------------------------------------


class ZoneChange(TypedDict):
    """What came of drawing a zone, or letting it end, at an instant.

    `live` is false when it takes effect at the next start of the station only. `cells_total` is
    the patrollable cells from then on, and null when there are none; `versions` a GeoJSON
    FeatureCollection.
    """

    zone_id: str
    version: str
    at: Time
    dry_run: bool
    live: bool
    cells_total: int | None
    versions: dict[str, Any]


class PolicyName(TypedDict):
    """What a policy asks: how often [s of duty], and which ratio of each window, 0 to 1."""

    name: str
    frequency_s: int
    target: float
    window: str


class Policies(TypedDict):
    """All that a zone can have."""

    policies: list[PolicyName]


class GridBox(TypedDict):
    """The box the grid covers, WGS-84 [degrees], and its cells."""

    south: float
    west: float
    north: float
    east: float
    rows: int
    cols: int
    cell_m: float


class Cell(TypedDict):
    """A unit cell: its centre, WGS-84, and how long ago it was visited [s]."""

    cell: int
    zone_id: str
    lat: float
    lng: float
    last_visit: Time | None
    seen: Literal["observed", "inferred"] | None
    age_s: float | None


class Cells(TypedDict):
    """A page of cells."""

    at: Time
    grid: GridBox
    cells: list[Cell]
    next_cursor: NotRequired[str]


# -- how zones stand and stood, and what is asked of them ------------------------


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

    `verdict` says whether each shift or day that ends on it reached its target, and `reason` why:
    "unknown" for weeks, without duty, and while nobody can tell. `reached` says the same, as true,
    false and null. `windows` counts by verdict the windows with duty that end on the day, weeks
    too. `duty_s` is the duty so far. `mean_idle_s` is how
    long a cell had been unvisited, in duty time, averaged over the day and the cells; null without
    duty.
    """

    date: str
    covered_ratio: float
    cells_covered: int
    cells_total: int
    target: float
    reached: bool | None
    verdict: Verdict
    reason: str
    windows: dict[Verdict, int]
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


# -- bikes, their days and their tracks ------------------------------------------


class Bike(TypedDict):
    """The newest that is known of a bike; null where it never said.

    `liveness` is live, stale, silent or offline; `at` is the time of its newest fix, from which
    position (WGS-84 [degrees]), heading, speed and accuracy are.
    """

    vendor: str
    bike_id: str
    liveness: str
    online: bool | None
    vehicle_state: str | None
    at: Time | None
    lat: float | None
    lng: float | None
    heading_deg: float | None
    speed_mps: float | None
    accuracy_m: float | None
    battery_percent: float | None
    zone_id: str | None


class Bikes(TypedDict):
    """A page of bikes."""

    at: Time
    bikes: list[Bike]
    next_cursor: NotRequired[str]


class BikeZone(TypedDict):
    """What a bike did in a zone on a day; `cells` is null when it is not known any more."""

    zone_id: str
    time_s: float
    cells: int | None


class BikeDay(TypedDict):
    """A local day of a bike.

    `distance_m` is along the believed path. `cells_first` are those that no other bike had
    visited earlier that day, `redundant_share` is the share of the others. What is of cells is
    null for a day that the ledger does not remember, and the share for a bike without cells.
    """

    vendor: str
    bike_id: str
    date: str
    distance_m: float
    cells: int | None
    cells_first: int | None
    redundant_share: float | None
    zones: list[BikeZone]
    verdicts: dict[str, int]


class BikeMarks(TypedDict):
    """Fixes as columns, by time: device time [ms], WGS-84 [degrees], verdict."""

    timestamps: list[int]
    lat: list[float]
    lng: list[float]
    verdicts: list[str]


BikeStop = TypedDict("BikeStop", {"from": Time, "to": Time, "lat": float, "lng": float})
"""Where a bike was parked, WGS-84 [degrees]."""


class BikeCells(TypedDict):
    """Cells as columns: their centres, WGS-84 [degrees], and whether the bike came first."""

    lat: list[float]
    lng: list[float]
    first: list[bool]


class BikePath(TypedDict):
    """A local day of a bike as it is drawn.

    `path` are stretches of positions [lat, lng] that nothing interrupts. `rejected` are fixes
    that are not believed, `rejected_total` says how many there are. `cells` are those of
    BikeDay, null likewise; `cell` is their height and width [degrees of lat, of lng].
    """

    vendor: str
    bike_id: str
    date: str
    path: list[list[list[float]]]
    stops: list[BikeStop]
    rejected: BikeMarks
    rejected_total: int
    cells: BikeCells | None
    cell: list[float]


class BikeDays(TypedDict):
    """A page of bikes, by vendor and id."""

    date: str
    days: list[BikeDay]
    next_cursor: NotRequired[str]


class BikeTrack(TypedDict):
    """Frames of a bike as columns; `heading` is null before it has moved [degrees]."""

    vendor: str
    bike_id: str
    timestamps: list[int]
    lat: list[float]
    lng: list[float]
    heading: NotRequired[list[float | None]]


Tracks = TypedDict("Tracks", {"from": Time, "to": Time, "step_s": int, "bikes": list[BikeTrack]})
"""One believed fix per bike and step, of the bikes that have any, by vendor and id."""


# -- alerts, pauses and campaigns ------------------------------------------------


class AlertTransition(TypedDict):
    """One row of an alert's record: what happened, who did it, when, why, and what proves it.

    `undone` says that it was taken back and no longer counts; the row that did so has the event
    `undo` and names this one's `seq` as `undone` in its evidence.
    """

    seq: int
    at: Time
    event: str
    from_state: str
    to_state: str
    actor: str
    reason: str
    evidence: dict[str, Any]
    until: Time | None
    assigned_to: str | None
    undone: bool


class Alert(TypedDict):
    """An alert as it stands.

    `undo_until` is until when who did the last to it can take that back; null when the last that
    happened is nothing of that kind.
    """

    alert_id: str
    rule: str
    severity: str
    subject: str
    zone_id: str | None
    bike: str | None
    vendor: str | None
    window_from: Time | None
    window_to: Time | None
    state: str
    opened: Time
    updated: Time
    acknowledged_by: str | None
    assigned_to: str | None
    shelved_until: Time | None
    closed: Time | None
    reopened: int
    undo_until: Time | None
    reason: str
    evidence: dict[str, Any]


class AlertRecord(Alert):
    """An alert with its history, oldest first."""

    history: list[AlertTransition]


class Alerts(TypedDict):
    """A page of alerts, the newest first."""

    at: Time
    alerts: list[Alert]
    next_cursor: NotRequired[str]


Campaign = TypedDict(
    "Campaign",
    {
        "name": str,
        "kind": Literal["campaign", "pause"],
        "zones": list[str],
        "from": Time,
        "to": Time,
        "keys": dict[str, Any],
        "state": Literal["planned", "in_force", "over"],
        "source": Literal["configuration", "console"],
        "ordered_by": str | None,
        "ordered_at": Time | None,
        "reason": str,
        "ended_by": str | None,
        "ended_at": Time | None,
        "end_reason": str,
    },
)
"""What overrides the policy of some zones from `from` to `to`, or to `ended_at` if that is earlier.

`keys` are keys of a policy, as written; a pause has `paused`.
"""


class Campaigns(TypedDict):
    """Pauses and campaigns."""

    at: Time
    campaigns: list[Campaign]
