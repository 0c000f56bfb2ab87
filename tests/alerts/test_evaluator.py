"""Zones over time: what is raised, returned, closed and voided when, and what zones are called."""

from __future__ import annotations

from alerts.plan import Policies
from geofence.windows import Zone
from geofence.zone_state import STATE_CODES, ZoneStatus, state_of

from .district import OFF, POLICY, SHANGHAI, District, at


def campaign(begin: str, end: str, frequency: str) -> dict[str, object]:
    """Another frequency of the zone Z01 for a while."""
    return {"zones": ["Z01"], "from": begin, "to": end, "frequency": frequency}


def shelve(district: District, when: str, until: str) -> None:
    """Shelve the zone's alert for a while."""
    alert_id = district.alert().alert_id
    district.book.shelve(alert_id, "li", at(when), until_ms=at(until), reason="road works")


def test_a_neglected_zone_is_raised_and_a_patrol_closes_it() -> None:
    """Overdue after two hours, told a minute later, closed by the bike that came."""
    district = District()
    happened = district.run("23 08:00", "23 11:00")
    assert happened == [
        ("23 10:01", "Z01/zone_unpatrolled raise"),
        ("23 10:02", "Z01/zone_unpatrolled activate"),
    ]
    assert (district.status().state, district.status().reason) == ("overdue", "idle_over_frequency")
    district.patrols.patrol("Z01", "23 11:00", bike="hello/B07")
    assert district.run("23 11:01", "23 11:10") == [
        ("23 11:01", "Z01/zone_unpatrolled return"),
        ("23 11:02", "Z01/zone_unpatrolled close"),
    ]
    alert = district.alert()
    assert (alert.state, alert.reason) == ("closed", "patrolled")
    assert (alert.evidence["bike"], alert.evidence["at_ms"]) == ("hello/B07", at("23 11:00"))
    assert {row.actor for row in alert.history} == {"system"}
    assert district.status().state == "compliant"


def test_a_patrol_within_the_delay_drops_the_pending_alert() -> None:
    district = District()
    assert district.evaluate("23 10:00:30") == ["Z01/zone_unpatrolled raise"]
    district.patrols.patrol("Z01", "23 10:01")
    assert district.evaluate("23 10:01") == ["Z01/zone_unpatrolled drop"]
    assert district.book.current() == []


def test_clipping_a_corner_is_not_a_patrol() -> None:
    """Fewer cells than min_cells within half an hour do not count; a small zone needs all."""
    district = District(min_cells=5)
    district.patrols.patrol("Z01", "23 09:00", cells=4)
    assert district.run("23 09:58", "23 10:01") == [("23 10:01", "Z01/zone_unpatrolled raise")]
    small = District(min_cells=5, cells=3)
    small.patrols.patrol("Z01", "23 09:00", cells=3)
    assert small.run("23 09:58", "23 11:01") == [("23 11:01", "Z01/zone_unpatrolled raise")]


def test_the_clock_stops_off_duty() -> None:
    """An hour and a half idle in the evening, half an hour more in the morning."""
    district = District(target=0.1)
    district.patrols.patrol("Z01", "23 16:30")
    assert district.run("23 16:30", "24 08:30", step_s=300) == []
    assert district.status().idle_s == 2 * 3600
    assert district.evaluate("24 08:31") == ["Z01/zone_unpatrolled raise"]
    district.evaluate("24 03:00")
    assert (district.status().state, district.status().reason) == ("off_duty", "outside_hours")
    assert district.status().idle_s == 1.5 * 3600


def test_nothing_is_raised_off_duty_but_a_patrol_still_counts() -> None:
    district = District(target=0.1)
    district.patrols.patrol("Z01", "23 15:59")
    district.run("23 17:59", "23 18:00", step_s=60)
    assert district.alert() is None or district.alert().state == "pending"
    assert district.evaluate("23 18:01") in ([], ["Z01/zone_unpatrolled drop"])
    district.run("24 08:00", "24 08:10")
    assert district.alert().state == "active"
    district.evaluate("24 20:00")
    assert district.alert().state == "active"
    district.patrols.patrol("Z01", "24 20:05")
    district.evaluate("24 20:06")
    assert district.alert().state == "returned"


def test_exceptions_and_pauses_stop_the_clock_and_say_so() -> None:
    event = (
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:1\n"
        "DTSTART;TZID=Asia/Shanghai:20261123T090000\nDTEND;TZID=Asia/Shanghai:20261123T120000\n"
        "SUMMARY:马拉松\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    typhoon = {"zones": ["Z01"], "from": "2026-11-23T13:00", "to": "2026-11-23T15:00"}
    district = District(
        exceptions="race.ics",
        calendars={"race.ics": event},
        campaigns={"typhoon": {**typhoon, "paused": "台风"}},
    )
    district.patrols.patrol("Z01", "23 08:30")
    assert district.run("23 08:30", "23 15:30", step_s=600) == []
    assert district.status().idle_s == 2 * 3600
    district.evaluate("23 10:00")
    assert (district.status().state, district.status().reason) == ("off_duty", "exception")
    assert district.status().detail == "马拉松"
    assert district.status().due_in_s == 5.5 * 3600
    district.evaluate("23 14:00")
    assert (district.status().state, district.status().reason) == ("paused", "pause")
    assert district.status().detail == "台风"
    assert district.evaluate("23 15:31") == ["Z01/zone_unpatrolled raise"]


def test_a_campaign_asks_for_more_between_two_dates() -> None:
    campaign = {"zones": ["Z01"], "from": "2026-11-24", "to": "2026-11-24", "frequency": "30m"}
    district = District("Z01", "Z02", campaigns={"inspection": campaign}, target=0.01)
    for day in ("23", "24", "25"):
        for zone_id in ("Z01", "Z02"):
            district.patrols.patrol(zone_id, f"{day} 09:00")
    assert district.run("23 09:00", "23 10:30", step_s=60) == []
    assert district.run("24 09:00", "24 10:30", step_s=60)[0] == (
        "24 09:31",
        "Z01/zone_unpatrolled raise",
    )
    assert district.status("Z01").frequency_s == 1800
    assert district.policies.policy_for("Z01", at("24 12:00")).campaign == "inspection"
    assert district.policies.policy_for("Z02", at("24 12:00")).campaign is None
    district.evaluate("25 09:30")
    assert district.status("Z01").frequency_s == 7200


def test_asking_less_is_no_patrol() -> None:
    """A campaign that allows more time does not return an alert: only a patrol does."""
    district = District(
        campaigns={"relief": campaign("2026-11-23T11:00", "2026-11-24T11:00", "5h")}, target=0.01
    )
    district.patrols.patrol("Z01", "23 08:10")
    district.run("23 08:10", "23 10:59")
    assert district.alert().state == "active"
    assert district.run("23 11:00", "23 12:00") == []
    assert district.status().state == "compliant"
    district.patrols.patrol("Z01", "23 12:05", bike="hello/B07")
    assert district.run("23 12:06", "23 12:08")[0] == ("23 12:06", "Z01/zone_unpatrolled return")
    assert (district.alert().reason, district.alert().evidence["bike"]) == (
        "patrolled",
        "hello/B07",
    )


def test_the_end_of_a_strict_campaign_is_no_patrol_for_a_reopened_alert() -> None:
    district = District(
        campaigns={"inspection": campaign("2026-11-23T08:00", "2026-11-23T12:00", "30m")},
        target=0.01,
        close_hold="8h",
    )
    district.run("23 08:00", "23 09:00")
    district.patrols.patrol("Z01", "23 10:50")
    district.run("23 10:51", "23 11:59")
    assert (district.alert().state, district.alert().reopened) == ("active", 1)
    assert district.run("23 12:00", "23 12:40") == []
    # The patrol came before the alert was reopened, and is heard of only now.
    district.patrols.patrol("Z01", "23 11:15")
    assert district.run("23 12:41", "23 12:41") == [("23 12:41", "Z01/zone_unpatrolled return")]


def test_an_edited_policy_is_not_called_late_telemetry() -> None:
    district = District(target=0.01)
    district.patrols.patrol("Z01", "23 08:10")
    district.run("23 08:10", "23 11:00")
    edited = District(target=0.01, book=district.book, frequency="4h")
    edited.patrols.patrol("Z01", "23 08:10")
    assert edited.evaluate("23 11:01") == ["Z01/zone_unpatrolled void"]
    assert (edited.alert().reason, edited.alert().evidence["frequency_s"]) == (
        "policy_edited",
        4 * 3600,
    )


def test_late_telemetry_voids_what_never_was() -> None:
    """Stored fixes of a patrol before the breach arrive after it was raised."""
    district = District()
    district.run("23 08:00", "23 10:30")
    assert district.alert().state == "active"
    district.patrols.patrol("Z01", "23 09:50", bike="hello/B03")
    assert district.evaluate("23 10:31") == ["Z01/zone_unpatrolled void"]
    alert = district.alert()
    assert (alert.reason, alert.evidence["bike"]) == ("late_telemetry", "hello/B03")
    assert alert.evidence["last_patrolled_ms"] == at("23 09:50")


def test_late_telemetry_that_leaves_a_real_gap_does_not_void() -> None:
    """Patrolled before it opened, but then not again for longer than the frequency."""
    district = District()
    district.run("23 08:00", "23 14:00")
    district.patrols.patrol("Z01", "23 09:50")  # late
    district.patrols.patrol("Z01", "23 14:00")  # now
    assert district.evaluate("23 14:01") == ["Z01/zone_unpatrolled return"]


def test_late_telemetry_voids_a_returned_alert_too() -> None:
    district = District(auto_close=False)
    district.run("23 08:00", "23 10:30")
    district.patrols.patrol("Z01", "23 10:40")
    assert district.run("23 10:41", "23 11:30") == [("23 10:41", "Z01/zone_unpatrolled return")]
    district.patrols.patrol("Z01", "23 09:30")
    assert district.evaluate("23 11:31") == ["Z01/zone_unpatrolled void"]


def test_an_alert_that_was_not_closed_reopens() -> None:
    district = District(auto_close=False)
    district.run("23 08:00", "23 10:30")
    alert_id = district.alert().alert_id
    district.book.acknowledge(alert_id, "li", at("23 10:30"))
    district.patrols.patrol("Z01", "23 10:40")
    district.evaluate("23 10:41")
    assert district.run("23 12:39", "23 12:45") == [("23 12:41", "Z01/zone_unpatrolled reopen")]
    alert = district.alert()
    assert (alert.alert_id, alert.reopened, alert.acknowledged_by) == (alert_id, 1, None)


def test_a_shelved_alert_is_back_at_its_time() -> None:
    district = District()
    district.run("23 08:00", "23 10:30")
    shelve(district, "23 10:30", "23 11:00")
    assert district.run("23 10:31", "23 11:05") == [("23 11:00", "Z01/zone_unpatrolled unshelve")]
    shelve(district, "23 11:05", "23 12:00")
    district.patrols.patrol("Z01", "23 11:30")
    assert district.run("23 11:31", "23 12:05") == [
        ("23 12:00", "Z01/zone_unpatrolled unshelve_returned"),
        ("23 12:01", "Z01/zone_unpatrolled close"),
    ]


def test_what_was_raised_while_the_clock_was_ahead_is_taken_back_and_raised_in_its_time() -> None:
    """Three hours ahead for five minutes: the right alert comes when it is due, and is no other."""
    district = District()
    assert district.run("23 08:00", "23 08:30") == []
    ahead = ["raise", "activate"]
    assert [e.split()[1] for _, e in district.run("23 11:30", "23 11:35")] == ahead
    assert district.evaluate("23 08:35") == ["Z01/zone_unpatrolled void"]
    assert district.book.find(limit=1)[0].reason == "clock_set_back"
    assert district.run("23 08:36", "23 10:02") == [
        ("23 10:01", "Z01/zone_unpatrolled raise"),
        ("23 10:02", "Z01/zone_unpatrolled activate"),
    ]


def test_waits_and_shelves_outlive_a_clock_that_was_ahead() -> None:
    """A pending alert is raised anew, a shelved one waits again, a returned one is not kept."""
    district = District(off=(*OFF, "coverage_short"))
    district.run("23 08:00", "23 10:30")
    shelve(district, "23 10:30", "23 16:00")
    assert district.evaluate("24 12:00") == ["Z01/zone_unpatrolled unshelve"]
    assert district.evaluate("23 10:40") == ["Z01/zone_unpatrolled shelve"]
    assert district.alert().shelved_until_ms == at("23 16:00")
    assert district.run("23 10:41", "23 16:01") == [("23 16:00", "Z01/zone_unpatrolled unshelve")]
    district.patrols.patrol("Z01", "23 16:05")
    assert district.evaluate("23 17:50") == ["Z01/zone_unpatrolled return"]
    assert district.evaluate("23 16:10") == ["Z01/zone_unpatrolled close"]
    assert district.run("23 17:00", "23 17:50", step_s=600) == []
    assert district.evaluate("24 09:00") == ["Z01/zone_unpatrolled raise"]
    assert district.evaluate("23 17:58") == ["Z01/zone_unpatrolled drop"]


def test_a_window_that_was_judged_by_a_clock_ahead_is_judged_at_its_end() -> None:
    """One shift ahead: its alert is voided, and the right one is raised when the shift ends."""
    district = District(off=(*OFF, "zone_unpatrolled"))
    district.evaluate("23 08:00")
    assert district.evaluate("23 18:01") == ["Z01/coverage_short raise"]
    assert district.evaluate("23 18:04") == ["Z01/coverage_short activate"]
    assert district.evaluate("23 12:00") == ["Z01/coverage_short void"]
    assert district.run("23 12:01", "23 18:04") == [
        ("23 18:00", "Z01/coverage_short raise"),
        ("23 18:02", "Z01/coverage_short activate"),
    ]
    assert district.evaluate("23 17:59") == [], "a minute back is no clock that was ahead"
    assert district.run("23 18:00", "23 18:05") == []


def test_silence_is_not_neglect() -> None:
    """With no telemetry for longer than the frequency the zone is unmeasurable: one alert."""
    district = District()
    district.patrols.patrol("Z01", "23 09:30")
    district.patrols.always_heard = False
    district.patrols.heard = at("23 09:30")
    happened = district.run("23 09:31", "23 18:10")
    assert happened == [
        ("23 11:31", "Z01/telemetry_silent raise"),
        ("23 11:32", "Z01/telemetry_silent activate"),
    ]
    district.evaluate("23 12:00")
    assert (district.status().state, district.status().reason) == (
        "unmeasurable",
        "telemetry_silent",
    )
    assert district.status().due_in_s is None


def test_when_bikes_are_heard_again_the_zone_is_judged_again() -> None:
    district = District()
    district.patrols.always_heard = False
    district.patrols.heard = at("23 08:00")
    district.run("23 08:00", "23 12:00")
    district.patrols.heard = at("23 12:01")
    assert district.evaluate("23 12:01") == [
        "Z01/telemetry_silent return",
        "Z01/zone_unpatrolled raise",
    ]
    assert district.evaluate("23 12:02") == [
        "Z01/telemetry_silent close",
        "Z01/zone_unpatrolled activate",
    ]
    assert district.alert("telemetry_silent").evidence["last_heard_ms"] == at("23 12:01")


def test_silence_is_counted_over_duty_time() -> None:
    """Bikes that sleep at night are not silent in the morning."""
    district = District(target=0.1)
    district.patrols.patrol("Z01", "23 17:59")
    district.patrols.always_heard = False
    district.patrols.heard = at("23 18:00")
    assert district.run("23 18:00", "24 09:55", step_s=300) == []


def test_a_pipeline_that_is_behind_raises_nothing() -> None:
    district = District()
    district.patrols.behind_ms = 3_600_000
    assert district.run("23 08:00", "23 19:00", step_s=600) == []
    district.evaluate("23 12:00")
    assert (district.status().state, district.status().reason) == (
        "unmeasurable",
        "pipeline_behind",
    )
    district.patrols.behind_ms = 0
    assert "Z01/zone_unpatrolled raise" not in district.evaluate("23 20:00")
    assert district.alert("coverage_short").state == "pending"


def test_due_before_the_deadline() -> None:
    district = District(target=0.1)
    district.patrols.patrol("Z01", "23 09:00")
    district.evaluate("23 10:36")
    assert district.status().state == "compliant"
    assert district.status().due_in_s == 24 * 60
    district.evaluate("23 10:37")
    assert (district.status().state, district.status().reason) == ("due", "idle_over_80_percent")
    district.evaluate("23 11:30")
    assert (district.status().state, district.status().due_in_s) == ("overdue", -1800)


def test_due_by_forecast() -> None:
    """Two cells in three hours will not make eight in ten."""
    district = District(frequency="9h", min_cells=1)
    district.patrols.patrol("Z01", "23 10:30", cells=2)
    district.evaluate("23 10:20")
    assert district.status().state == "compliant"  # too early in the window to tell
    district.evaluate("23 14:00")
    assert (district.status().state, district.status().reason) == ("due", "forecast_short")
    assert district.status().due_in_s == 4 * 3600
    district.patrols.patrol("Z01", "23 14:10", cells=7)
    district.evaluate("23 14:30")
    assert district.status().state == "compliant"


def test_a_zone_without_cells_is_unmeasurable() -> None:
    district = District(cells=0)
    assert district.run("23 08:00", "24 08:00", step_s=3600) == []
    district.evaluate("23 12:00")
    assert (district.status().state, district.status().reason) == ("unmeasurable", "no_cells")


def test_alerts_of_a_zone_that_is_gone_are_voided() -> None:
    district = District("Z01", "Z02")
    district.run("23 08:00", "23 10:30")
    del district.patrols.refs[1]
    assert district.evaluate("23 10:31") == ["Z02/zone_unpatrolled void"]
    assert district.alert(zone_id="Z02").reason == "zone_removed"


def test_state_codes_are_stable() -> None:
    """Dashboards colour by them."""
    assert list(STATE_CODES.values()) == list(range(7))
    assert " ".join(STATE_CODES) == "compliant due overdue unmeasurable off_duty paused short"
    district = District()
    district.evaluate("23 19:00")
    assert district.status().state_code == 4
    assert isinstance(district.status(), ZoneStatus)


def test_a_status_can_be_had_without_an_evaluator() -> None:
    district = District()
    zone = Zone(district.patrols.refs[0], district.policies.plan("Z01"), district.patrols)
    district.patrols.now_ms = at("23 09:00")
    assert state_of(zone, at("23 09:00")).state == "compliant"


def test_a_zone_that_cannot_be_judged_is_named_and_the_others_go_on() -> None:
    """What it has raised stays open, and it is judged again when it can be."""
    district = District("Z01", "Z02")
    district.run("23 08:00", "23 11:00")
    open_alerts = {alert.zone_id for alert in district.book.current()}
    assert open_alerts == {"Z01", "Z02"}
    plans = district.policies.under([])
    district.policies.follow(Policies.parse({"Z01": "core"}, {"core": POLICY}, SHANGHAI))
    district.patrols.patrol("Z01", "23 11:00")
    assert district.evaluate("23 11:01") == ["Z01/zone_unpatrolled return"]
    assert [status.zone_id for status in district.last.statuses] == ["Z01"]
    assert district.evaluator.apart.troubles == {"zone Z02": "KeyError: 'Z02'"}
    assert {alert.zone_id for alert in district.book.current()} == open_alerts
    district.policies.follow(plans)
    district.evaluate("23 11:02")
    assert [status.zone_id for status in district.last.statuses] == ["Z01", "Z02"]
    assert district.evaluator.apart.troubles == {}
