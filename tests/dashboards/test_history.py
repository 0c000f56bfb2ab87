"""How zones were covered over time."""

from __future__ import annotations

import io
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from PIL import Image

from alerts.plan import Policies
from dashboards.api.answers import ZoneCoverage
from dashboards.api.cells import AGE_CLASSES, MISSING
from dashboards.api.views import Presence
from dashboards.app import create_app
from geofence.coverage import SLOT_MS
from tests.dashboards.conftest import Api
from tests.dashboards.district import NINE_MS, TIMEZONE, District
from tests.dashboards.test_zones import centre

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def zone_of(api: Api, zone_id: str, query: str = "") -> ZoneCoverage:
    """A zone of the table."""
    rows = api.get(f"/api/v1/coverage{query}").json()["zones"]
    found: ZoneCoverage = next(row for row in rows if row["zone_id"] == zone_id)
    return found


def test_a_zone_says_who_is_there_and_who_was(api: Api, district: District) -> None:
    """Live bikes by their newest fix; the newest visit of any cell, by whom."""
    assert zone_of(api, "cy-04")["bikes_inside"] == 0
    assert zone_of(api, "cy-04")["last_visit_by"] is None
    district.ride(1, *centre(district, "cy-04", 0), at_ms=NINE_MS - 400_000)
    district.ride(2, *centre(district, "cy-04", 1), at_ms=NINE_MS - 20_000)
    district.ride(3, *centre(district, "cy-04", 2), at_ms=NINE_MS - 10_000)
    found = zone_of(api, "cy-04")
    assert found["bikes_inside"] == 2  # the first has been silent for too long
    assert found["last_visit_by"] == {"bike": "hello/bike-03", "at": "2025-11-23T08:59:50+08:00"}
    geojson = api.get("/api/v1/zones").json()["features"][3]["properties"]
    assert geojson["last_visit_by"] == found["last_visit_by"]


def test_who_is_there_changes_with_the_assessment_only(district: District) -> None:
    """Half a second later nothing about a zone has changed: its event is not sent again."""
    statuses = dict(district.statuses)
    sources = district.sources()
    object.__setattr__(sources, "statuses", lambda: statuses)
    presence = Presence(sources)
    before = presence.now()
    district.ride(3, *centre(district, "cy-04"))
    assert presence.now() is before
    statuses = dict(statuses)
    assert presence.now()["cy-04"].bikes_inside == 1
    visit = presence.now()["cy-04"].last_visit_by
    assert visit is not None
    assert visit.bike == "hello/bike-03"


def test_the_table_as_of_an_instant_knows_nothing_later(api: Api, district: District) -> None:
    """Covered cells and the last visit up to then; who was inside is not known any more."""
    district.ride(1, *centre(district, "cy-04", 0), at_ms=NINE_MS - 1_800_000)
    district.ride(2, *centre(district, "cy-04", 1), at_ms=NINE_MS - 60_000)
    found = zone_of(api, "cy-04", "?at=2025-11-23T08:45")
    assert found["cells_covered"] == 1
    assert found["last_visit_by"] == {"bike": "hello/bike-01", "at": "2025-11-23T08:30:00+08:00"}
    assert found["bikes_inside"] is None
    answer = api.get("/api/v1/coverage?at=2025-11-23T08:45").json()
    assert answer["at"] == "2025-11-23T08:45:00+08:00"
    assert len(answer["zones"]) == 9
    assert api.get("/api/v1/coverage/cy-04?at=2025-11-23T08:45").json() == {
        "at": answer["at"], **found,
    }  # fmt: skip


def test_before_the_record_a_zone_is_unknown_and_not_just_patrolled(
    api: Api, district: District
) -> None:
    """Its idle time is no figure; off duty it is off duty also then."""
    district.known_from_ms = NINE_MS - 40 * 60_000
    for at, state in (("08:10", "unmeasurable"), ("03:00", "off_duty")):
        found = zone_of(api, "cy-04", f"?at=2025-11-23T{at}")
        assert (found["state"], found["idle_s"]) == (state, None)
    assert zone_of(api, "cy-04", "?at=2025-11-23T08:10")["reason"] == "before_record"
    assert zone_of(api, "cy-04", "?at=2025-11-23T08:45")["idle_s"] is not None


def test_the_trend_is_the_covered_ratio_at_each_quarter_hour(api: Api, district: District) -> None:
    """From the beginning of the shift on; the last value is that of now."""
    total = district.zones.cells("cy-04").size
    for n, minute in enumerate((-59, -50, -44, -1)):
        district.ride(0, *centre(district, "cy-04", n), at_ms=NINE_MS + minute * 60_000)
    district.ride(0, *centre(district, "cy-04", 0), at_ms=NINE_MS - 60_000)
    answer = api.get("/api/v1/coverage/trend").json()
    assert answer["at"] == "2025-11-23T09:00:00+08:00"
    zones = {zone["zone_id"]: zone for zone in answer["zones"]}
    assert zones.keys() == district.statuses.keys()
    core = zones["cy-04"]
    assert (core["from"], core["to"]) == ("2025-11-23T08:00:00+08:00", "2025-11-23T12:00:00+08:00")
    assert (core["step_s"], core["target"]) == (900, 0.5)
    assert core["covered_ratio"] == [round(n / total, 4) for n in (2, 3, 3, 4, 4)]
    # cy-07 has a target for the day, cy-01 for the week: 6 days and 9 hours of it have passed.
    assert len(zones["cy-07"]["covered_ratio"]) == 9 * 4 + 1
    assert len(zones["cy-01"]["covered_ratio"]) == (6 * 24 + 9) * 4 + 1


def test_the_trend_of_what_is_not_known_is_null(api: Api, district: District) -> None:
    """Quarter hours that ended before the record began are no zeros."""
    district.known_from_ms = NINE_MS - 40 * 60_000
    zones = {z["zone_id"]: z for z in api.get("/api/v1/coverage/trend").json()["zones"]}
    assert zones["cy-04"]["covered_ratio"] == [None, 0.0, 0.0, 0.0, 0.0]


def test_a_shift_that_is_over_is_shown_as_a_whole(api: Api, district: District) -> None:
    """Until the next begins."""
    district.ride(0, *centre(district, "cy-04"), at_ms=NINE_MS)
    district.now_ms = NINE_MS + 4 * HOUR_MS
    district.ride(0, *centre(district, "cy-04", 1), at_ms=district.now_ms)
    zones = {z["zone_id"]: z for z in api.get("/api/v1/coverage/trend").json()["zones"]}
    ratios = zones["cy-04"]["covered_ratio"]
    assert len(ratios) == 16
    assert ratios[3:] == [0.0, *[round(1 / district.zones.cells("cy-04").size, 4)] * 12]


def test_fifty_consoles_cost_one_trend(api: Api, district: District) -> None:
    """Within some seconds it is the same answer, whatever has come since."""
    before = api.get("/api/v1/coverage/trend").json()
    district.ride(0, *centre(district, "cy-04"))
    assert api.get("/api/v1/coverage/trend").json() == before
    district.now_ms += SLOT_MS
    assert api.get("/api/v1/coverage/trend").json() != before


def days_of(api: Api, zone_id: str, query: str = "") -> list[dict[str, object]]:
    """Days of a zone."""
    answer = api.get(f"/api/v1/coverage/{zone_id}/days{query}").json()
    assert answer["zone_id"] == zone_id
    days: list[dict[str, object]] = answer["days"]
    return days


def test_a_day_says_what_was_covered_and_what_was_asked(api: Api, district: District) -> None:
    """Distinct cells of the local day, the policy's target, duty, and the worst idleness of it."""
    total = district.zones.cells("cy-07").size
    for n in range(total // 2):
        at_ms = NINE_MS - DAY_MS + n * 1000
        district.ride(0, *centre(district, "cy-07", n), at_ms=at_ms)
        district.ride(1, *centre(district, "cy-07", n), at_ms=at_ms + HOUR_MS)
    yesterday = days_of(api, "cy-07", "?from=2025-11-22&to=2025-11-22")
    idle_s = yesterday[0]["mean_idle_s"]
    assert yesterday == [
        {
            "date": "2025-11-22",
            "covered_ratio": total // 2 / total,
            "cells_covered": total // 2,
            "cells_total": total,
            "target": 0.4,
            "reached": True,
            "verdict": "reached",
            "reason": "target_reached",
            "windows": {"reached": 1, "short": 0, "unknown": 0},
            "duty_s": 8.5 * 3600,
            "mean_idle_s": idle_s,
        }
    ]
    # All duty of the cells that nobody came to; of the others little is missing at either end.
    assert 0.25 * 8.5 * 3600 < idle_s < 0.5 * 8.5 * 3600


def test_the_day_that_is_on_is_judged_by_what_is_over(api: Api, district: District) -> None:
    """Its duty so far; nothing is said yet of a target that may still be reached."""
    (today,) = days_of(api, "cy-07", "?from=2025-11-23")
    assert (today["reached"], today["duty_s"], today["mean_idle_s"]) == (None, 3600, 1800)
    assert (today["verdict"], today["reason"]) == ("unknown", "not_over")
    district.now_ms = NINE_MS + 4 * HOUR_MS
    (core,) = days_of(api, "cy-04", "?from=2025-11-23")
    assert (core["reached"], core["verdict"], core["reason"]) == (
        None,
        "unknown",
        "telemetry_silent",
    )
    heard_ms = np.arange(NINE_MS - HOUR_MS, district.now_ms, HOUR_MS // 2)
    district.ledger.hear(np.zeros(heard_ms.size, np.int32), heard_ms)
    (core,) = days_of(api, "cy-04", "?from=2025-11-23")
    # Its morning shift has ended short.
    assert (core["reached"], core["verdict"], core["reason"]) == (False, "short", "window_short")


def test_a_target_for_the_week_is_not_reached_on_a_day(api: Api) -> None:
    """Null, with the target all the same; and on a Sunday without duty nothing was idle."""
    sunday = days_of(api, "cy-01", "?from=2025-11-23")[0]
    assert (sunday["reached"], sunday["target"]) == (None, 0.75)
    assert (sunday["duty_s"], sunday["mean_idle_s"]) == (0, None)


def test_days_of_which_nothing_is_known_are_left_out(api: Api, district: District) -> None:
    """Not patrolled is not the same as not known: neither the past nor the future are zeros."""
    district.known_from_ms = NINE_MS - 2 * DAY_MS
    dates = [day["date"] for day in days_of(api, "cy-04", "?from=2025-11-01&to=2025-11-30")]
    assert dates == ["2025-11-21", "2025-11-22", "2025-11-23"]
    assert days_of(api, "cy-04", "?from=2025-11-24&to=2025-11-30") == []
    district.known_from_ms = 0
    assert len(days_of(api, "cy-04")) == 31


def test_the_policy_of_a_zone_is_told(api: Api) -> None:
    """As configured, with hours in the words of the configuration."""
    assert api.get("/api/v1/zones/cy-08/policy").json() == {
        "zone_id": "cy-08",
        "policy": "core",
        "campaign": None,
        "frequency_s": 1800,
        "target": 0.5,
        "window": "shift",
        "hours": ["Mon-Sun 08:00-12:00", "Mon-Sun 13:30-18:00"],
        "exceptions": [],
        "min_cells": 8,
        "look_back_s": 7200,
        "paused": None,
        "auto_close": True,
        "close_hold_s": 300,
    }


HOLIDAYS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//
BEGIN:VEVENT
UID:1
DTSTAMP:20250101T000000Z
DTSTART;VALUE=DATE:20251101
RRULE:FREQ=WEEKLY
SUMMARY:Market
END:VEVENT
END:VCALENDAR
"""


def test_the_policy_names_the_next_exceptions(api: Api, district: District) -> None:
    """Five of them, however often they come; those that are over are not among them."""
    keys = {
        "frequency": "1h", "target": 0.5, "window": "day", "exceptions": "h.ics", "paused": "ice",
    }  # fmt: skip
    calendars = {"h.ics": HOLIDAYS}
    district.policies = Policies.parse(
        {"cy-08": "core"}, {"core": keys}, ZoneInfo(TIMEZONE), calendars=calendars
    )
    told = Api(create_app(district.sources())).get("/api/v1/zones/cy-08/policy").json()
    assert told["paused"] == "ice"
    assert [each["from"][:10] for each in told["exceptions"]] == [
        "2025-11-29", "2025-12-06", "2025-12-13", "2025-12-20", "2025-12-27",
    ]  # fmt: skip
    assert told["exceptions"][0] == {
        "summary": "Market",
        "from": "2025-11-29T00:00:00+08:00",
        "to": "2025-11-30T00:00:00+08:00",
    }


@pytest.mark.parametrize("path", ["zones/cy-1/policy", "coverage/cy-1/days"])
def test_an_unknown_zone_has_neither(api: Api, path: str) -> None:
    """404 with those like it."""
    answer = api.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["reason"]) == (404, "unknown_zone")


def pixels(api: Api, query: str) -> dict[tuple[int, ...], int]:
    """How many pixels of each colour are not transparent."""
    picture = Image.open(io.BytesIO(api.get(f"/api/v1/cells.png{query}").content)).convert("RGBA")
    colours, counts = np.unique(np.asarray(picture).reshape(-1, 4), axis=0, return_counts=True)
    return {
        tuple(colour): count
        for colour, count in zip(colours.tolist(), counts.tolist(), strict=True)
        if colour[3]
    }


def test_missing_cells_are_those_not_visited_since(api: Api, district: District) -> None:
    """All of the zone but one; a visit at the instant itself is one since then."""
    district.ride(0, *centre(district, "cy-04", 0), at_ms=NINE_MS - HOUR_MS)
    district.ride(0, *centre(district, "cy-04", 1), at_ms=NINE_MS - HOUR_MS - 1)
    total = district.zones.cells("cy-04").size
    query = "?zone_id=cy-04&missing_since=2025-11-23T08:00"
    assert pixels(api, query) == {MISSING: total - 1}
    everywhere = int(district.zones.cells_total.sum())
    assert pixels(api, "?missing_since=2025-11-23T08:00") == {MISSING: everywhere - 1}
    assert pixels(api, f"{query}&at=2025-11-23T07:00") == {MISSING: total}
    assert MISSING[:3] not in {each.rgba[:3] for each in AGE_CLASSES}


def test_ages_of_one_zone(api: Api, district: District) -> None:
    """The others are transparent."""
    district.ride(0, *centre(district, "cy-04"))
    district.ride(0, *centre(district, "cy-05"))
    assert pixels(api, "?zone_id=cy-04") == {AGE_CLASSES[0].rgba: 1}
    assert api.get("/api/v1/cells.png?zone_id=cy-1").status_code == 422
