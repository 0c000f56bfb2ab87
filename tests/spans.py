"""Stretches of the time of bikes, for questions of one."""

from __future__ import annotations

import numpy as np

from geofence.intervals import Intervals


def one_span(bike: int, from_ms: int, to_ms: int) -> Intervals:
    """A single stretch [from_ms, to_ms) of a bike."""
    edges = (np.array([at_ms], np.int64) for at_ms in (from_ms, to_ms))
    return Intervals(np.array([bike], np.int32), *edges)
