"""What the scripts of the drawing page compute, against slow obvious twins; no server needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from playwright.sync_api import Page

from geofence.geojson import area_m2
from geofence.grid import Grid
from tests.dashboards.district import sample_zones

SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10]]
FRAME = {
    "type": "Polygon",
    "coordinates": [
        [[120.3, 36.3], [120.34, 36.3], [120.34, 36.33], [120.3, 36.33], [120.3, 36.3]],
        [[120.31, 36.31], [120.31, 36.32], [120.33, 36.32], [120.33, 36.31], [120.31, 36.31]],
    ],
}


def run(scripts: Page, body: str, *values: object) -> Any:
    """What the body of a function makes of values `v`."""
    return scripts.evaluate(f"(v) => {{ {body} }}", list(values))


def shapes() -> list[tuple[Any, shapely.Geometry]]:
    """The sample zones, one of them in two parts, and one with a hole."""
    geometries = [zone.geometry for zone in sample_zones().zones]
    assert any(geometry.geom_type == "MultiPolygon" for geometry in geometries)
    made = [(shapely.geometry.mapping(geometry), geometry) for geometry in geometries]
    return [*made, (FRAME, shapely.geometry.shape(FRAME))]


def test_area_is_that_of_geofence(scripts: Page) -> None:
    """Holes left out, parts summed up. Parts are each on the plane of their own latitude here."""
    for geojson, geometry in shapes():
        drawn = run(scripts, "return o.areaOf(v[0])", geojson)
        assert drawn == pytest.approx(float(area_m2(geometry)), rel=1e-3)


def test_cells_are_those_whose_middle_is_inside(scripts: Page) -> None:
    """As many as when each middle is tested by itself; none in a grid that is elsewhere."""
    grid = sample_zones().grid
    lat, lng = grid.centre(np.arange(grid.size))
    box = box_of(grid)
    for geojson, geometry in shapes():
        inside = int(np.count_nonzero(shapely.contains_xy(geometry, lng, lat)))
        assert run(scripts, "return o.cellsIn(v[0], v[1])", geojson, box) == inside
    away = {**box, "west": box["west"] - 5, "east": box["east"] - 5}
    assert run(scripts, "return o.cellsIn(v[0], v[1])", FRAME, away) == 0


def box_of(grid: Grid) -> dict[str, float]:
    """The grid as GET /zones tells it."""
    return {
        "south": grid.south_deg,
        "west": grid.west_deg,
        "north": grid.north_deg,
        "east": grid.east_deg,
        "rows": grid.rows,
        "cols": grid.cols,
    }


def test_an_outline_that_was_not_touched_keeps_every_digit(scripts: Page) -> None:
    """Holes and parts come out as they went in."""
    for geojson, _ in shapes():
        out = run(scripts, "return new o.Outline(v[0]).geometry()", geojson)
        assert shapely.geometry.shape(out).equals_exact(shapely.geometry.shape(geojson), 0)
        assert out["type"] == geojson["type"]


def test_moving_the_outer_ring_leaves_the_hole(scripts: Page) -> None:
    """A vertex is moved, one is added, one is removed; each is taken back by itself."""
    body = """
      const outline = new o.Outline(v[0]), seen = [];
      const note = () => seen.push(outline.geometry().coordinates);
      outline.mark(); outline.move(0, 0, [120.29, 36.29]); note();
      outline.mark(); outline.insert(0, 1, [120.32, 36.29]); note();
      outline.remove(0, 4); note();
      while (outline.undo()) note();
      return { seen, changed: outline.changed };
    """
    result = run(scripts, body, FRAME)
    seen = result["seen"]
    assert [len(rings[0]) for rings in seen] == [5, 6, 5, 6, 5, 5]
    assert seen[0][0][0] == seen[0][0][-1] == [120.29, 36.29], "a ring stays closed"
    assert all(rings[1] == FRAME["coordinates"][1] for rings in seen)
    assert seen[-1] == FRAME["coordinates"]
    assert result["changed"] is False


def test_a_triangle_keeps_its_vertices(scripts: Page) -> None:
    """Removing one of three would leave no area; the outline is as before."""
    body = """
      const coordinates = [[[0, 0], [1, 0], [0, 1], [0, 0]]];
      const outline = new o.Outline({ type: "Polygon", coordinates });
      return [outline.remove(0, 1), outline.changed, outline.rings[0].places.length];
    """
    assert run(scripts, body) == [False, False, 3]


@pytest.mark.parametrize(
    ("at", "found"),
    [
        ((1, 1), {"ring": 0, "index": 0, "share": 0}),  # a vertex goes before a nearer edge
        ((5, 1), {"ring": 0, "index": 0, "share": 0.5}),
        ((9.9, 5), {"ring": 0, "index": 1, "share": 0.5}),
        ((-0.5, 2.5), {"ring": 0, "index": 3, "share": 0.75}),  # the edge back to the start
        ((5, 5), None),
        ((5, -2), {"ring": 0, "index": 0, "share": 0.5}),  # just within reach
        ((5, -2.01), None),
    ],
)
def test_what_is_near_is_snapped_to(
    scripts: Page, at: tuple[float, float], found: dict[str, float] | None
) -> None:
    """Within two pixels here."""
    body = "const p = ([x, y]) => ({ x, y }); return o.nearest(p(v[0]), [v[1].map(p)], 2)"
    assert run(scripts, body, at, SQUARE) == found
    assert run(scripts, "return o.nearest({ x: 0, y: 0 }, [], 9)") is None


def test_snapping_finds_the_nearest_edge(scripts: Page) -> None:
    """Random pointers about a random ring, against shapely."""
    random = np.random.default_rng(4)
    angle = np.sort(random.uniform(0, 2 * np.pi, 12))
    ring = np.column_stack([np.cos(angle), np.sin(angle)]) * random.uniform(200, 400, (12, 1))
    pointers = random.uniform(-450, 450, (200, 2))
    body = """
      const p = ([x, y]) => ({ x, y }), ring = v[0].map(p);
      return v[1].map((at) => o.nearest(p(at), [ring], 30));
    """
    found = run(scripts, body, ring.tolist(), pointers.tolist())
    boundary = shapely.LinearRing(ring)
    snapped = 0
    for pointer, each in zip(pointers, found, strict=True):
        point = shapely.Point(pointer)
        assert (each is not None) == (boundary.distance(point) <= 30)
        if each is None:
            continue
        nearest_vertex = np.hypot(*(ring - pointer).T).min()
        a, b = ring[each["index"]], ring[(each["index"] + 1) % 12]
        away = np.hypot(*(a + (b - a) * each["share"] - pointer))
        slow = nearest_vertex if nearest_vertex <= 30 else boundary.distance(point)
        assert away == pytest.approx(slow)
        snapped += 1
    assert snapped > 20


@pytest.mark.parametrize(
    ("start", "to", "way"),
    [
        ((0, 0.5), (1, 0.5), [[10, 0]]),
        ((1, 0.5), (0, 0.5), [[10, 0]]),
        ((3, 0.5), (0, 0.5), [[0, 0]]),  # over the beginning of the ring
        ((0, 0), (1, 0), []),
        ((0, 0.2), (0, 0.8), []),
        ((0, 0.8), (0, 0.2), []),
        ((0, 0), (0, 0), []),
    ],
)
def test_the_pen_follows_a_boundary_the_shorter_way(
    scripts: Page,
    start: tuple[int, float],
    to: tuple[int, float],
    way: list[list[int]],
) -> None:
    """The vertices strictly between two places of a ring."""
    body = """
      const at = ([index, share]) => ({ index, share });
      return o.between(v[0], at(v[1]), at(v[2]));
    """
    assert run(scripts, body, SQUARE, start, to) == way


LAKE = [[120.302, 36.302], [120.305, 36.302], [120.305, 36.305]]
ISLE = [[120.303, 36.3022], [120.304, 36.3022], [120.304, 36.303]]
BESIDE = [[120.35, 36.3], [120.36, 36.3], [120.36, 36.31]]


def test_holes_and_parts_are_added_and_removed(scripts: Page) -> None:
    """A ring within is a hole, one within a hole or outside a part; the last part stays."""
    body = """
      const outline = new o.Outline(v[0]), seen = [];
      const note = () => seen.push(outline.geometry());
      for (const ring of v[1]) { outline.add(ring); note(); }
      const count = outline.rings.length;
      const back = [];
      while (outline.undo()) back.push(outline.rings.length);
      for (const ring of v[1]) outline.add(ring);
      outline.remove(4, 0); note();  // beside
      outline.remove(3, 0); note();  // the isle
      outline.remove(2, 0); note();  // the lake
      outline.remove(1, 0); outline.remove(1, 0); note();  // the first hole, of four places
      outline.remove(0, 0);
      return [seen, count, back, outline.remove(0, 0)];
    """
    seen, count, back, last = run(scripts, body, FRAME, [LAKE, ISLE, BESIDE])
    whole = shapely.geometry.shape(FRAME)
    lake, isle, beside = (shapely.Polygon(ring) for ring in (LAKE, ISLE, BESIDE))
    wanted = [
        whole - lake,
        (whole - lake) | isle,
        (whole - lake) | isle | beside,
        (whole - lake) | isle,
        whole - lake,
        whole,
        shapely.Polygon(FRAME["coordinates"][0]),
    ]
    assert (count, back, last) == (5, [4, 3, 2], False)
    for geometry, expected in zip(seen, wanted, strict=True):
        drawn = shapely.geometry.shape(geometry)
        assert drawn.is_valid
        assert drawn.equals(expected)
        assert geometry["type"] == expected.geom_type
