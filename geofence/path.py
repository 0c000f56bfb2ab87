"""The cells that a bike's path crosses between its fixes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geofence.grid import Grid

Metres = NDArray[np.float64]


class Pieces(NamedTuple):
    """Parts of straight segments, one per cell that a segment crosses: columns of shape (k,)."""

    segment: NDArray[np.intp]  # which segment the piece is of
    cell: NDArray[np.int32]  # the cell it lies in; -1 outside the grid
    length_m: NDArray[np.float64]  # its length [m]
    leaves: NDArray[np.float64]  # where along the segment it ends, 0 to 1


def pieces(grid: Grid, x0_m: Metres, y0_m: Metres, x1_m: Metres, y1_m: Metres) -> Pieces:
    """Cut straight segments at the lines of the grid.

    A segment of n crossings has n + 1 pieces, in order along it. Through a corner, and along a
    line, the pieces in the cells that are only touched have length zero; a segment of no length
    has one piece of length zero. Coordinates must be finite.

    The ends, of shape (n,), are places on the plane of `grid` [m].
    """
    u0, v0, u1, v1 = (end / grid.cell_m for end in (x0_m, y0_m, x1_m, y1_m))
    across_x, at_x = _crossings(u0, u1)
    across_y, at_y = _crossings(v0, v1)
    n = x0_m.size
    ends = np.arange(n)
    segment = np.concatenate([ends, across_x, across_y, ends])
    at = np.concatenate([np.zeros(n), at_x, at_y, np.ones(n)])
    order = np.lexsort((at, segment))
    segment, at = segment[order], at[order]
    inner = segment[1:] == segment[:-1]
    segment, enters, leaves = segment[1:][inner], at[:-1][inner], at[1:][inner]
    middle = (enters + leaves) / 2
    dx, dy = x1_m - x0_m, y1_m - y0_m
    cell = grid.cell_at(x0_m[segment] + middle * dx[segment], y0_m[segment] + middle * dy[segment])
    length = np.sqrt(dx * dx + dy * dy)[segment] * (leaves - enters)
    return Pieces(segment, cell, length, leaves)


def _crossings(
    start: NDArray[np.float64], stop: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Crossings of whole numbers along one axis: the segment, and the position on it, 0 to 1."""
    first, last = np.floor(start), np.floor(stop)
    count = np.abs(last - first).astype(np.intp)
    segment = np.repeat(np.arange(start.size), count)
    ordinal = np.arange(segment.size) - np.repeat(np.cumsum(count) - count, count)
    rising = (last > first)[segment]
    line = first[segment] + np.where(rising, ordinal + 1, -ordinal)
    at = (line - start[segment]) / (stop - start)[segment]
    return segment, np.clip(at, 0.0, 1.0)
