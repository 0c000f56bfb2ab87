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
    """Pairs of a zone and a square of cells that it meets, as columns."""

    cell: NDArray[np.int32]  # the south-western cell of the square
    # Cells on a side. A square of more than one cell has no share but its own: 1 in this zone.
    side: NDArray[np.int16]
    zone: NDArray[np.int16]
    whole: NDArray[np.bool_]  # the square and its margin lie inside the outline, not touching it
    share: NDArray[np.float64]  # of a cell in the zone and outside exclusions, 0 to 1

    def where(self, mask: NDArray[np.bool_]) -> Meetings:
        """The pairs that `mask`, of the shape of the columns, selects."""
        return Meetings._make(column[mask] for column in self)

    @classmethod
    def union(cls, parts: Iterable[Meetings]) -> Meetings:
        """All pairs of some parts."""
        none = (np.empty(0, kind) for kind in (np.int32, np.int16, np.int16, np.bool_, np.float64))
        return cls._make(map(np.concatenate, zip(none, *parts, strict=True)))


_BLOCK, _SQUARE = 32, 4
"""Cells on a side of a block, and of a square in it.

Inside a large outline whole ones are settled by one test, and keep together.
"""

_FINE = 256
"""An outline of more vertices is cut into the blocks that it crosses before it is measured."""


def _boxes(
    grid: Grid,
    cell: NDArray[np.int32],
    margin_deg: float = 0.0,
    *,
    cells: int | NDArray[np.int16] = 1,
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


def _parts(
    grid: Grid, cell: NDArray[np.int32], side: int, of: int, within: tuple[range, range]
) -> NDArray[np.int32]:
    """The squares, of `of` cells a side, of squares of `side` cells, in some rows and columns."""
    row, col = np.divmod(cell, grid.cols)
    at = np.arange(0, side, of)
    rows, cols = np.broadcast_arrays(row[:, None, None] + at[:, None], col[:, None, None] + at)
    here = (rows < within[0].stop) & (cols < within[1].stop)
    parts: NDArray[np.int32] = (rows[here] * grid.cols + cols[here]).astype(np.int32)
    return parts


def meetings_of(grid: Grid, outline: Outline, excluded: BaseGeometry | None) -> Meetings:
    """The cells that an outline meets, with their edges and 0.1 mm around them; its zone is 0.

    The grid covers the outline. What is excluded must be prepared, else it is slow.
    """
    shapely.prepare(outline)
    west, south, east, north = outline.bounds
    corners = grid.cell_of(np.array([south, north]), np.array([west, east]))
    (first_row, last_row), (first_col, last_col) = np.divmod(corners, grid.cols)
    # One more on each side for the margin of the cells.
    within = (
        range(max(first_row - 1, 0), min(last_row + 2, grid.rows)),
        range(max(first_col - 1, 0), min(last_col + 2, grid.cols)),
    )
    rows, cols = (np.arange(edge.start, edge.stop, _BLOCK) for edge in within)
    blocks = (rows[:, None] * grid.cols + cols).ravel().astype(np.int32)
    inside, met = _settle(grid, blocks, _BLOCK, outline, excluded)
    found = [_squares(inside, _BLOCK)]
    for block in np.split(met, met.size):
        part, less = (_around(grid, block, shape) for shape in (outline, excluded))
        squares = _parts(grid, block, _BLOCK, _SQUARE, within)
        inside, squares = _settle(grid, squares, _SQUARE, part, less)
        cells = _parts(grid, squares, _SQUARE, 1, within)
        found += [_squares(inside, _SQUARE), _measured(grid, cells, part, less)]
    return Meetings.union(found)


def _settle(
    grid: Grid,
    cell: NDArray[np.int32],
    side: int,
    outline: BaseGeometry,
    excluded: BaseGeometry | None,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Squares that lie in the outline and meet no exclusion; and those to look at in parts."""
    boxes = _boxes(grid, cell, _CELL_MARGIN_DEG, cells=side)
    inside = shapely.contains_properly(outline, boxes)
    met = shapely.intersects(outline, boxes) & ~inside
    if excluded is not None:
        cut = inside & shapely.intersects(excluded, boxes)
        inside, met = inside & ~cut, met | cut
    return cell[inside], cell[met]


def _around(grid: Grid, block: NDArray[np.int32], shape: BaseGeometry | None) -> Any:
    """A shape, or what it takes to know it in a block: itself there and a cell around it."""
    if shape is None or shapely.get_num_coordinates(shape) <= _FINE:
        return shape
    reach = grid.cell_m / grid.metres_per_lng
    (box,) = _boxes(grid, block, reach, cells=_BLOCK)
    part = areas_of(shapely.intersection(shape, box))
    shapely.prepare(part)
    return part


def _squares(cell: NDArray[np.int32], side: int) -> Meetings:
    """Squares that lie in an outline."""
    return Meetings(
        cell,
        np.full(cell.size, side, np.int16),
        np.zeros(cell.size, np.int16),
        np.ones(cell.size, np.bool_),
        np.ones(cell.size),
    )


def _measured(
    grid: Grid, cell: NDArray[np.int32], outline: BaseGeometry, excluded: BaseGeometry | None
) -> Meetings:
    """Those of some cells that an outline meets, each with its share."""
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
    return _squares(cell, 1)._replace(whole=whole, share=share)


def held_of(grid: Grid, meetings: Meetings) -> NDArray[np.int32]:
    """The smallest index of a zone that holds a square of more than a cell; shape (grid.size + 1,).

    `OUTSIDE` where none does, and last.
    """
    held = np.full(grid.size + 1, OUTSIDE, np.int32)
    # Without a sign, `OUTSIDE` is the largest number.
    lattice = held[:-1].view(np.uint32).reshape(grid.rows, grid.cols)
    large = meetings.where(meetings.side > 1)
    row, col = np.divmod(large.cell, grid.cols)
    columns = (column.tolist() for column in (row, col, large.side, large.zone))
    for south, west, side, zone in zip(*columns, strict=True):
        square = lattice[south : south + side, west : west + side]
        np.minimum(square, zone, out=square)
    return held


def owners_of(held: NDArray[np.int32], meetings: Meetings) -> NDArray[np.int16]:
    """The index of the zone of each cell, shape (grid.size,).

    It is the zone with the largest share, of equal ones the smallest; `OUTSIDE` where the shares of
    all zones together are under a half. What is held is of :func:`held_of`.
    """
    single = meetings.where(meetings.side == 1)
    best = np.lexsort((single.zone, -single.share, single.cell))
    cell, where, which = np.unique(single.cell[best], return_index=True, return_inverse=True)
    total = np.bincount(which, weights=single.share[best])
    here = (held[cell] == OUTSIDE) & (np.round(total, _SHARE_DECIMALS) >= _PATROLLABLE_SHARE)
    owner = held[:-1].astype(np.int16)
    owner[cell[here]] = single.zone[best][where][here]
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
        parts = [self._known[outline] for outline in outlines]
        every = np.array(outlines, dtype=object)
        later, earlier = STRtree(every).query(every, predicate="intersects")
        for n in np.unique(later[earlier < later]).tolist():
            lost = self._shared(every[n], every[earlier[(later == n) & (earlier < n)]])
            parts[n] = parts[n] if lost.is_empty else self._without(parts[n], lost)
        return Meetings.union(
            part._replace(zone=np.full(part.cell.size, n, np.int16)) for n, part in enumerate(parts)
        )

    def _shared(self, outline: Outline, before: Outlines) -> BaseGeometry:
        """What an outline shares with others, outside exclusions."""
        lost = areas_of(shapely.intersection(before, outline))
        return lost if self._excluded is None else shapely.difference(lost, self._excluded)

    def _without(self, part: Meetings, lost: BaseGeometry) -> Meetings:
        """The cells of an outline, less the shares in a shape that it has lost."""
        met = shapely.intersects(lost, _boxes(self.grid, part.cell, cells=part.side))
        whole = (range(self.grid.rows), range(self.grid.cols))
        split = [
            _squares(_parts(self.grid, part.cell[met & (part.side == side)], side, 1, whole), 1)
            for side in (_BLOCK, _SQUARE)
        ]
        single = Meetings.union([part.where(met & (part.side == 1)), *split])
        boxes = _boxes(self.grid, single.cell)
        taken = shapely.area(shapely.intersection(lost, boxes)) / shapely.area(boxes)
        left = np.maximum(np.round(single.share - taken, _SHARE_DECIMALS), 0.0)
        return Meetings.union([part.where(~met), single._replace(share=left)])

    def forget_others(self, outlines: Iterable[Outline]) -> None:
        """Keep what is known of some outlines only."""
        kept = set(outlines)
        self._known = {outline: found for outline, found in self._known.items() if outline in kept}
