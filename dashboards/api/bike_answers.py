"""Shapes of the answers about bikes, their days and their tracks; as of ``answers.py``."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from bikes.fleet import Liveness
from dashboards.api.answers import Time
from geofence.quality import Verdict


class Bike(TypedDict):
    """The newest that is known of a bike; null where it never said.

    `liveness` is live, stale, silent or offline; `at` is the time of its newest fix, from which
    position (WGS-84 [degrees]), heading, speed and accuracy are.
    """

    vendor: str
    bike_id: str
    liveness: Liveness
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
    verdicts: dict[Verdict, int]


class BikeMarks(TypedDict):
    """Fixes as columns, by time: device time [ms], WGS-84 [degrees], verdict."""

    timestamps: list[int]
    lat: list[float]
    lng: list[float]
    verdicts: list[Verdict]


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


class Point(TypedDict):
    """RFC 7946: a position [lng, lat]."""

    type: Literal["Point"]
    coordinates: list[float]


class BikeFeature(TypedDict):
    """A bike where it is; without a geometry when that is not known."""

    type: Literal["Feature"]
    geometry: Point | None
    properties: Bike


class BikeFeatures(TypedDict):
    """A page of bikes on a map."""

    at: Time
    type: Literal["FeatureCollection"]
    features: list[BikeFeature]
    next_cursor: NotRequired[str]


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


Tracks = TypedDict(
    "Tracks",
    {
        "from": Time,
        "to": Time,
        "step_s": int,
        "duty": list[list[int]],
        "bikes": list[BikeTrack],
    },
)
"""One believed fix per bike and step, of the bikes that have any, by vendor and id."""


class Positions(TypedDict):
    """RFC 7946: positions [lng, lat]; a MultiPoint when there are too few for a line."""

    type: Literal["LineString", "MultiPoint"]
    coordinates: list[list[float]]


TrackProperties = TypedDict(
    "TrackProperties",
    {
        "vendor": str,
        "bike_id": str,
        "from": Time,
        "to": Time,
        "timestamps": list[int],
        "verdicts": list[Verdict],
    },
)
"""Device time [ms] and verdict of each position."""


class TrackRow(TypedDict):
    """A row of a track as CSV; `timestamp` is the device time [ms]."""

    timestamp: int
    lat: float
    lng: float
    verdict: Verdict


class Track(TypedDict):
    """A page of where a bike has been, by time."""

    type: Literal["Feature"]
    id: str
    geometry: Positions
    properties: TrackProperties
    next_cursor: NotRequired[str]


class RiddenProperties(TypedDict):
    """Whose frames they are, and their columns."""

    vendor: str
    bike_id: str
    timestamps: list[int]
    heading: NotRequired[list[float | None]]


class Ridden(TypedDict):
    """The frames of a bike on a map."""

    type: Literal["Feature"]
    geometry: Positions
    properties: RiddenProperties


TracksOnMap = TypedDict(
    "TracksOnMap",
    {
        "from": Time,
        "to": Time,
        "step_s": int,
        "duty": list[list[int]],
        "type": Literal["FeatureCollection"],
        "features": list[Ridden],
    },
)
"""The frames of all bikes on a map, a line for each."""


class TracksRow(TypedDict):
    """A row of the frames of all bikes as CSV."""

    vendor: str
    bike_id: str
    timestamp: int
    lat: float
    lng: float
    heading: float | None
