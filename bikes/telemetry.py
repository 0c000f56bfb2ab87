"""Telemetry: one message as an object, many as columns.

A :class:`Telemetry` lives as long as it takes to decode a message. From then on a
:class:`TelemetryBatch` of numpy columns is what the system computes with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import msgspec
import numpy as np
from numpy.typing import NDArray

Stated = float | None
"""A number, or None when the bike did not state it."""

UNUSABLE = -1e300
"""Stands for a number that was stated and cannot be used: it is outside of every range."""


class Location(msgspec.Struct, gc=False, kw_only=True, omit_defaults=True):
    """A position as a bike reports it; field names and units are those of MDS 2.0."""

    # Position [degrees], in the datum of the vendor.
    lat: float
    lng: float
    speed: Stated = None  # speed over ground [m/s]
    heading: Stated = None  # clockwise from true north [degrees]
    altitude: Stated = None  # above mean sea level [m]
    horizontal_accuracy: Stated = None  # radius of the accuracy circle [m]
    satellites: int | None = None  # number of satellites used


class Telemetry(msgspec.Struct, gc=False, kw_only=True, omit_defaults=True):
    """One MDS Telemetry object."""

    timestamp: int  # when the fix was taken, by the bike's clock [ms since the epoch]
    location: Location
    # Identifiers of MDS. When `device_id` is there it must be the topic's.
    device_id: str | None = None
    vehicle_id: str | None = None
    provider_id: str | None = None
    telemetry_id: str | None = None
    battery_percent: Stated = None  # state of charge, 0 to 100 [%]
    tipped_over: bool | None = None  # whether the bike lies on its side


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A message of or about a bike that is no fix."""

    bike: int  # index into the roster
    # Its time; the time of receipt when the payload names none [ms since the epoch].
    timestamp_ms: int


class Status(Notice, frozen=True, kw_only=True):
    """Whether a bike is connected, as the bike or its last will says."""

    online: bool


class Event(Notice, frozen=True, kw_only=True):
    """The state of a bike from an instant on, as MDS names it (``available``, ``on_trip``, ...)."""

    vehicle_state: str


@dataclass(frozen=True, slots=True)
class TelemetryBatch:
    """Fixes as columns of shape (n,), in any order."""

    bike: NDArray[np.int32]  # index into the roster
    timestamp_ms: NDArray[np.int64]  # device time [ms since the epoch]
    # Position, WGS-84 [degrees].
    lat_deg: NDArray[np.float64]
    lng_deg: NDArray[np.float64]
    # As in `Location` and `Telemetry`; NaN where the bike did not say.
    accuracy_m: NDArray[np.float32]
    speed_mps: NDArray[np.float32]
    heading_deg: NDArray[np.float32]
    altitude_m: NDArray[np.float32]
    battery_percent: NDArray[np.float32]

    def __len__(self) -> int:
        return self.bike.size

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_] | slice) -> TelemetryBatch:
        """The rows that `index` (positions, mask or slice) selects, in its order."""
        return TelemetryBatch(*(getattr(self, name)[index] for name in COLUMNS))

    @classmethod
    def concat(cls, batches: Sequence[TelemetryBatch]) -> TelemetryBatch:
        """All rows of `batches`, one after the other."""
        if len(batches) == 1:
            return batches[0]
        if not batches:
            return cls.empty()
        return cls(*(np.concatenate([getattr(b, name) for b in batches]) for name in COLUMNS))

    @classmethod
    def empty(cls) -> TelemetryBatch:
        """No rows."""
        return cls(*(np.empty(0, dtype) for dtype in COLUMNS.values()))

    def distinct(self) -> TelemetryBatch:
        """One row per bike and timestamp, sorted by bike, then time.

        Of two fixes of one bike with one timestamp the more accurate stays; an accuracy
        that was not given is worse than any that was. A tie is broken by the remaining
        values, so the choice never depends on the order of arrival.
        """
        if len(self) < 2:
            return self
        # Rows are mostly sorted runs with few ties: sort by the key alone, stably (a merge of
        # runs), and look at the other columns only where the key repeats.
        bike, at = self.bike, self.timestamp_ms
        if ((bike[1:] > bike[:-1]) | ((bike[1:] == bike[:-1]) & (at[1:] > at[:-1]))).all():
            return self
        order = self._by_bike_and_time()
        bike, at = bike[order], at[order]
        repeats = (bike[1:] == bike[:-1]) & (at[1:] == at[:-1])
        if not repeats.any():
            return self.take(order)
        ties = np.zeros(len(self), dtype=bool)
        ties[1:] |= repeats
        ties[:-1] |= repeats
        tied = order[ties]
        ranked = tied[np.lexsort(self._tie_break(tied))]
        order[ties] = ranked
        first = np.ones(len(self), dtype=bool)
        first[1:] = ~repeats
        return self.take(order[first])

    def _by_bike_and_time(self) -> NDArray[np.intp]:
        """Positions of the rows sorted by bike, then time, stably."""
        if self.timestamp_ms.min() >= 0 and self.timestamp_ms.max() < 1 << TIME_BITS:
            key = (self.bike.astype(np.int64) << TIME_BITS) | self.timestamp_ms
            return np.argsort(key, kind="stable")
        return np.lexsort((self.timestamp_ms, self.bike))

    def _tie_break(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.generic], ...]:
        """Sort keys of `rows`, least significant first; lexsort puts NaN last."""
        # A column that comes again counts by its last, most significant place.
        names = (*reversed(COLUMNS), "accuracy_m", "timestamp_ms", "bike")
        return tuple(getattr(self, name)[rows] for name in names)


TIME_BITS = 42
"""Milliseconds since the epoch fit until the year 2109, and leave room for 2**21 bikes."""

COLUMNS: dict[str, np.dtype[np.generic]] = {
    "bike": np.dtype(np.int32),
    "timestamp_ms": np.dtype(np.int64),
    **dict.fromkeys(("lat_deg", "lng_deg"), np.dtype(np.float64)),
    **dict.fromkeys(
        ("accuracy_m", "speed_mps", "heading_deg", "altitude_m", "battery_percent"),
        np.dtype(np.float32),
    ),
}
"""Name and dtype of each column, in the order of the constructor."""

assert list(COLUMNS) == [field.name for field in fields(TelemetryBatch)]
