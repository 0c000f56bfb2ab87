"""How long cells have been, or were, without a visit.

The *age* of a cell is the time since its last visit (instantaneous idleness). Over a closed
record [0, T] the visits of a cell leave gaps g, the one before the first visit and the one
after the last included. The age climbs from 0 to g in each gap, so its time-average, the
*mean idleness* of the cell, is ``sum(g**2) / (2 T)`` and its *worst idleness* ``max(g)``. Of a
zone these are the mean, and the maximum, over its cells.

References
----------
Almeida, A., Ramalho, G., Santana, H., Tedesco, P., Menezes, T., Corruble, V., Chevaleyre, Y.
(2004). Recent Advances on Multi-Agent Patrolling. SBIA 2004, LNAI 3171, Springer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NEVER_MS = 0
"""Last visit of a cell that was never visited."""


class Idleness(NamedTuple):
    """Idleness of cells or of zones over a closed record.

    Attributes
    ----------
    mean_s, worst_s : ndarray of float64, shape (n,)
        [s]
    """

    mean_s: NDArray[np.float64]
    worst_s: NDArray[np.float64]


def ages_s(last_visit_ms: NDArray[np.int64], at_ms: int, *, since_ms: int) -> NDArray[np.float64]:
    """Age of cells at an instant.

    Parameters
    ----------
    last_visit_ms : ndarray of int64, shape (n,)
        Newest visit of each cell not after `at_ms` [ms since the epoch]; 0 for never.
    at_ms : int
        The instant [ms since the epoch].
    since_ms : int
        Start of the record [ms since the epoch]. A cell that was never visited counts as
        visited then, because nothing is known from before.

    Returns
    -------
    ndarray of float64, shape (n,)
        [s]; 0 for a visit after `at_ms`, which the clock of a bike may claim.
    """
    last_ms = np.where(last_visit_ms == NEVER_MS, since_ms, last_visit_ms)
    age: NDArray[np.float64] = np.maximum(at_ms - last_ms, 0) / 1000.0
    return age


def cell_idleness(
    cell: NDArray[np.int32], at_ms: NDArray[np.int64], *, size: int, from_ms: int, to_ms: int
) -> Idleness:
    """Mean and worst idleness of every cell over a closed record.

    Parameters
    ----------
    cell : ndarray of int32, shape (n,)
        Cell of each visit, 0 to `size` - 1.
    at_ms : ndarray of int64, shape (n,)
        Time of each visit [ms since the epoch], in any order, repeated or not. Visits before
        `from_ms` or after `to_ms` do not belong to the record; at either they do.
    size : int
        Number of cells.
    from_ms, to_ms : int
        The record [ms since the epoch].

    Returns
    -------
    Idleness
        Of shape (size,). A cell without a visit has one gap: worst T, mean T / 2. The result
        does not depend on the order of the visits, bit for bit.

    Raises
    ------
    ValueError
        The record is not longer than nothing, or a visit is to a cell that does not exist.
    """
    if to_ms <= from_ms:
        raise ValueError(f"a record from {from_ms} ms to {to_ms} ms has no length")
    if cell.size and not (cell.min() >= 0 and cell.max() < size):
        raise ValueError(f"visits to cells {cell.min()} to {cell.max()}, of 0 to {size - 1}")
    inside = (at_ms >= from_ms) & (at_ms <= to_ms)
    order = np.lexsort((at_ms[inside], cell[inside]))
    visited, visit_ms = cell[inside][order], at_ms[inside][order]
    first = np.diff(visited, prepend=-1) != 0
    before_ms = np.concatenate(([from_ms], visit_ms[:-1]))[: visit_ms.size]
    gap_s = (visit_ms - np.where(first, from_ms, before_ms)) / 1000.0
    last = np.concatenate((first[1:], [True]))[: visit_ms.size]
    last_ms = np.full(size, from_ms, dtype=np.int64)
    last_ms[visited[last]] = visit_ms[last]
    end_gap_s = (to_ms - last_ms) / 1000.0
    # bincount adds in the order of its input, which is sorted: no order of visits shows.
    squares = np.bincount(visited, weights=gap_s * gap_s, minlength=size) + end_gap_s * end_gap_s
    worst_s = end_gap_s
    np.maximum.at(worst_s, visited, gap_s)
    return Idleness(mean_s=squares / (2 * (to_ms - from_ms) / 1000.0), worst_s=worst_s)


def zone_idleness(cells: Idleness, cell_zone: NDArray[np.int16], *, zones: int) -> Idleness:
    """Mean and worst idleness of zones: the mean and the maximum over their cells.

    Parameters
    ----------
    cells : Idleness
        Of shape (size,), as `cell_idleness` returns it.
    cell_zone : ndarray of int16, shape (size,)
        Index of the zone of each cell; -1 for cells that belong to none.
    zones : int
        Number of zones.

    Returns
    -------
    Idleness
        Of shape (zones,); NaN for a zone without cells.
    """
    counted = np.flatnonzero(cell_zone >= 0)
    zone = cell_zone[counted]
    total = np.bincount(zone, minlength=zones)
    sums = np.bincount(zone, weights=cells.mean_s[counted], minlength=zones)
    worst_s = np.full(zones, -np.inf)
    np.maximum.at(worst_s, zone, cells.worst_s[counted])
    empty = total == 0
    return Idleness(
        mean_s=np.where(empty, np.nan, sums / np.maximum(total, 1)),
        worst_s=np.where(empty, np.nan, worst_s),
    )
