"""The plan of a simulated fleet: its zones, its hours and its mishaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from shapely.geometry.base import BaseGeometry

from bikes import topics


class SimZone(NamedTuple):
    """A zone to ride in.

    Attributes
    ----------
    zone_id : str
        Its name.
    geometry : shapely geometry
        Polygon or MultiPolygon, WGS-84, (lng, lat). What cannot be ridden on must already be
        cut out of it; parts up to 400 m apart are joined by bridges.
    weight : float
        Its share of the bikes, relative to the other zones; positive.
    """

    zone_id: str
    geometry: BaseGeometry
    weight: float = 1.0


class SimulatedMessage(NamedTuple):
    """One message of the fleet.

    Attributes
    ----------
    at_ms : int
        When it is sent, simulated time [ms since the epoch].
    topic : str
        The topic it is published to, with QoS 1.
    payload : bytes
        What is sent.
    items : int
        Telemetry items it carries; a bad message counts as one, a status message as none.
    """

    at_ms: int
    topic: str
    payload: bytes
    items: int

    @property
    def retain(self) -> bool:
        """Whether the broker keeps it for later subscribers: true for status messages."""
        return self.topic.endswith("/status")


@dataclass(frozen=True, kw_only=True)
class SimulationPlan:
    """Everything that decides what the fleet does.

    Attributes
    ----------
    seed : int
        The same plan with the same seed gives the same messages.
    vendor : str
        Name of the vendor in the topics.
    bike_ids : sequence of str
        The bikes. A bike does the same whichever bikes come after it in the list.
    zones : sequence of SimZone
        Where they ride.
    start_ms : int
        When the simulation begins [ms since the epoch].
    timezone : str
        IANA name of the time zone of `shifts`.
    neglected : str, optional
        Zone that nobody goes to: no bike comes near it.
    delayed : str, optional
        Zone whose inspectors begin `delayed_by_s` after `start_ms`, until then parked in it.
        Bikes of other zones keep away.
    delayed_by_s : float
        [s].
    shifts : sequence of (time, time)
        Riding hours of every day, in order; between them bikes are parked.
    interval_s : float
        Time between two fixes on duty [s].
    street_spacing_m : float
        Mean distance of parallel streets [m].
    reassigned : float
        Probability that an inspector is sent to a neighbouring zone in a shift. The first bike
        of a zone always stays.
    inaccurate : float
        Share of fixes with a stated accuracy of 60 to 150 m, and an error to match.
    outlier : float
        Share of fixes that lie 300 to 2000 m off and claim an accuracy of a few metres.
    dropouts_per_hour : float
        How often a bike's radio goes away.
    dropout_s : (float, float)
        Shortest and longest time it stays away [s]; the stored fixes are sent afterwards.
    upload_items : int
        Most items in one message of stored fixes.
    duplicate : float
        Share of messages that are sent twice.
    bad : float
        Share of live messages that are mangled: not JSON, a field missing, a latitude that does
        not exist, or another device's id.

    Raises
    ------
    ValueError
        The plan contradicts itself; the message lists everything that is wrong with it.
    """

    seed: int
    vendor: str
    bike_ids: Sequence[str]
    zones: Sequence[SimZone]
    start_ms: int
    timezone: str = "Asia/Shanghai"
    neglected: str | None = None
    delayed: str | None = None
    delayed_by_s: float = 35 * 60.0
    shifts: Sequence[tuple[time, time]] = ((time(8), time(12)), (time(13, 30), time(18)))
    interval_s: float = 3.0
    street_spacing_m: float = 135.0
    reassigned: float = 0.25
    inaccurate: float = 0.003
    outlier: float = 0.0002
    dropouts_per_hour: float = 0.3
    dropout_s: tuple[float, float] = (120.0, 600.0)
    upload_items: int = 500
    duplicate: float = 0.004
    bad: float = 0.002

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValueError("simulation plan: " + "; ".join(problems))

    def shift_times(self) -> Iterator[tuple[float, float]]:
        """Begin and end of every shift that is not over at the start [s after the start]."""
        zone = ZoneInfo(self.timezone)
        day = datetime.fromtimestamp(self.start_ms / 1000, zone).date()
        while True:
            for begin, end in self.shifts:
                begins, ends = (
                    datetime.combine(day, at, zone).timestamp() - self.start_ms / 1000
                    for at in (begin, end)
                )
                if ends > 0:
                    yield max(begins, 0.0), ends
            day += timedelta(days=1)

    def stations(self) -> list[int]:
        """For each bike the position of its zone in `zones`.

        Bikes go one after the other to the zone that is furthest below its share, so that one
        more bike moves no other.
        """
        bikes = [0] * len(self.zones)
        staffed = [n for n, zone in enumerate(self.zones) if zone.zone_id != self.neglected]
        stations = []
        for _ in self.bike_ids:
            at = max(staffed, key=lambda n: (self.zones[n].weight / (2 * bikes[n] + 1), -n))
            bikes[at] += 1
            stations.append(at)
        return stations

    def _problems(self) -> Iterator[str]:
        zone_ids = [zone.zone_id for zone in self.zones]
        if len(set(zone_ids)) < len(zone_ids):
            yield "zones: a zone_id appears twice"
        if len(set(self.bike_ids)) < len(self.bike_ids):
            yield "bike_ids: a bike appears twice"
        for name in ("neglected", "delayed"):
            zone_id = getattr(self, name)
            if zone_id is not None and zone_id not in zone_ids:
                yield f"{name}: there is no zone {zone_id!r}"
        if self.neglected is not None and self.neglected == self.delayed:
            yield "neglected and delayed are the same zone"
        if not set(zone_ids) - {self.neglected}:
            yield "zones: there is none to ride in"
        if any(not zone.weight > 0 for zone in self.zones):
            yield "zones: every weight must be positive"
        if any(not topics.NAME.fullmatch(name) for name in (self.vendor, *self.bike_ids)):
            yield "vendor and bike_ids: names are 1 to 64 of A-Z a-z 0-9 _ -"
        if not self.shifts or any(begin >= end for begin, end in self.shifts):
            yield "shifts: each must end later than it begins, and there must be one"
        for name in ("reassigned", "inaccurate", "outlier", "duplicate", "bad"):
            if not 0 <= getattr(self, name) <= 1:
                yield f"{name}: a share lies between 0 and 1"
        for name in ("interval_s", "street_spacing_m", "upload_items"):
            if not getattr(self, name) > 0:
                yield f"{name}: must be positive"
        if not 0 < self.dropout_s[0] <= self.dropout_s[1]:
            yield "dropout_s: must be positive, the smaller first"
