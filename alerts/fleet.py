"""Facts of bikes and vendors for the rules, from the fleet's state and counts of messages."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bikes.fleet import NEVER, FleetState
from bikes.roster import Roster
from geofence.atlas import Atlas
from geofence.zonemap import DistrictEdge, ZoneMap

Limits = Mapping[str, float]
"""The limits of all rules, by the names of :class:`alerts.rules.registry.Setting`."""

FRESH_S: Final = 3600
"""A battery level or a position older than this says nothing about now [s]."""


class BikeFacts(NamedTuple):
    """The newest facts of a bike; None for a fact that it never reported."""

    bike: str  # ``vendor/bike_id``
    heard_ms: int | None = None  # its newest fix, or anything received from it
    fix_ms: int | None = None  # device time of the newest fix
    outside_m: float | None = None  # of all zones, at least, given its accuracy; 0 inside
    battery_percent: float | None = None
    battery_ms: int | None = None


class VendorFacts(NamedTuple):
    """Items of telemetry that a vendor has sent in a period, and rejected ones among them."""

    received: int
    rejected: int


class Silence(NamedTuple):
    """Bikes of a vendor that were heard within a day, and the silent ones among them."""

    silent: int
    heard: int


BUCKET_MS = 60_000
"""Received and rejected messages are counted by the minute [ms]."""


@dataclass
class Fleet:
    """The state of bikes and vendors. Called by one evaluation at a time, once a second.

    A bike is named ``vendor/bike_id``; one outside all zones is outside the district.
    """

    atlas: Atlas
    fleet: Callable[[], FleetState]
    """Who was heard: the same view for as long as one evaluation takes."""
    roster: Roster
    keep_ms: int  # how far back messages are counted [ms]
    line_lost_s: Callable[[], float | None] = lambda: None
    """How long no message of the station's own has come back; 0: they do; None: not known [s]."""
    _index: dict[str, int] = field(default_factory=dict)
    _fix_ms: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    _outside_m: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    _measured: FleetState | None = None  # the view whose fixes were measured last
    _counts: deque[tuple[int, Counter[str], Counter[str]]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._follow(self.atlas.layout.eras[0].zones)

    def _follow(self, zones: ZoneMap) -> None:
        """Measure by other zones from now on."""
        self._zones, self._edge = zones, DistrictEdge(zones)
        self._fix_ms = np.full(self._fix_ms.size, NEVER)
        self._measured = None

    def add(
        self, received_at_ms: int, received: Mapping[str, int], rejected: Mapping[str, int]
    ) -> None:
        """Count what came by vendor: items of telemetry, and rejected ones among them."""
        minute = received_at_ms // BUCKET_MS
        if not self._counts or self._counts[-1][0] < minute:
            self._counts.append((minute, Counter(), Counter()))
        self._counts[-1][1].update(received)
        self._counts[-1][2].update(rejected)
        while self._counts[0][0] < minute - self.keep_ms // BUCKET_MS - 1:
            self._counts.popleft()

    def bikes(self) -> list[str]:
        """All bikes of the roster."""
        return [str(self.roster.key(bike)) for bike in range(len(self.roster))]

    def heard_between(self, from_ms: int, to_ms: int) -> list[str]:
        """Bikes that were heard last in ``[from_ms, to_ms)``."""
        heard_ms = self._heard_ms()
        return self._named((heard_ms >= from_ms) & (heard_ms < to_ms))

    def charged_at_most(self, percent: float) -> list[str]:
        """Bikes whose newest battery level is so low [%]."""
        return self._named(self._column("charge_battery_percent") <= percent)  # NaN is not

    def outside_by(self, metres: float, now_ms: int) -> list[str]:
        """Bikes whose newest fix is farther than this outside all zones of an instant [m]."""
        zones = self.atlas.at(now_ms)
        if zones is not self._zones:
            self._follow(zones)
        self._measure()
        return self._named(self._outside_m > metres)

    def _named(self, bikes: NDArray[np.bool_]) -> list[str]:
        return [str(self.roster.key(bike)) for bike in np.flatnonzero(bikes).tolist()]

    def bike(self, bike: str) -> BikeFacts | None:
        """Facts of a bike; None when there is no such bike."""
        while len(self._index) < len(self.roster):
            key = self.roster.key(len(self._index))
            self._index[str(key)] = len(self._index)
        index = self._index.get(bike)
        if index is None:
            return None
        self._measure()
        state = self.fleet().of(index)
        times = [at_ms for at_ms in (state.last_ms, state.heard_at_ms) if at_ms is not None]
        known = state.last_ms is not None and index < self._outside_m.size
        return BikeFacts(
            bike,
            heard_ms=max(times, default=None),
            fix_ms=state.last_ms,
            outside_m=float(self._outside_m[index]) if known else None,
            battery_percent=state.battery_percent,
            battery_ms=state.battery_at_ms,
        )

    def heard(self, since_ms: int) -> int:
        """The number of bikes heard at or after an instant [ms]."""
        return int((self._heard_ms() >= since_ms).sum())

    def vendors(self, since_ms: int) -> dict[str, VendorFacts]:
        """Messages of each configured vendor since the minute of an instant [ms]."""
        received: Counter[str] = Counter()
        rejected: Counter[str] = Counter()
        for minute, some, bad in self._counts:
            if minute >= since_ms // BUCKET_MS:
                received.update(some)
                rejected.update(bad)
        return {
            vendor: VendorFacts(received[vendor], rejected[vendor])
            for vendor in sorted(self.roster.vendors)
        }

    def _heard_ms(self) -> NDArray[np.int64]:
        state = self.fleet().state()
        heard: NDArray[np.int64] = np.maximum(state["fix_timestamp_ms"], state["heard_at_ms"])
        return heard

    def _measure(self) -> None:
        """Bring up to date how far the newest fixes are outside."""
        if self._measured is self.fleet():
            return
        self._measured = self.fleet()
        fix_ms = self.fleet().state()["fix_timestamp_ms"]
        missing = fix_ms.size - self._fix_ms.size
        self._fix_ms = np.append(self._fix_ms, np.full(missing, NEVER))
        self._outside_m = np.append(self._outside_m, np.zeros(missing))
        new = np.flatnonzero(fix_ms != self._fix_ms)
        if not new.size:
            return
        lat, lng = self._column("fix_lat_deg")[new], self._column("fix_lng_deg")[new]
        accuracy_m = np.nan_to_num(self._column("fix_accuracy_m")[new])
        self._outside_m[new] = np.maximum(0, self._edge.outside_m(lat, lng) - accuracy_m)
        self._fix_ms[new] = fix_ms[new]

    def _column(self, name: str) -> NDArray[np.float64]:
        return self.fleet().state()[name].astype(np.float64, copy=False)
