"""Which cells make up a zone, and in which zone a position lies.

Which zone a cell counts for is the business of `geofence.tiling`.

A position lies in the zone whose outline holds it, exclusions or not. All but the cells
that an outline crosses lie in one zone or in none, so the zone of a position is one gather;
only positions in crossed cells pay for a test against the polygons. On a shared boundary
the smaller `zone_id` wins, so no position lies in two zones.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geofence.errors import Problem, ZonesError
from geofence.grid import MAX_CELLS, METRES_PER_DEGREE, Grid
from geofence.tiling import OUTSIDE, Meetings, Outlines, Tiles, held_of, owners_of
from geofence.zones import Zone, Zones

MAX_ZONES = int(np.iinfo(np.int16).max)

MARGIN_M = 2000.0
"""Default margin of a grid around the zones [m]."""


@dataclass(frozen=True, slots=True, eq=False)
class ZoneMap:
    """The zones that exist at one instant, laid on the grid. Read-only; made by `lay`."""

    # Covers the zones of all times and a margin, so that cells keep their numbers when some zones
    # begin or end.
    grid: Grid
    zones: tuple[Zone, ...]  # sorted by `zone_id`; what "index" means everywhere below
    # Shape (grid.size,): index of the zone a patrollable cell belongs to; -1 for every other cell.
    cell_zone: NDArray[np.int16]
    cells_total: NDArray[np.int32]  # shape (len(zones),): patrollable cells of each zone; never 0
    digest: str  # changes when the grid or the cells or outlines of a zone change; for snapshots
    # Shape (grid.size + 1,): index of the zone that holds a whole cell, exclusions or not; -1 where
    # none does, and last for what is outside the grid; -2 - n where an outline crosses or touches
    # the cell, which is the n-th of those.
    place: NDArray[np.int32]
    _index: dict[str, int]
    _outlines: Outlines
    """Prepared outlines of the zones."""
    _rivals: NDArray[np.int16]
    """Indices of the zones that meet each crossed cell, padded with -1."""

    def index(self, zone_id: str) -> int:
        """Index of a zone; KeyError when there is no such zone."""
        return self._index[zone_id]

    def has(self, zone_id: str) -> bool:
        """Tell whether there is such a zone."""
        return zone_id in self._index

    def cells(self, zone_id: str) -> NDArray[np.int32]:
        """The patrollable cells of a zone, ascending, shape (k,); KeyError for no such zone."""
        index = self.index(zone_id)
        _, south_deg, _, north_deg = self.zones[index].geometry.bounds
        first_row, last_row = (
            int((lat_deg - self.grid.south_deg) * self.grid.metres_per_lat / self.grid.cell_m)
            for lat_deg in (south_deg, north_deg)
        )
        # A row more on each side, for rounding.
        begin = max(first_row - 1, 0) * self.grid.cols
        rows = self.cell_zone[begin : (last_row + 2) * self.grid.cols]
        return (begin + np.flatnonzero(rows == index)).astype(np.int32)

    def zone_of(
        self, lat_deg: NDArray[np.float64], lng_deg: NDArray[np.float64]
    ) -> NDArray[np.int16]:
        """The index in `zones` of the zone each position lies in; WGS-84 [degrees], shape (n,).

        -1 outside all zones and for NaN. Exact: the same as testing every polygon, boundary
        included, and taking the smallest index.
        """
        zone = self.place[self.grid.cell_of(lat_deg, lng_deg)]
        near = np.flatnonzero(zone < OUTSIDE)
        if near.size:
            rivals = self._rivals[-2 - zone[near]]
            row, column = np.nonzero(rivals != OUTSIDE)
            rival = rivals[row, column]
            # One outline after the other, for the processor's cache; the largest index first, so
            # that the smallest overwrites the others.
            order = np.argsort(rival, kind="stable")[::-1]
            rival, at = rival[order], near[row[order]]
            inside = shapely.intersects_xy(self._outlines[rival], lng_deg[at], lat_deg[at])
            zone[near] = OUTSIDE
            zone[at[inside]] = rival[inside]
        return zone.astype(np.int16)


class DistrictEdge:
    """The outline of some zones on the plane, prepared for many questions."""

    def __init__(self, zones: ZoneMap) -> None:
        self._zones = zones
        outlines = shapely.union_all([zone.geometry for zone in zones.zones])
        self._outline = shapely.transform(outlines, self._to_plane)
        shapely.prepare(self._outline)

    def outside_m(
        self, lat_deg: NDArray[np.float64], lng_deg: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Distance of positions (WGS-84) to the nearest zone [m], shape (n,); 0 within one."""
        found = np.zeros(lat_deg.size)
        out = np.flatnonzero(self._zones.zone_of(lat_deg, lng_deg) < 0)
        points = shapely.points(*self._zones.grid.plane(lat_deg[out], lng_deg[out]))
        found[out] = shapely.distance(points, self._outline)
        return found

    def _to_plane(self, lng_lat: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(self._zones.grid.plane(lng_lat[:, 1], lng_lat[:, 0]))


def lay(zones: tuple[Zone, ...], tiles: Tiles) -> ZoneMap:
    """Lay the zones of one instant on a grid.

    There are at most 32,767 zones, sorted by `zone_id`; none is a map of which nothing belongs to a
    zone. The grid of the tiles covers them.

    ZonesError: one has no patrollable cell, or there are too many.
    """
    if len(zones) > MAX_ZONES:
        raise ZonesError([Problem("zones", f"{len(zones):,} zones, not at most {MAX_ZONES:,}")])
    grid = tiles.grid
    outlines = np.array([zone.geometry for zone in zones], dtype=object)
    meetings = tiles.of(outlines.tolist())
    place = held_of(grid, meetings)
    cell_zone = owners_of(place, meetings)
    cells_total = np.bincount(cell_zone[cell_zone >= 0], minlength=len(zones)).astype(np.int32)
    if not cells_total.all():
        raise ZonesError(
            Problem(
                f'zone_id "{zone.zone_id}"',
                f"has no patrollable cell of {grid.cell_m:g} m: it is too narrow or all excluded",
            )
            for zone, total in zip(zones, cells_total, strict=True)
            if total == 0
        )
    rivals = _rivalries(meetings.where(meetings.side == 1), place)
    # GEOS builds the index of a prepared polygon at its first test: do it here, before
    # threads share the outlines.
    shapely.prepare(outlines)
    shapely.intersects_xy(outlines, *shapely.get_coordinates(shapely.point_on_surface(outlines)).T)
    for array in (cell_zone, cells_total, place, rivals):
        array.flags.writeable = False
    return ZoneMap(
        grid=grid,
        zones=zones,
        cell_zone=cell_zone,
        cells_total=cells_total,
        digest=_digest(grid, zones, cell_zone),
        place=place,
        _index={zone.zone_id: n for n, zone in enumerate(zones)},
        _outlines=outlines,
        _rivals=rivals,
    )


def grid_over(zones: Zones, *, cell_m: float, margin_m: float = MARGIN_M) -> Grid:
    """The grid that covers the zones of all times and a margin, by which none lies on its edge.

    ValueError when a length is not positive. ZonesError: it would have more than `MAX_CELLS`.
    """
    if not (cell_m > 0 and margin_m > 0):
        raise ValueError(f"cell_m {cell_m} and margin_m {margin_m} must be positive")
    west, south, east, north = shapely.total_bounds([zone.geometry for zone in zones.zones])
    up = margin_m / METRES_PER_DEGREE
    across = up / math.cos(math.radians((south + north) / 2))
    grid = Grid.over(south - up, west - across, north + up, east + across, cell_m=cell_m)
    if grid.size > MAX_CELLS:
        enough_m = math.ceil(cell_m * math.sqrt(grid.size / MAX_CELLS) / 10 + 0.5) * 10
        message = (
            f"would need a grid of {grid.size:,} cells of {cell_m:g} m; at most {MAX_CELLS:,} are "
            f"possible: use larger cells (district.cell_m = {enough_m}), or split the district"
        )
        raise ZonesError([Problem("zones", message)])
    return grid


def _rivalries(single: Meetings, place: NDArray[np.int32]) -> NDArray[np.int16]:
    """Complete `place` by single cells; the zones that meet in each crossed one, ascending."""
    whole = single.where(single.whole)
    np.minimum.at(place.view(np.uint32), whole.cell, whole.zone.astype(np.uint32))
    crossed = np.unique(single.cell[~single.whole])
    # Of the zones that hold a crossed cell only the smallest counts, and none after it.
    holder = place[crossed]
    held = holder != OUTSIDE
    cell = np.concatenate([single.cell[~single.whole], crossed[held]])
    zone = np.concatenate([single.zone[~single.whole], holder[held].astype(np.int16)])
    order = np.lexsort((zone, cell))
    row = np.searchsorted(crossed, cell[order])
    column = np.arange(row.size) - np.searchsorted(row, row)
    rivals = np.full((crossed.size, int(column.max(initial=0)) + 1), OUTSIDE, dtype=np.int16)
    rivals[row, column] = zone[order]
    place[crossed] = -2 - np.arange(crossed.size)
    return rivals


def _digest(grid: Grid, zones: tuple[Zone, ...], cell_zone: NDArray[np.int16]) -> str:
    digest = hashlib.sha256(repr(grid).encode())
    for zone in zones:
        outline = shapely.to_wkb(shapely.normalize(zone.geometry), byte_order=1)
        digest.update(f"{zone.zone_id} {len(outline)} ".encode() + outline)
    digest.update(cell_zone.astype("<i2", copy=False).data)
    return digest.hexdigest()
