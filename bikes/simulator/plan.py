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
    """A zone to ride in."""

    zone_id: str
    # Polygon or MultiPolygon, WGS-84, (lng, lat). What cannot be ridden on must already be cut out
    # of it; parts up to 400 m apart are joined by bridges.
    geometry: BaseGeometry


class SimulatedMessage(NamedTuple):
    """One message of the fleet."""

    at_ms: int  # when it is sent, simulated time [ms since the epoch]
    topic: str  # the topic it is published to, with QoS 1
    payload: bytes
    items: int  # telemetry items it carries; a bad message counts as one, a status message as none

    @property
    def retain(self) -> bool:
        """Whether the broker keeps it for later subscribers: true for status messages."""
        return self.topic.endswith("/status")


@dataclass(frozen=True, kw_only=True)
class SimulationPlan:
    """Everything that decides what the fleet does.

    ValueError: the plan contradicts itself; the message lists everything that is wrong with it.
    """

    seed: int  # the same plan with the same seed gives the same messages
    vendor: str  # name of the vendor in the topics
    # The bikes. A bike does the same whichever bikes come after it in the list.
    bike_ids: Sequence[str]
    zones: Sequence[SimZone]  # where they ride
    start_ms: int  # when the simulation begins [ms since the epoch]
    timezone: str = "Asia/Shanghai"  # IANA name of the time zone of `shifts`
    neglected: str | None = None  # zone that nobody goes to: no bike comes near it
    # Zone whose inspectors begin `delayed_by_s` after `start_ms`, until then parked in it. Bikes of
    # other zones keep away.
    delayed: str | None = None
    delayed_by_s: float = 35 * 60.0  # [s]
    # Riding hours of every day, in order; between them bikes are parked.
    shifts: Sequence[tuple[time, time]] = ((time(8), time(12)), (time(13, 30), time(18)))
    interval_s: float = 3.0  # time between two fixes on duty [s]
    street_spacing_m: float = 135.0  # mean distance of parallel streets [m]
    # Probability that an inspector is sent to a neighbouring zone in a shift. The first bike of a
    # zone always stays.
    reassigned: float = 0.25
    # Share of fixes with a stated accuracy of 60 to 150 m, and an error to match.
    inaccurate: float = 0.003
    # Share of fixes that lie 300 to 2000 m off and claim an accuracy of a few metres.
    outlier: float = 0.0002
    dropouts_per_hour: float = 0.3  # how often a bike's radio goes away
    # Shortest and longest time it stays away [s]; the stored fixes are sent afterwards.
    dropout_s: tuple[float, float] = (120.0, 600.0)
    upload_items: int = 500  # most items in one message of stored fixes
    duplicate: float = 0.004  # share of messages that are sent twice
    # Share of live messages that are mangled: not JSON, a field missing, a latitude that does not
    # exist, or another device's id.
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

        Bikes go one after the other to the zone that has the fewest, so that one more bike moves
        no other.
        """
        bikes = [0] * len(self.zones)
        wanted = [float(zone.zone_id != self.neglected) for zone in self.zones]
        stations = []
        for _ in self.bike_ids:
            at = furthest_below(wanted, bikes)
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
        if not (topics.NAME.fullmatch(self.vendor) and all(map(topics.is_bike, self.bike_ids))):
            yield f"vendor: a name is 1 to 64 of A-Z a-z 0-9 _ -; bike_ids: {topics.BIKE_FORM}"
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


def furthest_below(weights: Sequence[float], bikes: Sequence[int]) -> int:
    """Position of what has the fewest bikes for its weight, a share, the first of several.

    Seats are given to parties so: by the divisors 1, 3, 5 ... of Webster and Sainte-Laguë (1910).
    """
    return max(range(len(weights)), key=lambda n: (weights[n] / (2 * bikes[n] + 1), -n))
