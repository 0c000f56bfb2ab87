"""Zones from GeoJSON: every mistake is found, named and explained."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon

from geofence.errors import ZonesError
from geofence.zones import parse_zones
from tests.json_values import json_values
from tests.zone_features import POLICIES, feature, only, parse, problems, square
from words.times import LAST_MS

SAMPLE = Path(__file__).parents[2] / "samples" / "chengyang"


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


def test_an_end_beyond_the_calendar_is_no_end():
    """Files write 9999-12-31 for it, and drawn zones of an older version may have any instant."""
    (zone,) = parse(feature(1, valid_from="0001-01-01", valid_to="9999-12-31")).zones
    assert (zone.valid_from_ms, zone.valid_to_ms) == (None, None)
    (zone,) = parse(feature(1, valid_from="3000-01-01")).zones
    assert zone.valid_from_ms == LAST_MS


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
