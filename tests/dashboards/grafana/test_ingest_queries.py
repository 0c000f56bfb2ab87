"""Every query of the dashboard of ingest health, asked of a real InfluxDB."""

from __future__ import annotations

import math

import pytest

from tests.dashboards.grafana.looking import changed, each, figures, look, series, table
from tests.influx_servers import Influx1


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
        "believed": 240 + 149 + 119,
        "parked": 240,
        "jump": 1,
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
