"""A bike's track: its fixes, each with the verdict it has now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bikes.roster import BikeKey
from geofence.quality import VERDICTS
from geofence.runs import Judge
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
    """The track of a bike in [from_ms, to_ms), from the archive and the tail of the log.

    More is read than is shown, so that the verdicts at both ends are those of the whole run.
    """
    limits = judge.limits
    bike = worker.roster.restore([key])[0] if key in worker.roster else None
    if bike is None:
        return Track(np.empty(0, np.int64), np.empty(0), np.empty(0), [])
    fixes = worker.archive.between(bike, from_ms - limits.before_ms, to_ms + limits.after_ms)
    codes, _ = judge.assess(fixes)
    shown = (fixes.timestamp_ms >= from_ms) & (fixes.timestamp_ms < to_ms)
    return Track(
        fixes.timestamp_ms[shown],
        fixes.lat_deg[shown],
        fixes.lng_deg[shown],
        [VERDICTS[code] for code in codes[shown]],
    )
