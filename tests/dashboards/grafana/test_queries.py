"""Every query of every panel, variable and annotation, asked of a real InfluxDB."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from dashboards.grafana.board import Board
from dashboards.grafana.build import BOARDS, build
from dashboards.grafana.edition import Edition
from tests.dashboards.grafana.day import UNTIL, known_day, ms
from tests.dashboards.grafana.grafana import ZONE, Frame, Range, Viewer, at, panels, reduced
from tests.influx_servers import Influx1

SHOWN = {
    board: json.loads(data)
    for board, data in zip(BOARDS, build(Edition("en")).values(), strict=True)
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx1]:
    """An InfluxDB that knows the day."""
    with Influx1(tmp_path_factory.mktemp("influx")) as server:
        status, text = server.write(known_day())
        assert status == 204, text
        yield server


def look(store: Influx1, board: Board, **chosen: list[str]) -> Viewer:
    """Somebody who opens a dashboard at noon."""
    shown = SHOWN[board]
    since = at(shown["time"]["from"], UNTIL)
    return Viewer(store, shown, Range(since, UNTIL), chosen)


def figures(viewer: Viewer, title: str) -> dict[str, Any]:
    """What a panel of figures says."""
    panel = viewer.panel(title)
    return reduced(viewer.sees(panel), panel)


def table(viewer: Viewer, title: str) -> list[dict[str, Any]]:
    """The rows of a panel that has one table, or of none."""
    found = viewer.sees(viewer.panel(title))
    assert len(found) <= 1
    return [
        dict(zip(frame, row, strict=True))
        for frame in found
        for row in zip(*frame.values(), strict=True)
    ]


def series(viewer: Viewer, title: str) -> dict[str, dict[str, Any]]:
    """What each series of a panel says, by name and time of day, where it says anything."""
    return {name: told for frame in viewer.sees(viewer.panel(title)) for name, told in said(frame)}


def said(frame: Frame) -> Iterator[tuple[str, dict[str, Any]]]:
    """Values of each series by time of day."""
    for name, values in frame.items():
        if name != "Time":
            told = zip(frame["Time"], values, strict=True)
            yield name, {clock(time): value for time, value in told if value is not None}


def clock(time_ms: int) -> str:
    """Time of day in the district, after the day when it is not that Monday."""
    moment = datetime.fromtimestamp(time_ms / 1000, ZONE)
    time = moment.strftime("%H:%M:%S").removesuffix(":00")
    return time if moment.date() == UNTIL.date() else moment.strftime(f"%m-%d {time}")


def each(first: str, last: str, minutes: float, value: Any) -> dict[str, Any]:
    """The same value at times of day from `first` to `last`."""
    count = round((ms(last) - ms(first)) / 60_000 / minutes)
    return {clock(ms(first) + round(step * minutes * 60_000)): value for step in range(count + 1)}


def changed(told: dict[str, Any]) -> dict[str, Any]:
    """Only the times at which a value differs from the one before."""
    found: dict[str, Any] = {}
    before = object()
    for time, value in told.items():
        if value != before:
            found[time] = value
        before = value
    return found


# -- fleet ----------------------------------------------------------------------------------


def test_fleet_counts_live_silent_and_empty_bikes(store: Influx1) -> None:
    """At noon two bikes were heard within 5 minutes; HB002 fell silent, with 16 % left."""
    viewer = look(store, "fleet")
    assert list(figures(viewer, "Live bikes").values()) == [2]
    assert list(figures(viewer, "Silent bikes").values()) == [1]
    assert list(figures(viewer, "Low batteries").values()) == [1]


def test_a_bike_is_live_for_five_minutes(store: Influx1) -> None:
    """HB002, heard last at 10:29, is live at 10:33 and silent at 10:35, also in hindsight."""
    viewer = look(store, "fleet")
    for until, live, silent in (("10:33", [3], []), ("10:35", [2], [1])):
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
        "speed_mps": 2, "zone_id": "cy-02", "verdict": "ok",
    },
    {
        "Time": ms("11:58"), "bike_id": "MB001", "vendor": "meituan", "battery_percent": None,
        "speed_mps": None, "zone_id": "cy-01", "verdict": "ok",
    },
    {
        "Time": ms("11:59:30"), "bike_id": "HB001", "vendor": "hello", "battery_percent": 71,
        "speed_mps": 0, "zone_id": "cy-02", "verdict": "parked",
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


# -- coverage -------------------------------------------------------------------------------


def test_coverage_counts_zones_by_state(store: Influx1) -> None:
    """States that no zone is in are left out."""
    assert figures(look(store, "coverage"), "Zones by state") == {
        "! overdue": 1,
        "✓ compliant": 1,
        "– off duty": 1,
    }


def test_coverage_says_how_often_bikes_report(store: Influx1) -> None:
    """Of 746 gaps, 479 are of 30 s."""
    assert list(figures(look(store, "coverage"), "Reporting interval (median)").values()) == [30]


def test_coverage_shows_every_zone_as_it_is_now(store: Influx1) -> None:
    """All figures are those of the last point of the zone, at 11:59."""
    rows = table(look(store, "coverage"), "Zones now")
    names = (
        "zone_id", "state_code", "covered_ratio", "target", "due_in_s", "idle_s",
        "oldest_cell_age_s", "mean_cell_age_s", "bikes_inside", "policy",
    )  # fmt: skip
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("cy-03", 4, 0.2, 0.8, None, 0, None, 600, 0, "core"),
        ("cy-01", 2, 0.5975, 0.8, -5340, 14_340, 17_940, 600, 1, "core"),
        ("cy-02", 0, 0.9, 0.7, 1800, 120, 17_940, 600, 2, "residential"),
    ]
    assert {row["Time"] for row in rows} == {ms("11:59")}


def test_coverage_ranks_zones_by_urgency(store: Influx1) -> None:
    """The next breach first, the oldest cell first; what is not known is left out."""
    viewer = look(store, "coverage")
    assert table(viewer, "Time to breach") == [
        {"zone_id": "cy-01", "due_in_s": -5340},
        {"zone_id": "cy-02", "due_in_s": 1800},
    ]
    assert table(viewer, "Oldest cells") == [
        {"zone_id": "cy-01", "oldest_cell_age_s": 17_940},
        {"zone_id": "cy-02", "oldest_cell_age_s": 17_940},
    ]


def test_coverage_shows_states_over_time(store: Influx1) -> None:
    """Where there is no data there is no state."""
    told = series(look(store, "coverage"), "States over time")
    assert {name: changed(values) for name, values in told.items()} == {
        "cy-01": {"08:00": 0, "10:00": 1, "10:30": 2},
        "cy-02": {"08:00": 0, "11:00": 3, "11:30": 0},
        "cy-03": {"08:00": 4},
    }
    assert min(told["cy-01"]) == "08:00"


def test_coverage_shows_at_which_hours_zones_were_late(store: Influx1) -> None:
    """From 10 to 11 cy-01 was overdue for half an hour, of two zones' hours; then for all of it,
    while cy-02 was measurable for half an hour only. Off duty does not count."""
    sunday, monday = table(look(store, "coverage"), "On time, by hour of the week")
    assert sunday == {"Day": "03-08 Sun", "08": None, "09": 1, "10": None, "11": None}
    assert monday == {
        "Day": "03-09 Mon", "08": 1, "09": 1, "10": 0.75, "11": pytest.approx(1 - 60 / 90)
    }  # fmt: skip


def test_coverage_gives_the_compliance_of_the_month(store: Influx1) -> None:
    """cy-01 was overdue for 90 of 240 minutes, cy-02 could not be judged for 30 of 300."""
    rows = table(look(store, "coverage"), "Compliance of the month")
    assert rows == [
        {"zone_id": "cy-03", "on_time": None, "measured": None, "idle_s": 0},
        {"zone_id": "cy-01", "on_time": 1 - 90 / 240, "measured": 1, "idle_s": 14_340},
        {"zone_id": "cy-02", "on_time": 1, "measured": pytest.approx(0.9), "idle_s": 300},
    ]


def test_coverage_shows_covered_ratio_against_target(store: Influx1) -> None:
    """The panel is repeated for each zone, with that zone chosen."""
    told = series(look(store, "coverage", zone=["cy-01"]), "$zone")
    assert told["Target"] == each("08:00", "11:58", 2, 0.8)
    assert list(told["Covered"].values()) == [minute / 400 for minute in range(1, 240, 2)]


def test_coverage_of_zones_that_are_chosen(store: Influx1) -> None:
    """Counts, tables and heat follow the choice."""
    viewer = look(store, "coverage", zone=["cy-01", "cy-03"])
    assert figures(viewer, "Zones by state") == {"! overdue": 1, "– off duty": 1}
    assert [row["zone_id"] for row in table(viewer, "Zones now")] == ["cy-03", "cy-01"]
    assert table(viewer, "On time, by hour of the week") == [
        {"Day": "03-09 Mon", "08": 1, "09": 1, "10": 0.5, "11": 0}
    ]


# -- alerts ---------------------------------------------------------------------------------


def test_alerts_gives_the_figures_of_the_bulletin(store: Influx1) -> None:
    """Five were raised and two closed; a pending one that was dropped was never raised."""
    viewer = look(store, "alerts")
    assert list(figures(viewer, "Open alerts").values()) == [2]
    assert list(figures(viewer, "Raised").values()) == [5]
    assert list(figures(viewer, "Closed").values()) == [2]
    assert list(figures(viewer, "Closing rate").values()) == [0.4]
    assert list(figures(viewer, "Time to acknowledge (median)").values()) == [450]
    assert list(figures(viewer, "Time to close (median)").values()) == [2400]


def test_none_closed_is_zero_and_not_unknown(store: Influx1) -> None:
    """In cy-01 one was raised and none closed."""
    viewer = look(store, "alerts", zone=["cy-01"])
    assert list(figures(viewer, "Closed").values()) == [0]
    assert list(figures(viewer, "Closing rate").values()) == [0]
    assert figures(viewer, "Time to close (median)") == {}


def test_alerts_lists_the_open_ones_oldest_first(store: Influx1) -> None:
    """With the last change of each; an alert about a bike has no zone."""
    rows = table(look(store, "alerts"), "Open alerts, the oldest first")
    first, second = (list(row.values()) for row in rows)
    assert first == [
        ms("10:31"), "zone_unpatrolled", "cy-01", "critical", "acknowledged", ms("10:36"), "wang",
        "a1",
    ]  # fmt: skip
    assert second == [
        ms("11:00"), "bike_offline", None, "warning", "active", ms("11:00"), "system", "a5"
    ]  # fmt: skip


def test_alerts_shows_days(store: Influx1) -> None:
    """Days begin at midnight in the district; a day without alerts is zero, not missing."""
    viewer = look(store, "alerts")
    told = series(viewer, "Raised and closed by day")
    assert len(told["Raised"]) == 31
    assert {day: count for day, count in told["Raised"].items() if count} == {
        "03-08 00:00": 1,
        "00:00": 4,
    }
    assert {day: count for day, count in told["Closed"].items() if count} == {
        "03-08 00:00": 1,
        "00:00": 1,
    }
    assert series(viewer, "Times by day (median)") == {
        "To acknowledge": {"00:00": 450},
        "To patrol": {"03-08 00:00": 1800, "00:00": 1800},
        "To close": {"03-08 00:00": 2400, "00:00": 2400},
    }


def test_alerts_by_zone_and_rule(store: Influx1) -> None:
    """0 s stands for never; the table shows a dash."""
    viewer = look(store, "alerts")
    names = ("raised", "closed", "rate", "acknowledged", "returned")

    def rows(title: str, tag: str) -> dict[str, tuple[float, ...]]:
        return {row[tag]: tuple(row[name] for name in names) for row in table(viewer, title)}

    assert rows("By zone", "zone_id") == {
        "cy-02": (2, 2, 1, 600, 1800),
        "cy-01": (1, 0, 0, 300, 0),
        "cy-03": (1, 0, 0, 0, 0),
        "": (1, 0, 0, 0, 0),
    }
    assert rows("By rule", "rule") == {
        "zone_unpatrolled": (3, 1, pytest.approx(1 / 3), 300, 1800),
        "coverage_short": (1, 1, 1, 600, 1800),
        "bike_offline": (1, 0, 0, 0, 0),
    }
    assert table(viewer, "By rule")[0]["rule"] == "zone_unpatrolled"


def test_alerts_keeps_the_record(store: Influx1) -> None:
    """The newest first, without what nobody has heard of."""
    rows = table(look(store, "alerts"), "Record")
    assert [(row["alert_id"], row["to_state"], row["actor"]) for row in rows] == [
        ("a5", "active", "system"),
        ("a1", "acknowledged", "wang"),
        ("a1", "active", "system"),
        ("a2", "closed", "li"),
        ("a2", "returned", "system"),
        ("a2", "acknowledged", "li"),
        ("a2", "active", "system"),
        ("a6", "voided", "system"),
        ("a6", "active", "system"),
        ("a3", "closed", "system"),
        ("a3", "returned", "system"),
        ("a3", "active", "system"),
    ]
    assert rows[3] == {
        "Time": ms("09:42"), "rule": "coverage_short", "zone_id": "cy-02", "severity": "warning",
        "from_state": "returned", "to_state": "closed", "actor": "li", "reason": "verified",
        "alert_id": "a2",
    }  # fmt: skip


# -- ingest ---------------------------------------------------------------------------------


def test_ingest_gives_rate_lag_depth_and_rejects_now(store: Influx1) -> None:
    """20 items every 10 s, one of them rejected."""
    viewer = look(store, "ingest")
    now = {title: list(figures(viewer, title).values()) for title in ("Intake", "Share rejected")}
    assert now == {"Intake": [2], "Share rejected": [0.05]}
    assert list(figures(viewer, "Lag now").values()) == [0.5]
    assert list(figures(viewer, "Messages waiting now").values()) == [359 % 7]


def test_ingest_shows_counters_as_rates(store: Influx1) -> None:
    """Received is stored and rejected; duplicates are among the stored."""
    told = series(look(store, "ingest"), "Received, stored, duplicates, rejected")
    assert told["Received"] == each("11:00:30", "11:59:30", 0.5, 2)
    assert told["Stored"].keys() == told["Received"].keys()
    assert all(math.isclose(value, 1.9) for value in told["Stored"].values())
    assert all(math.isclose(value, 0.1) for value in told["Rejected"].values())
    assert sum(told["Duplicates"].values()) / len(told["Duplicates"]) == pytest.approx(
        0.05, abs=0.01
    )


def test_ingest_shows_lag_and_depth_over_time(store: Influx1) -> None:
    """The worst of each interval: one late moment at 11:30 is not averaged away."""
    viewer = look(store, "ingest")
    assert changed(series(viewer, "Lag")["Lag"]) == {"11:00": 0.5, "11:30": 130, "11:30:30": 0.5}
    assert set(series(viewer, "Messages waiting")["Waiting"].values()) == {2, 3, 4, 5, 6}


def test_ingest_shows_rejects_by_reason_and_vendor(store: Influx1) -> None:
    """Every reject is there exactly once."""
    viewer = look(store, "ingest")
    told = series(viewer, "Rejected, by reason")
    counts = {
        (reason, time): n for reason, values in told.items() for time, n in values.items() if n
    }
    assert counts == {("schema", "11:10"): 5, ("too_old", "11:20"): 1, ("not_json", "11:20"): 4}
    assert [tuple(row.values()) for row in table(viewer, "By vendor and reason")] == [
        ("hello", "schema", 5),
        ("meituan", "not_json", 4),
        ("hello", "too_old", 1),
    ]


def test_ingest_shows_the_quality_of_fixes(store: Influx1) -> None:
    """Counts of all verdicts add up to all fixes."""
    told = series(look(store, "ingest"), "Quality of fixes")
    assert {verdict: sum(values.values()) for verdict, values in told.items()} == {
        "good": 240 + 149 + 119,
        "parked": 240,
        "teleport": 1,
        "inaccurate": 1,
    }


def test_ingest_shows_how_often_vendors_report(store: Influx1) -> None:
    """hello: 479 gaps of 30 s and 149 of 60 s; meituan: all of 120 s."""
    assert table(look(store, "ingest"), "Reporting interval by vendor") == [
        {"vendor": "meituan", "median": 120, "p95": 120},
        {"vendor": "hello", "median": 30, "p95": 60},
    ]


def test_ingest_shows_which_part_did_not_work(store: Influx1) -> None:
    """InfluxDB was away from 11:30 to 11:35, and says so afterwards."""
    told = series(look(store, "ingest"), "State of the parts")
    assert {part: changed(values) for part, values in told.items()} == {
        "inlet": {"11:00": 1},
        "influxdb": {"11:00": 1, "11:30": 0, "11:35": 1},
    }


# -- all ------------------------------------------------------------------------------------


def test_variables_offer_what_there_is(store: Influx1) -> None:
    """Vendors, the bikes of the vendors chosen, and zones; not the place outside all zones."""
    viewer = look(store, "fleet")
    assert viewer.offered("vendor") == ["hello", "meituan"]
    assert viewer.offered("bike") == ["HB001", "HB002", "MB001"]
    assert viewer.offered("zone") == ["cy-01", "cy-02", "cy-03"]
    assert viewer.choosing(vendor=["meituan"]).offered("bike") == ["MB001"]


@pytest.mark.parametrize("board", BOARDS)
def test_alerts_are_marked_where_they_were_raised(store: Influx1, board: Board) -> None:
    """On every dashboard, for the zones that are chosen; dropped ones are not marked."""
    viewer = look(store, board)
    viewer = Viewer(store, viewer.dashboard, Range(UNTIL - timedelta(hours=6), UNTIL), {})
    assert viewer.marked() == [
        (ms("08:10"), "idle_over_frequency", ["zone_unpatrolled", "cy-03", "critical"]),
        (ms("09:02"), "window_short", ["coverage_short", "cy-02", "warning"]),
        (ms("10:31"), "idle_over_frequency", ["zone_unpatrolled", "cy-01", "critical"]),
        (ms("11:00"), "silent", ["bike_offline", "warning"]),
    ]
    if "zone" in {variable["name"] for variable in viewer.dashboard["templating"]["list"]}:
        chosen = viewer.choosing(zone=["cy-02"])
        assert [time for time, _, _ in chosen.marked()] == [ms("09:02")]


@pytest.mark.parametrize(
    ("board", "title"),
    [(board, panel["title"]) for board, shown in SHOWN.items() for panel in panels(shown)],
)
def test_no_data_is_no_error(store: Influx1, board: Board, title: str) -> None:
    """A year before there was anything, every query is answered, with nothing but zeros."""
    viewer = look(store, board)
    span = Range(*(moment - timedelta(days=400) for moment in (viewer.span.since, UNTIL)))
    empty = Viewer(store, viewer.dashboard, span, {"zone": ["nowhere"], "bike": ["none"]})
    for frame in empty.sees(viewer.panel(title)):
        assert not [value for name in frame if name != "Time" for value in frame[name] if value]
