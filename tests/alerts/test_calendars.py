"""Calendars as countries publish them and programs export them mean what they mean to people."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from alerts.duty_hours import Hours
from alerts.errors import PolicyError

from .district import SHANGHAI, at

NEW_YORK = ZoneInfo("America/New_York")


def calendar(*events: str) -> str:
    """A calendar of events, each given as its lines with | between them."""
    own = [event.split("|") for event in events]
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0"]
    for number, event in enumerate(own):
        uid = [] if any(line.startswith("UID:") for line in event) else [f"UID:{number}"]
        lines += ["BEGIN:VEVENT", *uid, *event, "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


def day(date: int, summary: str = "Day", *more: str) -> str:
    return "|".join((f"DTSTART;VALUE=DATE:{date}", f"SUMMARY:{summary}", *more))


def duty_h(text: str, *dates: str, hours: str = "Mon-Fri 08:00-18:00", tz=SHANGHAI) -> list[float]:
    """Hours of duty on each day."""
    of = Hours.parse([hours], tz, text)
    found = []
    for date in dates:
        window = of.window_at("day", at(f"{date}T12:00", tz))
        found.append(of.duty_s(*window) / 3600)
    return found


@pytest.mark.parametrize(
    ("off", "works"),
    [
        ("国庆节（休）", "国庆节（班）"),
        ("国庆节 假期 第1天/共7天", "国庆节 补班 第1天/共2天"),
        ("国庆节假期", "上班(补国庆节假期)"),
        ("休｜国庆节", "班｜国庆节"),
        ("国庆节", "国庆节（调休上班）"),
        ("国庆节（调休）", "国庆节（调休）"),
        ("放假日（2026-10-10 補班）", "補行上班日"),
        ("Tet Holiday", "Working day for New Year Holiday"),
        ("Special Non-Working Day", "Special Working Day"),
        ("International Workers' Day", "Make-up workday"),
        ("Нерабочий день", "Рабочий день (перенос)"),
        ("Pihenőnap", "Áthelyezett munkanap"),
    ],
)
def test_a_make_up_working_day_has_the_hours_of_a_week(off: str, works: str) -> None:
    """Also when it is written as hours of its own; the day off has none."""
    for begins in (";VALUE=DATE:20261010", ":20261010T090000"):
        text = calendar(
            day(20261001, off),
            f"DTSTART{begins}|SUMMARY:{works}|TRANSP:TRANSPARENT",
        )
        assert duty_h(text, "2026-10-01", "2026-10-10", "2026-10-11") == [0, 10, 0]


def test_nothing_is_closed_on_a_working_day() -> None:
    """Whatever else the calendar has on it; it has the hours of a Monday."""
    text = calendar(
        day(20261003, "Weekend", "DTEND;VALUE=DATE:20261005", "RRULE:FREQ=WEEKLY"),
        day(20261010, "国庆节（班）"),
    )
    dates = "2026-10-10", "2026-10-11"
    assert duty_h(text, *dates, hours="Mon-Sun 08:00-18:00") == [10, 0]
    assert duty_h(text, *dates, hours="Mon 22:00-02:00") == [2, 0]


APPLE = "X-APPLE-SPECIAL-DAY:"
HIDE = "Observance\\nTo hide observances\\, go to Google Calendar Settings > Holidays in China"


def test_a_day_that_is_only_observed_closes_nothing() -> None:
    """As Apple, Google, officeholidays and others mark it; where nobody marks, all are days off."""
    apple = calendar(
        day(20261001, "国庆节（休）", "DTEND;VALUE=DATE:20261008", f"{APPLE}WORK-HOLIDAY"),
        day(20261010, "国庆节（班）", f"{APPLE}ALTERNATE-WORKDAY"),
        day(20261008, "寒露", "RRULE:FREQ=YEARLY;COUNT=5"),
        "DTSTART:20261009T080000|DTEND:20261009T100000|SUMMARY:Race",
    )
    dates = "2026-10-07", "2026-10-08", "2026-10-09", "2026-10-10"
    assert duty_h(apple, *dates) == [0, 10, 8, 10]
    assert duty_h(apple.replace(APPLE, "X-OTHER:"), *dates) == [0, 10, 8, 10]
    google = calendar(
        day(20261007, "National Day Golden Week", "DESCRIPTION:Public holiday"),
        day(20261008, "Double Ninth", f"DESCRIPTION:{HIDE}"),
        day(
            20261009,
            "重阳节",
            "DESCRIPTION:节假日\\n如需隐藏节假日，请前往 Google 日历的“设置”> 中国节假日",
        ),
    )
    assert duty_h(google, *dates) == [0, 10, 10, 0]
    others = calendar(
        day(20261007, "China: Army Day (Not a Public Holiday)"),
        day(20261008, "Labour Day", "CATEGORIES:Observance"),
        day(20261009, "Christmas Day (observed)"),
    )
    assert duty_h(others, *dates) == [10, 10, 0, 0]


def test_what_is_shown_as_free_may_be_a_day_off_but_not_an_hour() -> None:
    """Programs show each whole day as free, and each hour as busy, unless somebody changes it."""
    text = calendar(
        day(20261007, "Holiday", "TRANSP:TRANSPARENT", "X-MICROSOFT-CDO-BUSYSTATUS:FREE"),
        "DTSTART:20261008T000000|DTEND:20261008T235959|TRANSP:TRANSPARENT|SUMMARY:Holiday",
        "DTSTART:20261008T160000Z|DTEND:20261009T160000Z|TRANSP:TRANSPARENT|SUMMARY:Holiday",
        "DTSTART:20261012T080000|DTEND:20261012T100000|TRANSP:TRANSPARENT|SUMMARY:A reminder",
    )
    dates = "2026-10-07", "2026-10-08", "2026-10-09", "2026-10-12"
    assert duty_h(text, *dates) == [0, 0, 0, 10]


def test_the_last_minute_of_a_day_belongs_to_what_takes_the_day() -> None:
    """Floating, from midnight to 23:59:59: no second of duty is left."""
    text = calendar("DTSTART:20261007T000000|DTEND:20261007T235959|SUMMARY:「国庆节 假期」 共7天")
    assert duty_h(text, "2026-10-07", hours="Mon-Sun 00:00-24:00") == [0]


def test_an_event_takes_the_time_that_it_takes() -> None:
    """None without an end, a day when its dates are equal; not what was cancelled or revised."""
    text = calendar(
        "DTSTART:20261005T010000Z|SUMMARY:A reminder",
        day(20261006, "Equal dates", "DTEND;VALUE=DATE:20261006"),
        day(20261007, "Cancelled", "STATUS:CANCELLED"),
        day(20261008, "First", "UID:a", "SEQUENCE:0"),
        day(20261008, "Revised", "UID:a", "SEQUENCE:1", "STATUS:CANCELLED"),
        "DTSTART;TZID=China Standard Time:20261009T080000|DURATION:PT90M|SUMMARY:Folded\r\n  name",
    )
    dates = [f"2026-10-{number:02}" for number in range(5, 10)]
    assert duty_h(text, *dates) == [10, 0, 10, 10, 8.5]


def test_calendars_that_were_joined_are_one() -> None:
    """End to end, as `cat` joins them."""
    text = calendar(day(20261007)) + calendar(day(20261008))
    assert duty_h(text, "2026-10-07", "2026-10-08", "2026-10-09") == [0, 0, 10]


@pytest.mark.parametrize(
    ("lines", "hours"),
    [
        (day(19491001, "National Day", "RRULE:FREQ=YEARLY"), 0),
        (day(16041001, "Apple begins here", "RRULE:FREQ=YEARLY"), 0),
        (day(20250101, "For ever", "DTEND;VALUE=DATE:99991231"), 0),
        ("DTSTART;TZID=Etc/GMT+12:99991231T000000|DTEND;TZID=Etc/GMT+12:99991231T235959", 10),
        (day(10101, "Since ever", "DTEND;VALUE=DATE:20261002"), 0),
        (day(10101, "Long ago", "DTEND;VALUE=DATE:00010103"), 10),
        (day(20261001, "Endless", "DURATION:P99999999D"), 0),
        (day(20241001, "Long", "DTEND;VALUE=DATE:99981231", "RRULE:FREQ=YEARLY;INTERVAL=2"), 0),
        (day(20240901, "Daily", "RRULE:FREQ=DAILY;UNTIL=99991231T235959Z"), 0),
        ("DTSTART;TZID=America/New_York:20260901T000000|DTEND;TZID=America/New_York:20260901T235900"
         "|RRULE:FREQ=DAILY;UNTIL=99991231", 0),
        (day(20240901, "Daily", "RRULE:FREQ=DAILY;UNTIL=00010101"), 10),
    ],
)  # fmt: skip
def test_a_date_without_an_end_is_unbounded(lines: str, hours: float) -> None:
    """The ends of the calendar are how programs write for ever, and since ever."""
    text = calendar(lines.replace("DATE:10101", "DATE:00010101"))
    for tz in (SHANGHAI, NEW_YORK, ZoneInfo("Pacific/Kiritimati")):
        assert duty_h(text, "2026-10-01", tz=tz)[0] == pytest.approx(hours, abs=2)
    later = at("2031-01-01T00:00"), at("2031-03-01T00:00")
    assert 0 <= Hours.parse([], SHANGHAI, text).duty_s(*later) <= 59 * 86_400


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("DTSTART;VALUE=DATE:15000101|RRULE:FREQ=DAILY", "since before 1970"),
        ("DTSTART;VALUE=DATE:20261007|DTEND:20261008T000000", "event 1"),
        ("SUMMARY:Never", "event 1"),
    ],
)
def test_an_event_that_cannot_be_read_is_named(lines: str, says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        Hours.parse([], SHANGHAI, calendar(lines))


def test_an_empty_calendar_says_so() -> None:
    """A download that failed; a calendar without events is none."""
    with pytest.raises(PolicyError, match="is empty"):
        Hours.parse([], SHANGHAI, "\n")
    assert duty_h(calendar(), "2026-10-07") == [10]


WASHING = "DTSTART;TZID=America/New_York:20260301T{}00|DTEND;TZID=America/New_York:20260301T{}00"


@pytest.mark.parametrize(
    ("closed", "hours", "spring", "autumn"),
    [
        (("0230", "0315"), "Mon-Sun 00:00-24:00", 22.75, 24.25),
        (("0215", "0245"), "Mon-Sun 00:00-24:00", 23, 24.5),
        (("0130", "0230"), "Mon-Sun 00:00-24:00", 22.5, 23),
        (("2300", "2330"), "Mon-Sun 02:30-03:15", 0.25, 0.75),
        (("2300", "2330"), "Mon-Sun 02:15-02:45", 0, 0.5),
        (("2300", "2330"), "Sat 22:00-02:30", 2, 3.5),
    ],
)
def test_what_begins_or_ends_in_the_skipped_hour_keeps_what_there_is_of_it(
    closed, hours, spring, autumn
) -> None:
    """On 8 March New York has no 02:00 to 03:00; on 1 November it has 01:00 to 02:00 twice."""
    text = calendar(f"{WASHING.format(*closed)}|RRULE:FREQ=DAILY|SUMMARY:Street washing")
    assert duty_h(text, "2026-03-08", "2026-11-01", hours=hours, tz=NEW_YORK) == [spring, autumn]


def test_an_event_that_cannot_be_computed_is_left_out_and_named() -> None:
    """Also where that comes years later; the others close."""
    long = "UID:long|DTSTART:20261007T010000Z|RDATE;VALUE=PERIOD:20300101T000000Z/P9999999D"
    text = calendar(long, day(20300102), day(20301001))
    hours = Hours.parse([], SHANGHAI, text)
    assert hours.duty_s(at("2026-10-01T00:00"), at("2027-10-01T00:00")) == 365 * 86_400
    assert hours.troubles == []
    assert hours.duty_s(at("2030-01-01T00:00"), at("2030-01-04T00:00")) == 2 * 86_400
    (trouble,) = hours.troubles
    assert trouble.startswith("event long: date value out of range (2029-12-")
