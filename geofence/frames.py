"""Frames of a replay: one fix per bike and step of time."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bikes.telemetry import TelemetryBatch
from geofence.intervals import positions
from geofence.runs import Judge

MOVED_M: Final = 10.0
"""A shorter step says nothing of the direction: it is within the error of two fixes [m]."""


LOOK_BACK: Final = 8
LOOK_AHEAD: Final = 4
"""Fixes before and after the last one of a step that are judged with it at first."""


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
    kept = fixes.take(_lasts(fixes, (fixes.timestamp_ms - from_ms) // step_ms))
    said = kept.heading_deg.astype(np.float64)
    heading = np.where(np.isnan(said), _ways(kept), said)
    return Frames(
        kept.bike, kept.timestamp_ms, kept.lat_deg, kept.lng_deg, _carried(kept.bike, heading)
    )


def last_believed(
    judge: Judge, fixes: TelemetryBatch, from_ms: int, to_ms: int, step_ms: int
) -> NDArray[np.intp]:
    """Find the last believed fix of each bike in each step of [from_ms, to_ms) [ms].

    The answer are rows that rise, shape (k,), of fixes sorted by bike and time. Whether one is
    believed depends on the two usable ones before it and the two after: the last fixes of each step
    are judged with a few before and after them, and only where these do not tell, with more.
    """
    at_ms = fixes.timestamp_ms
    lasts = _lasts(fixes, np.where(at_ms < to_ms, (at_ms - from_ms) // step_ms, step_ms))
    before = np.append(-1, lasts)[:-1]  # the last row of the step before
    shown = (at_ms[lasts] >= from_ms) & (at_ms[lasts] < to_ms)
    lasts, before = lasts[shown], before[shown]
    found = [np.empty(0, np.intp)]
    back, ahead = LOOK_BACK, LOOK_AHEAD
    while lasts.size:
        first, end = np.maximum(lasts - back, 0), np.minimum(lasts + ahead, len(fixes) - 1) + 1
        rows = positions(np.maximum(first, np.append(0, end[:-1])), end)
        usable, believed = judge.believed(fixes.take(rows))
        # What has a cut within two usable fixes has been compared with strangers.
        used = np.flatnonzero(usable)
        cuts = np.searchsorted(used, np.flatnonzero(np.diff(rows) > 1) + 1)
        near = np.add.outer(cuts, [-2, -1, 0, 1])
        strange = used[near[(near >= 0) & (near < used.size)]]
        known = np.ones(rows.size, dtype=bool)
        known[strange] = False
        telling = np.append(-1, np.flatnonzero(believed | ~known))
        last = np.searchsorted(rows, lasts)
        newest = telling[np.searchsorted(telling, last, side="right") - 1]
        row = lasts - (last - newest)  # where no cut is between
        tells = (newest >= 0) & (row > before) & (rows[newest] == row)
        sure = tells & known[newest]
        found.append(row[sure])
        done = sure | (~tells & (first <= before + 1))
        lasts, before = lasts[~done], before[~done]
        back, ahead = 8 * back, 8 * ahead
    return np.sort(np.concatenate(found))


def _lasts(fixes: TelemetryBatch, step: NDArray[np.int64]) -> NDArray[np.intp]:
    """Rows of the last fix of each bike in each step."""
    ends = (fixes.bike[1:] != fixes.bike[:-1]) | (step[1:] != step[:-1])
    return np.flatnonzero(np.append(ends, True)[: len(fixes)])


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
