"""What of a bike's day is drawn."""

from __future__ import annotations

from tests.dashboards.conftest import Api
from tests.dashboards.district import NINE_MS, District

ZONE = "cy-08"
PATH = "/api/v1/bikes/bike-03/path"


def test_a_gap_is_not_drawn_over(api: Api, district: District) -> None:
    """Two rides with an hour between them are two stretches, all positions [lat, lng]."""
    district.patrol(3, ZONE, at_ms=NINE_MS - 3_600_000, fixes=30)
    district.patrol(3, ZONE, at_ms=NINE_MS, fixes=20)
    said = api.get(PATH).json()
    assert [len(stretch) for stretch in said["path"]] == [30, 20]
    assert all(36 < lat < 37 and 120 < lng < 121 for lat, lng in said["path"][0])
    assert (said["date"], said["stops"], said["rejected_total"]) == ("2025-11-23", [], 0)


def test_a_jump_is_a_mark_and_not_path(api: Api, district: District) -> None:
    """The fix two kilometres away stands beside the path, with time and verdict."""
    last = district.patrol(3, ZONE, at_ms=NINE_MS, fixes=40)
    lat, lng = float(last.lat_deg[20]) + 0.02, float(last.lng_deg[20])
    jump_ms = int(last.timestamp_ms[20]) + 1000
    district.ride(3, lat, lng, at_ms=jump_ms)
    said = api.get(PATH).json()
    assert said["rejected"] == {
        "timestamps": [jump_ms],
        "lat": [round(lat, 7)],
        "lng": [round(lng, 7)],
        "verdicts": ["teleport"],
    }
    assert [len(stretch) for stretch in said["path"]] == [40]


def test_where_it_parked_is_one_stop(api: Api, district: District) -> None:
    """However many fixes it sent from there."""
    for n in range(60):
        district.ride(3, 36.305, 120.37, at_ms=NINE_MS - 600_000 + n * 10_000)
    said = api.get(PATH).json()
    assert len(said["stops"]) == 1
    stop = said["stops"][0]
    assert (stop["lat"], stop["lng"]) == (36.305, 120.37)
    assert stop["from"] < stop["to"] <= "2025-11-23T09:00:00+08:00"


def test_cells_say_who_came_first(api: Api, district: District) -> None:
    """The second bike of a street has its cells too, but was first in none."""
    district.patrol(3, ZONE, at_ms=NINE_MS - 1_800_000)
    district.patrol(4, ZONE, at_ms=NINE_MS)
    first, second = (api.get(f"/api/v1/bikes/bike-0{n}/path").json()["cells"] for n in (3, 4))
    assert len(first["lat"]) == len(second["lng"]) > 5
    assert all(first["first"])
    assert not any(second["first"])
    day = api.get("/api/v1/bikes/bike-04/day").json()
    assert (day["cells"], day["cells_first"]) == (len(second["first"]), 0)


def test_of_very_many_marks_some_are_chosen(api: Api, district: District) -> None:
    """The last one too; how many there are is said."""
    for n in range(2_100):
        district.ride(3, 36.305, 119.0, at_ms=NINE_MS - 5_000_000 + n * 2_000)
    said = api.get(PATH).json()
    assert said["rejected_total"] == 2_100
    assert len(said["rejected"]["timestamps"]) == 2_000
    assert said["rejected"]["timestamps"][-1] == NINE_MS - 5_000_000 + 2_099 * 2_000
    assert set(said["rejected"]["verdicts"]) == {"outside_district"}


def test_a_bike_that_said_nothing_has_nothing_to_draw(api: Api) -> None:
    """Empty, not an error."""
    said = api.get(PATH).json()
    assert (said["path"], said["stops"], said["rejected"]["lat"]) == ([], [], [])
    assert said["cells"] == {"lat": [], "lng": [], "first": []}


def test_cells_of_a_forgotten_day_are_unknown(api: Api, district: District) -> None:
    """Null is not none."""
    district.known_from_ms = NINE_MS
    assert api.get(f"{PATH}?date=2025-11-21").json()["cells"] is None


def test_the_path_of_a_day_to_come_is_refused(api: Api) -> None:
    """400 with a name."""
    answer = api.get(f"{PATH}?date=2025-11-24")
    assert (answer.status_code, answer.json()["reason"]) == (400, "day_to_come")


def test_rejects_of_one_bike(api: Api, district: District) -> None:
    """`bike_id` leaves the others out."""
    district.reject("bike-01")
    district.reject("bike-02", payload="[")
    found = api.get("/api/v1/rejects?vendor=hello&bike_id=bike-02").json()["rejects"]
    assert [(each["bike_id"], each["payload"]) for each in found] == [("bike-02", "[")]
