"""How the covered ratio of zones grew, quarter hour by quarter hour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geofence.coverage import SLOT_MS, Rows
from geofence.zonemap import ZoneMap

NOBODY = np.iinfo(np.int64).max


def covered_by_slot(
    rows: Rows,
    zones: ZoneMap,
    from_ms: NDArray[np.int64],
    to_ms: NDArray[np.int64],
) -> list[NDArray[np.int64]]:
    """Cells of each zone that had been visited by the end of each slot of its window.

    One pass over the rows, whatever the number of zones and slots.

    Parameters
    ----------
    rows : Rows
        At least those of all windows.
    zones : ZoneMap
        The zones.
    from_ms, to_ms : ndarray of int64, shape (zones,)
        The window of each zone [ms]; one that is not longer than nothing has no slots.

    Returns
    -------
    list of ndarray of int64
        For each zone, one number for each quarter hour of the clock from the one in which its
        window begins to the one in which it ends. Where a window begins or ends within a slot,
        a cell counts there by its last visit in the slot.
    """
    zone = zones.cell_zone[rows.cell]
    # Zone -1 reads the last zone's window, and is masked out in the same line.
    mine = (zone >= 0) & (rows.last_ms >= from_ms[zone]) & (rows.last_ms < to_ms[zone])
    first_slot = np.full(zones.cell_zone.size, NOBODY, np.int64)
    found = rows.where(mine)
    np.minimum.at(first_slot, found.cell, found.slot)
    visited = np.flatnonzero(first_slot != NOBODY)
    zone = zones.cell_zone[visited]
    begins = from_ms // SLOT_MS
    sizes = np.where(to_ms > from_ms, -(-to_ms // SLOT_MS) - begins, 0)
    starts = np.cumsum(sizes) - sizes
    at = starts[zone] + first_slot[visited] - begins[zone]
    new = np.bincount(at, minlength=int(sizes.sum()))
    return [np.cumsum(part) for part in np.split(new, starts[1:])]
