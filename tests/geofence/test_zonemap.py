"""Zones on the grid: shares of cells, the zone of a position, and a twin in plain shapely."""

from __future__ import annotations

import math
import pickle
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.affinity import affine_transform
from shapely.geometry import MultiPolygon, Point, Polygon, box

from geofence.errors import ZonesError
from geofence.grid import METRES_PER_DEGREE, Grid
from geofence.tiling import Tiles
from geofence.zonemap import MAX_ZONES, ZoneMap, lay
from geofence.zones import Exclusion, Zone, Zones, parse_zones
from tests.rides import zone_map

SAMPLE = Path(__file__).parents[2] / "samples" / "chengyang"
POLICIES = {"core", "arterial", "residential", "industrial", "waterfront"}
DISTRICT = parse_zones(
    (SAMPLE / "zones.geojson").read_bytes(),
    (SAMPLE / "exclusions.geojson").read_bytes(),
    POLICIES,
)
MAP = zone_map(DISTRICT)

PER_LNG = METRES_PER_DEGREE * math.cos(math.radians(36.3))
CORNER = (round(120.38 * PER_LNG / 100) * 100, round(36.30 * METRES_PER_DEGREE / 100) * 100)
"""A corner of the lattice, in metres from its origin."""


def on_lattice(outline: Polygon) -> Polygon:
    """Metres from `CORNER`, which are cells of 100 m exactly, to degrees."""
    lng, lat = CORNER
    scale = (1 / PER_LNG, 0, 0, 1 / METRES_PER_DEGREE, lng / PER_LNG, lat / METRES_PER_DEGREE)
    return affine_transform(outline, scale)


def zone(zone_id: str, outline: Polygon, **validity: int) -> Zone:
    return Zone(zone_id, zone_id, None, "core", None, outline, **validity)


def district(*outlines: Polygon, exclusions: tuple[Polygon, ...] = ()) -> Zones:
    """Zones z-0, z-1, … and exclusions, drawn in metres from `CORNER`."""
    return Zones(
        tuple(zone(f"z-{n}", on_lattice(outline)) for n, outline in enumerate(outlines)),
        tuple(Exclusion("", on_lattice(outline)) for outline in exclusions),
    )


def cells_by_offset(found: ZoneMap, index: int) -> set[tuple[int, int]]:
    """The cells of a zone as (column, row) from `CORNER`."""
    grid = found.grid
    col0 = round(CORNER[0] / 100 - grid.west_deg * grid.metres_per_lng / 100)
    row0 = round(CORNER[1] / 100 - grid.south_deg * grid.metres_per_lat / 100)
    cells = np.flatnonzero(found.cell_zone == index)
    return {(int(c % grid.cols) - col0, int(c // grid.cols) - row0) for c in cells}


def twin_zone(found: ZoneMap, lat: float, lng: float) -> int:
    """The definition: the first zone whose outline, boundary included, holds the position."""
    if math.isnan(lat) or math.isnan(lng):
        return -1
    holds = (n for n, z in enumerate(found.zones) if z.geometry.intersects(Point(lng, lat)))
    return next(holds, -1)


def twin_cells(zones: Zones, grid: Grid, cells: list[int]) -> list[int]:
    """The sharing rule, cell by cell, measured in metres on the plane of the grid."""

    def to_plane(outline: shapely.Geometry) -> shapely.Geometry:
        x, y = grid.metres_per_lng, grid.metres_per_lat
        return affine_transform(outline, (x, 0, 0, y, -grid.west_deg * x, -grid.south_deg * y))

    drawn = [to_plane(z.geometry) for z in zones.zones]
    # What several hold counts for the first of them alone.
    outlines = [o.difference(shapely.union_all(drawn[:n])) for n, o in enumerate(drawn)]
    excluded = shapely.union_all([to_plane(e.geometry) for e in zones.exclusions])
    owners = []
    for cell in cells:
        row, col = divmod(cell, grid.cols)
        west, south = col * grid.cell_m, row * grid.cell_m
        square = box(west, south, west + grid.cell_m, south + grid.cell_m)
        parts = [square.intersection(o).difference(excluded).area for o in outlines]
        half = sum(parts) >= grid.cell_m**2 / 2 - 0.001
        best = max(range(len(parts)), key=lambda n: (round(parts[n], 3), -n))
        owners.append(best if half else -1)
    return owners


def test_the_sample_district_has_the_cells_of_its_area():
    """9 zones of 41.0 km², of which 2.3 km² are excluded: about 3,880 cells."""
    assert MAP.cells_total.sum() == pytest.approx(3_880, abs=15)
    assert MAP.cells_total.min() > 200
    assert MAP.cells_total.dtype == np.int32
    assert MAP.cell_zone.dtype == np.int16
    assert MAP.cell_zone.shape == MAP.place[:-1].shape == (MAP.grid.size,)
    for n, z in enumerate(MAP.zones):
        assert MAP.index(z.zone_id) == n
        cells = MAP.cells(z.zone_id)
        assert cells.dtype == np.int32
        assert len(cells) == MAP.cells_total[n]
        assert (MAP.cell_zone[cells] == n).all()
        assert (np.diff(cells) > 0).all()
    with pytest.raises(KeyError):
        MAP.index("cy-10")


def test_every_cell_of_the_sample_equals_a_slow_twin():
    """Crossed cells, cells at exclusions, and a sample of the others."""
    rng = np.random.default_rng(0)
    inside = np.flatnonzero((MAP.place[:-1] < -1) | (MAP.cell_zone == -1))
    row, col = np.divmod(inside, MAP.grid.cols)
    near = inside[(row > 18) & (row < 84) & (col > 18) & (col < 95)]
    cells = np.concatenate([near, rng.choice(MAP.grid.size, 200)]).tolist()
    assert [int(MAP.cell_zone[c]) for c in cells] == twin_cells(DISTRICT, MAP.grid, cells)


west, south, east, north = shapely.total_bounds([z.geometry for z in DISTRICT.zones])
anywhere = st.tuples(st.floats(south - 0.03, north + 0.03), st.floats(west - 0.03, east + 0.03))


@st.composite
def near_boundaries(draw: st.DrawFn) -> tuple[float, float]:
    """Vertices of the sample, positions along its edges, and a rounding step beside them."""
    outline = draw(st.sampled_from(DISTRICT.zones)).geometry
    ring = np.array(shapely.get_coordinates(outline))
    n = draw(st.integers(0, len(ring) - 2))
    along = draw(st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1))
    lng, lat = (ring[n] + along * (ring[n + 1] - ring[n])).tolist()
    aside = draw(st.sampled_from([-1e-6, -1e-12, 0.0, 1e-12, 1e-6]))
    return draw(st.sampled_from([(lat, lng), (lat + aside, lng), (lat, lng + aside)]))


@st.composite
def cell_corners(draw: st.DrawFn) -> tuple[float, float]:
    """Corners of cells, and the next numbers on each side of them."""
    grid = MAP.grid
    lat = grid.south_deg + draw(st.integers(0, grid.rows)) * grid.cell_m / grid.metres_per_lat
    lng = grid.west_deg + draw(st.integers(0, grid.cols)) * grid.cell_m / grid.metres_per_lng
    steps = st.sampled_from([-math.inf, None, math.inf])
    up, right = draw(steps), draw(steps)
    lat = lat if up is None else math.nextafter(lat, up)
    return lat, lng if right is None else math.nextafter(lng, right)


odd = st.sampled_from([(math.nan, 120.4), (36.3, math.nan), (0.0, 0.0), (90.0, 180.0)])


@given(positions=st.lists(anywhere | near_boundaries() | cell_corners() | odd, max_size=40))
def test_the_zone_of_any_position_equals_testing_every_polygon(positions):
    """In the middle, on boundaries, one rounding step beside them, outside, NaN, empty."""
    lat, lng = np.array(positions, dtype=float).reshape(-1, 2).T
    got = MAP.zone_of(lat, lng)
    assert got.dtype == np.int16
    assert got.tolist() == [twin_zone(MAP, *position) for position in positions]


def test_a_vertex_lies_in_the_smallest_of_the_zones_that_share_it():
    """Every vertex lies in exactly one zone, and none is lost between two."""
    lng, lat = shapely.get_coordinates([z.geometry for z in DISTRICT.zones]).T
    got = MAP.zone_of(lat, lng)
    assert got.tolist() == [twin_zone(MAP, *p) for p in zip(lat, lng, strict=True)]
    assert (got >= 0).all()


BLOCKS = [
    box(1000 * x, 1000 * y, 1000 * x + 1000, 1000 * y + 1000)
    for y, x in product(range(2), range(2))
]


@given(
    positions=st.lists(
        st.tuples(
            st.sampled_from([0, 100, 900, 1000, 1100, 1900, 2000]),
            st.sampled_from([0, 100, 900, 1000, 1100, 1900, 2000]),
            st.sampled_from([-math.inf, 0.0, math.inf]),
            st.sampled_from([-math.inf, 0.0, math.inf]),
        ),
        max_size=30,
    )
)
def test_boundaries_that_run_along_cell_edges_are_exact_too(positions):
    """Zones of whole cells: on an edge, and one rounding step to either side of it."""
    found = zone_map(district(*BLOCKS))
    lats, lngs = [], []
    for x, y, right, up in positions:
        lng, lat = (CORNER[0] + x) / PER_LNG, (CORNER[1] + y) / METRES_PER_DEGREE
        lngs.append(math.nextafter(lng, right) if right else lng)
        lats.append(math.nextafter(lat, up) if up else lat)
    got = found.zone_of(np.array(lats), np.array(lngs))
    assert got.tolist() == [twin_zone(found, *p) for p in zip(lats, lngs, strict=True)]


def test_edges_of_cells_are_exact_where_numbers_are_finest():
    """Near longitude 0, a position can fall on the other side of an edge than its division."""
    grid = zone_map(Zones((zone("all", box(-0.01, -0.01, 0.01, 0.01)),))).grid
    edges = grid.west_deg + np.arange(grid.cols) * (grid.cell_m / grid.metres_per_lng)
    for edge in edges[np.abs(edges) < 0.009].tolist():
        border = math.nextafter(edge, math.inf)
        pair = (box(border, -0.01, 0.01, 0.01), box(-0.01, -0.01, border, 0.01))
        found = zone_map(Zones(tuple(zone(f"z-{n}", o) for n, o in enumerate(pair))))
        assert found.grid == grid
        lng = edge + np.arange(-4, 5) * math.ulp(edge)
        lat = np.full(lng.size, 0.001)
        twin = [twin_zone(found, *p) for p in zip(lat, lng, strict=True)]
        assert found.zone_of(lat, lng).tolist() == twin


def test_zones_of_whole_cells_hold_those_cells():
    """No cell is lost or counted twice when boundaries run along cell edges."""
    found = zone_map(district(*BLOCKS))
    assert found.cells_total.tolist() == [100] * 4
    assert cells_by_offset(found, 1) == set(product(range(10, 20), range(10)))


def test_half_a_cell_counts_and_less_does_not():
    """A zone that ends in the middle of a cell holds it; one that ends a metre before does not."""
    assert zone_map(district(box(0, 0, 250, 200))).cells_total.tolist() == [6]
    assert zone_map(district(box(0, 0, 249, 200))).cells_total.tolist() == [4]


def test_a_shared_cell_belongs_to_the_larger_part_and_of_equal_parts_to_the_first():
    """60:40 goes to the 60 and 50:50 to the smaller zone_id, whatever their order."""
    middle = {(2, 0), (2, 1)}
    for split, owner in [(260, 0), (250, 0), (240, 1)]:
        pair = [box(0, 0, split, 200), box(split, 0, 500, 200)]
        assert middle <= cells_by_offset(zone_map(district(*pair)), owner)
    even = [box(250, 0, 500, 200), box(0, 0, 250, 200)]
    assert middle <= cells_by_offset(zone_map(district(*even)), 0)


def test_small_parts_of_several_zones_add_up_to_a_cell():
    """30 % in each of two zones is 60 % patrollable: the cell counts, for the first."""
    found = zone_map(district(box(0, 0, 130, 100), box(170, 0, 300, 100)))
    assert [cells_by_offset(found, n) for n in (0, 1)] == [{(0, 0), (1, 0)}, {(2, 0)}]


def test_excluded_cells_leave_the_denominator_but_not_the_zone():
    """More than half excluded: not counted. A bike on the water is still in the zone."""
    lake = box(100, 0, 251, 100)
    found = zone_map(district(box(0, 0, 500, 100), exclusions=(lake, box(420, 0, 445, 100))))
    assert cells_by_offset(found, 0) == {(0, 0), (3, 0), (4, 0)}
    lng = np.array([(CORNER[0] + 150) / PER_LNG])
    lat = np.array([(CORNER[1] + 50) / METRES_PER_DEGREE])
    assert found.zone_of(lat, lng).tolist() == [0]
    # Overlapping exclusions do not exclude twice.
    twice = zone_map(district(box(0, 0, 100, 100), exclusions=(box(0, 0, 40, 100),) * 2))
    assert twice.cells_total.tolist() == [1]


def test_a_hole_and_a_second_part_are_respected():
    """A MultiPolygon with a hole holds the cells and positions of its parts, without the hole."""
    ring = Polygon(box(0, 0, 500, 500).exterior, [box(200, 200, 300, 300).exterior])
    outline = MultiPolygon([ring, box(1000, 0, 1200, 100)])
    found = zone_map(district(outline))
    expected = set(product(range(5), range(5))) - {(2, 2)} | {(10, 0), (11, 0)}
    assert cells_by_offset(found, 0) == expected


@given(
    points=st.lists(
        st.tuples(st.integers(0, 900), st.integers(0, 900)), min_size=3, max_size=7, unique=True
    ),
    lake=st.tuples(st.integers(0, 900), st.integers(0, 900), st.integers(20, 400)),
)
def test_the_cells_of_any_outline_equal_a_slow_twin(points, lake):
    """Random polygons cut by a line into two zones, with an exclusion."""
    hull = shapely.convex_hull(shapely.multipoints(points))
    halves = [
        hull.intersection(box(-1, -1, 430, 1000)),
        hull.intersection(box(430, -1, 1000, 1000)),
    ]
    if any(half.geom_type != "Polygon" or half.area < 30_000 for half in halves):
        return
    x, y, side = lake
    zones = district(*halves, exclusions=(box(x, y, x + side, y + side),))
    try:
        found = zone_map(zones, margin_m=50)
    except ZonesError:  # a half without a cell
        return
    cells = list(range(found.grid.size))
    assert found.cell_zone.tolist() == twin_cells(zones, found.grid, cells)


def test_a_large_outline_that_is_cut_into_blocks_equals_a_slow_twin():
    """Two coasts of 400 vertices that overlap, with a lake as fine: cells and positions are right.

    Whole blocks of 32 cells lie in one, in both, and around the lake.
    """
    turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)

    def coast(x: float, y: float, radius_m: float) -> Polygon:
        reach = radius_m * (1 + 0.06 * np.sin(9 * turn) + 0.01 * np.cos(130 * turn))
        return Polygon(np.column_stack([x + reach * np.cos(turn), y + reach * np.sin(turn)]))

    zones = district(coast(0, 0, 4500), coast(3000, 500, 5500), exclusions=(coast(5e3, 9e2, 1700),))
    found = zone_map(zones)
    rng = np.random.default_rng(3)
    crossed = np.flatnonzero(found.place[:-1] < -1)
    cells = np.concatenate([rng.choice(crossed, 300), rng.choice(found.grid.size, 400)]).tolist()
    assert [int(found.cell_zone[c]) for c in cells] == twin_cells(zones, found.grid, cells)
    ring = shapely.get_coordinates([z.geometry for z in zones.zones])
    lng, lat = np.concatenate([ring, (ring[1:] + ring[:-1]) / 2]).T
    twin = [twin_zone(found, *p) for p in zip(lat, lng, strict=True)]
    assert found.zone_of(lat, lng).tolist() == twin


def test_a_zone_without_a_patrollable_cell_is_an_error_that_names_it():
    """It could never be covered; all such zones are named at once."""
    thin, drowned = box(0, 210, 1000, 230), box(0, 400, 100, 500)
    with pytest.raises(ZonesError) as caught:
        zone_map(district(box(0, 0, 500, 200), thin, drowned, exclusions=(drowned,)))
    assert [p.where for p in caught.value.problems] == ['zone_id "z-1"', 'zone_id "z-2"']
    assert "has no patrollable cell of 100 m" in str(caught.value)


def test_a_map_shows_the_zones_of_its_instant():
    """A redrawn zone changes the cells of zones, but never the numbers of cells."""
    change = int(datetime(2026, 5, 1, tzinfo=UTC).timestamp() * 1000)
    left, right = on_lattice(box(0, 0, 500, 500)), on_lattice(box(500, 0, 1000, 500))
    both = on_lattice(box(0, 0, 1000, 500))
    zones = Zones(
        (
            zone("a", left, valid_to_ms=change),
            zone("a", both, valid_from_ms=change),
            zone("b", right, valid_to_ms=change),
        )
    )
    before, after = zone_map(zones, at_ms=change - 1), zone_map(zones, at_ms=change)
    assert before.cells_total.tolist() == [25, 25]
    assert after.cells_total.tolist() == [50]
    assert before.grid == after.grid
    assert before.digest != after.digest


def test_a_map_holds_so_many_zones_and_no_more():
    """The number of a zone has 16 bits."""
    many = (zone("a", on_lattice(box(0, 0, 100, 100))),) * (MAX_ZONES + 1)
    with pytest.raises(ZonesError, match="32,768 zones, not at most 32,767"):
        lay(many, Tiles(MAP.grid, []))


def test_the_digest_is_that_of_the_zones_and_the_grid():
    """Stable over order of features and vertices; another for any change that moves a cell."""
    zones = district(*BLOCKS)
    turned = Zones(
        tuple(zone(z.zone_id, shapely.reverse(z.geometry)) for z in reversed(zones.zones))
    )
    digest = zone_map(zones).digest
    assert len(digest) == 64
    assert zone_map(turned).digest == digest
    others = [
        zone_map(zones, cell_m=50),
        zone_map(zones, margin_m=1000),
        zone_map(district(*BLOCKS[:3])),
        zone_map(district(*BLOCKS, exclusions=(box(0, 0, 100, 100),))),
        zone_map(Zones((*zones.zones[:3], zone("z-9", zones.zones[3].geometry)))),
    ]
    assert len({digest, *(other.digest for other in others)}) == 6


def test_the_map_is_the_same_each_time_and_cannot_be_changed():
    """Two constructions agree bit for bit; arrays are read-only; it survives pickling."""
    again = zone_map(DISTRICT)
    assert again.digest == MAP.digest
    assert again.place.tobytes() == MAP.place.tobytes()
    with pytest.raises(ValueError, match="read-only"):
        again.cell_zone[0] = 1
    copied = pickle.loads(pickle.dumps(MAP))
    lat, lng = np.array([36.31, 36.30, 36.32]), np.array([120.37, 120.40, 120.41])
    assert copied.zone_of(lat, lng).tolist() == MAP.zone_of(lat, lng).tolist()


def test_the_zone_does_not_depend_on_how_arrays_were_split():
    """Slices, permutations and single elements give the same zones."""
    rng = np.random.default_rng(2)
    lat, lng = rng.uniform(south, north, 400), rng.uniform(west, east, 400)
    whole = MAP.zone_of(lat, lng)
    order = rng.permutation(400)
    assert MAP.zone_of(lat[order], lng[order]).tolist() == whole[order].tolist()
    assert MAP.zone_of(lat[::3], lng[::3]).tolist() == whole[::3].tolist()
    single = [int(MAP.zone_of(lat[n : n + 1], lng[n : n + 1])[0]) for n in range(400)]
    assert single == whole.tolist()


def test_a_thousand_zones_of_a_hundred_cells():
    """A city of zones: every cell has its zone, and positions find theirs."""
    blocks = [
        box(1000 * x, 1000 * y, 1000 * x + 1000, 1000 * y + 1000)
        for y, x in product(range(25), range(40))
    ]
    zones = Zones(tuple(zone(f"z-{n:04}", on_lattice(b)) for n, b in enumerate(blocks)))
    found = zone_map(zones)
    assert (found.cells_total == 100).all()
    lat, lng = found.grid.centre(np.flatnonzero(found.cell_zone >= 0))
    own = found.cell_zone[found.cell_zone >= 0]
    assert (found.zone_of(lat, lng) == own).all()


@pytest.mark.parametrize("lengths", [{"cell_m": 0}, {"margin_m": 0}, {"cell_m": math.nan}])
def test_lengths_must_be_positive(lengths):
    """A cell of nothing, and a grid that ends on the outermost vertex, are refused."""
    with pytest.raises(ValueError, match="must be positive"):
        zone_map(DISTRICT, **lengths)
