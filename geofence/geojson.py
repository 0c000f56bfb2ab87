"""GeoJSON of zones: features with the words to find them again, and outlines made polygons.

Everything that is wrong is reported. Checks of an outline go from the outside in (object, type,
nesting, positions, rings, topology, size) and stop at the first level that fails, because what
follows would only repeat it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from geofence.datum import CHINA
from geofence.errors import Problem
from geofence.grid import METRES_PER_DEGREE

Outline = Polygon | MultiPolygon

FARTHEST_LAT = 85.0
"""The maps of the console end here, and a cell nearer to a pole has no sides to speak of."""

MAX_EXTENT_M = 200_000.0
"""Larger than any district: a vertex that far from another was mistyped."""

Report = Callable[[str], None]
"""Takes what is wrong and what to do about it."""

_PLACE = re.compile(r"^(?P<what>[^\[]*)\[(?P<lng>\S+) (?P<lat>\S+)\]$")


_WGS84 = re.compile(r"(CRS:?84h?|EPSG:([\d.]*:)?(4326|4979|4490))\b")
"""Old GeoJSON may name its datum. CGCS2000 (4490) is within centimetres of WGS-84."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of a file."""

    where: str  # such as `zones.geojson: feature 3 (zone_id "cy-04")`; features count from 1
    number: int  # its position in the file, from 1
    properties: dict[str, Any]  # empty when the feature has none
    geometry: Any  # as decoded; not checked

    def reporter(self, problems: list[Problem]) -> Callable[[str], None]:
        """A function that notes a problem of this feature."""
        return lambda message: problems.append(Problem(self.where, message))


def read_features(
    geojson: bytes, source: str, key: str, problems: list[Problem]
) -> Iterator[Feature]:
    """The features of a FeatureCollection; what is not one is added to `problems`.

    `source` is what to call the file, `key` the property that people know a feature by.
    """
    try:
        document = json.loads(geojson)
    except UnicodeDecodeError as exc:
        problems.append(Problem(source, f"is not UTF-8 text (byte {exc.start}); save it as UTF-8"))
        return
    except (ValueError, RecursionError) as exc:
        problems.append(Problem(source, f"is not JSON: {exc}"))
        return
    collection = _collection(document, source, problems)
    for number, item in enumerate(collection, 1):
        where = f"{source}: feature {number}"
        if not isinstance(item, dict) or item.get("type") != "Feature":
            problems.append(Problem(where, "is not an object with type Feature"))
            continue
        properties = item.get("properties")
        known = properties if isinstance(properties, dict) else {}
        name = known.get(key)
        if isinstance(name, str) and name:
            where += f" ({key} {json.dumps(name[:64], ensure_ascii=False)})"
        yield Feature(where, number, known, item.get("geometry"))


def _collection(document: Any, source: str, problems: list[Problem]) -> list[Any]:
    kind = document.get("type") if isinstance(document, dict) else None
    if kind != "FeatureCollection":
        what = f"type {json.dumps(kind)}" if isinstance(document, dict) else "not an object"
        problems.append(
            Problem(source, f"is not a GeoJSON FeatureCollection but {what}; wrap the features")
        )
        return []
    if (crs := other_crs(document)) is not None:
        problems.append(Problem(source, f"is in {crs[:80]}; export it as WGS-84 (EPSG:4326)"))
    features = document.get("features")
    if not isinstance(features, list):
        problems.append(Problem(source, "has no list of features"))
        return []
    return features


def other_crs(document: Mapping[str, Any]) -> str | None:
    """What a GeoJSON document says its positions refer to, where that is not WGS-84."""
    crs = document.get("crs")
    told = json.dumps(crs)
    return None if crs is None or _WGS84.search(told) else told


def read_outline(
    geometry: Any,  # the decoded member of a feature, positions in lng, lat [degrees]
    report: Report,
    *,
    in_china: bool = True,  # whether the district is: then the Arctic is a place that was swapped
    least_m2: float = 0.0,  # the area below which an outline is of no use [m²]
) -> Outline | None:
    """Make a polygon, two-dimensional and valid; None when a problem was reported.

    A hole without positions is left out.
    """
    if not isinstance(geometry, dict):
        report("has no geometry; draw a Polygon or MultiPolygon")
        return None
    kind = geometry.get("type")
    if kind not in ("Polygon", "MultiPolygon"):
        report(f"geometry is {_shown(kind)}, not a Polygon or MultiPolygon")
        return None
    coordinates = geometry.get("coordinates")
    if not isinstance(coordinates, list):
        report("geometry has no list of coordinates")
        return None
    parts = coordinates if kind == "MultiPolygon" else [coordinates]
    if not parts or any(isinstance(part, list) and part[:1] in ([], [[]]) for part in parts):
        report("geometry is empty; draw its outline or remove the feature")
        return None
    rings = _rings(parts, report)
    if rings is None:
        return None
    if not _plausible(np.concatenate([r for p in rings for r in p]), in_china, report):
        return None
    if not _closed(rings, report):
        return None
    polygons = [Polygon(shell, holes) for shell, *holes in rings]
    outline: Outline = polygons[0] if kind == "Polygon" else MultiPolygon(polygons)
    return outline if _sound(outline, least_m2, report) else None


def area_m2(geometry: Any) -> NDArray[np.float64]:
    """Area of geometries in degrees, each on the plane of its latitude [m²]; shape as given."""
    bounds = shapely.bounds(geometry)
    middle = np.radians((bounds[..., 1] + bounds[..., 3]) / 2)
    area: NDArray[np.float64] = shapely.area(geometry) * METRES_PER_DEGREE**2 * np.cos(middle)
    return area


def areas_of(shapes: Any) -> BaseGeometry:
    """The polygons in some shapes as one shape: lines and points along a boundary are left out."""
    parts = shapely.get_parts(shapely.get_parts(shapes))
    return shapely.union_all(parts[shapely.area(parts) > 0])


def _rings(parts: list[Any], report: Report) -> list[list[NDArray[np.float64]]] | None:
    """The rings of each part as arrays (n, 2) of lng, lat."""
    made: list[list[NDArray[np.float64]]] = []
    for n, part in enumerate(parts):
        if not isinstance(part, list) or not all(isinstance(ring, list) for ring in part):
            report("coordinates are not nested as the geometry type needs: rings of positions")
            return None
        made.append([])
        for m, ring in enumerate(part):
            if m and not ring:
                continue  # some programs write the hole that they removed
            for number, position in enumerate(ring, 1):
                if not _is_position(position):
                    report(
                        f"position {number} of {_ring_name(n, m)} is {_shown(position)}, "
                        "not [lng, lat] in degrees"
                    )
                    return None
            # A third number is an altitude (RFC 7946, 3.1.1); an outline has none.
            made[-1].append(np.array([p[:2] for p in ring], dtype=np.float64).reshape(-1, 2))
    return made


def _ring_name(part: int, ring: int) -> str:
    name = "the outer ring" if ring == 0 else f"hole {ring}"
    return name if part == 0 else f"{name} of part {part + 1}"


def _is_position(position: Any) -> bool:
    return (
        isinstance(position, list)
        and len(position) >= 2
        and all(
            isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e12
            for v in position[:2]
        )
    )


def _plausible(positions: NDArray[np.float64], in_china: bool, report: Report) -> bool:
    lng, lat = positions[:, 0], positions[:, 1]
    out = (np.abs(lng) > 180) | (np.abs(lat) > 90)
    # Written as lat, lng, a place in China is out of range (eastern) or in the Arctic (western),
    # where there are other people's districts.
    swapped = CHINA.holds(lat=lng, lng=lat).all() and not CHINA.holds(lat, lng).all()
    if swapped and (in_china or out.any()):
        report(
            f"coordinates are swapped: [{lng[0]:g}, {lat[0]:g}] is lat, lng; "
            "GeoJSON positions are [lng, lat]"
        )
    elif out.any():
        first = int(np.argmax(out))
        hint = ""
        if abs(lng[first]) > 1000:
            hint = "; these look like projected metres, export as WGS-84 degrees"
        elif abs(lng[first]) <= 90 and abs(lat[first]) <= 180:
            hint = "; lat and lng look swapped, GeoJSON positions are [lng, lat]"
        report(
            f"{int(out.sum())} of {len(out)} positions are out of range, "
            f"the first is [{lng[first]:g}, {lat[first]:g}]{hint}"
        )
    elif np.abs(lat).max() > FARTHEST_LAT:
        report(f"reaches lat {lat[np.argmax(np.abs(lat))]:g}; the maps end at {FARTHEST_LAT:g}")
    else:
        height_m = float(np.ptp(lat)) * METRES_PER_DEGREE
        width_m = float(np.ptp(lng)) * METRES_PER_DEGREE * math.cos(math.radians(lat.mean()))
        if max(height_m, width_m) <= MAX_EXTENT_M:
            return True
        report(
            f"extends over {max(height_m, width_m) / 1000:,.0f} km, too far for a zone; "
            f"look at lng {lng.min():g} to {lng.max():g}, lat {lat.min():g} to {lat.max():g}"
            + ("; a zone cannot cross the 180th meridian" if np.ptp(lng) > 180 else "")
        )
    return False


def _closed(rings: list[list[NDArray[np.float64]]], report: Report) -> bool:
    sound = True
    every = [(n, m, ring) for n, part in enumerate(rings) for m, ring in enumerate(part)]
    for part, number, ring in every:
        name = _ring_name(part, number)
        if (ring[0] != ring[-1]).any():
            ends = _told_apart(ring[0], ring[-1])
            report(f"{name} is open: its ends are {ends}; repeat the first at the end")
            sound = False
        elif len(ring) < 4:
            report(f"{name} has {len(ring)} positions; a closed ring needs at least 4")
            sound = False
    return sound


def _told_apart(first: NDArray[np.float64], last: NDArray[np.float64]) -> str:
    """Two positions with as many digits as it takes to see that they differ."""
    for digits in (15, 17):
        a, b = (f"[{p[0]:.{digits}g}, {p[1]:.{digits}g}]" for p in (first, last))
        if a != b:
            break
    return f"{a} and {b}"


def _sound(outline: Outline, least_m2: float, report: Report) -> bool:
    if not shapely.is_valid(outline):
        reason = shapely.is_valid_reason(outline)
        place = _PLACE.match(reason)
        if place:
            what, lng, lat = place["what"].strip(), float(place["lng"]), float(place["lat"])
            reason = f"{what} at lng {lng:.6f}, lat {lat:.6f}"
        report(f"outline is not valid: {reason[:1].lower()}{reason[1:]}")
        return False
    area = float(area_m2(outline))
    if area < least_m2:
        report(f"covers {area:,.0f} m², less than half a unit cell ({least_m2:,.0f} m²)")
        return False
    return True


def _shown(value: Any) -> str:
    text = "missing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
