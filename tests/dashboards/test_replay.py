"""Where all bikes were over some hours."""

from __future__ import annotations

import pytest

from dashboards.api.bikes import MAX_POINTS, points, step_that_fits
from tests.dashboards.conftest import Api
from tests.dashboards.district import NINE_MS, District

HOUR = "from=2025-11-23T08:00&to=2025-11-23T09:00:01"


def test_a_replay_has_a_frame_per_bike_and_step(api: Api, district: District) -> None:
    """The last fix of each step, of bikes that have any, with headings from the way."""
    district.patrol(3, "cy-04", at_ms=NINE_MS)
    district.patrol(5, "cy-05", at_ms=NINE_MS)
    answer = api.get(f"/api/v1/tracks?{HOUR}&step_s=60").json()
    assert (answer["from"], answer["to"]) == (
        "2025-11-23T08:00:00+08:00",
        "2025-11-23T09:00:01+08:00",
    )
    assert answer["step_s"] == 60
    assert [bike["bike_id"] for bike in answer["bikes"]] == ["bike-03", "bike-05"]
    track = answer["bikes"][0]
    assert track["timestamps"] == [NINE_MS - 5000 - n * 60_000 for n in (4, 3, 2, 1, 0)] + [NINE_MS]
    assert track["heading"] == [None, 90, 90, 90, 90, 90]
    assert len(track["lat"]) == len(track["lng"]) == 6
    assert track["lng"] == sorted(track["lng"])


def test_what_is_not_believed_is_not_shown(api: Api, district: District) -> None:
    """A jump of 10 km and back is no way that anybody went."""
    district.patrol(3, "cy-04", at_ms=NINE_MS)
    district.ride(3, 36.2, 120.5, at_ms=NINE_MS - 7_500)
    (track,) = api.get(f"/api/v1/tracks?{HOUR}&step_s=1").json()["bikes"]
    assert NINE_MS - 7_500 not in track["timestamps"]
    assert len(track["timestamps"]) == 60


def test_a_single_fix_has_no_heading(api: Api, district: District) -> None:
    """The column is absent when there is nothing in it; nobody there is nobody."""
    assert api.get(f"/api/v1/tracks?{HOUR}").json()["bikes"] == []
    district.patrol(3, "cy-04", at_ms=NINE_MS, fixes=1)
    (track,) = api.get("/api/v1/tracks?from=2025-11-23T08:00&to=2025-11-23T10:00").json()["bikes"]
    assert "heading" not in track


def test_too_many_points_are_refused_with_the_step_that_fits(api: Api) -> None:
    """28 bikes for a day; the finest step that fits is the one it takes by itself."""
    day = "from=2025-11-22T09:00&to=2025-11-23T09:00"
    answer = api.get(f"/api/v1/tracks?{day}&step_s=5")
    assert (answer.status_code, answer.json()["reason"]) == (400, "too_many_points")
    assert answer.json()["step_s"] == 15
    assert "step_s=15" in answer.json()["detail"]
    assert api.get(f"/api/v1/tracks?{day}&step_s=15").status_code == 200
    assert api.get(f"/api/v1/tracks?{day}").json()["step_s"] == 15


@pytest.mark.parametrize("bikes", [0, 1, 28, 2_000, 50_000])
@pytest.mark.parametrize("span_ms", [1, 3_600_000, 86_400_000])
def test_the_step_that_fits_does(bikes: int, span_ms: int) -> None:
    """Whatever the fleet, with at most one point more for each bike."""
    assert points(bikes, span_ms, step_that_fits(bikes, span_ms)) <= MAX_POINTS + bikes
