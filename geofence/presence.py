"""Bikes in a zone, and its last visitor."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bikes.telemetry import TelemetryBatch
from geofence.coverage import SLOT_MS, View
from geofence.zonemap import ZoneMap


def bikes_inside(zones: ZoneMap, live: TelemetryBatch) -> dict[str, int]:
    """Count the bikes in each zone, by its id; zones without any are left out.

    `live` holds the newest fix of each bike that counts.
    """
    inside = zones.zone_of(live.lat_deg, live.lng_deg)
    return {
        zones.zones[index].zone_id: count
        for index, count in Counter(inside.tolist()).items()
        if index >= 0
    }


class Visitors(NamedTuple):
    """The newest visit of each zone, as columns of shape (zones,)."""

    # Who; -1 when nobody was there. Of several at one instant, the smallest index.
    bike: NDArray[np.int32]
    at_ms: NDArray[np.int64]  # when [ms]; 0 for never


def visitors(ledger: View, zones: ZoneMap, known: Visitors | None = None) -> Visitors:
    """Find the last visitor of each zone.

    When each zone was visited follows from last visits of cells, which a ledger has at hand.
    Only of zones where that changed it is looked up by whom, in one pass over the quarters of
    an hour since the earliest of these visits: mostly the one that is on. `known` is the last
    answer about the same zones.
    """
    last = ledger.last_visits
    at_ms = np.zeros(len(zones.zones) + 1, np.int64)  # the last is of no zone
    np.maximum.at(at_ms, zones.cell_zone[last.cell], last.at_ms)
    at_ms = at_ms[:-1]
    bike = np.full(at_ms.size, -1, np.int32) if known is None else known.bike.copy()
    changed = at_ms > 0 if known is None else at_ms != known.at_ms
    bike[at_ms == 0] = -1
    changed &= at_ms > 0
    if changed.any():
        asked = at_ms[changed]
        rows = ledger.between(int(asked.min()), int(asked.max()) + SLOT_MS)
        zone = zones.cell_zone[rows.cell]
        newest = np.flatnonzero((zone >= 0) & (rows.last_ms == at_ms[zone]))
        # Rows are sorted by bike: written from the last to the first, the smallest index stays.
        found = bike.copy()
        found[zone[newest][::-1]] = rows.bike[newest][::-1]
        bike[changed] = found[changed]
    return Visitors(bike, at_ms)
