"""How a zone was covered on a day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geofence.idleness import cell_idleness


class ZoneDay(NamedTuple):
    """A day of a zone.

    Attributes
    ----------
    cells_covered : int
        Distinct cells that were visited.
    mean_idle_s : float, optional
        Mean idleness over the day's duty as a closed record [s]: how long a cell had been
        without a visit, averaged over time and cells. Half of the duty where nobody came. None
        without duty, which is a record of no length. (The worst idleness would be all of the
        duty whenever a single cell was left out.)
    """

    cells_covered: int
    mean_idle_s: float | None


def zone_day(
    cell: NDArray[np.int32],
    at_ms: NDArray[np.int64],
    cells: NDArray[np.int32],
    duty: Sequence[tuple[int, int]],
) -> ZoneDay:
    """How a zone was covered on one day.

    Parameters
    ----------
    cell : ndarray of int32, shape (n,)
        Cell of each visit of the day, one of `cells`.
    at_ms : ndarray of int64, shape (n,)
        When [ms]. The ledger knows the last visit of a quarter of an hour only, so that cells
        may come out idle for a little longer than they were.
    cells : ndarray of int32, shape (c,)
        The zone's patrollable cells, rising; at least one.
    duty : sequence of (int, int)
        The stretches of duty of the part of the day that is known [ms], in order.
    """
    covered = int(np.unique(cell).size)
    starts, ends = np.array(duty, np.int64).reshape(-1, 2).T
    total_ms = int((ends - starts).sum())
    if total_ms == 0:
        return ZoneDay(covered, None)
    idle = cell_idleness(
        np.searchsorted(cells, cell).astype(np.int32),
        duty_clock(starts, ends, at_ms),
        size=cells.size,
        from_ms=0,
        to_ms=total_ms,
    )
    return ZoneDay(covered, float(idle.mean_s.mean()))


def duty_clock(
    starts: NDArray[np.int64], ends: NDArray[np.int64], at_ms: NDArray[np.int64]
) -> NDArray[np.int64]:
    """How much of some stretches of duty has passed at instants [ms].

    Parameters
    ----------
    starts, ends : ndarray of int64, shape (s,)
        The stretches [ms], in order and apart; at least one.
    at_ms : ndarray of int64, shape (n,)
        The instants [ms].
    """
    before = np.cumsum(ends - starts) - (ends - starts)
    stretch = np.maximum(np.searchsorted(starts, at_ms, side="right") - 1, 0)
    passed: NDArray[np.int64] = before[stretch] + np.clip(
        at_ms - starts[stretch], 0, (ends - starts)[stretch]
    )
    return passed
