"""Which visits count for a zone: those to cells that were the zone's when they were made.

A zone is measured by the cells that it has at the end of a window. A cell that came to it within
the window counts from then on, and one that left and came back counts for both times.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from geofence.atlas import Layout
from geofence.coverage import SLOT_MS, View
from geofence.zonemap import ZoneMap


def covered(
    ledger: View, layout: Layout, zones: ZoneMap, from_ms: int, to_ms: int
) -> NDArray[np.bool_]:
    """Which cells of some zones were covered in a window.

    Parameters
    ----------
    ledger : View
        Visited cells.
    layout : Layout
        The zones of all times.
    zones : ZoneMap
        Those of the end of the window.
    from_ms, to_ms : int
        ``[from_ms, to_ms)`` [ms]; see :meth:`geofence.coverage.Rows.visited`.

    Returns
    -------
    ndarray of bool, shape (grid.size,)
        False for cells of no zone.
    """
    rows = ledger.between(from_ms, to_ms + SLOT_MS - 1).visited(from_ms, to_ms)
    found = np.zeros(zones.grid.size, dtype=bool)
    found[rows.cell[layout.own(rows.cell, rows.last_ms, zones)]] = True
    return found


def covered_since(
    ledger: View,
    layout: Layout,
    zones: ZoneMap,
    from_ms: int,
    last_ms: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """As :func:`covered`, in a window that is not over when the last visit is made.

    The last visit of each cell says nearly always whether there was one that counts, whatever
    the size of the ledger.

    Parameters
    ----------
    last_ms : ndarray of int64, shape (grid.size,)
        Last visit of each cell, as the ledger says [ms]; 0 for never.
    """
    cell = np.flatnonzero((zones.cell_zone >= 0) & (last_ms >= max(from_ms, 1)))
    own = layout.own(cell, last_ms[cell], zones)
    found = np.zeros(zones.grid.size, dtype=bool)
    found[cell[own]] = True
    other = cell[~own]
    # It may have been visited as the zone's, then as another's, and have come back since.
    newest_ms = int(last_ms[other].max(initial=0))
    if any(
        layout.own(other, np.full(other.size, max(start_ms, from_ms)), zones).any()
        for start_ms, end_ms in pairwise((*layout.starts, newest_ms + 1))
        if start_ms <= newest_ms and from_ms < end_ms
    ):
        return covered(ledger, layout, zones, from_ms, int(last_ms.max()) + 1)
    return found
