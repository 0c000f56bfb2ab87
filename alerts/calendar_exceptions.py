"""Calendar exceptions: when there is no duty although the patrol hours say so, and the reverse.

An exception (a public holiday, a street closed for a race) is an event of an iCalendar file
(RFC 5545), with its recurrences, EXDATE, RDATE, and moved or cancelled occurrences. Dates and
floating times are local to the district. Events need not be days off; see
:mod:`alerts.calendar_days`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple, cast
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from icalendar import Calendar, Event, vDDDTypes, vRecur
from recurring_ical_events import CalendarQuery

from alerts.calendar_days import DayKind, kinds_of, whole_days
from alerts.errors import PolicyError, Problem
from alerts.periods import DAY_MIN, local_day, wall
from words.times import FIRST_MS, LAST_MS, held_ms, instant

MAX_EVENTS = 5_000
"""Events of a calendar, at most."""

_ODD = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, OSError)
"""What the libraries raise when a property is not of the type, or as often there, as it must be."""
_TOO_OFTEN = frozenset({"HOURLY", "MINUTELY", "SECONDLY"})
_RARELY = frozenset({"YEARLY", "MONTHLY"})
_FIRST, _LAST = (datetime.fromtimestamp(at_ms / 1000, UTC).date() for at_ms in (FIRST_MS, LAST_MS))
_KIND = "X-ZHIXUN-KIND"


class CalendarException(NamedTuple):
    """No duty in ``[from_ms, to_ms)``, or the working hours of a week instead of a weekend's."""

    from_ms: int
    to_ms: int
    summary: str
    kind: DayKind = "closed"

    def without(self, other: CalendarException) -> list[CalendarException]:
        """What is left of it beside another one."""
        before = self._replace(to_ms=min(self.to_ms, other.from_ms))
        after = self._replace(from_ms=max(self.from_ms, other.to_ms))
        return [part for part in (before, after) if part.from_ms < part.to_ms]


class ExceptionCalendar:
    """The events of an iCalendar text; dates and floating times are of the zone `tz`.

    `troubles` has why an event could not be computed, by its UID; the others go on without it.
    PolicyError: the text is not a calendar, or some events cannot be understood; each is named.
    """

    def __init__(self, text: str, tz: ZoneInfo) -> None:
        self._tz = tz
        self.troubles: dict[str, str] = {}
        if not text.strip():
            raise PolicyError([Problem("", "is empty; was it downloaded?")])
        try:
            calendar, *more = Calendar.from_ical(text, multiple=True)
            for other in more:  # some programs join calendars by joining their files
                calendar.subcomponents += other.subcomponents
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
                # One with a higher SEQUENCE is a revision, and goes before.
                uid, revision = str(event.get("UID", "")), str(event.get("SEQUENCE", 0))
                if (uid, revision) in taken:
                    event["UID"] = f"{uid} {number}"  # copied by hand: two events
                taken.add((uid, revision))
        if problems:
            raise PolicyError(problems)
        for event, kind in zip(events, kinds_of(events, tz), strict=True):
            event[_KIND] = kind
        try:
            self._query = CalendarQuery(calendar)
        except _ODD as exc:
            raise PolicyError([Problem("", f"its events do not fit together: {exc}")]) from exc

    def between(self, from_ms: int, to_ms: int) -> list[CalendarException]:
        """What it says of ``[from_ms, to_ms)``, the first to begin first; a working day is whole.

        On working days nothing is closed.
        """
        # A day on each side covers any offset of a zone and any change of it.
        first = datetime.fromtimestamp(from_ms / 1000, UTC) - timedelta(days=1)
        last = datetime.fromtimestamp(to_ms / 1000, UTC) + timedelta(days=1)
        found: set[CalendarException] = set()
        for series in self._query.series:
            try:
                events = [each.as_component(False) for each in series.between(first, last)]
                found.update(each for event in events if (each := self._exception(event)))
            except _ODD as exc:
                self.troubles[series.uid] = f"{exc} ({first.date()} to {last.date()})"
        parts = sorted(each for each in found if each.from_ms < to_ms and each.to_ms > from_ms)
        for works in [each for each in parts if each.kind == "works"]:
            parts = [
                part
                for each in parts
                for part in (each.without(works) if each.kind == "closed" else [each])
            ]
        return sorted(parts)

    def _exception(self, event: Event) -> CalendarException | None:
        """What an event says; None when it was cancelled, or takes no time."""
        kind = cast(DayKind, event[_KIND])
        begins, ends = self._instant(event.start), self._instant(event.end)
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            return None
        if kind == "works" or whole_days(event.start, event.end, self._tz):
            ends = wall(local_day(max(begins, ends - 1), self._tz), DAY_MIN, self._tz)
            begins = wall(local_day(begins, self._tz), 0, self._tz)
        summary = str(event.get("SUMMARY", "")) or "exception"
        return CalendarException(begins, ends, summary, kind) if begins < ends else None

    def _check(self, event: Event) -> None:
        """Bring an event within the years that there are, and see that it can be read."""
        start, rules = event.start, event.rrules
        try:
            end = event.end
        except OverflowError:  # of a DURATION
            end = date.max
        if self._instant(end) < self._instant(start):
            raise ValueError("it must end after it starts")
        first = date.min if rules else _FIRST
        begins, ends = _within(start, first), _within(end, first)
        if begins == ends and not isinstance(begins, datetime):
            ends += timedelta(days=1)  # RFC 5545 forbids it; programs read it as one day
        event["DTSTART"], event["DTEND"] = vDDDTypes(begins), vDDDTypes(ends)
        event.pop("DURATION", None)
        for rule in rules:
            often = set(rule.get("FREQ", []))
            if often & _TOO_OFTEN or {"BYMINUTE", "BYSECOND"} & rule.keys():
                raise ValueError("it recurs within the hour; daily at most, and BYHOUR, are read")
            if start.year < _FIRST.year and not often <= _RARELY:
                raise ValueError("it recurs daily or weekly since before 1970; let it begin later")
            if not _recurs(rule, start):
                raise ValueError("no day fits its RRULE; look at INTERVAL and BY…")
            until = [_end_of_day(at, start) for at in rule.pop("UNTIL", []) if at.year < _LAST.year]
            if until:
                rule["UNTIL"] = until
        CalendarQuery(event)  # reads its recurrence

    def _instant(self, at: date) -> int:
        if not isinstance(at, datetime):
            at = datetime.combine(at, time())
        return held_ms(instant(at.replace(tzinfo=None), at.tzinfo or self._tz))


def _within(at: date, first: date) -> date:
    """`at`, or the first or last day that there is; of the same type."""
    day = at.date() if isinstance(at, datetime) else at
    held = min(max(day, first), _LAST)
    if held == day:
        return at
    return datetime.combine(held, time(), at.tzinfo) if isinstance(at, datetime) else held


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
