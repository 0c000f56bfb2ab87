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


def duty_idleness(
    cell: NDArray[np.int32],
    at_ms: NDArray[np.int64],
    cells: NDArray[np.int32],
    duty: Sequence[tuple[int, int]],
) -> Idleness | None:
    """Mean and worst idleness of some `cells`, which rise, over duty as a closed record.

    Each visit, of shape (n,), has its cell, one of these, and its time [ms]; in any order, repeated
    or not. Nights do not count. `duty` are the stretches of duty [ms], in order. None without duty,
    which is a record of no length.

    A cell without a visit has one gap: worst T, mean T / 2. The result does not depend on the order
    of the visits, bit for bit.
    """
    starts, ends = np.array(duty, np.int64).reshape(-1, 2).T
    total_ms = int((ends - starts).sum())
    if total_ms == 0:
        return None
    clock_ms = duty_clock(starts, ends, at_ms)
    order = np.lexsort((clock_ms, cell))
    visited, visit_ms = np.searchsorted(cells, cell[order]), clock_ms[order]
    first = np.diff(visited, prepend=-1) != 0
    gap_s = np.where(first, visit_ms, np.diff(visit_ms, prepend=0)) / 1000.0
    last_ms = np.zeros(cells.size, np.int64)
    np.maximum.at(last_ms, visited, visit_ms)
    worst_s = (total_ms - last_ms) / 1000.0
    # bincount adds in the order of its input, which is sorted: no order of visits shows.
    squares = np.bincount(visited, gap_s * gap_s, minlength=cells.size) + worst_s * worst_s
    np.maximum.at(worst_s, visited, gap_s)
    return Idleness(mean_s=squares / (2 * total_ms / 1000.0), worst_s=worst_s)


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
