"""Path to cells, against shapely."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.grid import Grid
from geofence.path import pieces

GRID = Grid.over(36.28, 120.35, 36.32, 120.40, cell_m=100)


def lengths(x0: float, y0: float, x1: float, y1: float) -> dict[int, float]:
    """Path per cell of one segment; pieces of no length left out."""
    cut = pieces(GRID, *(np.array([v], float) for v in (x0, y0, x1, y1)))
    result: dict[int, float] = {}
    for cell, length in zip(cut.cell.tolist(), cut.length_m.tolist(), strict=True):
        if length > 1e-6:
            result[cell] = result.get(cell, 0.0) + length
    return result


def slow_lengths(x0: float, y0: float, x1: float, y1: float) -> dict[int, float]:
    """The same by intersecting the segment with the square of every cell near it."""
    line = shapely.LineString([(x0, y0), (x1, y1)])
    result = {}
    for row in range(max(0, int(min(y0, y1) // 100)), int(max(y0, y1) // 100) + 1):
        for col in range(max(0, int(min(x0, x1) // 100)), int(max(x0, x1) // 100) + 1):
            square = shapely.box(col * 100, row * 100, (col + 1) * 100, (row + 1) * 100)
            length = line.intersection(square).length
            if length > 1e-6:
                result[row * GRID.cols + col] = length
    return result


coordinate = st.floats(10, 2_900, allow_nan=False)


@settings(max_examples=300)
@given(coordinate, coordinate, coordinate, coordinate)
def test_pieces_are_the_intersections_with_the_cells(
    x0: float, y0: float, x1: float, y1: float
) -> None:
    """Cells and lengths agree with shapely's intersections, off the grid's lines."""
    on_line = any(abs(v / 100 - round(v / 100)) < 1e-6 for v in (x0, y0, x1, y1))
    if on_line:
        return
    found, expected = lengths(x0, y0, x1, y1), slow_lengths(x0, y0, x1, y1)
    assert found.keys() == expected.keys()
    for cell, length in expected.items():
        assert found[cell] == pytest.approx(length, abs=1e-6)


@settings(max_examples=200)
@given(st.lists(st.tuples(coordinate, coordinate, coordinate, coordinate), max_size=20))
def test_pieces_are_whole_in_order_and_do_not_depend_on_company(
    ends: list[tuple[float, float, float, float]],
) -> None:
    """Lengths add up, pieces run from 0 to 1, and each segment is cut as if it were alone."""
    columns = np.array(ends, float).reshape(-1, 4).T
    cut = pieces(GRID, *columns)
    for i, (x0, y0, x1, y1) in enumerate(ends):
        mine = cut.segment == i
        assert cut.length_m[mine].sum() == pytest.approx(np.hypot(x1 - x0, y1 - y0), abs=1e-6)
        assert (np.diff(cut.leaves[mine]) >= 0).all()
        assert cut.leaves[mine][-1] == 1.0
        alone = pieces(GRID, *columns[:, i : i + 1])
        assert np.array_equal(alone.cell, cut.cell[mine])
        assert np.array_equal(alone.length_m, cut.length_m[mine])
        assert np.array_equal(alone.leaves, cut.leaves[mine])


def test_no_segments() -> None:
    """Nothing in, nothing out."""
    none = np.empty(0)
    assert pieces(GRID, none, none, none, none).cell.size == 0


def test_a_segment_of_no_length_is_one_piece() -> None:
    """A bike that stands still crosses nothing."""
    at = np.array([250.0])
    cut = pieces(GRID, at, at, at, at)
    assert cut.cell.tolist() == [2 * GRID.cols + 2]
    assert cut.length_m.tolist() == [0.0]


def test_through_a_corner() -> None:
    """The two cells that are only touched at the corner get no length."""
    assert lengths(50, 50, 150, 150) == {
        0: pytest.approx(70.7106781),
        GRID.cols + 1: pytest.approx(70.7106781),
    }


def test_outside_the_grid_is_no_cell() -> None:
    """What lies west of the first column is cell -1."""
    assert lengths(-150, 50, 50, 50)[-1] == pytest.approx(150)
