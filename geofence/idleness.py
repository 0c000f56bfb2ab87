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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Idleness(NamedTuple):
    """Idleness of cells over a closed record [s], as columns of shape (n,)."""

    mean_s: NDArray[np.float64]
    worst_s: NDArray[np.float64]


class Idling:
    """The idleness of cells over duty as a closed record, by their visits a stretch at a time.

    Nights do not count. A cell without a visit has one gap: worst T, mean T / 2. The result does
    not depend on the order of the visits of a stretch, nor on how time is cut, bit for bit.

    There are so many `cells`; `duty` are the stretches of duty [ms], in order.
    """

    def __init__(self, cells: int, duty: Sequence[tuple[int, int]]) -> None:
        self._starts, self._ends = np.array(duty, np.int64).reshape(-1, 2).T
        self._last_ms = np.zeros(cells, np.int64)  # of duty, up to the last visit
        self._worst_s, self._squares_s2 = np.zeros(cells), np.zeros(cells)
        self.visited = np.zeros(cells, dtype=bool)

    def add(self, cell: NDArray[np.integer], at_ms: NDArray[np.int64]) -> None:
        """Take in visits by time [ms], of shape (n,), none before those of an earlier call.

        They have the number of their cell, from 0; repeated or not.
        """
        self.visited[cell] = True
        if not self._starts.size:
            return
        order = np.argsort(cell, kind="stable")
        cell, clock_ms = cell[order], duty_clock(self._starts, self._ends, at_ms)[order]
        before_ms = np.append(0, clock_ms)[: cell.size]
        first = np.flatnonzero(np.append(True, np.diff(cell) != 0)[: cell.size])
        before_ms[first] = self._last_ms[cell[first]]
        gap_s = (clock_ms - before_ms) / 1000.0
        # It adds in the order of its input, which is sorted: no order of visits shows.
        np.add.at(self._squares_s2, cell, gap_s * gap_s)
        if first.size:
            worst_s = np.maximum.reduceat(gap_s, first)
            self._worst_s[cell[first]] = np.maximum(self._worst_s[cell[first]], worst_s)
            last = np.append(first[1:], cell.size) - 1
            self._last_ms[cell[first]] = clock_ms[last]

    def state(self) -> dict[str, NDArray[Any]]:
        """What was measured so far, in arrays that :meth:`add` goes on with; to change in place."""
        return {
            "last_ms": self._last_ms,
            "worst_s": self._worst_s,
            "squares_s2": self._squares_s2,
            "visited": self.visited,
        }

    def ended(self) -> Idleness | None:
        """The idleness at the end of the record; None without duty, a record of no length."""
        total_ms = int((self._ends - self._starts).sum())
        if total_ms == 0:
            return None
        left_s = (total_ms - self._last_ms) / 1000.0
        squares_s2 = self._squares_s2 + left_s * left_s
        return Idleness(
            mean_s=squares_s2 / (2 * total_ms / 1000.0), worst_s=np.maximum(self._worst_s, left_s)
        )


def duty_idleness(
    cell: NDArray[np.int32],
    at_ms: NDArray[np.int64],
    cells: NDArray[np.int32],
    duty: Sequence[tuple[int, int]],
) -> Idleness | None:
    """Mean and worst idleness by all visits, as :class:`Idling`, in any order.

    Visits, of shape (n,), have their cell, one of `cells`, which rise, and their time [ms].
    """
    idling, order = Idling(cells.size, duty), np.argsort(at_ms, kind="stable")
    idling.add(np.searchsorted(cells, cell[order]), at_ms[order])
    return idling.ended()


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
