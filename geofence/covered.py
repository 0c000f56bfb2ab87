"""Which cells of zones were covered in a window, and how that grew.

A visit counts for a zone when its cell was the zone's at the time.

A zone is measured by the cells that it has at the end of a window. A cell that came to it within
the window counts from then on, and one that left and came back counts for both times.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from geofence.atlas import Layout
from geofence.coverage import SLOT_MS, Rows, View
from geofence.zonemap import ZoneMap


def covered(
    ledger: View, layout: Layout, zones: ZoneMap, from_ms: int, to_ms: int
) -> NDArray[np.int32]:
    """The cells of zones that were covered in [from_ms, to_ms), ascending, shape (k,).

    The zones are those of the end of the window; its ends may lie where
    :meth:`geofence.coverage.Rows.visited` is exact.
    """
    rows = ledger.between(from_ms, to_ms + SLOT_MS - 1).visited(from_ms, to_ms)
    return np.unique(rows.cell[layout.own(rows.cell, rows.last_ms, zones)])


def covered_since(ledger: View, layout: Layout, zones: ZoneMap, from_ms: int) -> NDArray[np.int32]:
    """As :func:`covered`, shape (k,), in a window that is not over when the last visit is made.

    The last visit of each cell says nearly always whether there was one that counts, whatever
    the size of the ledger.
    """
    last = ledger.last_visits
    since = (zones.cell_zone[last.cell] >= 0) & (last.at_ms >= from_ms)
    cell, last_ms = last.cell[since], last.at_ms[since]
    own = layout.own(cell, last_ms, zones)
    other = cell[~own]
    # It may have been visited as the zone's, then as another's, and have come back since.
    newest_ms = int(last_ms[~own].max(initial=0))
    if any(
        layout.own(other, np.full(other.size, max(start_ms, from_ms)), zones).any()
        for start_ms, end_ms in pairwise((*layout.starts, newest_ms + 1))
        if start_ms <= newest_ms and from_ms < end_ms
    ):
        return covered(ledger, layout, zones, from_ms, int(last.at_ms.max()) + 1)
    return cell[own]


def covered_by_slot(
    rows: Rows, zones: ZoneMap, from_ms: NDArray[np.int64], to_ms: NDArray[np.int64]
) -> list[NDArray[np.int64]]:
    """Cells of each zone that had been visited by the end of each slot of its window.

    One pass over the rows, whatever the number of zones and slots.

    The rows are at least those of all windows [from_ms, to_ms), of shape (zones,) [ms]; one that is
    not longer than nothing has no slots. Each zone has one number for each quarter hour of the
    clock from the one in which its window begins to the one in which it ends. Where a window begins
    or ends within a slot, a cell counts there by its last visit in the slot.
    """
    zone = zones.cell_zone[rows.cell]
    # Zone -1 reads the last zone's window, and is masked out in the same line.
    mine = (zone >= 0) & (rows.last_ms >= from_ms[zone]) & (rows.last_ms < to_ms[zone])
    found = rows.where(mine)
    visited, which = np.unique(found.cell, return_inverse=True)
    first_slot = np.full(visited.size, np.iinfo(np.int64).max)
    np.minimum.at(first_slot, which, found.slot)
    zone = zones.cell_zone[visited]
    begins = from_ms // SLOT_MS
    sizes = np.where(to_ms > from_ms, -(-to_ms // SLOT_MS) - begins, 0)
    starts = np.cumsum(sizes) - sizes
    at = starts[zone] + first_slot - begins[zone]
    new = np.bincount(at, minlength=int(sizes.sum()))
    return [np.cumsum(part) for part in np.split(new, starts[1:])]
