"""When there is no duty although the patrol hours say so: the events of a calendar file.

An exception (a public holiday, a street closed for a race) is an event of an iCalendar
file (RFC 5545). Dates and floating times are local to the district. Recurrence rules,
EXDATE, RDATE and moved or cancelled occurrences are honoured; cancelled events are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, NamedTuple

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]
from icalendar import Calendar, Event

from alerts.errors import PolicyError, Problem


class Closure(NamedTuple):
    """No duty in ``[from_ms, to_ms)``."""

    from_ms: int
    to_ms: int
    summary: str


@dataclass(frozen=True, slots=True)
class Occasion:
    """One event of the calendar with all its occurrences.

    Attributes
    ----------
    summary : str
        What the event is called.
    tz : tzinfo
        The zone in which `starts` and `rule` are local.
    length : timedelta
        How long each occurrence lasts, on the wall clock.
    starts : tuple of datetime
        Single occurrences, naive.
    rule : rrule, optional
        Recurrence, over naive datetimes.
    leave_out : frozenset of datetime
        Occurrences that do not take place, naive.
    """

    summary: str
    tz: tzinfo
    length: timedelta
    starts: tuple[datetime, ...]
    rule: Any
    leave_out: frozenset[datetime]

    def between(self, from_ms: int, to_ms: int) -> Iterator[Closure]:
        """Occurrences that overlap ``[from_ms, to_ms)``, in no particular order."""
        # A day on each side covers any offset of the zone and any change of it.
        first = _local(from_ms, self.tz) - self.length - timedelta(days=1)
        last = _local(to_ms, self.tz) + timedelta(days=1)
        found = {start for start in self.starts if first <= start <= last}
        if self.rule is not None:
            found.update(self.rule.between(first, last, inc=True))
        for start in found - self.leave_out:
            begins, ends = instant(start, self.tz), instant(start + self.length, self.tz)
            if begins < to_ms and ends > from_ms:
                yield Closure(begins, ends, self.summary)


def instant(local: datetime, tz: tzinfo) -> int:
    """The instant of a naive local time [ms since the epoch].

    As RFC 5545 (3.3.5) has it: a time that occurs twice is the first of the two; one that
    does not occur is read with the offset before the gap.
    """
    return round(local.replace(tzinfo=tz, fold=0).timestamp() * 1000)


def parse_calendar(text: str, tz: tzinfo) -> tuple[Occasion, ...]:
    """The events of an iCalendar text.

    Parameters
    ----------
    text : str
        The content of an .ics file.
    tz : tzinfo
        The district's time zone, for dates and floating times.

    Raises
    ------
    PolicyError
        The text is not a calendar, or some events cannot be understood; each is named.
    """
    try:
        calendar = Calendar.from_ical(text)
        events = [event for event in calendar.walk("VEVENT") if isinstance(event, Event)]
    except ValueError as exc:
        raise PolicyError([Problem("", f"not an iCalendar file: {exc}")]) from exc
    moved: dict[str, set[datetime]] = {}
    for event in events:
        replaced: Any = event.get("RECURRENCE-ID")
        if replaced is not None:
            uid, at = str(event.get("UID", "")), replaced.dt
            moved.setdefault(uid, set()).add(_naive(at, _zone(at, tz)))
    occasions, problems = [], []
    for number, event in enumerate(events, start=1):
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        try:
            occasions.append(_occasion(event, tz, moved))
        except (ValueError, TypeError, AttributeError) as exc:
            name = event.get("SUMMARY") or event.get("UID") or "without a name"
            problems.append(Problem(f"event {number} ({name})", str(exc)))
    if problems:
        raise PolicyError(problems)
    return tuple(occasions)


def _occasion(event: Event, tz: tzinfo, moved: dict[str, set[datetime]]) -> Occasion:
    own = _zone(event.start, tz)
    start = _naive(event.start, own)
    length = _naive(event.end, own) - start
    if length <= timedelta(0):
        raise ValueError("it must end after it starts")
    leave_out = {_naive(at, own) for at in event.exdates}
    starts = [start, *(_naive(at, own) for at in _rdates(event))]
    rule = None
    if event.get("RECURRENCE-ID") is None:
        leave_out |= moved.get(str(event.get("UID", "")), set())
        if event.rrules:
            rule = rrulestr(_rule_text(event.rrules[0], own), dtstart=start)
    return Occasion(
        str(event.get("SUMMARY", "")) or "exception",
        own,
        length,
        tuple(starts),
        rule,
        frozenset(leave_out),
    )


def _rdates(event: Event) -> Iterator[date | datetime]:
    for at, end in event.rdates:
        if end is not None:
            raise ValueError("RDATE with periods is not supported; write them as events")
        yield at


def _rule_text(recur: Any, own: tzinfo) -> str:
    """The rule for naive local times: UNTIL may have been written in UTC."""
    parts = recur.copy()
    until = parts.pop("UNTIL", None)
    text = str(parts.to_ical().decode())
    if not until:
        return text
    last = until[0] if isinstance(until, list) else until
    # A date as UNTIL includes all of that day.
    local = _naive(last, own) if isinstance(last, datetime) else datetime.combine(last, time.max)
    return f"{text};UNTIL={local:%Y%m%dT%H%M%S}"


def _zone(at: date | datetime, tz: tzinfo) -> tzinfo:
    if isinstance(at, datetime) and at.tzinfo is not None:
        return at.tzinfo
    return tz


def _naive(at: date | datetime, tz: tzinfo) -> datetime:
    if not isinstance(at, datetime):
        return datetime.combine(at, time())
    return at if at.tzinfo is None else at.astimezone(tz).replace(tzinfo=None)


def _local(at_ms: int, tz: tzinfo) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(tz).replace(tzinfo=None)
