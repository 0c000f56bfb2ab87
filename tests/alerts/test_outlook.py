"""Timelines of the rules that look ahead (``coverage_at_risk``) and back (``look_back_due``)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.evaluator import Evaluator
from alerts.store.book import AlertBook

from .district import District, at

LONG = {"frequency": "100h", "min_cells": 1}


def risky(**options):
    """A district in which nobody is overdue, so that only windows matter."""
    return District(**{"off": (), **LONG, **options})


def test_a_window_at_risk_is_raised_returns_and_closes_when_the_target_is_reached() -> None:
    """Two cells by 14:00 will not be eight by 18:00; a good hour later they will; then they are."""
    district = risky()
    district.patrols.patrol("Z01", "23 10:30", cells=2)
    happened = district.run("23 08:00", "23 14:00")
    assert happened == [
        ("23 11:35", "Z01/coverage_at_risk raise"),
        ("23 11:40", "Z01/coverage_at_risk activate"),
    ]
    alert = district.alert("coverage_at_risk")
    assert (alert.state, alert.severity, alert.reason) == ("active", "warning", "forecast_short")
    assert (alert.window_from_ms, alert.window_to_ms) == (at("23 08:00"), at("23 18:00"))
    assert alert.evidence["cells_needed"] == 8
    assert alert.evidence["cells_expected"] < 8
    district.patrols.patrol("Z01", "23 14:05", cells=6)
    assert district.run("23 14:06", "23 15:30") == [("23 14:06", "Z01/coverage_at_risk return")]
    assert district.alert("coverage_at_risk").reason == "forecast_fine"
    district.patrols.patrol("Z01", "23 15:30", cells=8)
    assert district.run("23 15:31", "23 18:30") == [("23 15:31", "Z01/coverage_at_risk close")]
    alert = district.alert("coverage_at_risk")
    assert (alert.state, alert.reason) == ("closed", "forecast_fine")


@given(
    hour=st.floats(8, 17.9),
    patrols=st.lists(st.tuples(st.floats(8, 17.5), st.integers(1, 9)), max_size=4),
    target=st.sampled_from([0.25, 0.5, 0.75, 1.0]),
)
def test_what_is_shown_as_expected_is_what_the_rule_goes_by(hour, patrols, target) -> None:
    """Fewer cells than the target exactly when the forecast is short, whenever it is made."""
    district = risky(target=target, cells=9)
    begin = at("23 08:00")
    for when, cells in patrols:
        end_ms = begin + round((when - 8) * 3_600_000)
        district.patrols.visits["Z01"] += [(end_ms, cell, "hello/B01") for cell in range(cells)]
    now_ms = begin + round((hour - 8) * 3_600_000)
    seen = [(t, c) for t, c, _ in district.patrols.visits["Z01"] if t < now_ms]
    district.patrols.visits["Z01"] = [(t, c, "hello/B01") for t, c in seen]
    district.evaluate(now_ms)
    status = district.status()
    past_h, covered = (now_ms - begin) / 3_600_000, len({c for _, c in seen})
    if past_h < 2.5:
        assert status.cells_expected is None
        return
    assert covered <= status.cells_expected <= 9
    short = status.cells_expected / status.cells_total < target
    assert short == (status.reason == "forecast_short")
    # By the window's mean rate alone it is at least so many.
    assert status.cells_expected >= min(9, int(covered / past_h * 10 - 1e-6))
    alert = district.alert("coverage_at_risk")
    assert short == (alert is not None)
    if alert is not None:
        assert alert.history[0].evidence["cells_expected"] == status.cells_expected


@pytest.mark.parametrize("when", ["23 07:59", "23 10:29", "23 18:00"])
def test_nothing_is_expected_before_a_quarter_of_the_window_or_without_one(when) -> None:
    district = risky()
    district.evaluate(when)
    assert district.status().cells_expected is None


def test_a_risk_that_is_pending_when_its_window_ends_is_dropped_once() -> None:
    """One cell is missing, which shows only in the last minutes."""
    district = risky(cells=200)
    district.patrols.patrol("Z01", "23 12:00", cells=159)
    happened = district.run("23 17:30", "23 18:01")
    assert [event for _, event in happened if "risk" in event] == [
        "Z01/coverage_at_risk raise",
        "Z01/coverage_at_risk drop",
    ]


def test_a_returned_risk_may_come_back_as_the_same_alert() -> None:
    district = risky()
    district.patrols.patrol("Z01", "23 10:30", cells=2)
    district.run("23 10:00", "23 13:00")
    first = district.alert("coverage_at_risk")
    district.patrols.patrol("Z01", "23 13:05", cells=5)
    happened = district.run("23 13:06", "23 17:59")
    assert [event.split()[1] for _, event in happened] == ["return", "reopen"]
    alert = district.alert("coverage_at_risk")
    assert (alert.alert_id, alert.reopened) == (first.alert_id, 1)


def test_a_short_window_takes_the_place_of_its_risk() -> None:
    """One alert of the window stays: that it ended short."""
    district = risky()
    district.patrols.patrol("Z01", "23 10:30", cells=2)
    district.run("23 10:00", "23 17:59")
    assert district.run("23 18:00", "23 18:05") == [
        ("23 18:00", "Z01/coverage_short raise"),
        ("23 18:00", "Z01/coverage_at_risk return"),
        ("23 18:00", "Z01/coverage_at_risk close"),
        ("23 18:02", "Z01/coverage_short activate"),
    ]
    alert = district.alert("coverage_at_risk")
    assert (alert.reason, alert.evidence["rule"]) == ("superseded", "coverage_short")


@pytest.mark.parametrize("auto_close", [True, False])
def test_a_superseded_risk_closes_whatever_the_policy_says_of_closing(auto_close) -> None:
    district = risky(auto_close=auto_close)
    district.patrols.patrol("Z01", "23 10:30", cells=2)
    district.run("23 10:00", "23 18:05")
    assert district.alert("coverage_at_risk").state == "closed"


def test_a_shelved_risk_ends_with_its_window_too() -> None:
    district = risky()
    district.patrols.patrol("Z01", "23 10:30", cells=2)
    district.run("23 10:00", "23 14:00")
    alert_id = district.alert("coverage_at_risk").alert_id
    district.book.shelve(alert_id, "li", at("23 14:00"), until_ms=at("25 00:00"), reason="later")
    district.run("23 14:01", "23 18:05")
    assert district.book.get(alert_id).state == "closed"


@pytest.mark.parametrize("why", ["off_duty", "paused", "silent", "behind"])
def test_nothing_is_forecast_where_nobody_can_tell(why) -> None:
    """Off duty, paused, silent or behind: neither a risk nor a look-back is raised."""
    options: dict[str, object] = {}
    if why == "paused":
        pause = {"zones": ["Z01"], "from": "2026-11-23", "to": "2026-11-23", "paused": "snow"}
        options["campaigns"] = {"snow": pause}
    if why == "off_duty":
        options["hours"] = ["Tue 08:00-18:00"]
    if why == "silent":
        options["frequency"] = "1h"
    district = risky(window="day", **options)
    if why == "silent":
        district.patrols.always_heard = False
    if why == "behind":
        district.patrols.behind_ms = 3_600_000
    happened = {event for _, event in district.run("23 08:00", "23 17:00", step_s=300)}
    assert happened <= {"Z01/telemetry_silent raise", "Z01/telemetry_silent activate"}


def test_silence_does_not_end_a_risk_and_does_not_prove_it() -> None:
    """What was active stays active while the zone is blind."""
    district = risky(frequency="3h")
    district.patrols.patrol("Z01", "23 10:00", cells=2)
    district.run("23 10:00", "23 11:00")
    district.patrols.always_heard = False
    district.patrols.heard = at("23 11:00")
    district.run("23 11:01", "23 17:00")
    assert district.status().reason == "telemetry_silent"
    assert district.alert("coverage_at_risk").state == "active"


# -- looking back ------------------------------------------------------------------------

ONCE = {"off": ("coverage_at_risk",), "frequency": "8h", "look_back": "4h", "target": 0.01}


def overdue_then_patrolled(**options):
    """Z01 was overdue on Monday evening, and patrolled on Tuesday at 09:00."""
    district = District(**{**ONCE, **options})
    district.patrols.patrol("Z01", "24 09:00")
    district.run("23 08:00", "24 09:30", step_s=60)
    assert district.alert().state == "closed"
    return district, district.alert().closed_at_ms


def test_a_zone_that_was_overdue_must_be_looked_back_at() -> None:
    district, closed_ms = overdue_then_patrolled()
    assert district.run("24 09:31", "24 14:00") == [
        ("24 13:00", "Z01/look_back_due raise"),
        ("24 13:01", "Z01/look_back_due activate"),
    ]
    alert = district.alert("look_back_due")
    assert (alert.window_from_ms, alert.window_to_ms) == (closed_ms, closed_ms + 4 * 3_600_000)
    assert alert.reason == "not_looked_back"
    district.patrols.patrol("Z01", "24 14:20", bike="hello/B09")
    assert [event for _, event in district.run("24 14:21", "24 14:25")] == [
        "Z01/look_back_due return",
        "Z01/look_back_due close",
    ]
    alert = district.alert("look_back_due")
    assert (alert.reason, alert.evidence["bike"]) == ("looked_back", "hello/B09")


def test_one_look_back_is_enough() -> None:
    district, _ = overdue_then_patrolled(frequency="6h")
    district.patrols.patrol("Z01", "24 11:00")
    assert district.run("24 09:31", "24 16:00", step_s=300) == []


def test_the_patrol_that_ended_the_alert_is_no_look_back() -> None:
    """It is often still in the zone when the alert closes."""
    district, _ = overdue_then_patrolled()
    district.patrols.patrol("Z01", "24 09:20")
    happened = district.run("24 09:31", "24 13:30", step_s=60)
    assert [event.split()[1] for _, event in happened] == ["raise", "activate"]


def test_the_time_to_look_back_is_duty_time() -> None:
    """Six hours from Tuesday 15:00 end on Wednesday at 11:00."""
    district = District(**{**ONCE, "look_back": "6h", "frequency": "9h"})
    district.patrols.patrol("Z01", "24 15:00")
    district.run("23 08:00", "24 15:10", step_s=60)
    happened = district.run("24 15:11", "25 13:00", step_s=60)
    when, event = happened[0]
    assert (when[:5], event) == ("25 11", "Z01/look_back_due raise")


def test_an_overdue_zone_is_not_told_twice() -> None:
    """While zone_unpatrolled is open it says the same, and more."""
    district, _ = overdue_then_patrolled(frequency="3h")
    happened = [event for _, event in district.run("24 09:31", "24 17:00", step_s=60)]
    assert happened == ["Z01/zone_unpatrolled raise", "Z01/zone_unpatrolled activate"]


def test_late_telemetry_voids_a_look_back_that_took_place() -> None:
    district, _ = overdue_then_patrolled()
    district.run("24 09:31", "24 13:30", step_s=60)
    assert district.alert("look_back_due").state == "active"
    district.patrols.patrol("Z01", "24 12:00")
    assert district.evaluate("24 13:31") == ["Z01/look_back_due void"]


def test_without_look_back_in_the_policy_there_is_none() -> None:
    district = District(**{**ONCE, "look_back": None})
    district.patrols.patrol("Z01", "24 09:00")
    district.run("23 08:00", "24 09:30", step_s=60)
    assert district.run("24 09:31", "24 16:30", step_s=300) == []


@settings(max_examples=15)
@given(
    patrols=st.lists(
        st.tuples(st.integers(0, 2 * 24 * 12), st.integers(1, 9)), min_size=1, max_size=6
    ),
    restarts=st.sets(st.integers(0, 2 * 24 * 6), max_size=40),
)
def test_restarts_at_any_time_change_nothing(tmp_path_factory, patrols, restarts) -> None:
    """A timeline of two days with every rule on, with and without new evaluators on the way."""
    options = {"off": (), "frequency": "4h", "look_back": "2h"}
    steady, broken = District(**options), District(**options)
    for slot, cells in patrols:
        minute = 5 * slot
        when = f"{23 + minute // 1440} {minute % 1440 // 60:02}:{minute % 60:02}"
        for district in (steady, broken):
            district.patrols.patrol("Z01", when, cells=cells)
    path = tmp_path_factory.mktemp("book") / "alerts.sqlite"
    broken.book = AlertBook(path)
    for step in range(2 * 24 * 6):
        now_ms = at("23 00:00") + step * 600_000
        if step in restarts or step == 0:
            broken.book.close_file()
            broken.book = AlertBook(path)
            broken.evaluator = Evaluator(broken.policies, broken.record, broken.book)
        assert broken.evaluate(now_ms) == steady.evaluate(now_ms)
    broken.book.close_file()
