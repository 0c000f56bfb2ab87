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
    """Pairs of a zone and a cell it meets, by cell and then zone."""

    cell: NDArray[np.int32]
    zone: NDArray[np.int16]
    whole: NDArray[np.bool_]
    """The cell and its margin lie inside the outline and do not touch it."""

    @classmethod
    def none(cls) -> Meetings:
        """Meetings of no zone."""
        return cls(np.empty(0, np.int32), np.empty(0, np.int16), np.empty(0, np.bool_))


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


def meetings_of(grid: Grid, outlines: Outlines) -> Meetings:
    """The cells that outlines meet, with their edges and 0.1 mm around them.

    Parameters
    ----------
    grid : Grid
        Covers all of them.
    outlines : ndarray of Polygon or MultiPolygon
        Prepared (`shapely.prepare`), else it is slow.
    """
    cells, zones, wholes = [], [], []
    bounds = shapely.bounds(outlines)
    first_row, first_col = np.divmod(grid.cell_of(bounds[:, 1], bounds[:, 0]), grid.cols)
    last_row, last_col = np.divmod(grid.cell_of(bounds[:, 3], bounds[:, 2]), grid.cols)
    for n, outline in enumerate(outlines):
        # One more on each side for the margin of the cells.
        rows = np.arange(max(first_row[n] - 1, 0), min(last_row[n] + 2, grid.rows))
        cols = np.arange(max(first_col[n] - 1, 0), min(last_col[n] + 2, grid.cols))
        cell = (rows[:, None] * grid.cols + cols).ravel().astype(np.int32)
        boxes = _boxes(grid, cell, _CELL_MARGIN_DEG)
        met = np.flatnonzero(shapely.intersects(outline, boxes))
        cells.append(cell[met])
        zones.append(np.full(len(met), n, dtype=np.int16))
        wholes.append(shapely.contains_properly(outline, boxes[met]))
    cell, zone = np.concatenate(cells), np.concatenate(zones)
    order = np.lexsort((zone, cell))
    return Meetings(cell[order], zone[order], np.concatenate(wholes)[order])


def shares_of(
    grid: Grid, meetings: Meetings, outlines: Outlines, excluded: BaseGeometry | None
) -> NDArray[np.float64]:
    """The share of each meeting's cell in the zone and outside exclusions, 0 to 1.

    Parameters
    ----------
    grid : Grid
    meetings : Meetings
        Of `outlines`, as `meetings_of` returns them.
    outlines : ndarray of Polygon or MultiPolygon
    excluded : geometry, optional
        What cannot be patrolled; prepared, else it is slow.

    Returns
    -------
    ndarray of float64, shape (len(meetings.cell),)
        Rounded to nine decimals.
    """
    parts = _boxes(grid, meetings.cell)
    cell_area = shapely.area(parts)
    part = np.flatnonzero(~meetings.whole)
    parts[part] = shapely.intersection(outlines[meetings.zone[part]], parts[part])
    if excluded is not None:
        cut = np.flatnonzero(shapely.intersects(excluded, parts))
        parts[cut] = shapely.difference(parts[cut], excluded)
    shares: NDArray[np.float64] = np.round(shapely.area(parts) / cell_area, _SHARE_DECIMALS)
    return shares


def owners_of(grid: Grid, meetings: Meetings, shares: NDArray[np.float64]) -> NDArray[np.int16]:
    """The zone of each cell.

    Returns
    -------
    ndarray of int16, shape (grid.size,)
        Index of the zone with the largest share, of equal ones the smallest; `OUTSIDE` where
        the shares of all zones together are under a half.
    """
    total = np.bincount(meetings.cell, weights=shares, minlength=grid.size)
    best = np.lexsort((meetings.zone, -shares, meetings.cell))
    cell, where = np.unique(meetings.cell[best], return_index=True)
    owner = np.full(grid.size, OUTSIDE, dtype=np.int16)
    owner[cell] = meetings.zone[best][where]
    owner[np.round(total, _SHARE_DECIMALS) < _PATROLLABLE_SHARE] = OUTSIDE
    return owner


class Tiles:
    """Cells of outlines on a grid, worked out once for each outline.

    Zones keep most of their outlines when one of them is redrawn. May be used by one thread
    at a time.

    Parameters
    ----------
    grid : Grid
        Covers all outlines that are asked about.
    exclusions : sequence of Polygon or MultiPolygon
        They may overlap.
    """

    def __init__(self, grid: Grid, exclusions: Sequence[Outline]) -> None:
        self.grid = grid
        self._excluded: BaseGeometry | None = None
        if exclusions:
            self._excluded = shapely.union_all(exclusions)
            shapely.prepare(self._excluded)
        self._known: dict[Outline, tuple[Meetings, NDArray[np.float64]]] = {}

    def of(self, outlines: Sequence[Outline]) -> tuple[Meetings, NDArray[np.float64]]:
        """The cells that some outlines meet, and the share of each; see `shares_of`."""
        parts = [self._of(outline) for outline in outlines]
        cell = np.concatenate([met.cell for met, _ in parts])
        zone = np.repeat(np.arange(len(parts), dtype=np.int16), [met.cell.size for met, _ in parts])
        order = np.lexsort((zone, cell))
        whole = np.concatenate([met.whole for met, _ in parts])
        shares = np.concatenate([shares for _, shares in parts])
        return Meetings(cell[order], zone[order], whole[order]), shares[order]

    def forget_others(self, outlines: Iterable[Outline]) -> None:
        """Keep what is known of some outlines only."""
        kept = set(outlines)
        self._known = {outline: found for outline, found in self._known.items() if outline in kept}

    def _of(self, outline: Outline) -> tuple[Meetings, NDArray[np.float64]]:
        found = self._known.get(outline)
        if found is None:
            alone = np.array([outline])
            shapely.prepare(alone)
            met = meetings_of(self.grid, alone)
            found = met, shares_of(self.grid, met, alone, self._excluded)
            self._known[outline] = found
        return found
