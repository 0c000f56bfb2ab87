"""Outlines of zones, each by itself and over one another: every mistake is explained."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from geofence.atlas import Atlas
from geofence.errors import ZonesError
from geofence.zones import Zones, parse_zones
from tests.zone_features import POLICIES, feature, only, parse, problems, square


def test_the_ends_of_an_open_ring_are_told_apart():
    """However close they are."""
    ring = [*square()[0][:-1], [120.38, 36.300000004]]
    text = str(ZonesError(problems(feature(coordinates=[ring]))))
    assert "its ends are [120.38, 36.3] and [120.38, 36.300000004]" in text


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        ({"type": "Point", "coordinates": [120.4, 36.3]}, "geometry is 'Point', not a Polygon"),
        ({"type": "GeometryCollection", "geometries": []}, "not a Polygon or MultiPolygon"),
        ({"coordinates": []}, "geometry is missing, not a Polygon"),
        ({"type": "Polygon"}, "geometry has no list of coordinates"),
        ({"type": "Polygon", "coordinates": []}, "geometry is empty"),
        ({"type": "MultiPolygon", "coordinates": []}, "geometry is empty"),
        ({"type": "MultiPolygon", "coordinates": [[]]}, "geometry is empty"),
        ({"type": "Polygon", "coordinates": [[]]}, "geometry is empty"),
        ({"type": "Polygon", "coordinates": [5]}, "not nested as the geometry type needs"),
        (
            {"type": "MultiPolygon", "coordinates": square()},
            "position 1 of the outer ring is 120.38",
        ),
        ({"type": "Polygon", "coordinates": [square()]}, "position 1 of the outer ring is [["),
        (
            {"type": "Polygon", "coordinates": [[[120.3, 36.3], [120.4, None]]]},
            "position 2 of the outer ring is [120.4, None], not [lng, lat] in degrees",
        ),
        (
            {"type": "Polygon", "coordinates": [[[120.3, float("nan")]]]},
            "position 1 of the outer ring is [120.3, nan]",
        ),
        (
            {"type": "Polygon", "coordinates": [[[120.3, 36.3], [120.4, 36.3], [120.3, 36.3]]]},
            "the outer ring has 3 positions; a closed ring needs at least 4",
        ),
        (
            {"type": "Polygon", "coordinates": [*square(), square(120.383, 36.303, 0.002)[0][:3]]},
            "hole 1 is open: its ends are [120.383, 36.303] and [120.385, 36.305]",
        ),
        (
            {
                "type": "Polygon",
                "coordinates": [
                    [[120.3, 36.3], [120.32, 36.32], [120.32, 36.3], [120.3, 36.32], [120.3, 36.3]]
                ],
            },
            "outline is not valid: self-intersection at lng 120.310000, lat 36.310000",
        ),
        (
            {"type": "Polygon", "coordinates": [*square(), *square(121.0)]},
            "outline is not valid: hole lies outside shell at lng",
        ),
        (
            {"type": "MultiPolygon", "coordinates": [square(), square(120.39)]},
            "outline is not valid: self-intersection at lng",
        ),
        (
            {"type": "Polygon", "coordinates": square(side=0.0005)},
            "covers 2,497 m², less than half a unit cell (5,000 m²)",
        ),
        (
            {"type": "Polygon", "coordinates": square(500_000, 4_020_000, 1000)},
            "5 of 5 positions are out of range, the first is [500000, 4.02e+06]; these look like "
            "projected metres",
        ),
        (
            {"type": "Polygon", "coordinates": [[*square()[0][:2], [36.31, 120.39], *square()[0]]]},
            "1 of 8 positions are out of range, the first is [36.31, 120.39]; lat and lng look "
            "swapped",
        ),
        (
            {"type": "Polygon", "coordinates": [[[39.4, 76.0], [39.5, 76.0], [39.5, 76.1]]]},
            "coordinates are swapped: [39.4, 76] is lat, lng",
        ),
        (
            {"type": "Polygon", "coordinates": [[*square()[0][:2], [12.39, 36.31], *square()[0]]]},
            "km, too far for a zone; look at lng 12.39 to 120.39",
        ),
    ],
)
def test_each_mistake_of_a_geometry_is_explained(geometry, message):
    """Once per feature, at the first level that fails."""
    bad = feature(1)
    bad["geometry"] = geometry
    text = only(bad)
    assert text.startswith('zones.geojson: feature 1 (zone_id "cy-01"): ')
    assert message in text


def test_overlaps_name_both_features_and_their_size():
    """Zones that share a boundary are fine; zones that share ground are not."""
    assert len(parse(feature(1), feature(2)).zones) == 2
    text = only(feature(1), feature(2), feature(3, coordinates=square(120.324, side=0.005)))
    assert text == (
        'zones.geojson: feature 2 (zone_id "cy-02"): overlaps feature 3 (zone_id "cy-03") by '
        "249,671 m², 248.39 m wide, around lng 120.32650, lat 36.30250; zones must not overlap, "
        "save by 2 m"
    )


def test_a_file_of_copies_is_refused_at_once_with_a_hundred_overlaps():
    """A zone that stands there 2,000 times has 2 million pairs; nobody reads that many lines."""
    begun_s = time.process_time()
    copies = [feature(1, zone_id=f"z{number}") for number in range(2_000)]
    assert len(problems(*copies)) == 100
    assert time.process_time() - begun_s < 20


METRE = 1 / 89_716
"""A metre to the east at the latitude of the squares [degrees]."""


def overlapping(width_m: float, **limits: float) -> Zones:
    """Two squares of a kilometre, of which the second begins so much before the first ends."""
    east = feature(2, coordinates=square(120.32 - width_m * METRE))
    document = {"type": "FeatureCollection", "features": [east, feature(1)]}
    return parse_zones(json.dumps(document).encode(), None, POLICIES, **limits)


def test_an_overlap_is_judged_by_its_width_and_told():
    """Cities publish slivers a kilometre long; one that is 3 m wide is a mistake of the drawer."""
    assert not overlapping(0.005).warnings, "from rounded vertices"
    (warning,) = overlapping(1.5).warnings
    assert str(warning).startswith(
        'zones.geojson: feature 1 (zone_id "cy-02"): overlaps feature 2 (zone_id "cy-01") by '
        "1,670 m², 1.50 m wide"
    )
    assert str(warning).endswith('what both hold is given to "cy-01"')
    with pytest.raises(ZonesError, match="save by 2 m"):
        overlapping(3)
    assert len(overlapping(3, overlap_m=5).warnings) == 1
    with pytest.raises(ZonesError, match="save by 0 m"):
        overlapping(0.5, overlap_m=0)


def test_what_two_zones_share_belongs_to_the_smaller_id():
    """Its positions, and its part of each cell: the other zone is as if it had been cut there."""
    zones = overlapping(60, overlap_m=80)
    shared = Atlas(zones).at(0)
    assert (
        shared.zones[shared.zone_of(np.array([36.305]), np.array([120.32 - 30 * METRE]))[0]]
        == (shared.zones[shared.index("cy-01")])
    )
    first, second = zones.zones
    cut = replace(second, geometry=second.geometry.difference(first.geometry))
    apart = Atlas(replace(zones, zones=(first, cut))).at(0)
    assert (shared.cell_zone == apart.cell_zone).all()


def test_limits_are_those_of_the_cell():
    """A pocket park holds cells of 20 m; an exclusion counts together with others."""
    park = feature(1, coordinates=square(side=0.0006))
    assert "covers 3," in only(park)
    assert "less than half a unit cell (5,000 m²)" in only(park)
    document = json.dumps({"type": "FeatureCollection", "features": [park]}).encode()
    assert parse_zones(document, None, POLICIES, cell_m=20).zones
    pond = {"type": "FeatureCollection", "features": [feature(1, square(side=0.0001))]}
    assert len(parse(feature(1), exclusions=pond).exclusions) == 1


def test_the_arctic_is_swapped_in_china_only():
    """Longyearbyen has the latitude of a longitude in Xinjiang."""
    arctic = json.dumps(
        {"type": "FeatureCollection", "features": [feature(1, square(15.6, 78.2, 0.02))]}
    ).encode()
    assert parse_zones(arctic, None, POLICIES, timezone=ZoneInfo("Arctic/Longyearbyen")).zones
    with pytest.raises(ZonesError, match="coordinates are swapped"):
        parse_zones(arctic, None, POLICIES)


@pytest.mark.parametrize(
    ("rings", "message"),
    [
        ([*square(), []], None),
        ([[]], "geometry is empty"),
        ([[], *square()], "geometry is empty"),
        (square(120.38, 88), "reaches lat 88.01; the maps end at 85"),
        ([[[179.9, 10], [-179.9, 10], [-179.9, 10.1], [179.9, 10]]], "cannot cross the 180th"),
        (
            [[[120.38, 36.3], [120.39, 36.3], [120.39, 36.31], [120.38000000000001, 36.3]]],
            "its ends are [120.38, 36.299999999999997] and [120.38000000000001, 36.2999",
        ),
        ([[[120.38, 36.3]] * 5], "outline is not valid"),
        ([*square(), [[120.385, 36.305]]], "hole 1 has 1 positions"),
    ],
)
def test_outlines_as_programs_write_them(rings, message):
    """A hole that was removed is no hole; everything else is said."""
    if message is None:
        assert not parse(feature(1, rings)).zones[0].geometry.interiors
    else:
        assert message in only(feature(1, rings))


def test_a_grid_that_no_ledger_holds_is_refused_at_once():
    """A zone of 190 km is laid in cells of 100 m; where they are too many, a size is named."""
    zones = parse(feature(1, square(120, 36, 1.7)))
    assert Atlas(zones).at(0).cells_total[0] > 2_500_000
    with pytest.raises(ZonesError, match=r"district\.cell_m = 50"):
        Atlas(zones, cell_m=20)


def test_an_overlap_is_found_beside_other_mistakes():
    """A zone with a bad name or policy is still laid against the others."""
    found = problems(feature(1, policy="x"), feature(2, zone_id="-?-", coordinates=square(120.315)))
    assert [p.message.split()[0] for p in found] == ["policy", "zone_id", "overlaps"]
    assert "known: arterial, core" in found[0].message


def test_a_zone_far_from_the_others_is_a_mistake():
    """One digit of a longitude, and a zone lies in another province."""
    far = feature(4, coordinates=square(117.33))
    text = only(feature(1), feature(2), feature(3), far)
    assert 'feature 4 (zone_id "cy-04"): lies 26' in text
    assert "km from the other zones, around lng 117.3350, lat 36.3050" in text
