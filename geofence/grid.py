"""The unit grid (万米单元网格): a lattice of nominal 100 m cells anchored to a district.

The lattice is regular in longitude and latitude, so the cell of a position is one floor
division, and a district is small enough (tens of kilometres) for one scale per axis. All
lengths in this package are measured on that plane: `x = (lng - west) * metres_per_lng`,
`y = (lat - south) * metres_per_lat`. No function of a position calls a trigonometric
function, so a result does not depend on how the positions were split into arrays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

METRES_PER_DEGREE = 111_320.0
"""Length of a degree of latitude [m], on a sphere of WGS-84's equatorial radius (6,378,137 m).

On the ellipsoid it is 0.3 % less at 36° N, and a degree of longitude 0.1 % more.
"""

MAX_CELLS = 1 << 24
"""Cells of the largest grid: the ledger of visits packs a cell into 24 bits at most."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A lattice of `rows` by `cols` cells; cell 0 is in the south-west, numbered row by row."""

    # South-west corner of cell 0, WGS-84 [degrees].
    south_deg: float
    west_deg: float
    # Cells from south to north, and from west to east.
    rows: int
    cols: int
    cell_m: float  # side of a cell [m]
    # Scale of the plane [m/degree]; constant over the district.
    metres_per_lat: float
    metres_per_lng: float

    @classmethod
    def over(
        cls, south_deg: float, west_deg: float, north_deg: float, east_deg: float, *, cell_m: float
    ) -> Grid:
        """The smallest grid that covers a box.

        The corner is rounded down to a multiple of the cell on a lattice that starts at
        (0, 0), so that moving a boundary by a little does not renumber the streets.
        """
        # The scale is taken at a latitude rounded to a tenth of a degree, for the same reason.
        middle_deg = round((south_deg + north_deg) / 2, 1)
        per_lat = METRES_PER_DEGREE
        per_lng = METRES_PER_DEGREE * math.cos(math.radians(middle_deg))
        first_row, first_col = (
            math.floor(south_deg * per_lat / cell_m),
            math.floor(west_deg * per_lng / cell_m),
        )
        last_row, last_col = (
            math.floor(north_deg * per_lat / cell_m),
            math.floor(east_deg * per_lng / cell_m),
        )
        return cls(
            south_deg=first_row * cell_m / per_lat,
            west_deg=first_col * cell_m / per_lng,
            rows=last_row - first_row + 1,
            cols=last_col - first_col + 1,
            cell_m=cell_m,
            metres_per_lat=per_lat,
            metres_per_lng=per_lng,
        )

    @property
    def size(self) -> int:
        """Number of cells."""
        return self.rows * self.cols

    @property
    def north_deg(self) -> float:
        """Northern edge [degrees]."""
        return self.south_deg + self.rows * self.cell_m / self.metres_per_lat

    @property
    def east_deg(self) -> float:
        """Eastern edge [degrees]."""
        return self.west_deg + self.cols * self.cell_m / self.metres_per_lng

    def plane(
        self, lat_deg: NDArray[np.float64], lng_deg: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions, WGS-84 [degrees], shape (n,), on the plane: x and y, each of shape (n,).

        Metres east and north of the south-west corner; NaN where a coordinate is NaN.
        """
        return (
            (lng_deg - self.west_deg) * self.metres_per_lng,
            (lat_deg - self.south_deg) * self.metres_per_lat,
        )

    def cell_at(self, x_m: NDArray[np.float64], y_m: NDArray[np.float64]) -> NDArray[np.int32]:
        """The cell of positions on the plane [m], shape (n,); -1 outside the grid and for NaN.

        A position on an edge belongs to the cell north or east of it.
        """
        col, row = np.floor(x_m / self.cell_m), np.floor(y_m / self.cell_m)
        inside = (col >= 0) & (col < self.cols) & (row >= 0) & (row < self.rows)
        cell = row * self.cols + col
        cell[~inside] = -1
        return cell.astype(np.int32)

    def cell_of(
        self, lat_deg: NDArray[np.float64], lng_deg: NDArray[np.float64]
    ) -> NDArray[np.int32]:
        """The cell of positions, WGS-84 [degrees], shape (n,); -1 outside the grid and for NaN."""
        return self.cell_at(*self.plane(lat_deg, lng_deg))

    def centre(self, cell: NDArray[np.integer]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centre of cells, of shape (n,): latitude and longitude, WGS-84 [degrees]."""
        row, col = np.divmod(cell, self.cols)
        return (
            self.south_deg + (row + 0.5) * self.cell_m / self.metres_per_lat,
            self.west_deg + (col + 0.5) * self.cell_m / self.metres_per_lng,
        )
