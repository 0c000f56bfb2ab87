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
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from geofence.geojson import Outline, areas_of
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


_BLOCK = 32
"""Cells on a side of a block. Inside a large outline whole blocks are settled by one test."""


def _boxes(
    grid: Grid, cell: NDArray[np.int32], margin_deg: float = 0.0, *, cells: int = 1
) -> Outlines:
    """Squares of so many cells a side, by their south-western cell [degrees].

    Shares do not depend on the scale.
    """
    row, col = np.divmod(cell, grid.cols)
    high, wide = grid.cell_m / grid.metres_per_lat, grid.cell_m / grid.metres_per_lng
    west, south = grid.west_deg + col * wide, grid.south_deg + row * high
    east, north = grid.west_deg + (col + cells) * wide, grid.south_deg + (row + cells) * high
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
    inside, unsettled = _blocks(grid, rows, cols, outline, excluded)
    boxes = _boxes(grid, unsettled, _CELL_MARGIN_DEG)
    met = np.flatnonzero(shapely.intersects(outline, boxes))
    cell, whole = unsettled[met], shapely.contains_properly(outline, boxes[met])
    parts = _boxes(grid, cell)
    cell_area = shapely.area(parts)
    parts[~whole] = shapely.intersection(outline, parts[~whole])
    if excluded is not None:
        cut = np.flatnonzero(shapely.intersects(excluded, parts))
        parts[cut] = shapely.difference(parts[cut], excluded)
    share = np.round(shapely.area(parts) / cell_area, _SHARE_DECIMALS)
    return Meetings(
        np.concatenate([cell, inside]),
        np.zeros(cell.size + inside.size, np.int16),
        np.concatenate([whole, np.ones(inside.size, np.bool_)]),
        np.concatenate([share, np.ones(inside.size)]),
    )


def _blocks(
    grid: Grid,
    rows: NDArray[np.intp],
    cols: NDArray[np.intp],
    outline: Outline,
    excluded: BaseGeometry | None,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The cells of some rows and columns in two parts.

    First those in blocks that lie in the outline and meet no exclusion, then those in blocks of
    which each cell must be looked at.
    """
    corner = (rows[::_BLOCK, None] * grid.cols + cols[::_BLOCK]).astype(np.int32)
    boxes = _boxes(grid, corner, _CELL_MARGIN_DEG, cells=_BLOCK)
    inside = shapely.contains_properly(outline, boxes)
    met = shapely.intersects(outline, boxes) & ~inside
    if excluded is not None:
        cut = inside & shapely.intersects(excluded, boxes)
        inside, met = inside & ~cut, met | cut

    def cells_of(blocks: NDArray[np.bool_]) -> NDArray[np.int32]:
        one = np.repeat(np.repeat(blocks, _BLOCK, 0), _BLOCK, 1)[: rows.size, : cols.size]
        row, col = np.nonzero(one)
        return (rows[row] * grid.cols + cols[col]).astype(np.int32)

    return cells_of(inside), cells_of(met)


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
        """The cells that some outlines meet; the zone of a pair is a position among these.

        What several outlines hold is in the share of the first of them alone.
        """
        for outline in outlines:
            if outline not in self._known:
                self._known[outline] = meetings_of(self.grid, outline, self._excluded)
        parts = [
            self._known[outline]._replace(zone=np.full(self._known[outline].cell.size, n, np.int16))
            for n, outline in enumerate(outlines)
        ]
        none = (np.empty(0, kind) for kind in (np.int32, np.int16, np.bool_, np.float64))
        found = Meetings._make(map(np.concatenate, zip(none, *parts, strict=True)))
        self._take_shared(np.array(outlines, dtype=object), found)
        order = np.lexsort((found.zone, found.cell))
        return Meetings._make(column[order] for column in found)

    def _take_shared(self, outlines: Outlines, found: Meetings) -> None:
        """Take from the share of each outline what those before it hold too."""
        later, earlier = STRtree(outlines).query(outlines, predicate="intersects")
        for n in np.unique(later[earlier < later]):
            before = outlines[earlier[(later == n) & (earlier < n)]]
            lost = areas_of(shapely.intersection(before, outlines[n]))
            if self._excluded is not None:
                lost = shapely.difference(lost, self._excluded)
            rows = np.flatnonzero(found.zone == n)
            boxes = _boxes(self.grid, found.cell[rows])
            met = shapely.intersects(lost, boxes)
            taken = shapely.area(shapely.intersection(lost, boxes[met])) / shapely.area(boxes[met])
            left = np.round(found.share[rows[met]] - taken, _SHARE_DECIMALS)
            found.share[rows[met]] = np.maximum(left, 0.0)

    def forget_others(self, outlines: Iterable[Outline]) -> None:
        """Keep what is known of some outlines only."""
        kept = set(outlines)
        self._known = {outline: found for outline, found in self._known.items() if outline in kept}
