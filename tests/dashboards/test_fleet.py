"""Bikes and their tracks."""

from __future__ import annotations

import numpy as np
import pytest

from tests.dashboards.conftest import Api
from tests.dashboards.district import NINE_MS, District

LAT, LNG = 36.305, 120.37


def test_the_fleet_is_everybody_on_the_roster(api: Api, district: District) -> None:
    """A bike that never said anything is there too, and says so with nulls."""
    district.ride(3, LAT, LNG, heading=45.0)
    bikes = api.get("/api/v1/bikes").json()["bikes"]
    assert [bike["bike_id"] for bike in bikes] == [f"bike-{n:02}" for n in range(28)]
    heard, silent = bikes[3], bikes[4]
    assert (heard["liveness"], heard["heading_deg"], heard["battery_percent"]) == ("live", 45, 80)
    assert heard["at"] == "2025-11-23T09:00:00+08:00"
    zone = district.zones.zone_of(np.array([LAT]), np.array([LNG]))[0]
    assert heard["zone_id"] == district.zones.zones[zone].zone_id
    assert silent["liveness"] == "silent"
    assert silent["lat"] is silent["at"] is silent["zone_id"] is None


def test_a_bike_goes_stale_with_the_clock(api: Api, district: District) -> None:
    """Not by anything it says: by what it does not say."""
    district.ride(3, LAT, LNG)
    district.now_ms += 301_000
    assert api.get("/api/v1/bikes/bike-03").json()["liveness"] == "stale"


def test_bikes_are_paged_by_key(api: Api, district: District) -> None:
    """A bike that appears between two pages neither repeats nor hides another."""
    first = api.get("/api/v1/bikes?limit=20").json()
    assert first["next_cursor"] == "hello/bike-19"
    district.roster.index("other", "aa")
    rest = api.get(f"/api/v1/bikes?limit=20&cursor={first['next_cursor']}").json()
    assert [b["bike_id"] for b in rest["bikes"]] == [f"bike-{n}" for n in range(20, 28)] + ["aa"]
    assert "next_cursor" not in rest
    wrong = api.get("/api/v1/bikes?cursor=nonsense")
    assert (wrong.status_code, wrong.json()["reason"]) == (400, "invalid_cursor")


def test_an_id_of_two_vendors_needs_the_vendor(api: Api, district: District) -> None:
    """409 names the vendors; with one of them the bike is found."""
    district.roster.index("other", "bike-03")
    answer = api.get("/api/v1/bikes/bike-03")
    assert answer.status_code == 409
    assert answer.json()["reason"] == "ambiguous_bike"
    assert answer.json()["vendors"] == ["hello", "other"]
    chosen = api.get("/api/v1/bikes/bike-03?vendor=other").json()
    assert (chosen["vendor"], chosen["liveness"]) == ("other", "silent")


@pytest.mark.parametrize(
    ("path", "reason", "near"),
    [
        ("bikes/bike-3", "unknown_bike", "bike-03"),
        ("bikes/bike-3/track", "unknown_bike", "bike-03"),
        ("bikes/bike-03?vendor=helo", "unknown_vendor", "hello"),
        ("bikes/%3Cimg%20src=x%20onerror=alert(1)%3E", "unknown_bike", "bike"),
    ],
)
def test_an_unknown_bike_is_answered_with_those_like_it(
    api: Api, path: str, reason: str, near: str
) -> None:
    """404 says which there are; what was asked for comes back as JSON text, never as HTML."""
    answer = api.get(f"/api/v1/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["reason"] == reason
    assert near in answer.json()["detail"]


def test_a_track_is_a_line_with_times_and_verdicts(api: Api, district: District) -> None:
    """Coordinates are lng, lat; timestamps and verdicts stand beside them, one for each."""
    for n in range(5):
        district.ride(3, LAT + n / 2500, LNG, at_ms=NINE_MS + n * 5000)
    answer = api.get("/api/v1/bikes/bike-03/track?from=2025-11-23T09:00:05&to=2025-11-23T09:00:20")
    assert answer.headers["content-type"] == "application/geo+json"
    feature = answer.json()
    assert (feature["type"], feature["geometry"]["type"]) == ("Feature", "LineString")
    coordinates = feature["geometry"]["coordinates"]
    assert coordinates == [[LNG, pytest.approx(LAT + n / 2500)] for n in (1, 2, 3)]
    assert feature["properties"]["timestamps"] == [NINE_MS + n * 5000 for n in (1, 2, 3)]
    assert feature["properties"]["verdicts"] == ["ok"] * 3
    assert "next_cursor" not in feature


def test_a_track_is_paged_without_gap_or_repeat(api: Api, district: District) -> None:
    """Pages end to end are the whole track; a fix that is added later does not shift them."""
    for n in range(10):
        district.ride(3, LAT, LNG + n / 1000, at_ms=NINE_MS - 60_000 + n * 1000)
    times: list[int] = []
    cursor = ""
    for _ in range(4):
        page = api.get(f"/api/v1/bikes/bike-03/track?limit=3{cursor}").json()
        times += page["properties"]["timestamps"]
        assert len(page["geometry"]["coordinates"]) == len(page["properties"]["timestamps"])
        cursor = f"&cursor={page.get('next_cursor')}"
    assert times == [NINE_MS - 60_000 + n * 1000 for n in range(10)]
    assert "next_cursor" not in page


def test_a_bike_without_fixes_has_an_empty_track(api: Api) -> None:
    """Not an error: nothing was said."""
    feature = api.get("/api/v1/bikes/bike-09/track").json()
    assert feature["geometry"]["coordinates"] == []
    assert feature["properties"]["timestamps"] == []
