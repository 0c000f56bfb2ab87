"""What bikes did on a day, through the API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dashboards.conftest import Api
from tests.dashboards.district import NINE_MS, District

DAY_MS = 86_400_000


def day_of(api: Api, bike: str, query: str = "") -> dict[str, Any]:
    """A day of a bike."""
    found: dict[str, Any] = api.get(f"/api/v1/bikes/{bike}/day{query}").json()
    return found


def test_a_day_of_a_bike(api: Api, district: District) -> None:
    """59 steps of 20 m: distance, time and cells in the zone, fixes by verdict."""
    district.patrol(3, "cy-04", at_ms=NINE_MS)
    found = day_of(api, "bike-03")
    assert (found["vendor"], found["bike_id"], found["date"]) == ("hello", "bike-03", "2025-11-23")
    assert found["distance_m"] == pytest.approx(59 * 20, abs=0.2)
    assert found["verdicts"] == {"ok": 60}
    by_zone = {zone["zone_id"]: zone for zone in found["zones"]}
    assert by_zone["cy-04"]["time_s"] == 59 * 5
    assert by_zone["cy-04"]["cells"] == found["cells"] == found["cells_first"] == 13
    assert found["redundant_share"] == 0


def test_who_comes_after_another_is_redundant(api: Api, district: District) -> None:
    """Half an hour later over the same cells: nothing of it was new."""
    district.patrol(3, "cy-04", at_ms=NINE_MS - 1_800_000)
    district.patrol(4, "cy-04", at_ms=NINE_MS)
    late = day_of(api, "bike-04")
    assert (late["cells"], late["cells_first"], late["redundant_share"]) == (13, 0, 1)


def test_a_bike_that_did_nothing(api: Api) -> None:
    """Zeros, for nothing came; no share of no cells."""
    assert day_of(api, "bike-09") == {
        "vendor": "hello",
        "bike_id": "bike-09",
        "date": "2025-11-23",
        "distance_m": 0,
        "cells": 0,
        "cells_first": 0,
        "redundant_share": None,
        "zones": [],
        "verdicts": {},
    }


def test_cells_of_a_day_that_is_forgotten_are_not_known(api: Api, district: District) -> None:
    """The archive still has the fixes; the ledger has no cells, which is not none."""
    district.patrol(3, "cy-04", at_ms=NINE_MS - 3 * DAY_MS)
    district.known_from_ms = NINE_MS - DAY_MS
    found = day_of(api, "bike-03", "?date=2025-11-20")
    assert found["distance_m"] > 1000
    assert found["zones"] == [{"zone_id": "cy-04", "time_s": 295, "cells": None}]
    assert (found["cells"], found["cells_first"], found["redundant_share"]) == (None, None, None)


def test_the_days_of_all_bikes_are_paged(api: Api, district: District) -> None:
    """By vendor and id; pages end to end are the roster."""
    district.patrol(20, "cy-04", at_ms=NINE_MS)
    first = api.get("/api/v1/bikes/days?limit=20").json()
    assert (first["date"], first["next_cursor"]) == ("2025-11-23", "hello/bike-19")
    rest = api.get(f"/api/v1/bikes/days?limit=20&cursor={first['next_cursor']}").json()
    assert "next_cursor" not in rest
    ids = [day["bike_id"] for page in (first, rest) for day in page["days"]]
    assert ids == [f"bike-{n:02}" for n in range(28)]
    assert rest["days"][0] == day_of(api, "bike-20")


def test_a_page_is_remembered_for_a_while(api: Api, district: District) -> None:
    """However many ask, and whatever has come since; another day is another page."""
    before = api.get("/api/v1/bikes/days").json()
    district.patrol(3, "cy-04", at_ms=NINE_MS)
    assert api.get("/api/v1/bikes/days").json() == before
    yesterday = api.get("/api/v1/bikes/days?date=2025-11-22").json()
    assert yesterday["date"] == "2025-11-22"
