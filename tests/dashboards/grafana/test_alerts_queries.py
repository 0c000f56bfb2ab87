"""Every query of the dashboard of alerts, asked of a real InfluxDB."""

from __future__ import annotations

import pytest

from tests.dashboards.grafana.day import ms
from tests.dashboards.grafana.looking import figures, look, series, table
from tests.influx_servers import Influx1


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
