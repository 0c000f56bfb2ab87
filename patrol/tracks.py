"""Tracks of bikes: their fixes, each with the verdict it has now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bikes.roster import BikeKey
from geofence.quality import VERDICTS
from geofence.runs import Judge
from geofence.spans import Spans
from geofence.steps import JudgedFixes
from ingest.worker import Worker


@dataclass(frozen=True, slots=True)
class Track:
    """Fixes of one bike, one row per timestamp, sorted by time.

    Attributes
    ----------
    timestamp_ms : ndarray of int64, shape (n,)
        Device time [ms].
    lat_deg, lng_deg : ndarray of float64, shape (n,)
        Position, WGS-84 [degrees].
    verdicts : list of str
        Names of the quality verdicts.
    """

    timestamp_ms: NDArray[np.int64]
    lat_deg: NDArray[np.float64]
    lng_deg: NDArray[np.float64]
    verdicts: list[str]


def track(worker: Worker, judge: Judge, key: BikeKey, from_ms: int, to_ms: int) -> Track:
    """The track of a bike in [from_ms, to_ms), from the archive and the tail of the log."""
    found = judged(worker, judge, [key], from_ms, to_ms)
    return Track(
        found.fixes.timestamp_ms,
        found.fixes.lat_deg,
        found.fixes.lng_deg,
        [VERDICTS[code] for code in found.verdict],
    )


def judged(
    worker: Worker, judge: Judge, keys: Sequence[BikeKey], from_ms: int, to_ms: int
) -> JudgedFixes:
    """The fixes of some bikes in [from_ms, to_ms), from the archive and the tail of the log.

    More is read than is shown, so that the verdicts at both ends are those of the whole run.
    """
    limits = judge.limits
    bikes = np.sort(worker.roster.restore([key for key in keys if key in worker.roster]))
    ends = np.full(bikes.size, from_ms), np.full(bikes.size, to_ms)
    spans = Spans(bikes.astype(np.int32), *ends).widened(limits.before_ms, limits.after_ms)
    fixes = worker.archive.within(spans)
    codes = judge.verdicts(fixes)
    found = JudgedFixes(fixes, codes, judge.steps(fixes, codes))
    return found.where((fixes.timestamp_ms >= from_ms) & (fixes.timestamp_ms < to_ms))
