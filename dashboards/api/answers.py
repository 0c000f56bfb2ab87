"""The shapes of the answers: plain dictionaries, typed, and named in the OpenAPI document.

They are encoded by msgspec, which writes NaN as null and takes a tenth of the time that
validating them again would.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired

import msgspec
from starlette.responses import Response
from typing_extensions import TypedDict

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


class ProblemDocument(TypedDict):
    """RFC 9457; `reason` is the word a program decides by."""

    type: str
    title: str
    status: int
    detail: str
    reason: str


class ZoneCoverage(TypedDict):
    """How a zone stands. Idle times and frequency count duty time only [s].

    `state` and `reason` are words of the contract; `detail` is for people. `campaign` is the one
    in force; in a pause `paused_until` is its end, if it has one, and `detail` why.
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


class Bike(TypedDict):
    """The newest that is known of a bike; null where it never said.

    `liveness` is live, stale, silent or offline; `at` is the time of its newest fix, from which
    position, heading, speed and accuracy are.
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


# "from" is a word of Python, so this one cannot be written as a class.
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


class RejectedMessage(TypedDict):
    """A message, or an item of one, that was not accepted."""

    reason: str
    detail: str
    received_at: Time
    topic: str
    payload: str
    index: int | None
    vendor: str
    bike_id: str


class Rejects(TypedDict):
    """Counts since the start, and the last messages, newest first."""

    counts: dict[str, dict[str, int]]
    rejects: list[RejectedMessage]
    next_cursor: NotRequired[str]


class PartState(TypedDict):
    """One part of the system."""

    name: str
    ok: bool
    reason: str
    required: bool


class Readiness(TypedDict):
    """Whether every part does its work that is required."""

    ready: bool
    parts: list[PartState]
