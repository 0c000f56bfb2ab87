"""Idleness: the time that cells are without a visit.

The *age* of a cell is the time since its last visit (instantaneous idleness). Over a closed
record [0, T] the visits of a cell leave gaps g, the one before the first visit and the one
after the last included. The age climbs from 0 to g in each gap, so its time-average, the
*mean idleness* of the cell, is ``sum(g**2) / (2 T)`` and its *worst idleness* ``max(g)``. Of a
zone the mean is the mean over its cells, and the worst the maximum over those that were visited.

References
----------
Almeida, A., Ramalho, G., Santana, H., Tedesco, P., Menezes, T., Corruble, V., Chevaleyre, Y.
(2004). Recent Advances on Multi-Agent Patrolling. SBIA 2004, LNAI 3171, Springer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Idleness(NamedTuple):
    """Idleness of cells over a closed record [s], as columns of shape (n,)."""

    mean_s: NDArray[np.float64]
    worst_s: NDArray[np.float64]


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


def duty_idleness(
    cell: NDArray[np.int32],
    at_ms: NDArray[np.int64],
    cells: NDArray[np.int32],
    duty: Sequence[tuple[int, int]],
) -> Idleness | None:
    """Mean and worst idleness of some `cells`, which rise, over duty as a closed record.

    Each visit, of shape (n,), has its cell and its time [ms]; nights do not count. `duty` are the
    stretches of duty [ms], in order. None without duty, which is a record of no length.
    """
    starts, ends = np.array(duty, np.int64).reshape(-1, 2).T
    total_ms = int((ends - starts).sum())
    if total_ms == 0:
        return None
    return cell_idleness(
        np.searchsorted(cells, cell).astype(np.int32),
        duty_clock(starts, ends, at_ms),
        size=cells.size,
        from_ms=0,
        to_ms=total_ms,
    )


class ZoneDay(NamedTuple):
    """A day of a zone."""

    cells_covered: int  # distinct cells that were visited
    # Mean idleness over the day's duty as a closed record [s]: how long a cell had been without a
    # visit, averaged over time and cells. Half of the duty where nobody came. None without duty,
    # which is a record of no length. (The worst idleness would be all of the duty whenever a single
    # cell was left out.)
    mean_idle_s: float | None


def zone_day(
    cell: NDArray[np.int32],
    at_ms: NDArray[np.int64],
    cells: NDArray[np.int32],
    duty: Sequence[tuple[int, int]],
) -> ZoneDay:
    """Measure the coverage of a zone, whose `cells` rise, by the visits of a day, of shape (n,).

    Each visit has its cell and its time [ms]. Of a quarter of an hour the last visit is enough:
    cells may come out idle for a little longer than they were. `duty` are the stretches of duty of
    the part of the day that is known [ms], in order. There is at least one cell.
    """
    idle = duty_idleness(cell, at_ms, cells, duty)
    mean_s = None if idle is None else float(idle.mean_s.mean())
    return ZoneDay(int(np.unique(cell).size), mean_s)


def duty_clock(
    starts: NDArray[np.int64], ends: NDArray[np.int64], at_ms: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Measure the duty that has passed at instants, of shape (n,) [ms].

    The stretches, of shape (s,) [ms], are in order and apart; there is at least one.
    """
    before = np.cumsum(ends - starts) - (ends - starts)
    stretch = np.maximum(np.searchsorted(starts, at_ms, side="right") - 1, 0)
    passed: NDArray[np.int64] = before[stretch] + np.clip(
        at_ms - starts[stretch], 0, (ends - starts)[stretch]
    )
    return passed
