"""The zones of a district through time, on one grid.

Zones begin and end; between two such instants lies an *era*, with one `ZoneMap`. All eras share
the grid, so that a cell keeps its number. What has happened belongs to the zones of its time:
redrawing a zone leaves the eras before it as they were.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from geofence.tiling import Tiles
from geofence.zonemap import MARGIN_M, ZoneMap, grid_over, lay
from geofence.zones import Zones

ALWAYS_MS = -(1 << 62)
"""When the first era begins [ms]."""

Rows = slice | NDArray[np.intp]


class Era(NamedTuple):
    """From when on the zones are as they are on a map [ms], until the next era begins.

    On the map they have no validity of their own: two versions that differ in nothing else are
    one zone.
    """

    from_ms: int
    zones: ZoneMap


class Layout(NamedTuple):
    """Zones laid out in eras. It never changes, so a thread that holds one is not disturbed."""

    zones: Zones  # of all times
    eras: tuple[Era, ...]  # ascending; the first begins at `ALWAYS_MS`
    starts: tuple[int, ...]  # when each begins [ms]
    # All that there ever are; the *number* of a zone is its position here, in every era.
    zone_ids: tuple[str, ...]

    def era_at(self, at_ms: int) -> Era:
        """The era of an instant [ms]; the first instant of an era belongs to it."""
        return self.eras[bisect_right(self.starts, at_ms) - 1]

    def split(self, at_ms: NDArray[np.int64]) -> Iterator[tuple[Era, Rows]]:
        """Instants [ms], of shape (n,), by their era: each era that has some, and their rows."""
        if not at_ms.size:
            return
        if len(self.eras) == 1:
            yield self.eras[0], slice(None)
            return
        first, last = np.searchsorted(self.starts, (at_ms.min(), at_ms.max()), "right") - 1
        if first == last:
            yield self.eras[first], slice(None)
            return
        which = np.searchsorted(self.starts, at_ms, "right") - 1
        for era in np.unique(which).tolist():
            yield self.eras[era], np.flatnonzero(which == era)

    def numbers(self, zones: ZoneMap) -> NDArray[np.int32]:
        """The number of each zone of a map by its index, and last -1; shape (zones + 1,)."""
        known = {zone_id: number for number, zone_id in enumerate(self.zone_ids)}
        return np.array([*(known[zone.zone_id] for zone in zones.zones), -1], np.int32)

    def owner(self, cell: NDArray[np.integer], at_ms: NDArray[np.int64]) -> NDArray[np.int32]:
        """The number of the zone that each cell belongs to at an instant of its own.

        -1 where it belongs to none. Cells, instants [ms] and numbers have the shape (n,).
        """
        owner = np.full(cell.shape, -1, np.int32)
        for era, rows in self.split(at_ms):
            owner[rows] = self.numbers(era.zones)[era.zones.cell_zone[cell[rows]]]
        return owner

    def zone_of(
        self, lat_deg: NDArray[np.float64], lng_deg: NDArray[np.float64], at_ms: NDArray[np.int64]
    ) -> NDArray[np.int32]:
        """The number of the zone that each position lies in at an instant of its own.

        As :meth:`ZoneMap.zone_of`; -1 outside all zones. All of shape (n,).
        """
        zone = np.full(lat_deg.shape, -1, np.int32)
        for era, rows in self.split(at_ms):
            zone[rows] = self.numbers(era.zones)[era.zones.zone_of(lat_deg[rows], lng_deg[rows])]
        return zone

    def own(
        self, cell: NDArray[np.integer], at_ms: NDArray[np.int64], zones: ZoneMap
    ) -> NDArray[np.bool_]:
        """Tell which cells, at an instant of their own, were of the zone that has them on a map.

        False where it is of no zone on the map. `cell`, `at_ms` [ms] and the answer have shape
        (n,).
        """
        then = self.numbers(zones)[zones.cell_zone[cell]]
        own: NDArray[np.bool_] = then >= 0
        if any(era.zones is not zones for era, _ in self.split(at_ms)):
            own &= self.owner(cell, at_ms) == then
        return own

    def since_ms(self, zone_id: str, at_ms: int) -> int | None:
        """Since when a zone has been there without a break, in whatever outline [ms].

        None when it always was; `at_ms` itself when it is not there then.
        """
        index = bisect_right(self.starts, at_ms) - 1
        since_ms = at_ms
        while index >= 0 and self.eras[index].zones.has(zone_id):
            since_ms = self.starts[index]
            index -= 1
        return None if since_ms == ALWAYS_MS else since_ms


class Atlas:
    """The zones of a district, which can be redrawn.

    Reading is safe in any thread; each question is answered from one :class:`Layout`. Only one
    thread at a time may :meth:`lay`.

    `zones` are those of all times, at least one; the grid reaches so far beyond them as they may
    be redrawn.

    ZonesError: some zone has no patrollable cell.
    """

    def __init__(self, zones: Zones, *, cell_m: float = 100.0, margin_m: float = MARGIN_M) -> None:
        grid = grid_over(zones, cell_m=cell_m, margin_m=margin_m)
        self._tiles = Tiles(grid, [exclusion.geometry for exclusion in zones.exclusions])
        self.grid = grid  # all eras share it
        self.layout = Layout(zones, (), (), ())  # another after `lay` and `adopt`
        self.layout = self.lay(zones)

    def at(self, at_ms: int) -> ZoneMap:
        """The zones of an instant [ms]."""
        return self.layout.era_at(at_ms).zones

    def holds(self, zones: Zones) -> bool:
        """Tell whether the grid covers some zones and a cell around them."""
        grid = self.grid
        west, south, east, north = shapely.total_bounds([zone.geometry for zone in zones.zones])
        high, wide = grid.cell_m / grid.metres_per_lat, grid.cell_m / grid.metres_per_lng
        return bool(
            grid.west_deg + wide <= west
            and grid.south_deg + high <= south
            and east <= grid.east_deg - wide
            and north <= grid.north_deg - high
        )

    def lay(self, zones: Zones) -> Layout:
        """Lay out other zones, which the grid holds; nothing changes yet.

        ZonesError: some zone has no patrollable cell.
        """
        eras: list[Era] = []
        laid = {era.zones.zones: era.zones for era in self.layout.eras}
        for at_ms in (ALWAYS_MS, *zones.changes_ms):
            valid = tuple(
                replace(zone, valid_from_ms=None, valid_to_ms=None) for zone in zones.at(at_ms)
            )
            if eras and eras[-1].zones.zones == valid:
                continue
            if valid not in laid:
                laid[valid] = lay(valid, self._tiles)
            eras.append(Era(at_ms, laid[valid]))
        self._tiles.forget_others(zone.geometry for zone in zones.zones)
        known = self.layout.zone_ids
        new = sorted({zone.zone_id for zone in zones.zones} - set(known))
        return Layout(zones, tuple(eras), tuple(era.from_ms for era in eras), (*known, *new))

    def adopt(self, layout: Layout) -> int | None:
        """Let zones be as they were laid out.

        Return the first instant at which something is not as it was [ms]; None when all is.
        """
        before, self.layout = self.layout, layout
        for at_ms in sorted({*before.starts, *layout.starts}):
            if before.era_at(at_ms).zones.zones != layout.era_at(at_ms).zones.zones:
                return at_ms
        return None
