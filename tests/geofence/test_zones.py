"""Zones from GeoJSON: every mistake is found, named and explained."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon

from geofence.atlas import Atlas
from geofence.errors import Problem, ZonesError
from geofence.zones import Zones, parse_zones
from tests.json_values import json_values
from words.times import LAST_MS

SAMPLE = Path(__file__).parents[2] / "samples" / "chengyang"
POLICIES = {"core", "arterial", "residential", "industrial", "waterfront"}


def square(lng: float = 120.38, lat: float = 36.30, side: float = 0.01) -> list[Any]:
    return [
        [[lng, lat], [lng + side, lat], [lng + side, lat + side], [lng, lat + side], [lng, lat]]
    ]


def feature(number: int = 1, coordinates: Any = None, **properties: Any) -> dict[str, Any]:
    """A zone that is fine; a property given as None is left out."""
    known = {"zone_id": f"cy-{number:02}", "name": f"Zone {number}", "policy": "core"} | properties
    return {
        "type": "Feature",
        "properties": {k: v for k, v in known.items() if v is not None},
        "geometry": {
            "type": "Polygon",
            "coordinates": square(120.30 + 0.01 * number) if coordinates is None else coordinates,
        },
    }


def parse(*features: Any, exclusions: Any = None, **members: Any) -> Zones:
    document = {"type": "FeatureCollection", "features": list(features)} | members
    excluded = None if exclusions is None else json.dumps(exclusions).encode()
    return parse_zones(json.dumps(document).encode(), excluded, POLICIES)


def problems(*features: Any, **kwargs: Any) -> list[Problem]:
    with pytest.raises(ZonesError) as caught:
        parse(*features, **kwargs)
    return caught.value.problems


def only(*features: Any, **kwargs: Any) -> str:
    """The one problem there must be, as it is shown."""
    found = problems(*features, **kwargs)
    assert len(found) == 1, found
    return str(found[0])


def test_the_sample_district_is_fine_and_says_that_it_is_illustrative():
    """Nine zones that tile 41 km² without a gap or an overlap, four exclusions."""
    files = [(SAMPLE / f"{name}.geojson").read_bytes() for name in ("zones", "exclusions")]
    district = parse_zones(*files, POLICIES)
    assert [z.zone_id for z in district.zones] == [f"cy-{n:02}" for n in range(1, 10)]
    assert {z.policy for z in district.zones} == POLICIES
    assert len(district.exclusions) == 4
    assert all(json.loads(f)["note"].startswith("Illustrative") for f in files)
    assert isinstance(district.zones[8].geometry, MultiPolygon)
    assert all(z.code and z.code.startswith("370214") and z.name_zh for z in district.zones)


def test_a_file_with_five_mistakes_prints_all_five_with_their_places():
    """The text of the error has a line for each, naming file, feature and zone_id."""
    swapped = [[[lat, lng] for lng, lat in square()[0]]]
    found = problems(
        feature(1, policy="cor"),
        feature(2, zone_id=None),
        feature(3, coordinates=[square()[0][:-1]]),
        feature(4, coordinates=swapped),
        feature(5, zone_id="cy-01"),
    )
    text = str(ZonesError(found))
    assert len(found) == 5
    assert text.splitlines() == [
        'zones.geojson: feature 1 (zone_id "cy-01"): policy "cor" is not configured; '
        'did you mean "core"?',
        "zones.geojson: feature 2: zone_id is missing",
        'zones.geojson: feature 3 (zone_id "cy-03"): the outer ring is open: its ends are '
        "[120.38, 36.3] and [120.38, 36.31]; repeat the first at the end",
        'zones.geojson: feature 4 (zone_id "cy-04"): coordinates are swapped: [36.3, 120.38] is '
        "lat, lng; GeoJSON positions are [lng, lat]",
        'zones.geojson: feature 5 (zone_id "cy-01"): zone_id "cy-01" is also that of feature 1',
    ]


def test_the_ends_of_an_open_ring_are_told_apart():
    """However close they are."""
    ring = [*square()[0][:-1], [120.38, 36.300000004]]
    text = str(ZonesError(problems(feature(coordinates=[ring]))))
    assert "its ends are [120.38, 36.3] and [120.38, 36.300000004]" in text


def test_one_feature_can_have_several_mistakes():
    """Properties and geometry are judged apart."""
    bad = feature(1, zone_id="cy 01!", name=" ", policy=True, code="3702", name_zh=0.5)
    bad["geometry"] = None
    messages = [p.message for p in problems(bad)]
    assert messages == [
        'zone_id "cy 01!" must be 1 to 64 of A-Z a-z 0-9 _ -',
        "name is empty",
        "policy is True, not text; write it in quotes",
        'code "3702" is not a unit-grid code of GB/T 30428: 14 or 15 digits '
        "(district 6, street 3, community 3, sequence 2 or 3)",
        "name_zh is 0.5, not text; write it in quotes",
        "has no geometry; draw a Polygon or MultiPolygon",
    ]
    assert "name has half a character" in only(feature(1, name="a\ud800"))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "zones.geojson: is not JSON: Expecting value: line 1 column 1"),
        (b'{"type": ', "is not JSON"),
        (b"\xff\xfe\xfa", "zones.geojson: is not"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "is not a GeoJSON FeatureCollection but not an object"),
        (b'{"type": "Feature"}', 'FeatureCollection but type "Feature"; wrap the features'),
        (b'{"type": "FeatureCollection"}', "has no list of features"),
        (
            b'{"type": "FeatureCollection", "features": []}',
            "has no features; a district needs at least one zone",
        ),
        (b'{"type": "FeatureCollection", "features": [5]}', "feature 1: is not an object"),
    ],
)
def test_what_is_not_a_feature_collection_is_said_in_one_line(raw, message):
    """Text, truncated text, other encodings, other JSON, nothing."""
    with pytest.raises(ZonesError) as caught:
        parse_zones(raw, None, POLICIES)
    assert len(caught.value.problems) == 1
    assert message in str(caught.value)


def test_a_byte_order_mark_does_not_matter():
    """Windows editors write one."""
    document = json.dumps({"type": "FeatureCollection", "features": [feature(1)]})
    assert len(parse_zones(document.encode("utf-8-sig"), None, POLICIES).zones) == 1


def test_another_datum_in_the_file_is_refused():
    """An old-style `crs` must be WGS-84, or CGCS2000, which is the same to centimetres."""
    named = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4547"}}
    assert "export it as WGS-84" in only(feature(1), crs=named)
    named["properties"]["name"] = "urn:ogc:def:crs:OGC:1.3:CRS84"
    assert len(parse(feature(1), crs=named).zones) == 1


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


def test_an_end_beyond_the_calendar_is_no_end():
    """Files write 9999-12-31 for it, and drawn zones of an older version may have any instant."""
    (zone,) = parse(feature(1, valid_from="0001-01-01", valid_to="9999-12-31")).zones
    assert (zone.valid_from_ms, zone.valid_to_ms) == (None, None)
    (zone,) = parse(feature(1, valid_from="3000-01-01")).zones
    assert zone.valid_from_ms == LAST_MS


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
    """A zone of 190 km takes no seconds and no memory, and the message names the cell to take."""
    wide = Atlas(parse(feature(1, square(120, 36, 1.7))), cell_m=180).at(0)
    assert wide.cells_total[0] > 800_000
    with pytest.raises(ZonesError, match=r"district\.cell_m = 180"):
        Atlas(parse(feature(1, square(120, 36, 1.7))))


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


def test_zones_that_never_exist_together_may_overlap_and_share_their_names():
    """A zone redrawn from a date on: the old shape ends at the instant the new one begins."""
    code = "37021400190101"
    old = feature(1, valid_to="2026-05-01", code=code)
    new = feature(1, coordinates=square(120.312), valid_from="2026-05-01", code=code)
    both = parse(old, new)
    change = int(datetime(2026, 4, 30, 16, tzinfo=UTC).timestamp() * 1000)
    assert both.changes_ms == (change,)
    assert [z.valid_from_ms for z in both.at(change)] == [change]
    assert [z.valid_to_ms for z in both.at(change - 1)] == [change]

    new["properties"]["valid_from"] = "2026-04-30T23:59:59+08:00"
    assert [p.message.split(" is")[0] for p in problems(old, new)][:2] == [
        'zone_id "cy-01"',
        f'code "{code}"',
    ]


@pytest.mark.parametrize(
    ("begin", "end", "message"),
    [
        ("tomorrow", None, "valid_from is 'tomorrow', not a date or time like 2026-05-01"),
        (None, 20260501, "valid_to is 20260501, not a date"),
        ("2026-13-01", None, "valid_from is '2026-13-01'"),
        ("2026-05-02", "2026-05-01", "valid_to 2026-05-01 is not after valid_from 2026-05-02"),
        ("2026-05-01", "2026-05-01T00:00:00+08:00", "is not after valid_from"),
        ("0001-01-01", "0001-01-01", "is not after"),
    ],
)
def test_a_validity_that_cannot_be_is_explained(begin, end, message):
    """Unreadable, reversed or empty; and no overlap is reported because of it."""
    text = only(feature(1), feature(2, square(120.31), valid_from=begin, valid_to=end))
    assert message in text


@pytest.mark.parametrize("code", ["3702140019010", "3702140019010123", "37021400190l01"])
def test_a_code_of_other_than_14_or_15_digits_is_refused(code):
    """Too short, too long, a letter that looks like a digit."""
    assert f'code "{code}" is not a unit-grid code' in only(feature(1, code=code))


def test_codes_of_14_and_15_digits_are_read_and_must_differ():
    """The sequence has two or three digits; two zones have two codes."""
    codes = ["37021400190101", "370214001901002"]
    good = parse(feature(1, code=codes[0]), feature(2, code=codes[1]))
    assert [z.code for z in good.zones] == codes
    assert f'code "{codes[0]}" is also that of feature 1' in only(
        feature(1, code=codes[0]), feature(2, code=codes[0])
    )


def test_exclusions_are_checked_too_but_may_overlap():
    """They need no properties; their problems name their file."""
    lake = {"type": "Feature", "properties": None, "geometry": feature(1)["geometry"]}
    wall = feature(2, coordinates=square(120.312), name="Depot")
    excluded = {"type": "FeatureCollection", "features": [lake, wall]}
    assert [e.name for e in parse(feature(1), exclusions=excluded).exclusions] == ["", "Depot"]
    excluded["features"].append({"type": "Feature", "properties": {"name": "湖"}})
    text = only(feature(1), exclusions=excluded)
    assert text.startswith('exclusions.geojson: feature 3 (name "湖"): has no geometry')
    assert "exclusions.geojson: is not a GeoJSON" in only(feature(1), exclusions=[])
    nothing = {"type": "FeatureCollection", "features": []}
    assert parse(feature(1), exclusions=nothing).exclusions == ()


def test_altitudes_are_dropped_and_order_does_not_matter():
    """Positions may have a third number; zones come sorted by zone_id."""
    high = copy.deepcopy(feature(2))
    for position in high["geometry"]["coordinates"][0]:
        position.append(12.5)
    zones = parse(high, feature(1)).zones
    assert [z.zone_id for z in zones] == ["cy-01", "cy-02"]
    assert not zones[1].geometry.has_z


ZONES_JSON = json_values(
    ["type", "features", "properties", "geometry", "coordinates", "zone_id"],
    ["Feature", "FeatureCollection", "Polygon", "MultiPolygon"],
)


@given(value=ZONES_JSON)
def test_any_json_is_zones_or_problems_never_another_error(value):
    """What is wrong in whatever way is reported as problems."""
    for document in (value, {"type": "FeatureCollection", "features": [value]}):
        with pytest.raises(ZonesError):
            parse_zones(json.dumps(document).encode("utf-8", "surrogatepass"), None, POLICIES)


@given(coordinates=ZONES_JSON, kind=st.sampled_from(["Polygon", "MultiPolygon"]))
def test_any_coordinates_are_a_polygon_or_problems(coordinates, kind):
    """Nesting of any depth and values of any type are reported."""
    bad = feature(1)
    bad["geometry"] = {"type": kind, "coordinates": coordinates}
    with pytest.raises(ZonesError):
        parse(bad)


@given(raw=st.binary(max_size=60))
def test_any_bytes_are_problems(raw):
    """Noise in, one problem out."""
    with pytest.raises(ZonesError):
        parse_zones(raw, raw, POLICIES)
