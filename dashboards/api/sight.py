"""What a listener to the event stream looks at, and which bikes have changed: by columns.

Everything about bikes is a column by the roster's index, because a large fleet is looked at twice a
second: when a bike changed last, where it is, in which zone, and whether it is alive. An answer is
written only for a bike that has changed and that somebody looks at.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bikes.fleet import LIVENESS, FleetState, Liveness
from bikes.roster import BikeKey
from dashboards.api.bike_answers import Bike
from dashboards.api.views import Indices, Views
from dashboards.sources import Sources

MOST_SEEN: Final = 2_000
"""Where more bikes than this are looked at only every second is told, or fourth, and so on."""

_SHOWN: Final = (
    "online", "vehicle_state", "last_ms", "lat_deg", "lng_deg", "heading_deg", "speed_mps",
    "accuracy_m", "battery_percent",
)  # fmt: skip
"""Fields of a state that an answer about a bike is made of."""


class Sight(NamedTuple):
    """What a listener looks at; without a limit, all bikes.

    With one, bikes in the box, the zone or of the name, and those with an open alert.
    """

    box: tuple[float, ...] | None = None  # west, south, east, north [degrees]
    zone_id: str | None = None
    bike: BikeKey | None = None
    alerted: bool = False  # only bikes with an open alert, beside those above

    @property
    def limited(self) -> bool:
        """Whether only some bikes are looked at."""
        return self != EVERYTHING


EVERYTHING: Final = Sight()


class Herd:
    """All bikes as of the last look, and the number of the change that each had last.

    Bikes are indices of the roster, shape (n,). It is for the event loop.
    """

    def __init__(self, sources: Sources, views: Views) -> None:
        self._sources, self._views = sources, views
        self._fleet = FleetState(sources.roster)
        self._zones = sources.zones
        self.number = np.zeros(0, np.int64)  # of the last change
        self._at = np.zeros((2, 0))  # lat and lng [degrees]
        self._zone = np.zeros(0, np.int64)  # -1 for none
        self._alive = np.zeros(0, np.int64)
        self._alerted = np.zeros(0, np.bool_)

    def look(self, number: int) -> int:
        """Number the bikes that have changed since the look before, from number + 1 on.

        Returns the newest number.
        """
        sources = self._sources
        fleet, zones = sources.view().fleet, sources.zones
        known, size = len(fleet), len(sources.roster)  # which has all of the fleet

        def grown(column: NDArray[Any]) -> NDArray[Any]:
            more = size - column.size
            return np.append(column, np.zeros(more, column.dtype)) if more else column

        self.number = grown(self.number)
        changed = self.number == 0
        if fleet is not self._fleet:
            changed[:known] |= fleet.differs(self._fleet, _SHOWN)
        alive = np.full(size, LIVENESS.index("silent"))
        alive[:known] = fleet.liveness(sources.now_ms())
        alerted = self._with_alerts(size)
        changed |= (alive != grown(self._alive)) | (alerted != grown(self._alerted))
        if zones is not self._zones:
            changed[:] = True
        rows = np.flatnonzero(changed)
        self._at = np.full((2, size), np.nan)
        self._at[:, :known] = fleet.position()
        self._zone = grown(self._zone)
        self._zone[rows] = zones.zone_of(*self._at[:, rows])
        self.number[rows] = np.arange(number + 1, number + 1 + rows.size)
        self._fleet, self._zones, self._alive, self._alerted = fleet, zones, alive, alerted
        return number + rows.size

    def _with_alerts(self, size: int) -> NDArray[np.bool_]:
        roster, found = self._sources.roster, np.zeros(size, np.bool_)
        for alert in self._sources.book.current():
            key = BikeKey(*(alert.bike or "").partition("/")[::2])
            if key in roster and (row := roster.at(key)) < size:
                found[row] = True
        return found

    @property
    def alive(self) -> Counter[Liveness]:
        """How many bikes are live, stale, silent and offline."""
        counts = np.bincount(self._alive, minlength=len(LIVENESS)).tolist()
        return Counter(dict(zip(LIVENESS, counts, strict=True)))

    def seen(self, sight: Sight, rows: Indices, every: int = 1) -> NDArray[np.bool_]:
        """Which of some bikes a listener is told of that looks at one in `every`, of shape (n,)."""
        roster, there = self._sources.roster, self._alerted[rows]
        named = roster.at(sight.bike) if sight.bike is not None and sight.bike in roster else -1
        if sight.box is not None:
            west, south, east, north = sight.box
            lat, lng = self._at[:, rows]
            there |= (lng >= west) & (lng <= east) & (lat >= south) & (lat <= north)
        if sight.zone_id is not None and self._zones.has(sight.zone_id):
            there |= self._zone[rows] == self._zones.index(sight.zone_id)
        seen: NDArray[np.bool_] = (there & (rows % every == 0)) | (rows == named)
        return seen

    def bikes(self, rows: Indices) -> list[Bike]:
        """Answers about some bikes as of the last look."""
        return self._views.written(
            self._fleet.some(rows), self._alive[rows], self._zone[rows], self._zones
        )
