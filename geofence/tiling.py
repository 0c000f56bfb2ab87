"""Tiling of zones: the patrollable share of each cell of the grid, and its zone.

A *patrollable* cell counts in the denominator of its zone: at least half of it lies inside
zones and outside exclusions. It belongs to the zone that holds the largest part of that;
of equal parts, to the zone that comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geofence.geojson import Outline
from geofence.grid import Grid

OUTSIDE = -1
"""Index of no zone."""

Outlines = NDArray[Any]
"""Array of shapely polygons, WGS-84 [degrees]."""

_PATROLLABLE_SHARE = 0.5

_SHARE_DECIMALS = 9
"""Shares are rounded to these, so that equal halves are equal whatever GEOS made of them."""

_CELL_MARGIN_DEG = 1e-9
"""0.1 mm around a cell: a position that floor division puts into the cell next door, because
it lies within rounding of the edge, still finds the outline that runs along that edge."""


class Meetings(NamedTuple):
    """Pairs of a zone and a cell it meets, by cell and then zone, as columns."""

    cell: NDArray[np.int32]
    zone: NDArray[np.int16]
    whole: NDArray[np.bool_]  # the cell and its margin lie inside the outline and do not touch it
    share: NDArray[np.float64]  # of the cell in the zone and outside exclusions, 0 to 1


def _boxes(grid: Grid, cell: NDArray[np.int32], margin_deg: float = 0.0) -> Outlines:
    """The squares of cells, in degrees, because shares do not depend on the scale."""
    row, col = np.divmod(cell, grid.cols)
    high, wide = grid.cell_m / grid.metres_per_lat, grid.cell_m / grid.metres_per_lng
    west, south = grid.west_deg + col * wide, grid.south_deg + row * high
    east, north = grid.west_deg + (col + 1) * wide, grid.south_deg + (row + 1) * high
    boxes: Outlines = shapely.box(
        west - margin_deg, south - margin_deg, east + margin_deg, north + margin_deg
    )
    return boxes


def meetings_of(grid: Grid, outline: Outline, excluded: BaseGeometry | None) -> Meetings:
    """The cells that an outline meets, with their edges and 0.1 mm around them; its zone is 0.

    The grid covers the outline. What is excluded must be prepared, else it is slow.
    """
    shapely.prepare(outline)
    west, south, east, north = outline.bounds
    corners = grid.cell_of(np.array([south, north]), np.array([west, east]))
    (first_row, last_row), (first_col, last_col) = np.divmod(corners, grid.cols)
    # One more on each side for the margin of the cells.
    rows = np.arange(max(first_row - 1, 0), min(last_row + 2, grid.rows))
    cols = np.arange(max(first_col - 1, 0), min(last_col + 2, grid.cols))
    cell = (rows[:, None] * grid.cols + cols).ravel().astype(np.int32)
    boxes = _boxes(grid, cell, _CELL_MARGIN_DEG)
    met = np.flatnonzero(shapely.intersects(outline, boxes))
    cell, whole = cell[met], shapely.contains_properly(outline, boxes[met])
    parts = _boxes(grid, cell)
    cell_area = shapely.area(parts)
    parts[~whole] = shapely.intersection(outline, parts[~whole])
    if excluded is not None:
        cut = np.flatnonzero(shapely.intersects(excluded, parts))
        parts[cut] = shapely.difference(parts[cut], excluded)
    share = np.round(shapely.area(parts) / cell_area, _SHARE_DECIMALS)
    return Meetings(cell, np.zeros(cell.size, np.int16), whole, share)


def owners_of(grid: Grid, meetings: Meetings) -> NDArray[np.int16]:
    """The index of the zone of each cell, shape (grid.size,).

    It is the zone with the largest share, of equal ones the smallest; `OUTSIDE` where the shares of
    all zones together are under a half.
    """
    total = np.bincount(meetings.cell, weights=meetings.share, minlength=grid.size)
    best = np.lexsort((meetings.zone, -meetings.share, meetings.cell))
    cell, where = np.unique(meetings.cell[best], return_index=True)
    owner = np.full(grid.size, OUTSIDE, dtype=np.int16)
    owner[cell] = meetings.zone[best][where]
    owner[np.round(total, _SHARE_DECIMALS) < _PATROLLABLE_SHARE] = OUTSIDE
    return owner


class Tiles:
    """Cells of outlines on a grid, worked out once for each outline.

    Zones keep most of their outlines when one of them is redrawn. May be used by one thread
    at a time.

    The grid covers all outlines that are asked about; exclusions may overlap.
    """

    def __init__(self, grid: Grid, exclusions: Sequence[Outline]) -> None:
        self.grid = grid
        self._excluded: BaseGeometry | None = None
        if exclusions:
            self._excluded = shapely.union_all(exclusions)
            shapely.prepare(self._excluded)
        self._known: dict[Outline, Meetings] = {}

    def of(self, outlines: Sequence[Outline]) -> Meetings:
        """The cells that some outlines meet; the zone of a pair is a position among these."""
        for outline in outlines:
            if outline not in self._known:
                self._known[outline] = meetings_of(self.grid, outline, self._excluded)
        parts = [
            self._known[outline]._replace(zone=np.full(self._known[outline].cell.size, n, np.int16))
            for n, outline in enumerate(outlines)
        ]
        none = (np.empty(0, kind) for kind in (np.int32, np.int16, np.bool_, np.float64))
        found = Meetings._make(map(np.concatenate, zip(none, *parts, strict=True)))
        order = np.lexsort((found.zone, found.cell))
        return Meetings._make(column[order] for column in found)

    def forget_others(self, outlines: Iterable[Outline]) -> None:
        """Keep what is known of some outlines only."""
        kept = set(outlines)
        self._known = {outline: found for outline, found in self._known.items() if outline in kept}
