"""A vendor's own JSON: what the mapping says is where it is found, in the units of MDS."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikes.errors import REJECT_REASONS, DecodeError
from bikes.formats import Format, mds
from bikes.formats.mapped import REQUIRED, UNITS, Quantity, Source, mapped
from bikes.formats.reading import QUICK_ERRORS
from bikes.telemetry import UNUSABLE, Location, Telemetry

SHANGHAI = ZoneInfo("Asia/Shanghai")
OWN = mapped(
    {
        "timestamp": Source("t", "s"),
        "lat": Source("gps.y", "1e-6 deg"),
        "lng": Source("gps.x", "1e-6 deg"),
        "speed": Source("gps.v", "km/h", unknown=(-1,)),
        "heading": Source("gps.more.dir"),
        "battery_percent": Source("soc", "ratio"),
        "device_id": Source("id"),
        "tipped_over": Source("fell"),
    }
)
ENVELOPE = mapped(
    {
        "timestamp": Source("time", "iso8601", timezone=SHANGHAI),
        "lat": Source("lat"),
        "lng": Source("lng"),
        "satellites": Source("sats"),
    },
    items="data.points",
)
LIKE_MDS = mapped(
    {
        "timestamp": Source("timestamp"),
        "device_id": Source("device_id"),
        "battery_percent": Source("battery_percent"),
        "tipped_over": Source("tipped_over"),
        **{name: Source(f"location.{name}") for name in Location.__struct_fields__},  # type: ignore[dict-item]
    }
)


def read(format_: Format, said: object) -> list[Any]:
    """The items of a payload; the quick way agrees with the careful one."""
    payload = said if isinstance(said, bytes) else json.dumps(said).encode()
    try:
        careful = format_.decode(payload, 5)
    except DecodeError as exc:
        careful = [exc]
    items = list(careful) if isinstance(careful, Sequence) else [careful]
    try:
        quick = format_.quick(payload)
    except QUICK_ERRORS:
        pass  # an item is refused, or a value of it is not used
    else:
        assert quick == careful or (len(items) == 1 and items[0].reason == "too_many")
    return items


def test_everything_is_in_the_units_of_mds() -> None:
    """Whole microdegrees, km/h, a ratio and seconds, from nested objects."""
    said = {
        "t": 1_760_000_000,
        "gps": {"y": 36_306_800, "x": 120_389_100, "v": 36, "more": {"dir": 90}},
        "soc": 0.5,
        "id": 7,
        "fell": False,
        "other": [1],
    }
    assert read(OWN, said) == [
        Telemetry(
            timestamp=1_760_000_000_000,
            location=Location(lat=36.3068, lng=120.3891, speed=10.0, heading=90.0),
            battery_percent=50.0,
            device_id="7",
            tipped_over=False,
        )
    ]


@pytest.mark.parametrize(
    ("gps", "speed", "heading"),
    [
        ({"v": ""}, UNUSABLE / 3.6, None),
        ({"v": "fast", "more": {"dir": ""}}, UNUSABLE / 3.6, UNUSABLE),
        ({"v": "nan", "more": {"dir": {}}}, UNUSABLE, UNUSABLE),
        ({"v": [], "more": 5}, UNUSABLE / 3.6, None),
    ],
)
def test_what_cannot_be_used_is_unusable(
    gps: dict[str, object], speed: float, heading: float | None
) -> None:
    """A text that is empty or no number, or another type, where a number is optional."""
    (fix,) = read(OWN, {"t": 1.0, "gps": {"y": 1, "x": 1} | gps})
    assert (fix.timestamp, fix.location.heading) == (1000, heading)
    assert fix.location.speed in (speed, UNUSABLE)


@pytest.mark.parametrize("gps", [{"v": None}, {"v": -1}, {"more": None}, {"more": {}}, {}])
def test_what_is_not_there_is_not_known(gps: dict[str, object]) -> None:
    """Missing, null, a value that means "not known", and objects that are not there."""
    (fix,) = read(OWN, {"t": 1, "gps": {"y": 0, "x": 0} | gps})
    assert fix == Telemetry(timestamp=1000, location=Location(lat=0.0, lng=0.0))


def test_numbers_may_be_text() -> None:
    """Many vendors write them so; the id of a bike stays the text that it is."""
    said = {"t": "1760000000.25", "gps": {"y": "36306800", "x": "1e8"}, "id": "007"}
    (fix,) = read(OWN, said)
    assert (fix.timestamp, fix.location.lat, fix.location.lng) == (1_760_000_000_250, 36.3068, 100)
    assert fix.device_id == "007"


@pytest.mark.parametrize(
    ("text", "timestamp"),
    [
        ("2026-04-01 08:00:00", 1_775_001_600_000),
        ("2026-04-01T08:00:00.250+08:00", 1_775_001_600_250),
        ("2026-04-01T00:00:00Z", 1_775_001_600_000),
        ("20260401T080000", 1_775_001_600_000),
        ("20260401080000", 1_775_001_600_000),
        ("20260401080000250", 1_775_001_600_250),
        ("202604010800", 1_775_001_600_000),
        ("2026/04/01 08:00", 1_775_001_600_000),
        ("2026/4/1 8:00:00", 1_775_001_600_000),
        ("2026.04.01 08:00:00.25", 1_775_001_600_250),
        ("2026年4月1日 8:00", 1_775_001_600_000),
        ("2026-4-1T0:00:00Z", 1_775_001_600_000),
    ],
)
def test_times_as_text(text: str, timestamp: int) -> None:
    """An offset counts; without one the time is of the configured zone."""
    (fix,) = read(ENVELOPE, {"data": {"points": [{"time": text, "lat": 1, "lng": 2}]}})
    assert fix == Telemetry(timestamp=timestamp, location=Location(lat=1.0, lng=2.0))


ARRAYS = mapped(
    {
        "timestamp": Source("properties.t", "s"),
        "lng": Source("geometry.coordinates.0"),
        "lat": Source("geometry.coordinates.1"),
        "altitude": Source("geometry.coordinates[2]"),
        "battery_percent": Source("cells[1].soc"),
    },
    items="features.0.parts",
)


@pytest.mark.parametrize(
    ("coordinates", "cells", "altitude", "battery"),
    [
        ([120.3891, 36.3068], [], None, None),
        (["120.3891", "36.3068", 12, "more"], [{}, {"soc": 80}], 12.0, 80.0),
        ([120.3891, 36.3068, ""], [{}, {"soc": ""}], UNUSABLE, UNUSABLE),
        ([120.3891, 36.3068, None], {"1": {"soc": 80}}, None, None),
    ],
)
def test_places_in_arrays(
    coordinates: list[object], cells: object, altitude: float | None, battery: float | None
) -> None:
    """A position as GeoJSON has it; what an array is too short for, or has empty, is not known."""
    item = {"properties": {"t": 1}, "geometry": {"coordinates": coordinates}, "cells": cells}
    (fix,) = read(ARRAYS, {"features": [{"parts": [item]}, 5]})
    assert fix == Telemetry(
        timestamp=1000,
        location=Location(lat=36.3068, lng=120.3891, altitude=altitude),
        battery_percent=battery,
    )


def test_a_time_without_offset_needs_a_zone() -> None:
    zoneless = mapped(
        {"timestamp": Source("a.t", "iso8601"), "lat": Source("y"), "lng": Source("x")}
    )
    (error,) = read(zoneless, {"a": {"t": "2026-04-01 08:00:00"}, "y": 1, "x": 2})
    assert str(error).startswith("schema: a.t: '2026-04-01 08:00:00': the offset is missing")


@pytest.mark.parametrize(
    ("format_", "said", "message"),
    [
        (OWN, b"", "not_json: the payload is empty"),
        (OWN, [{"t": 1}] * 6, "too_many: the array has 6 items; at most 5 are accepted"),
        (OWN, {"t": 1}, "schema: gps: required, but missing; there is t"),
        (OWN, {"t": 1, "gps": {"y": 1}}, "schema: gps.x: required, but missing; there is y"),
        (
            ARRAYS,
            {"features": [{"parts": [{"properties": {"t": 1}, "geometry": {"coordinates": [1]}}]}]},
            "schema: geometry.coordinates: expected array of at least length 2, got 1",
        ),
        (ARRAYS, {"features": []}, "schema: features: expected array of at least length 1, got 0"),
        (OWN, {"t": 1, "gps": {"y": 1, "x": None}}, "schema: gps.x: expected float, got null"),
        (OWN, {"t": 1, "gps": {"y": "north", "x": 1}}, "schema: gps.y: expected float, got str"),
        (OWN, {"t": "nan", "gps": {"y": 1, "x": 1}}, "out_of_range: t: nan is no number"),
        (OWN, {"t": 1, "gps": {"y": "inf", "x": 1}}, "out_of_range: gps.y: inf is no number"),
        (
            OWN,
            {"t": 1e307, "gps": {"y": 1, "x": 1}},
            "out_of_range: t: 1e+307 is no number, or too",
        ),
        (ENVELOPE, {"data": {}}, "schema: data.points: required, but missing"),
        (ENVELOPE, {"data": {"points": 5}}, "schema: data.points: expected array, got int"),
        (ENVELOPE, {"data": {"points": [{}] * 6}}, "too_many: the array has 6 items; at most"),
        (
            ENVELOPE,
            {"data": {"points": [{"time": "noon", "lat": 1, "lng": 2}]}},
            "schema: time: 'noon': a time such as 2026-04-01T08:00:00+08:00 is wanted",
        ),
    ],
)
def test_a_refusal_names_the_vendors_own_path(format_: Format, said: object, message: str) -> None:
    """Whoever wrote the payload finds the place."""
    (error,) = read(format_, said)
    assert isinstance(error, DecodeError)
    assert str(error).startswith(message)


@pytest.mark.parametrize("inside", [lambda items: items, lambda items: {"data": {"points": items}}])
def test_one_bad_item_does_not_spoil_the_others(inside: Any) -> None:
    format_ = OWN if inside([]) == [] else ENVELOPE
    good = {"t": 1, "time": "1970-01-01T00:00:01Z", "gps": {"y": 0, "x": 0}, "lat": 0, "lng": 0}
    first, bad, last = read(format_, inside([good, 5, good]))
    assert first == last == Telemetry(timestamp=1000, location=Location(lat=0.0, lng=0.0))
    assert (bad.reason, bad.index) == ("schema", 1)
    assert read(format_, inside([])) == []


@pytest.mark.parametrize(
    ("sources", "items", "message"),
    [
        ({"timestamp": Source("t"), "lat": Source("y")}, None, "lng is missing: every fix has one"),
        ({"speed": Source("v", "knots")}, None, 'speed has no unit "knots"; it has "m/s", "km/h"'),
        ({"device_id": Source("id", "m")}, None, 'device_id has no unit "m"; it has none at all'),
        ({"lat": Source("y", unknown=(0,))}, None, "lat cannot be unknown"),
        ({"timestamp": Source("t", "s", timezone=SHANGHAI)}, None, "a time zone belongs to unit"),
        ({"lat": Source("a..b")}, None, 'lat: "a..b" is no path; write for example "gps.lat"'),
        ({"speed": Source("y")}, None, 'the path "y" cannot serve lat and speed'),
        ({"speed": Source("y.v")}, None, 'the path "y" cannot serve lat and speed'),
        ({"lat": Source("p.y"), "lng": Source("p.y")}, None, '"p.y" cannot serve lat and lng'),
        ({}, "a..b", 'items: "a..b" is no path'),
        ({n: Source(p) for n, p in zip(REQUIRED, "012", strict=True)}, None, "the array: pos.0"),
    ],
)
def test_a_mapping_that_cannot_be(
    sources: dict[Quantity, Source], items: str | None, message: str
) -> None:
    """It is refused when it is made, not with the first message."""
    plain: dict[Quantity, Source] = {
        "timestamp": Source("t"),
        "lat": Source("y"),
        "lng": Source("x"),
    }
    whole = sources if "lng is" in message else plain | sources
    with pytest.raises(ValueError, match=r".") as caught:
        mapped(whole, items)
    assert message in str(caught.value)


@pytest.mark.parametrize("quantity", UNITS)
def test_every_unit_says_how_much_it_is(quantity: Quantity) -> None:
    """The first is the one of MDS; none is nothing."""
    factors = [factor / divisor for factor, divisor in UNITS[quantity].values()]
    assert factors[0] == 1
    assert all(factor > 0 for factor in factors)


FIXES = st.builds(
    Telemetry,
    timestamp=st.integers(0, 2**42),
    location=st.builds(
        Location,
        lat=st.floats(-90, 90),
        lng=st.floats(-180, 180),
        **{
            name: st.none() | st.floats(0, 1000)
            for name in ("speed", "heading", "altitude", "horizontal_accuracy")
        },
        satellites=st.none() | st.integers(0, 60),
    ),
    device_id=st.none() | st.text(min_size=1, max_size=8),
    battery_percent=st.none() | st.floats(0, 100),
    tipped_over=st.none() | st.booleans(),
)


@given(st.lists(FIXES, max_size=5))
def test_a_mapping_of_mds_reads_mds(fixes: list[Telemetry]) -> None:
    """The paths and units of MDS give what the format of MDS gives."""
    payload = mds.encode(fixes)
    assert LIKE_MDS.quick(payload) == LIKE_MDS.decode(payload, 5) == mds.decode(payload)


WORDS = [
    "features",
    "parts",
    "geometry",
    "coordinates",
    "cells",
    "t",
    "gps",
    "y",
    "x",
    "v",
    "more",
    "dir",
    "soc",
    "id",
    "data",
    "points",
    "time",
    "lat",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["1", "nan", "z"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("format_", [OWN, ENVELOPE, LIKE_MDS, ARRAYS])
@given(payload=st.binary(max_size=100) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_payload_is_read_or_refused(format_: Format, payload: bytes) -> None:
    """Whatever the bytes, both ways agree, and what is refused has a reason of the contract."""
    for item in read(format_, payload):
        if isinstance(item, DecodeError):
            assert item.reason in REJECT_REASONS
