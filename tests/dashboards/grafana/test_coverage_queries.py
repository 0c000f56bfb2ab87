"""Every query of the dashboard of coverage, asked of a real InfluxDB."""

from __future__ import annotations

import pytest

from tests.dashboards.grafana.day import ms
from tests.dashboards.grafana.looking import changed, each, figures, look, series, table
from tests.influx_servers import Influx1


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
    """cy-01 was overdue for 90 of 240 minutes, cy-02 could not be judged for 30 of 300.

    A window that nobody could judge is counted as such, and not as missed.
    """
    rows = table(look(store, "coverage"), "Compliance of the month")
    names = ("zone_id", "on_time", "measured", "idle_s", "reached", "short", "unknown")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("cy-03", None, None, 0, None, None, None),
        ("cy-01", 1 - 90 / 240, 1, 14_340, 1, 1, 0),
        ("cy-02", 1, pytest.approx(0.9), 300, 0, 0, 1),
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
