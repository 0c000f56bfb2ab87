"""Frames of a replay: one fix per bike and step of time."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bikes.telemetry import TelemetryBatch

MOVED_M: Final = 10.0
"""A shorter step says nothing of the direction: it is within the error of two fixes [m]."""


class Frames(NamedTuple):
    """Positions of bikes, as columns of shape (n,) sorted by bike, then time."""

    bike: NDArray[np.int32]  # index into the roster
    timestamp_ms: NDArray[np.int64]  # device time of the fix [ms]
    # WGS-84 [degrees].
    lat_deg: NDArray[np.float64]
    lng_deg: NDArray[np.float64]
    # Clockwise from true north [degrees]; NaN before the bike has moved.
    heading_deg: NDArray[np.float64]


def frames(fixes: TelemetryBatch, *, from_ms: int, step_ms: int) -> Frames:
    """The last fix of each bike in each step.

    A fix that states no heading has that of the way from the frame before it; where the bike
    has hardly moved since, the heading of before.

    Fixes are believed ones, sorted by bike and time. Steps of `step_ms` begin at `from_ms` [ms]; a
    fix at the end of one is of the next.
    """
    step = (fixes.timestamp_ms - from_ms) // step_ms
    last = np.ones(len(fixes), dtype=bool)
    last[:-1] = (fixes.bike[1:] != fixes.bike[:-1]) | (step[1:] != step[:-1])
    kept = fixes.take(last)
    said = kept.heading_deg.astype(np.float64)
    heading = np.where(np.isnan(said), _ways(kept), said)
    return Frames(
        kept.bike, kept.timestamp_ms, kept.lat_deg, kept.lng_deg, _carried(kept.bike, heading)
    )


def _ways(fixes: TelemetryBatch) -> NDArray[np.float64]:
    """Direction from the fix before of the same bike; NaN for its first and short ways."""
    heading = np.full(len(fixes), np.nan)
    lat, lng = np.radians(fixes.lat_deg), np.radians(fixes.lng_deg)
    north = np.diff(lat)
    east = np.diff(lng) * np.cos((lat[1:] + lat[:-1]) / 2)
    moved = np.hypot(north, east) * 6_371_000 >= MOVED_M
    moved &= fixes.bike[1:] == fixes.bike[:-1]
    heading[1:][moved] = np.degrees(np.arctan2(east[moved], north[moved])) % 360
    return heading


def _carried(bike: NDArray[np.int32], value: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN replaced by the last value before it of the same bike, if there is any."""
    known = np.where(np.isnan(value), -1, np.arange(value.size))
    last = np.maximum.accumulate(known) if value.size else known
    # Position -1 reads the last value, and is masked out in the next line.
    carried: NDArray[np.float64] = np.where((last >= 0) & (bike[last] == bike), value[last], np.nan)
    return carried
