"""Calendar exceptions: when there is no duty although the patrol hours say so.

An exception (a public holiday, a street closed for a race) is an event of an iCalendar file
(RFC 5545), with its recurrences, EXDATE, RDATE, and moved or cancelled occurrences. Dates and
floating times are local to the district.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from dateutil.rrule import rrulestr
from icalendar import Calendar, Event, vRecur
from recurring_ical_events import CalendarQuery

from alerts.errors import PolicyError, Problem
from words.times import bounded_ms

MAX_EVENTS = 5_000
"""Events of a calendar, at most."""

_ODD = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, OSError)
"""What the libraries raise when a property is not of the type, or as often there, as it must be."""
_TOO_OFTEN = frozenset({"HOURLY", "MINUTELY", "SECONDLY"})


class CalendarException(NamedTuple):
    """No duty in ``[from_ms, to_ms)``."""

    from_ms: int
    to_ms: int
    summary: str


class ExceptionCalendar:
    """The events of an iCalendar text; dates and floating times are of the zone `tz`.

    PolicyError: the text is not a calendar, or some events cannot be understood; each is named.
    """

    def __init__(self, text: str, tz: tzinfo) -> None:
        self._tz = tz
        try:
            calendar = Calendar.from_ical(text)
            events = [event for event in calendar.walk("VEVENT") if isinstance(event, Event)]
        except _ODD as exc:
            raise PolicyError([Problem("", f"not an iCalendar file: {exc}")]) from exc
        if len(events) > MAX_EVENTS:
            message = f"has {len(events):,} events; at most {MAX_EVENTS:,} are read"
            raise PolicyError([Problem("", message)])
        problems, taken = [], set()
        for number, event in enumerate(events, start=1):
            try:
                self._check(event)
            except _ODD as exc:
                name = event.get("SUMMARY") or event.get("UID") or "without a name"
                problems.append(Problem(f"event {number} ({name})", str(exc)))
            if event.get("RECURRENCE-ID") is None:
                uid = str(event.get("UID", ""))
                if uid in taken:
                    event["UID"] = f"{uid} {number}"  # copied by hand: two events
                taken.add(uid)
        if problems:
            raise PolicyError(problems)
        try:
            self._query = CalendarQuery(calendar)
        except _ODD as exc:
            raise PolicyError([Problem("", f"its events do not fit together: {exc}")]) from exc

    def between(self, from_ms: int, to_ms: int) -> list[CalendarException]:
        """The exceptions that overlap ``[from_ms, to_ms)``, the first to begin first."""
        # A day on each side covers any offset of a zone and any change of it.
        first = datetime.fromtimestamp(from_ms / 1000, UTC) - timedelta(days=1)
        last = datetime.fromtimestamp(to_ms / 1000, UTC) + timedelta(days=1)
        found = set()
        for event in self._query.between(first, last):
            if str(event.get("STATUS", "")).upper() != "CANCELLED":
                begins, ends = self._instant(event.start), self._instant(event.end)
                if begins < to_ms and ends > from_ms:
                    summary = str(event.get("SUMMARY", "")) or "exception"
                    found.add(CalendarException(begins, ends, summary))
        return sorted(found)

    def _check(self, event: Event) -> None:
        if bounded_ms(self._instant(event.end)) <= bounded_ms(self._instant(event.start)):
            raise ValueError("it must end after it starts")
        for rule in event.rrules:
            if set(rule.get("FREQ", [])) & _TOO_OFTEN or {"BYMINUTE", "BYSECOND"} & rule.keys():
                raise ValueError("it recurs within the hour; daily at most, and BYHOUR, are read")
            if not _recurs(rule, event.start):
                raise ValueError("no day fits its RRULE; look at INTERVAL and BY…")
            until = [_end_of_day(at, event.start) for at in rule.get("UNTIL", [])]
            if until:
                rule["UNTIL"] = until
        CalendarQuery(event)  # reads its recurrence

    def _instant(self, at: date | datetime) -> int:
        if not isinstance(at, datetime):
            at = datetime.combine(at, time())
        return instant(at.replace(tzinfo=None), at.tzinfo or self._tz)


def _recurs(rule: vRecur, start: date) -> bool:
    """Whether any day fits a rule; dateutil would try every one until the year 9999.

    So the rule begins 28 to 55 years before that, a multiple of 28 years, in which each date has
    been on each day of the week, after `start`.
    """
    if min(rule.get("INTERVAL", [1])) < 1:
        return False
    ends = {"COUNT", "UNTIL"}
    endless = vRecur({key: rule[key] for key in rule if key not in ends})
    text = endless.to_ical().decode()  # type: ignore[no-untyped-call]
    begin = datetime.combine(start, time()).replace(year=9971 - (9971 - start.year) % 28)
    return next(iter(rrulestr(text, dtstart=begin)), None) is not None


def _end_of_day(until: date, start: date) -> date:
    """A date as UNTIL of an event that starts at a time includes all of that day."""
    if isinstance(until, datetime) or not isinstance(start, datetime):
        return until
    last = datetime.combine(until, time(23, 59, 59), start.tzinfo)
    return last if start.tzinfo is None else last.astimezone(UTC)


def instant(local: datetime, tz: tzinfo) -> int:
    """The instant of a naive local time [ms since the epoch].

    As RFC 5545 (3.3.5) has it: a time that occurs twice is the first of the two; one that
    does not occur is read with the offset before the gap.
    """
    return round(local.replace(tzinfo=tz, fold=0).timestamp() * 1000)
