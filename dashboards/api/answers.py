"""Shapes of the answers, from which the OpenAPI document is made.

They are encoded by msgspec, which writes NaN as null and takes a tenth of the time that
validating them again would: tests hold every answer to its shape. Each field is described in
``fields.toml``. Those with a key `from` are written as calls: it is a word of Python.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired

import msgspec
from starlette.responses import JSONResponse
from typing_extensions import TypedDict

from alerts.lifecycle import Event, State
from alerts.rules.registry import Severity, Subject
from geofence.windows import Verdict
from geofence.zone_state import StateReason, ZoneState

Time = str
"""RFC 3339 with the district's offset."""


class Answer(JSONResponse):
    """A response whose content is encoded as JSON by msgspec."""

    def render(self, content: object) -> bytes:
        return msgspec.json.encode(content)


class GeoAnswer(Answer):
    """GeoJSON (RFC 7946)."""

    media_type = "application/geo+json"


# -- zones as they are drawn, and their cells ------------------------------------


class Polygon(TypedDict):
    """RFC 7946: rings of [lng, lat], the outer one first."""

    type: Literal["Polygon"]
    coordinates: list[list[list[float]]]


class MultiPolygon(TypedDict):
    """RFC 7946: several polygons."""

    type: Literal["MultiPolygon"]
    coordinates: list[list[list[list[float]]]]


class DrawnZone(TypedDict):
    """What a zone is called and asked, and where its name can stand."""

    zone_id: str
    name: str
    name_zh: str | None
    policy: str
    code: str | None
    label: list[float]


class ZoneVersion(DrawnZone):
    """A zone as it is drawn from `valid_from` to `valid_to`."""

    valid_from: Time | None
    valid_to: Time | None


class ZoneVersionFeature(TypedDict):
    """A version of a zone, and its outline."""

    type: Literal["Feature"]
    id: str
    geometry: Polygon | MultiPolygon
    properties: ZoneVersion


class ZoneVersions(TypedDict):
    """Every outline of a zone, the oldest first."""

    type: Literal["FeatureCollection"]
    version: str
    features: list[ZoneVersionFeature]


class ZoneWarning(TypedDict):
    """A mistake that was let pass: where it is, and what it is."""

    where: str
    message: str


class ZoneChange(TypedDict):
    """What came of drawing a zone, or letting it end, at an instant.

    `live` is false when it takes effect at the next start of the station only. `cells_total` is
    the patrollable cells from then on, and null when there are none. `warnings` are the narrow
    overlaps with neighbours, which were let pass.
    """

    zone_id: str
    version: str
    at: Time
    dry_run: bool
    live: bool
    cells_total: int | None
    versions: ZoneVersions
    warnings: list[ZoneWarning]


class ZonesImport(TypedDict):
    """What came of a file of zones: their ids, from when on, and how many cells they have then.

    `live` and `warnings` as when one is drawn.
    """

    zone_ids: list[str]
    version: str
    at: Time
    dry_run: bool
    live: bool
    cells_total: int
    warnings: list[ZoneWarning]


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


class CellFeature(TypedDict):
    """A unit cell and its square."""

    type: Literal["Feature"]
    geometry: Polygon
    properties: Cell


class CellFeatures(TypedDict):
    """A page of cells on a map."""

    at: Time
    grid: GridBox
    type: Literal["FeatureCollection"]
    features: list[CellFeature]
    next_cursor: NotRequired[str]


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
    state: ZoneState
    reason: StateReason
    detail: str
    covered_ratio: float
    cells_covered: int
    cells_total: int
    cells_expected: int | None
    target: float
    window_from: Time | None
    window_to: Time | None
    idle_s: float | None
    frequency_s: int
    due_in_s: float | None
    oldest_cell_age_s: float | None
    mean_cell_age_s: float | None
    last_patrolled: Time | None
    campaign: str | None
    paused_until: Time | None
    bikes_inside: int | None
    last_visit_by: VisitBy | None


class LiveZone(ZoneCoverage):
    """How a zone stands, and where its name can stand."""

    code: str | None
    label: list[float]


class ZoneFeature(TypedDict):
    """A zone and its outline; without coverage for another instant than now."""

    type: Literal["Feature"]
    id: str
    geometry: Polygon | MultiPolygon
    properties: LiveZone | DrawnZone


class Excluded(TypedDict):
    """A place that cannot be patrolled, and counts for nothing."""

    type: Literal["Feature"]
    geometry: Polygon | MultiPolygon
    properties: ExcludedNames


class ExcludedNames(TypedDict):
    """What a place is called."""

    name: str
    name_zh: str | None


class Zones(TypedDict):
    """All zones as they are drawn, and what is excluded from them."""

    at: Time
    type: Literal["FeatureCollection"]
    version: str
    grid: GridBox
    excluded: list[Excluded]
    features: list[ZoneFeature]


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


# -- alerts, pauses and campaigns ------------------------------------------------


class AlertTransition(TypedDict):
    """One row of an alert's record: what happened, who did it, when, why, and what proves it.

    `undone` says that it was taken back and no longer counts; the row that did so has the event
    `undo` and names this one's `seq` as `undone` in its evidence.
    """

    seq: int
    at: Time
    event: Event
    from_state: State
    to_state: State
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
    severity: Severity
    subject: Subject
    zone_id: str | None
    bike: str | None
    vendor: str | None
    window_from: Time | None
    window_to: Time | None
    state: State
    opened: Time
    updated: Time
    acknowledged_by: str | None
    assigned_to: str | None
    shelved_until: Time | None
    closed: Time | None
    closed_by: str | None
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
