"""How far positions lie outside the district, which is all zones of an instant together."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from geofence.zonemap import ZoneMap


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
