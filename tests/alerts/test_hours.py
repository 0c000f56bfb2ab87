"""Patrol hours against a slow twin that looks at the clock minute by minute."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from alerts.calendar_exceptions import MAX_EVENTS
from alerts.duty_hours import DAYS, Hours, Window, overlap, parse_span, span_text
from alerts.errors import PolicyError

from .district import SHANGHAI, at

MINUTE = 60_000
BERLIN = ZoneInfo("Europe/Berlin")


def twin_contains(spans, tz, at_ms) -> bool:
    """What the wall clock says: the minute of today, or of a span that began yesterday."""
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(tz)
    minute = local.hour * 60 + local.minute
    today, yesterday = local.weekday(), (local.weekday() - 1) % 7
    return any(
        (today in span.weekdays and span.start_min <= minute < span.end_min)
        or (yesterday in span.weekdays and minute + 1440 < span.end_min)
        for span in spans
    )


@st.composite
def patrol_hours(draw, first_hour=0):
    """One to three lines that do not overlap, with ends at or after `first_hour`."""
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        days = draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True))
        clock = st.tuples(st.integers(first_hour, 23), st.sampled_from([0, 10, 30, 59]))
        (h1, m1), (h2, m2) = draw(clock), draw(clock)
        if (h1, m1) != (h2, m2):
            lines.append(f"{','.join(days)} {h1:02}:{m1:02}-{h2:02}:{m2:02}")
        if lines and overlap([parse_span(line) for line in lines]):
            lines.pop()
    return lines or ["Mon-Sun 08:00-18:00"]


@settings(max_examples=40)
@given(lines=patrol_hours(), start=st.integers(0, 14 * 1440), length=st.integers(0, 4 * 1440))
def test_duty_time_is_that_of_the_wall_clock(lines, start, length) -> None:
    hours = Hours.parse(lines, SHANGHAI)
    begin = at("16 00:00") + start * MINUTE
    minutes = [twin_contains(hours.spans, SHANGHAI, begin + i * MINUTE) for i in range(length)]
    assert hours.duty_ms(begin, begin + length * MINUTE) == sum(minutes) * MINUTE
    for i in range(0, length, 97):
        assert hours.contains(begin + i * MINUTE) == minutes[i]
    stretches = list(hours.duty(begin, begin + length * MINUTE))
    assert sum(to_ms - from_ms for from_ms, to_ms in stretches) == sum(minutes) * MINUTE
    assert all(one.to_ms <= two.from_ms for one, two in pairwise(stretches))
    assert all(
        hours.contains(from_ms) and hours.contains(to_ms - 1) for from_ms, to_ms in stretches
    )


@given(lines=patrol_hours())
def test_hours_are_written_as_they_are_read(lines) -> None:
    """However they were written first; days in a row as a range."""
    for line in lines:
        assert parse_span(span_text(parse_span(line))) == parse_span(line)


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("monday-sunday 8:00-18:00", "Mon-Sun 08:00-18:00"),
        ("Tue,Mon,Wed,Sat 22:00-02:00", "Mon-Wed,Sat 22:00-02:00"),
        ("Sat-Mon 00:00-24:00", "Mon,Sat,Sun 00:00-24:00"),
    ],
)
def test_hours_are_written_for_people(line: str, written: str) -> None:
    """Short names in the order of the week."""
    assert span_text(parse_span(line)) == written


@settings(max_examples=25)
@given(
    lines=patrol_hours(first_hour=4),
    change=st.sampled_from(["2026-03-28T00:00", "2026-10-24T00:00"]),
    length=st.integers(0, 3 * 1440),
)
def test_duty_time_where_clocks_change(lines, change, length) -> None:
    """A night shift is an hour shorter in March and longer in October."""
    hours = Hours.parse(lines, BERLIN)
    begin = at(change, BERLIN)
    minutes = sum(twin_contains(hours.spans, BERLIN, begin + i * MINUTE) for i in range(length))
    assert hours.duty_ms(begin, begin + length * MINUTE) == minutes * MINUTE


YEARLY = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:test
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20241230
DTEND;VALUE=DATE:20250103
RRULE:FREQ=YEARLY
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTART:20250102T070000
DURATION:P1DT6H
RRULE:FREQ=MONTHLY;COUNT=30
END:VEVENT
END:VCALENDAR
"""


@settings(max_examples=30, deadline=None)
@given(
    lines=patrol_hours(),
    zone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "Africa/Casablanca"]),
    calendar=st.sampled_from([None, YEARLY]),
    start=st.integers(0, 400 * 1440),
    length=st.integers(0, 1200 * 1440),
)
def test_duty_time_of_years_is_the_sum_of_its_days(lines, zone, calendar, start, length) -> None:
    """Whole weeks are not looked at one by one; changed clocks and holidays are kept right."""
    hours = Hours.parse(lines, ZoneInfo(zone), calendar)
    begin, end = (at("2024-06-01T00:00") + minute * MINUTE for minute in (start, start + length))
    stretches = hours.duty(begin, end)
    assert hours.duty_ms(begin, end) == sum(to_ms - from_ms for from_ms, to_ms in stretches)


def test_duty_time_of_a_lifetime_is_told_at_once() -> None:
    """Before that, seconds and gigabytes went into the days up to the year that was asked for."""
    hours = Hours.parse(["Mon-Fri 08:00-18:00"], SHANGHAI)
    begun_s = time.process_time()
    weeks = 70 * 52
    begin = at("2026-11-23T00:00")
    assert hours.duty_s(begin, begin + weeks * 7 * 86_400_000) == weeks * 50 * 3600
    assert time.process_time() - begun_s < 0.5


@settings(max_examples=60)
@given(
    lines=patrol_hours(),
    start=st.integers(0, 60 * 1440 * 60),
    duty=st.integers(1, 40 * 3600),
)
def test_advance_is_the_inverse_of_duty(lines, start, duty) -> None:
    """The instant it gives is the first by which that much duty has passed."""
    hours = Hours.parse(lines, SHANGHAI)
    begin = at("01 00:00") + start * 1000
    reached = hours.advance(begin, duty * 1000)
    assume(reached is not None)  # ten minutes a week do not make 40 hours within a year
    assert hours.duty_ms(begin, reached) == duty * 1000
    assert hours.duty_ms(begin, reached - 1) == duty * 1000 - 1


@settings(max_examples=60)
@given(lines=patrol_hours(), start=st.integers(0, 30 * 1440))
def test_next_change_is_where_duty_begins_or_ends(lines, start) -> None:
    hours = Hours.parse(lines, SHANGHAI)
    begin = at("01 00:00") + start * MINUTE
    change = hours.next_change(begin)
    if change is not None:
        assert hours.contains(change - 1) == hours.contains(begin)
        assert hours.contains(change) != hours.contains(begin)
        duty = hours.duty_ms(begin, change)
        assert duty == (change - begin if hours.contains(begin) else 0)


def test_hours_are_closed_at_the_start_and_open_at_the_end() -> None:
    hours = Hours.parse(["Mon-Sun 08:00-18:00"], SHANGHAI)
    assert [hours.contains(at("23 08:00") + d) for d in (-1, 0)] == [False, True]
    assert [hours.contains(at("23 18:00") + d) for d in (-1, 0)] == [True, False]
    assert hours.duty_ms(at("23 12:00"), at("23 12:00")) == 0
    assert hours.duty_ms(at("23 13:00"), at("23 12:00")) == 0


def test_a_shift_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    hours = Hours.parse(["Mon,Wed 22:00-02:00"], SHANGHAI)
    assert hours.window_at("shift", at("24 01:59")) == Window(at("23 22:00"), at("24 02:00"))
    assert hours.contains(at("24 01:59"))
    assert not any(hours.contains(at(when)) for when in ("24 02:00", "24 23:00"))
    assert hours.window_at("shift", at("24 12:00")) == Window(at("23 22:00"), at("24 02:00"))
    assert hours.duty_s(at("23 00:00"), at("30 00:00")) == 8 * 3600


def test_windows_end_once_however_far_apart_one_looks() -> None:
    hours = Hours.parse(["Mon-Fri 08:00-12:00", "Mon-Fri 12:00-18:00"], SHANGHAI)
    shifts = hours.windows_ended("shift", at("20 18:00"), at("24 12:00"))
    assert [s.to_ms for s in shifts] == [at("23 12:00"), at("23 18:00"), at("24 12:00")]
    days = hours.windows_ended("day", at("22 00:00"), at("24 00:00"))
    assert days == [Window(at("22 00:00"), at("23 00:00")), Window(at("23 00:00"), at("24 00:00"))]
    weeks = hours.windows_ended("week", at("20 00:00"), at("2026-12-07T00:00"))
    assert [w.from_ms for w in weeks] == [at("16 00:00"), at("23 00:00"), at("30 00:00")]


@settings(max_examples=40)
@given(
    lines=patrol_hours(),
    kind=st.sampled_from(["shift", "day", "week"]),
    cuts=st.lists(st.integers(0, 20 * 1440), min_size=2, max_size=12),
)
def test_no_window_is_missed_or_seen_twice(lines, kind, cuts) -> None:
    """However the time is cut into evaluations, the windows that end are the same."""
    hours = Hours.parse(lines, SHANGHAI)
    instants = sorted(at("05 00:00") + cut * MINUTE for cut in cuts)
    pieces = [
        window
        for after, until in pairwise(instants)
        for window in hours.windows_ended(kind, after, until)
    ]
    assert pieces == hours.windows_ended(kind, instants[0], instants[-1])
    for window in pieces:
        assert hours.window_at(kind, window.to_ms - 1) == window


def test_a_day_in_berlin_may_have_23_or_25_hours() -> None:
    hours = Hours.parse(["Mon-Sun 00:00-24:00"], BERLIN)
    for date, length in (("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-01", 24)):
        window = hours.window_at("day", at(f"{date}T12:00", BERLIN))
        assert window.to_ms - window.from_ms == length * 3_600_000
        assert hours.duty_s(*window) == length * 3600


CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20261124
DTEND;VALUE=DATE:20261126
SUMMARY:两天假
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTART;TZID=Asia/Shanghai:20261127T120000
DURATION:PT1H
RRULE:FREQ=DAILY;UNTIL=20261130T040000Z
EXDATE;TZID=Asia/Shanghai:20261129T120000
SUMMARY:Lunch
END:VEVENT
BEGIN:VEVENT
UID:2
RECURRENCE-ID;TZID=Asia/Shanghai:20261128T120000
DTSTART;TZID=Asia/Shanghai:20261128T140000
DURATION:PT2H
SUMMARY:Late lunch
END:VEVENT
BEGIN:VEVENT
UID:3
DTSTART:20261123T000000Z
DTEND:20261123T040000Z
STATUS:CANCELLED
SUMMARY:Race
END:VEVENT
END:VCALENDAR
"""


def test_there_is_no_duty_during_the_events_of_the_calendar() -> None:
    """All-day, recurring, left out, moved and cancelled events."""
    hours = Hours.parse(["Mon-Sun 08:00-18:00"], SHANGHAI, CALENDAR)
    duty = [hours.duty_s(at(f"{d} 00:00"), at(f"{d + 1} 00:00")) / 3600 for d in range(23, 30)]
    assert duty == [10, 0, 0, 10, 9, 8, 10]
    assert hours.duty_s(at("30 00:00"), at("2026-12-01T00:00")) == 9 * 3600
    assert hours.duty_s(at("2026-12-01T00:00"), at("2026-12-02T00:00")) == 10 * 3600
    assert hours.exception_at(at("24 10:00")).summary == "两天假"
    assert hours.exception_at(at("28 14:30")).summary == "Late lunch"
    assert hours.exception_at(at("28 12:30")) is None
    assert hours.next_change(at("23 18:00")) == at("26 08:00")
    assert hours.window_at("shift", at("24 10:00")) == Window(at("24 08:00"), at("24 18:00"))


def test_an_event_of_a_copied_uid_is_an_event_of_its_own() -> None:
    """People copy events of a calendar file by hand, and forget that a UID must be unique."""
    hours = Hours.parse(["Mon-Sun 08:00-18:00"], SHANGHAI, CALENDAR.replace("UID:1\n", "UID:2\n"))
    assert hours.exception_at(at("24 10:00")).summary == "两天假"
    assert hours.exception_at(at("27 12:30")).summary == "Lunch"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("RRULE:FREQ=SECONDLY", "recurs within the hour"),
        ("RRULE:FREQ=DAILY;BYMINUTE=1,2,3", "recurs within the hour"),
        ("RRULE:FREQ=DAILY;INTERVAL=0", "no day fits its RRULE"),
        ("RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=3", "no day fits its RRULE"),
        ("DTEND;VALUE=DATE:00010101", "must end after"),
    ],
)
def test_a_calendar_without_bounds_is_refused(line, says) -> None:
    """Each would take an hour, or an instant that nobody can show."""
    event = f"BEGIN:VEVENT\nUID:9\nDTSTART;VALUE=DATE:20261101\nSUMMARY:Storm\n{line}\nEND:VEVENT\n"
    with pytest.raises(PolicyError, match=f"Storm.*{says}"):
        Hours.parse([], SHANGHAI, CALENDAR.replace("END:VCALENDAR", f"{event}END:VCALENDAR"))


@pytest.mark.parametrize("line", ["UID:2", "DTSTART;VALUE=DATE:20261101"])
def test_an_event_with_a_property_too_often_is_named(line: str) -> None:
    """Whatever the libraries make of it."""
    calendar = CALENDAR.replace("UID:1\n", f"UID:1\n{line}\n")
    with pytest.raises(PolicyError, match="event 1"):
        Hours.parse([], SHANGHAI, calendar)


def test_a_time_zone_whose_name_no_file_can_have_is_named() -> None:
    """Time zones are looked up as files."""
    with pytest.raises(PolicyError):
        Hours.parse([], SHANGHAI, CALENDAR.replace("Asia/Shanghai", "Asia/" + "Shanghai" * 64))


def test_a_calendar_has_so_many_events_at_most() -> None:
    event = "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20261101\nEND:VEVENT\n"
    many = CALENDAR.replace("END:VCALENDAR", f"{event * MAX_EVENTS}END:VCALENDAR")
    with pytest.raises(PolicyError, match=r"5,004 events; at most 5,000"):
        Hours.parse([], SHANGHAI, many)


def test_a_date_as_the_end_of_a_recurrence_includes_all_of_that_day() -> None:
    """RFC 5545 wants a time there when the event starts at a time; many programs write a date."""
    for zone in (";TZID=Asia/Shanghai", ""):
        calendar = CALENDAR.replace("UNTIL=20261130T040000Z", "UNTIL=20261130")
        calendar = calendar.replace(";TZID=Asia/Shanghai", zone)
        hours = Hours.parse(["Mon-Sun 08:00-18:00"], SHANGHAI, calendar)
        assert hours.exception_at(at("30 12:30")).summary == "Lunch"
        assert hours.exception_at(at("2026-12-01T12:30")) is None


def test_an_event_may_recur_on_dates_with_an_end_of_their_own() -> None:
    """RDATE with a period: that occurrence lasts as long as the period says."""
    more = "DURATION:PT1H\nRDATE;VALUE=PERIOD;TZID=Asia/Shanghai:20261205T090000/PT3H"
    hours = Hours.parse(["Mon-Sun 08:00-18:00"], SHANGHAI, CALENDAR.replace("DURATION:PT1H", more))
    assert hours.duty_s(at("2026-12-05T00:00"), at("2026-12-06T00:00")) == 7 * 3600


@pytest.mark.parametrize(
    ("lines", "calendar", "where", "words"),
    [
        (["Mon-Sun"], None, "hours[0]", "Mon-Fri 08:00-18:00"),
        (["Mon 08:00-25:00"], None, "hours[0]", "no clock"),
        (["Mon 08:60-10:00"], None, "hours[0]", "no clock"),
        (["Mon 08:00-08:00"], None, "hours[0]", "empty"),
        (["Mon 08:00-10:00", "Foo-Sun 08:00-10:00"], None, "hours[1]", "'foo-sun'"),
        (["Mon-Fri 08:00-18:00", "Wed 17:00-20:00"], None, "hours", "overlap from Wed 17:00"),
        (["Sun 22:00-02:00", "Mon 01:00-05:00"], None, "hours", "overlap from Mon 01:00"),
        ([], "hello", "exceptions", "not an iCalendar file"),
        ([], CALENDAR.replace("DTSTART;VALUE=DATE:20261124\n", ""), "event 1", "DTSTART"),
        ([], CALENDAR.replace("DATE:20261126", "DATE:20261123"), "exceptions event 1 (两", "end"),
    ],
)
def test_wrong_hours_say_where_and_what_to_do(lines, calendar, where, words) -> None:
    with pytest.raises(PolicyError) as wrong:
        Hours.parse(lines, SHANGHAI, calendar)
    (problem,) = wrong.value.problems
    assert where in problem.where
    assert words in problem.message


def test_a_year_of_no_duty_has_no_deadline() -> None:
    calendar = CALENDAR.replace("DTEND;VALUE=DATE:20261126", "DTEND;VALUE=DATE:20291126")
    hours = Hours.parse(["Mon-Sun 08:00-18:00"], SHANGHAI, calendar)
    assert hours.advance(at("24 00:00"), 1) is None
    assert hours.next_change(at("24 00:00")) is None
