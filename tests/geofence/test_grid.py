"""The unit grid: cells of positions, edges, and the anchor of the lattice."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.grid import Grid

GRID = Grid.over(36.28, 120.35, 36.335, 120.43, cell_m=100)

latitudes, longitudes = st.floats(-60, 60), st.floats(-179, 179)


def twin_cell(grid: Grid, lat: float, lng: float) -> int:
    """The definition: the row and column by division, -1 outside."""
    if not (abs(lat) <= 90 and abs(lng) <= 180):
        return -1
    row = math.floor((lat - grid.south_deg) * grid.metres_per_lat / grid.cell_m)
    col = math.floor((lng - grid.west_deg) * grid.metres_per_lng / grid.cell_m)
    inside = 0 <= row < grid.rows and 0 <= col < grid.cols
    return row * grid.cols + col if inside else -1


@given(
    positions=st.lists(
        st.tuples(st.floats(36.27, 36.345) | st.floats(), st.floats(120.34, 120.44) | st.floats()),
        max_size=30,
    )
)
def test_the_cell_equals_a_slow_twin(positions):
    """Any positions, NaN and infinities included; empty input gives empty output."""
    lat, lng = np.array(positions, dtype=float).reshape(-1, 2).T
    with np.errstate(all="ignore"):
        cell = GRID.cell_of(lat, lng)
    assert cell.dtype == np.int32
    assert cell.tolist() == [twin_cell(GRID, *position) for position in positions]


def test_a_position_that_is_nan_is_outside_without_a_warning():
    """NaN in either coordinate gives -1 and nothing on stderr."""
    lat, lng = np.array([np.nan, 36.3, np.nan]), np.array([120.4, np.nan, np.nan])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert GRID.cell_of(lat, lng).tolist() == [-1] * 3


def test_cells_are_numbered_from_the_south_west_row_by_row():
    """The centre of every cell lies in it, in the order of its number."""
    cell = np.arange(GRID.size, dtype=np.int32)
    lat, lng = GRID.centre(cell)
    assert GRID.cell_of(lat, lng).tolist() == cell.tolist()
    assert lat[0] == lat.min()
    assert lng[0] == lng.min()
    assert lng[1] > lng[0]
    assert GRID.size == GRID.rows * GRID.cols
    assert GRID.north_deg > lat.max()
    assert GRID.east_deg > lng.max()


def test_an_edge_belongs_to_the_cell_north_or_east_of_it():
    """On the plane, where edges are whole numbers of metres; the outermost edge is outside."""
    x, y = np.array([0.0, 100.0, 99.999999]), np.array([0.0, 100.0, 99.999999])
    assert GRID.cell_at(x, y).tolist() == [0, GRID.cols + 1, 0]
    end_x, end_y = GRID.cols * 100.0, GRID.rows * 100.0
    outside_x, outside_y = np.array([end_x, 0.0, -1e-9]), np.array([0.0, end_y, 0.0])
    assert GRID.cell_at(outside_x, outside_y).tolist() == [-1, -1, -1]


def test_a_cell_is_100_m_by_the_haversine_formula():
    """The sides of a cell in the district are 100 m to half a percent."""

    def haversine_m(lat: float, lng: float, lat2: float, lng2: float) -> float:
        phi, phi2 = math.radians(lat), math.radians(lat2)
        a = (
            math.sin((phi2 - phi) / 2) ** 2
            + math.cos(phi) * math.cos(phi2) * math.sin(math.radians(lng2 - lng) / 2) ** 2
        )
        return 2 * 6_371_008.8 * math.asin(math.sqrt(a))

    lat, lng = (v.tolist() for v in GRID.centre(np.array([0, 1, GRID.cols])))
    assert haversine_m(lat[0], lng[0], lat[1], lng[1]) == pytest.approx(100, rel=0.005)
    assert haversine_m(lat[0], lng[0], lat[2], lng[2]) == pytest.approx(100, rel=0.005)


@given(
    south=latitudes,
    west=longitudes,
    high=st.floats(0, 0.3),
    wide=st.floats(0, 0.3),
    cell_m=st.sampled_from([50, 100, 250]),
)
def test_the_grid_covers_its_box_and_little_more(south, west, high, wide, cell_m):
    """Every corner lies in the grid; no row or column is superfluous."""
    north, east = south + high, west + wide
    grid = Grid.over(south, west, north, east, cell_m=cell_m)
    rounding_m = 1e-6
    assert (grid.south_deg - south) * grid.metres_per_lat <= rounding_m
    assert (grid.west_deg - west) * grid.metres_per_lng <= rounding_m
    assert (north - grid.north_deg) * grid.metres_per_lat <= rounding_m
    assert (east - grid.east_deg) * grid.metres_per_lng <= rounding_m
    assert grid.rows <= high * grid.metres_per_lat / cell_m + 2
    assert grid.cols <= wide * grid.metres_per_lng / cell_m + 2


@given(lat_m=st.floats(-2000, 2000), lng_m=st.floats(-2000, 2000))
def test_moving_a_boundary_does_not_move_the_lattice(lat_m, lng_m):
    """Another box in the same district shifts the grid by whole cells only."""
    other = Grid.over(36.28 + lat_m / 111_320, 120.35 + lng_m / 89_716, 36.335, 120.43, cell_m=100)
    rows = (other.south_deg - GRID.south_deg) * GRID.metres_per_lat / 100
    cols = (other.west_deg - GRID.west_deg) * GRID.metres_per_lng / 100
    assert other.metres_per_lng == GRID.metres_per_lng
    assert rows == pytest.approx(round(rows), abs=1e-6)
    assert cols == pytest.approx(round(cols), abs=1e-6)


def test_the_cell_does_not_depend_on_how_arrays_were_split():
    """Slices, strides and single elements give the same cells."""
    rng = np.random.default_rng(0)
    lat, lng = rng.uniform(36.27, 36.35, 501), rng.uniform(120.34, 120.44, 501)
    whole = GRID.cell_of(lat, lng)
    assert GRID.cell_of(lat[::3], lng[::3]).tolist() == whole[::3].tolist()
    single = [int(GRID.cell_of(lat[n : n + 1], lng[n : n + 1])[0]) for n in range(lat.size)]
    assert single == whole.tolist()
