"""Windows that end below target: which are raised, made up, voided and missed."""

from __future__ import annotations

import pytest

from .district import OFF, District, at


def test_a_window_that_ends_below_target_is_raised_for_that_window() -> None:
    district = District(frequency="10h")
    district.patrols.patrol("Z01", "23 12:00", cells=7)
    assert district.run("23 08:00", "24 09:00") == [
        ("23 18:00", "Z01/coverage_short raise"),
        ("23 18:02", "Z01/coverage_short activate"),
    ]
    district.patrols.patrol("Z01", "24 09:00", cells=8)
    assert district.run("24 09:01", "24 12:00") == [
        ("24 09:01", "Z01/coverage_short return"),
        ("24 09:02", "Z01/coverage_short close"),
    ]
    alert = district.alert("coverage_short")
    assert (alert.window_from_ms, alert.window_to_ms) == (at("23 08:00"), at("23 18:00"))
    assert alert.history[0].evidence["cells_covered"] == 7
    assert alert.history[0].evidence["cells_needed"] == 8
    assert alert.reason == "made_up"
    assert alert.evidence["bike"] == "hello/B01"


def test_a_zone_is_short_until_a_short_window_is_made_up() -> None:
    district = District(frequency="10h")
    district.patrols.patrol("Z01", "23 12:00", cells=7)
    district.run("23 17:59", "23 18:05")
    district.evaluate("24 08:10")
    status = district.status()
    assert (status.state, status.reason, status.detail) == ("short", "window_short", "70 % < 80 %")
    district.patrols.patrol("Z01", "24 09:00", cells=8)
    district.run("24 09:01", "24 09:05")
    assert district.status().state == "compliant"


def test_late_telemetry_voids_a_short_window() -> None:
    district = District(frequency="10h")
    district.patrols.patrol("Z01", "23 12:00", cells=7)
    district.run("23 17:59", "23 18:30")
    assert district.alert("coverage_short").state == "active"
    district.patrols.patrol("Z01", "23 17:00", cells=8)
    assert district.evaluate("23 18:31") == ["Z01/coverage_short void"]
    alert = district.alert("coverage_short")
    assert (alert.reason, alert.evidence["cells_covered"]) == ("late_telemetry", 8)


def test_telemetry_within_the_delay_drops_a_short_window_unheard() -> None:
    district = District(frequency="10h")
    district.run("23 17:59", "23 18:01")
    district.patrols.patrol("Z01", "23 17:59", cells=8)
    assert district.evaluate("23 18:02") == ["Z01/coverage_short drop"]


@pytest.mark.parametrize("step_s", [60, 3600, 6 * 3600, 30 * 3600])
def test_no_window_is_missed_however_rare_evaluations_are(step_s) -> None:
    district = District(frequency="10h")
    happened = district.run("23 07:00", "29 19:00", step_s=step_s)
    happened += [("end", e) for e in district.evaluate("29 19:00")]
    raised = [event for _, event in happened if event == "Z01/coverage_short raise"]
    assert len(raised) == 7
    windows = {a.window_from_ms for a in district.book.find(rule="coverage_short")}
    assert windows == {at(f"{day} 08:00") for day in range(23, 30)}


def test_a_clock_that_was_ahead_costs_no_window() -> None:
    """Windows that it had taken for ended are judged at their end; none is raised twice."""
    district = District(off=(*OFF, "zone_unpatrolled", "telemetry_silent"))
    district.patrols.always_heard = False
    district.patrols.heard = at("23 12:00")
    district.run("23 08:00", "23 12:00", step_s=600)
    assert district.evaluate("28 12:00") == []  # nobody could have told
    district.patrols.always_heard = True
    happened = district.run("23 12:01", "25 18:10")
    raised = [when for when, event in happened if event == "Z01/coverage_short raise"]
    assert raised == ["23 18:00", "24 18:00", "25 18:00"]
    assert district.evaluate("25 17:59") == []
    assert district.run("25 18:00", "25 18:10") == []


def test_days_and_weeks_over_midnight() -> None:
    """Week windows end on Monday at midnight, day windows at midnight, night shifts at two."""
    week = District(window="week", frequency="100h", since="15 00:00")
    assert week.run("20 12:00", "23 01:00", step_s=1800) == [
        ("23 00:00", "Z01/coverage_short raise"),
        ("23 00:30", "Z01/coverage_short activate"),
    ]
    day = District(window="day", frequency="100h")
    assert day.run("23 12:00", "24 00:30", step_s=900)[0] == (
        "24 00:00",
        "Z01/coverage_short raise",
    )
    night = District(hours=["Mon,Wed 22:00-02:00"], frequency="100h")
    assert night.run("23 12:00", "25 00:00", step_s=600)[0] == (
        "24 02:00",
        "Z01/coverage_short raise",
    )


def test_a_window_is_not_judged_before_the_record_or_without_duty_or_in_silence() -> None:
    before = District(frequency="10h", since="23 10:00")
    assert before.run("23 10:00", "23 18:30", step_s=600) == []
    pause = {"zones": ["Z01"], "from": "2026-11-23", "to": "2026-11-23", "paused": "snow"}
    without = District(frequency="10h", campaigns={"snow": pause})
    assert without.run("23 07:00", "23 18:30", step_s=600) == []
    silent = District(frequency="1h")
    silent.patrols.always_heard = False
    assert not any("coverage" in event for _, event in silent.run("23 07:00", "23 18:30"))
