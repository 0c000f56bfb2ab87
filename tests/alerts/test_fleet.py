"""Timelines of the rules about bikes and vendors."""

from __future__ import annotations

import pytest

from alerts.fleet import VendorFacts

from .district import OFF, District, FakeFleet, at

BIKE = "hello/B01"


@pytest.fixture
def fleet() -> FakeFleet:
    fleet = FakeFleet()
    fleet.put("hello/B02", heard="30 00:00")  # another one is always heard
    return fleet


@pytest.fixture
def district(fleet) -> District:
    return District(
        off=(*OFF, "zone_unpatrolled", "coverage_short"), fleet=fleet, target=0.1, frequency="99h"
    )


def test_a_bike_that_falls_silent_on_duty_is_offline_until_it_is_heard(district, fleet) -> None:
    fleet.put(heard="23 09:00")
    assert district.run("23 08:00", "23 10:00") == [
        ("23 09:31", f"{BIKE}/bike_offline raise"),
        ("23 09:32", f"{BIKE}/bike_offline activate"),
    ]
    fleet.put(heard="23 10:05")
    assert district.run("23 10:06", "23 10:30") == [
        ("23 10:06", f"{BIKE}/bike_offline return"),
        ("23 10:11", f"{BIKE}/bike_offline close"),
    ]
    alert = district.book.find(rule="bike_offline")[0]
    assert (alert.subject, alert.bike, alert.zone_id) == ("bike", BIKE, None)
    assert alert.reason == "heard_again"


def test_bikes_that_sleep_at_night_are_not_offline_in_the_morning(district, fleet) -> None:
    """Silence counts over duty time, and nothing is raised off duty."""
    fleet.put(heard="23 17:45")
    assert district.run("23 17:45", "24 08:15", step_s=300) == []
    assert district.evaluate("24 08:16") == [f"{BIKE}/bike_offline raise"]


def test_a_pause_of_all_zones_stops_the_clock(fleet) -> None:
    pause = {"zones": ["Z01"], "from": "2026-11-23", "to": "2026-11-23", "paused": "台风"}
    district = District(off=OFF, fleet=fleet, campaigns={"typhoon": pause}, frequency="99h")
    fleet.put(heard="23 08:00")
    assert district.run("23 08:00", "23 23:00", step_s=600) == []


def test_many_bikes_are_judged_and_booked_some_at_once(district, fleet) -> None:
    """Between the parts others go on; together they say what one evaluation would."""
    for n in range(250):
        fleet.put(f"hello/C{n:03}", heard="23 09:00")
        fleet.put(f"hello/D{n:03}", heard="23 09:30")
    parts = list(district.evaluator.in_parts(at("23 09:31")))
    assert [len(part.transitions) for part in parts if part.transitions] == [100, 100, 50]
    assert len(parts[0].statuses) == 1
    assert len({row.bike for part in parts for row in part.transitions}) == 250
    assert district.evaluate("23 09:31") == []


def test_when_the_whole_fleet_is_silent_it_is_the_line(district, fleet) -> None:
    """No bike is blamed: telemetry_silent says what is wrong."""
    fleet.put("hello/B02", heard="23 09:00")
    fleet.put(heard="23 09:00")
    assert district.run("23 09:00", "23 12:00", step_s=300) == []
    fleet.put("hello/B02", heard="23 12:01")
    assert district.evaluate("23 12:02") == [f"{BIKE}/bike_offline raise"]


def test_a_pipeline_that_is_behind_blames_no_bike(district, fleet) -> None:
    fleet.put(heard="23 09:00")
    district.patrols.behind_ms = 3_600_000
    assert district.run("23 09:00", "23 12:00", step_s=300) == []


def test_a_bike_that_is_gone_for_a_month_is_no_longer_counted(district, fleet) -> None:
    fleet.put(heard="2026-10-24T08:00")
    assert district.run("23 08:00", "23 07:59") == []
    district.evaluate("23 07:00")
    assert district.book.current() == []
    fleet.put(heard="2026-10-24T12:00")
    district.run("23 09:00", "23 10:00")
    assert district.book.current()[0].state == "active"
    happened = district.run("23 10:01", "23 12:30")
    assert [event.split()[1] for _, event in happened] == ["return", "close"]
    assert district.book.find(rule="bike_offline")[0].reason == "forgotten"


def test_a_low_battery_is_told_once_and_over_when_charged(district, fleet) -> None:
    """19, 21, 19 % is one alert; 25 % ends it."""
    events = []
    for when, percent in (("09:00", 21), ("09:10", 19), ("09:20", 21), ("09:30", 18)):
        fleet.put(battery=f"23 {when}", battery_percent=percent)
        events += [e for _, e in district.run(f"23 {when}", f"23 {when[:3]}{int(when[3:]) + 9:02}")]
    assert [event.split()[1] for event in events] == ["raise", "activate"]
    fleet.put(battery="23 12:00", battery_percent=25)
    happened = district.run("23 12:01", "23 12:10")
    assert [event.split()[1] for _, event in happened] == ["return", "close"]
    assert district.book.find(rule="bike_battery_low")[0].severity == "info"


def test_a_battery_level_of_yesterday_raises_nothing(district, fleet) -> None:
    fleet.put(battery="23 09:00", battery_percent=5)
    assert district.run("24 09:00", "24 10:00", step_s=300) == []


def test_a_battery_that_is_low_off_duty_waits_for_the_morning(district, fleet) -> None:
    fleet.put(battery="23 07:50", battery_percent=5)
    assert district.run("23 06:00", "23 07:59", step_s=60) == []
    assert district.evaluate("23 08:00") == [f"{BIKE}/bike_battery_low raise"]


def test_a_bike_far_outside_is_told_also_at_night(district, fleet) -> None:
    fleet.put(fix="23 22:00", outside_m=900.0)
    assert district.run("23 22:00", "23 22:10") == [
        ("23 22:00", f"{BIKE}/bike_outside_district raise"),
        ("23 22:02", f"{BIKE}/bike_outside_district activate"),
    ]
    fleet.put(fix="23 22:11", outside_m=200.0)  # at the edge: nothing changes
    assert district.run("23 22:11", "23 22:20") == []
    fleet.put(fix="23 22:21", outside_m=0.0)
    happened = district.run("23 22:21", "23 22:30")
    assert [event.split()[1] for _, event in happened] == ["return", "close"]


def test_one_bad_fix_is_dropped_unheard(district, fleet) -> None:
    fleet.put(fix="23 10:00", outside_m=3000.0)
    assert district.evaluate("23 10:00") == [f"{BIKE}/bike_outside_district raise"]
    fleet.put(fix="23 10:01", outside_m=0.0)
    assert district.evaluate("23 10:01") == [f"{BIKE}/bike_outside_district drop"]


def test_a_vendor_whose_messages_are_rejected(district, fleet) -> None:
    fleet.sent["hello"] = VendorFacts(40, 40)
    assert district.run("23 08:00", "23 08:05") == []  # too few to judge
    fleet.sent["hello"] = VendorFacts(1000, 51)
    assert district.run("23 08:06", "23 08:10") == [
        ("23 08:06", "hello/vendor_rejects raise"),
        ("23 08:07", "hello/vendor_rejects activate"),
    ]
    alert = district.book.find(rule="vendor_rejects")[0]
    assert (alert.subject, alert.vendor) == ("vendor", "hello")
    assert alert.evidence["share_percent"] == 5.1
    fleet.sent["hello"] = VendorFacts(1000, 30)
    assert district.run("23 08:11", "23 08:15") == []
    fleet.sent["hello"] = VendorFacts(1000, 25)
    happened = district.run("23 08:16", "23 08:25")
    assert [event.split()[1] for _, event in happened] == ["return", "close"]
    fleet.sent["hello"] = VendorFacts(1000, 80)
    district.run("23 09:00", "23 09:05")
    fleet.sent.clear()
    assert district.evaluate("23 09:06") == ["hello/vendor_rejects void"]


def test_a_line_that_is_broken_is_told_for_each_vendor(district, fleet) -> None:
    """At once, because three rounds are over; while nothing is known nothing changes."""
    fleet.sent["hello"] = VendorFacts(0, 0)
    assert district.evaluate("23 22:00") == []
    fleet.lost_s = 0.0
    assert district.evaluate("23 22:01") == []
    fleet.lost_s = 95.3
    assert district.evaluate("23 22:02") == [
        "hello/line_broken raise",
        "hello/line_broken activate",
    ]
    (alert,) = district.book.find(rule="line_broken")
    assert (alert.severity, alert.evidence) == ("critical", {"lost_s": 95})
    fleet.lost_s = None
    assert district.evaluate("23 22:03") == []
    fleet.lost_s = 0.0
    happened = district.run("23 22:04", "23 22:10")
    assert [event.split()[1] for _, event in happened] == ["return", "close"]


@pytest.mark.parametrize("act", ["acknowledge", "shelve"])
def test_what_somebody_has_seen_does_not_flap_about_the_limit(district, fleet, act) -> None:
    """An alert that a person has taken on needs half the limit to end, as any other."""
    fleet.sent["hello"] = VendorFacts(1000, 60)
    district.run("23 08:00", "23 08:05")
    (alert,) = district.book.find(rule="vendor_rejects")
    if act == "acknowledge":
        district.book.acknowledge(alert.alert_id, "li", at("23 08:05"))
    else:
        until_ms = at("23 08:06")
        district.book.shelve(
            alert.alert_id, "li", at("23 08:05"), until_ms=until_ms, reason="known"
        )
    happened = []
    for minute in range(6, 30):
        fleet.sent["hello"] = VendorFacts(1000, 55 if minute % 2 else 45)
        happened += district.evaluate(f"23 08:{minute:02}")
    assert happened == ([] if act == "acknowledge" else ["hello/vendor_rejects unshelve"])


def test_rules_that_are_off_raise_nothing_and_end_what_they_raised(fleet) -> None:
    fleet.put(heard="23 09:00")
    district = District(off=OFF, fleet=fleet, frequency="99h", target=0.1)
    district.run("23 09:00", "23 10:00")
    off = District(book=district.book, off=(*OFF, "bike_offline"), fleet=fleet, frequency="99h")
    fleet.put("hello/B03", heard="23 09:00")
    assert off.run("23 10:01", "23 10:20") == []
    fleet.put(heard="23 10:20")
    happened = off.run("23 10:21", "23 10:40")
    assert [event for _, event in happened] == [
        f"{BIKE}/bike_offline return",
        f"{BIKE}/bike_offline close",
    ]
