"""Every query of the fleet's dashboard, asked of a real InfluxDB."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.dashboards.grafana.day import ms
from tests.dashboards.grafana.grafana import ZONE, Range, Viewer
from tests.dashboards.grafana.looking import changed, each, figures, look, series, table
from tests.influx_servers import Influx1


def test_fleet_counts_live_silent_and_empty_bikes(store: Influx1) -> None:
    """At noon two bikes were heard within 5 minutes; HB002 is silent, with 16 % left."""
    viewer = look(store, "fleet")
    assert list(figures(viewer, "Live bikes").values()) == [2]
    assert list(figures(viewer, "Silent bikes").values()) == [1]
    assert list(figures(viewer, "Low batteries").values()) == [1]


def test_a_bike_is_live_for_five_minutes_and_silent_after_an_hour(store: Influx1) -> None:
    """HB002, heard last at 10:29, is live at 10:33 and silent at 11:30, also in hindsight.

    In between it is neither, as in the console: its fix is stale.
    """
    viewer = look(store, "fleet")
    for until, live, silent in (("10:33", [3], []), ("10:35", [2], []), ("11:30", [2], [1])):
        span = Range(viewer.span.since, datetime.fromtimestamp(ms(until) / 1000, ZONE))
        then = Viewer(store, viewer.dashboard, span, {})
        assert list(figures(then, "Live bikes").values()) == live
        assert list(figures(then, "Silent bikes").values()) == silent


def test_fleet_sums_distance(store: Influx1) -> None:
    """Two hours at 3 m/s and two and a half at 2 m/s; a bike that says no speed has none."""
    viewer = look(store, "fleet")
    assert list(figures(viewer, "Distance").values()) == [120 * 60 * 3 + 150 * 60 * 2]
    assert table(viewer, "Distance by bike") == [
        {"bike_id": "HB001", "distance": 21_600},
        {"bike_id": "HB002", "distance": 18_000},
    ]
    hours = {"06:00": 0, "07:00": 0, "08:00": 18_000, "09:00": 18_000, "10:00": 3_600}
    assert series(viewer, "Distance by hour") == {"Distance": {**hours, "11:00": 0, "12:00": 0}}


def test_distance_and_bikes_heard_are_those_in_the_zones_chosen(store: Influx1) -> None:
    """In cy-01 only HB001 says its speed, for an hour; MB001 is there all the time."""
    viewer = look(store, "fleet", zone=["cy-01"])
    assert table(viewer, "Distance by bike") == [{"bike_id": "HB001", "distance": 10_800}]
    assert changed(series(viewer, "Bikes heard")["Bikes"]) == {"06:00": 0, "08:00": 2, "09:00": 1}


def test_fleet_shows_bikes_heard_over_time(store: Influx1) -> None:
    """Three bikes, two after HB002 fell silent; the last interval is whole."""
    assert series(look(store, "fleet"), "Bikes heard") == {
        "Bikes": {
            **each("06:00", "07:55", 5, 0),
            **each("08:00", "10:25", 5, 3),
            **each("10:30", "11:55", 5, 2),
        }
    }


LAST_FIXES = [
    {
        "Time": ms("10:28"), "bike_id": "HB002", "vendor": "hello", "battery_percent": 16,
        "speed_mps": 2, "zone_id": "cy-02", "first_verdict": "ok",
    },
    {
        "Time": ms("11:58"), "bike_id": "MB001", "vendor": "meituan", "battery_percent": None,
        "speed_mps": None, "zone_id": "cy-01", "first_verdict": "ok",
    },
    {
        "Time": ms("11:59:30"), "bike_id": "HB001", "vendor": "hello", "battery_percent": 71,
        "speed_mps": 0, "zone_id": "cy-02", "first_verdict": "parked",
    },
]  # fmt: skip


def test_fleet_lists_the_silent_first_and_believes_no_jump(store: Influx1) -> None:
    """HB002's last fix is a jump: what it said a minute before stands."""
    assert table(look(store, "fleet"), "Each bike's last word") == LAST_FIXES


def test_the_map_has_position_heading_and_battery(store: Influx1) -> None:
    """Each bike where it was last, as the table says, with where it heads."""
    places = {
        "HB001": (36.324, 120.39, 0),
        "HB002": (36.31, 120.4, 90),
        "MB001": (36.29, 120.38, None),
    }
    shown = table(look(store, "fleet"), "Where the bikes are")
    assert {row["bike_id"]: (row["lat"], row["lng"], row["heading_deg"]) for row in shown} == places
    plain = [{key: row[key] for key in LAST_FIXES[0]} for row in shown]
    assert sorted(plain, key=lambda row: row["Time"]) == LAST_FIXES


def test_the_map_shows_bikes_that_are_in_the_zones_chosen_now(store: Influx1) -> None:
    """HB001 was in cy-01 in the morning, and is not shown there at noon."""
    viewer = look(store, "fleet", zone=["cy-01"])
    assert [row["bike_id"] for row in table(viewer, "Where the bikes are")] == ["MB001"]


def test_fleet_shows_what_bikes_say_of_their_connection(store: Influx1) -> None:
    """HB002's last will came at 10:31."""
    told = series(look(store, "fleet"), "Connections")
    assert {name: changed(values) for name, values in told.items()} == {
        "HB001": {"08:00": True},
        "HB002": {"08:00": True, "10:31": False},
    }


@pytest.mark.parametrize(
    ("chosen", "bikes"),
    [
        ({"vendor": ["hello"]}, ["HB001", "HB002"]),
        ({"vendor": ["hello", "meituan"]}, ["HB001", "HB002", "MB001"]),
        ({"bike": ["MB001", "HB002"]}, ["HB002", "MB001"]),
        ({"vendor": ["hello"], "bike": ["MB001"]}, []),
    ],
)
def test_what_is_chosen_is_what_is_shown(
    store: Influx1, chosen: dict[str, list[str]], bikes: list[str]
) -> None:
    """One value, several, and values that exclude each other."""
    shown = look(store, "fleet", **chosen).sees(look(store, "fleet").panel("Where the bikes are"))
    assert sorted(bike for frame in shown for bike in frame["bike_id"]) == bikes
