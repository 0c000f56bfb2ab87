"""Zones as they are drawn, and their cells."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from dashboards.api.answers.answer import Time


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
    """What a policy asks: how often, and how much of each window."""

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
