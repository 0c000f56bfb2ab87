"""How fast positions are placed in zones, beside shapely's STRtree, and whether both agree.

Cities of zones are drawn at random: as fine as outlines that were digitised along streets (some
140 vertices), and plain ones of some seven. Both sides get the same positions, spread evenly over
the city, in batches, and take turns. Both must place each of the cases alike: positions anywhere,
vertices, places along edges, corners of cells, and the next numbers beside them. Prints one JSON
object.

    python -m benchmarks.placing [--zones 9,100,1000] [--batches 100,250,1000,100000]
        [--cases N] [--seed S]
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import STRtree

from geofence.atlas import Atlas
from geofence.grid import METRES_PER_DEGREE, Grid
from geofence.tiling import Outlines
from geofence.zonemap import ZoneMap
from geofence.zones import Zone, Zones

SHORT = ["--zones", "9,1000", "--batches", "250,100000", "--cases", "0"]
LAT, LNG = 36.2, 120.3
ROUND = 200_000  # positions that are timed in one turn
PART = 100_000  # cases that are compared at once

Positions = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Latitude and longitude [degrees], each of shape (n,)."""


def city(zones: int, *, fine: bool, rng: np.random.Generator) -> Outlines:
    """Outlines that fill a square of a square kilometre a zone, less some that are too small."""
    high = math.sqrt(zones) * 1000 / METRES_PER_DEGREE
    wide = high / math.cos(math.radians(LAT))
    square = shapely.box(LNG, LAT, LNG + wide, LAT + high)
    middles = shapely.multipoints(rng.random((zones, 2)) * (wide, high) + (LNG, LAT))
    parts = shapely.get_parts(shapely.voronoi_polygons(middles, extend_to=square))
    outlines = shapely.intersection(parts, square)
    if fine:
        outlines = shapely.transform(
            shapely.segmentize(outlines, 0.0003),
            lambda at: (
                at + 8e-5 * np.column_stack([np.sin(at[:, 1] * 9e4), np.sin(at[:, 0] * 2e4)])
            ),
        )
    wide_enough = shapely.area(outlines) * METRES_PER_DEGREE**2 > 30_000
    found: Outlines = outlines[wide_enough & shapely.is_valid(outlines)]
    return found


def cases(outlines: Outlines, grid: Grid, count: int, rng: np.random.Generator) -> Positions:
    """Positions that are hard to place, and as many anywhere; some 2 `count` of them."""
    ring = shapely.get_coordinates(outlines)
    at = rng.integers(0, len(ring) - 1, count)
    along = rng.choice([0.0, 0.5, 1.0, math.nan], count)
    along = np.where(np.isnan(along), rng.random(count), along)[:, None]
    lng, lat = (ring[at] + along * (ring[at + 1] - ring[at])).T
    corner = rng.random(count) < 0.2
    lat[corner] = grid.south_deg + rng.integers(0, grid.rows, corner.sum()) * (
        grid.cell_m / grid.metres_per_lat
    )
    lng[corner] = grid.west_deg + rng.integers(0, grid.cols, corner.sum()) * (
        grid.cell_m / grid.metres_per_lng
    )
    for place in (lat, lng):
        aside = rng.choice([-math.inf, 0.0, math.inf], count)
        np.copyto(place, np.nextafter(place, aside), where=aside != 0)
    lats, lngs = anywhere(outlines, count, rng)
    return np.concatenate([lat, lats]), np.concatenate([lng, lngs])


def anywhere(outlines: Outlines, count: int, rng: np.random.Generator) -> Positions:
    """Positions spread evenly over the box of some outlines."""
    west, south, east, north = shapely.total_bounds(outlines)
    return rng.uniform(south, north, count), rng.uniform(west, east, count)


def by_tree(
    outlines: Outlines,
) -> Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.int16]]:
    """The same answer from shapely alone: the smallest index of those that hold a position."""
    tree = STRtree(shapely.from_wkb(shapely.to_wkb(outlines)))

    def zone_of(lat: NDArray[np.float64], lng: NDArray[np.float64]) -> NDArray[np.int16]:
        row, zone = tree.query(shapely.points(lng, lat), predicate="intersects")
        order = np.argsort(zone)[::-1]
        found = np.full(lat.size, -1, np.int16)
        found[row[order]] = zone[order]
        return found

    return zone_of


def rates(
    zones: ZoneMap, outlines: Outlines, batch: int, rng: np.random.Generator
) -> dict[str, object]:
    """Positions a second of both sides in batches of a size; the best of five turns each."""
    many = max(ROUND // batch // 10, 2)
    batches = [anywhere(outlines, batch, rng) for _ in range(many)]
    sides = {"zone_of": zones.zone_of, "strtree": by_tree(outlines)}
    took = dict.fromkeys(sides, math.inf)
    for _ in range(5):
        for name, side in sides.items():
            began = time.thread_time()
            for lat, lng in batches:
                side(lat, lng)
            took[name] = min(took[name], time.thread_time() - began)
    return {
        "zones": len(outlines),
        "vertices": round(shapely.get_num_coordinates(outlines).mean(), 1),
        "batch": batch,
        **{f"{name}_per_s": round(many * batch / spent) for name, spent in took.items()},
        "times_strtree": round(took["strtree"] / took["zone_of"], 1),
    }


def main() -> None:
    """Parse the arguments and print the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--zones", default="9,100,1000")
    parser.add_argument("--batches", default="100,250,1000,100000")
    parser.add_argument("--cases", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sizes = [int(text) for text in options.zones.split(",")]
    batches = [int(text) for text in options.batches.split(",")]
    rng = np.random.default_rng(options.seed)
    found, compared, differ = [], 0, 0
    for fine in (True, False):
        for size in sizes:
            outlines = city(size, fine=fine, rng=rng)
            drawn = (
                Zone(f"z{n:05}", "", None, "", None, outline) for n, outline in enumerate(outlines)
            )
            zones = Atlas(Zones(tuple(drawn))).at(0)
            found += [rates(zones, outlines, batch, rng) for batch in batches]
            tree = by_tree(outlines)
            for _ in range(options.cases // (2 * len(sizes)) // PART):
                lat, lng = cases(outlines, zones.grid, PART // 2, rng)
                differ += int((zones.zone_of(lat, lng) != tree(lat, lng)).sum())
                compared += lat.size
    print(
        json.dumps(
            {
                "benchmark": "placing",
                "seed": options.seed,
                "rates": found,
                "cases": compared,
                "differ": differ,
            }
        )
    )


if __name__ == "__main__":
    main()
