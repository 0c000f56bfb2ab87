"""Patrol hours: when bikes are expected to patrol, and how much duty time lies between.

Hours are lines of the week on the district's clock, less exceptions:

Mon-Sun 08:00-18:00        every day
Mon,Wed 22:00-02:00        over midnight; the days are those on which it begins
Sat-Mon 00:00-24:00        days may wrap around the week

Intervals are closed at the start and open at the end, in ms since the epoch.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import accumulate, groupby, pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from alerts.calendar_exceptions import CalendarException, ExceptionCalendar
from alerts.errors import PolicyError, Problem
from alerts.periods import DAY_MIN, local_day, period_of, wall
from geofence.windows import Window, WindowKind
from words.times import DAY_MS

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALWAYS = "Mon-Sun 00:00-24:00"

_NAMES = [day.capitalize() for day in DAYS]
_SPAN = re.compile(r"\s*([A-Za-z,\s-]+?)\s+(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*")
_SATURDAY = 5
_CHUNK_MS = 32 * DAY_MS
_HORIZON_CHUNKS = 14  # over a year: a district without duty for that long has none
_KEPT = 128  # chunks, and sums of many, that are kept


_calendar_of = lru_cache(maxsize=8)(ExceptionCalendar)  # many policies have the same


class Span(NamedTuple):
    """One line of patrol hours: minutes of the local day; `end_min` may pass midnight."""

    weekdays: frozenset[int]
    start_min: int
    end_min: int


def parse_span(text: str) -> Span:
    """One line of patrol hours; ValueError says what is wrong with it."""
    form = 'write it as "Mon-Fri 08:00-18:00" or "Mon,Wed 22:00-02:00"'
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not patrol hours; {form}")
    days, *clock = match.groups()
    start_h, start_m, end_h, end_m = map(int, clock)
    start, end = start_h * 60 + start_m, end_h * 60 + end_m
    if start >= DAY_MIN or end > DAY_MIN or start_m > 59 or end_m > 59:
        raise ValueError(f"{text!r} has a time that no clock shows; 00:00 to 24:00")
    if start == end:
        raise ValueError(f"{text!r} is empty; for a whole day write 00:00-24:00")
    weekdays: set[int] = set()
    for part in days.lower().split(","):
        ends = [name.strip()[:3] for name in part.split("-")]
        if len(ends) > 2 or any(name not in DAYS for name in ends):
            raise ValueError(f"{part.strip()!r} in {text!r} is not a day or a range; {form}")
        first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
        weekdays.update((first + i) % 7 for i in range((last - first) % 7 + 1))
    return Span(frozenset(weekdays), start, end if end > start else end + DAY_MIN)


def span_text(span: Span) -> str:
    """A line of patrol hours that :func:`parse_span` reads as this span.

    Three days or more in a row are a range; one does not wrap around the week.
    """
    days: list[str] = []
    # Days in a row are as far apart as their places in the list.
    for _, row in groupby(enumerate(sorted(span.weekdays)), lambda each: each[1] - each[0]):
        names = [_NAMES[day] for _, day in row]
        days += [f"{names[0]}-{names[-1]}"] if len(names) > 2 else names
    end_min = span.end_min if span.end_min <= DAY_MIN else span.end_min - DAY_MIN
    clock = "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (span.start_min, end_min))
    return f"{','.join(days)} {clock}"


def overlap(spans: Sequence[Span]) -> str | None:
    """The first overlap of two lines, in words, or None: a shift must be one shift."""
    taken = sorted(
        (day * DAY_MIN + span.start_min, day * DAY_MIN + span.end_min)
        for span in spans
        for day in span.weekdays
    )
    if taken:
        taken.append((taken[0][0] + 7 * DAY_MIN, taken[0][1] + 7 * DAY_MIN))
    for (_, end), (start, _) in pairwise(taken):
        if start < end:
            day, minute = divmod(start % (7 * DAY_MIN), DAY_MIN)
            at = f"{DAYS[day].capitalize()} {minute // 60:02}:{minute % 60:02}"
            return f"two patrol hours overlap from {at}; make them one, or end the first earlier"
    return None


class _Chunk(NamedTuple):
    """Duty, shifts and exceptions of 32 days: computed once, then looked up by bisection."""

    starts: list[int]
    ends: list[int]
    before: list[int]  # duty before each start, within the chunk
    total: int
    shifts: list[Window]  # those that start in the chunk
    exceptions: list[CalendarException]


class Hours:
    """Patrol hours less exceptions, in one time zone; the spans of a week do not overlap."""

    def __init__(
        self, spans: Sequence[Span], tz: ZoneInfo, exceptions: ExceptionCalendar | None = None
    ) -> None:
        self.spans = tuple(spans)
        self.tz = tz
        self._calendar = exceptions
        self._chunks: dict[int, _Chunk] = {}
        self._sums: dict[tuple[int, int], int] = {}
        self._totals: dict[tuple[int, timedelta], int] = {}
        self._windows: dict[WindowKind, Window] = {}

    @classmethod
    def parse(cls, spans: Sequence[str], tz: ZoneInfo, exceptions: str | None = None) -> Hours:
        """Read patrol hours: lines as above, none for always, and the text of an .ics file.

        PolicyError: with every line that is wrong, or overlaps another.
        """
        problems: list[Problem] = []
        parsed: list[Span] = []
        for number, text in enumerate(spans or (ALWAYS,)):
            try:
                parsed.append(parse_span(text))
            except ValueError as exc:
                problems.append(Problem(f"hours[{number}]", str(exc)))
        if not problems and (clash := overlap(parsed)):
            problems.append(Problem("hours", clash))
        calendar = None
        if exceptions is not None:
            try:
                calendar = _calendar_of(exceptions, tz)
            except PolicyError as exc:
                problems += [
                    Problem(f"exceptions {p.where}".rstrip(), p.message) for p in exc.problems
                ]
        if problems:
            raise PolicyError(problems)
        return cls(parsed, tz, calendar)

    def contains(self, at_ms: int) -> bool:
        """Whether there is duty at an instant."""
        chunk = self._chunk(at_ms // _CHUNK_MS)
        found = bisect_right(chunk.starts, at_ms) - 1
        return found >= 0 and at_ms < chunk.ends[found]

    def contain(self, at_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether there is duty at each of some instants [ms], in any order, shape (n,)."""
        if not at_ms.size:
            return np.empty(0, np.bool_)
        first, last = int(at_ms.min()), int(at_ms.max())
        changes = [first]
        while (change := self.next_change(changes[-1])) is not None and change <= last:
            changes.append(change)
        period = np.searchsorted(changes, at_ms, side="right") - 1
        # Duty begins and ends in turn, from what held at the first time.
        on: NDArray[np.bool_] = (period % 2 == 0) == self.contains(first)
        return on

    def exception_at(self, at_ms: int) -> CalendarException | None:
        """The exception in force at an instant, whether or not there would be duty."""
        for exception in self._chunk(at_ms // _CHUNK_MS).exceptions:
            if exception.from_ms <= at_ms < exception.to_ms:
                return exception
        return None

    def exceptions(self, from_ms: int, to_ms: int) -> list[CalendarException]:
        """The exceptions that overlap ``[from_ms, to_ms)``, the first to begin first."""
        return _closed(self.calendar_days(from_ms, to_ms))

    def calendar_days(self, from_ms: int, to_ms: int) -> list[CalendarException]:
        """All that the calendar says of ``[from_ms, to_ms)``, also of working days."""
        return self._calendar.between(from_ms, to_ms) if self._calendar else []

    @property
    def troubles(self) -> list[str]:
        """Events of the calendar that could not be computed, and so have no effect."""
        found = self._calendar.troubles if self._calendar else {}
        return [f"event {uid}: {why}" for uid, why in found.items()]

    def duty(self, from_ms: int, to_ms: int) -> Iterator[Window]:
        """The stretches of duty within ``[from_ms, to_ms)``, in order."""
        for index in range(from_ms // _CHUNK_MS, (to_ms - 1) // _CHUNK_MS + 1):
            chunk = self._chunk(index)
            for start, end in zip(chunk.starts, chunk.ends, strict=True):
                stretch = Window(max(start, from_ms), min(end, to_ms))
                if stretch.from_ms < stretch.to_ms:
                    yield stretch

    def duty_ms(self, from_ms: int, to_ms: int) -> int:
        """Duty time in ``[from_ms, to_ms)`` [ms]; 0 when the interval is empty or reversed."""
        if to_ms <= from_ms:
            return 0
        first, last = from_ms // _CHUNK_MS, to_ms // _CHUNK_MS
        whole = self._sum(first, last)
        return whole - _until(self._chunk(first), from_ms) + _until(self._chunk(last), to_ms)

    def duty_s(self, from_ms: int, to_ms: int) -> float:
        """Duty time in ``[from_ms, to_ms)`` [s]."""
        return self.duty_ms(from_ms, to_ms) / 1000

    def advance(self, from_ms: int, duty_ms: int) -> int | None:
        """The first instant by which `duty_ms` of duty have passed since `from_ms` [ms].

        None when that is over a year ahead.
        """
        if duty_ms <= 0:
            return from_ms
        first = from_ms // _CHUNK_MS
        left = duty_ms + _until(self._chunk(first), from_ms)
        for index in range(first, first + _HORIZON_CHUNKS):
            chunk = self._chunk(index)
            if left <= chunk.total:
                found = bisect_right(chunk.before, left - 1) - 1
                return chunk.starts[found] + left - chunk.before[found]
            left -= chunk.total
        return None

    def next_change(self, at_ms: int) -> int | None:
        """The next instant after `at_ms` at which duty begins or ends; None within a year."""
        now = self.contains(at_ms)
        first = at_ms // _CHUNK_MS
        for index in range(first, first + _HORIZON_CHUNKS):
            chunk = self._chunk(index)
            edges = sorted([*chunk.starts, *chunk.ends])
            for edge in edges[bisect_right(edges, at_ms) :]:
                # An edge at which one interval ends and the next begins changes nothing.
                if self.contains(edge) != now:
                    return edge
        return None

    def window_at(self, kind: WindowKind, at_ms: int) -> Window | None:
        """The window an instant lies in; between shifts, the one that ended last.

        Days run from local midnight to midnight, weeks from Monday. None when the first
        shift is yet to come.
        """
        known = self._windows.get(kind)
        if known is not None and known.from_ms <= at_ms < known.to_ms:
            return known
        found = self._latest_shift(at_ms) if kind == "shift" else self._span_of_days(kind, at_ms)
        if found is not None:
            self._windows[kind] = found
        return found

    def windows_ended(self, kind: WindowKind, after_ms: int, until_ms: int) -> list[Window]:
        """Windows that ended in ``(after_ms, until_ms]``, in the order of their ends."""
        if until_ms <= after_ms:
            return []
        if kind == "shift":
            first, last = after_ms // _CHUNK_MS - 1, until_ms // _CHUNK_MS
            shifts = [s for index in range(first, last + 1) for s in self._chunk(index).shifts]
            found = [s for s in shifts if after_ms < s.to_ms <= until_ms]
            return sorted(found, key=lambda window: window.to_ms)
        windows = []
        window = self._span_of_days(kind, after_ms)
        while window.to_ms <= until_ms:
            windows.append(window)
            window = self._span_of_days(kind, window.to_ms)
        return windows

    def _working_as(self, weekday: int) -> int:
        """The day of the week whose hours hold on a make-up working day: Monday for a free one."""
        free = weekday >= _SATURDAY or all(weekday not in span.weekdays for span in self.spans)
        return 0 if free else weekday

    def _latest_shift(self, at_ms: int) -> Window | None:
        """The shift that began last at or before an instant; it may have ended."""
        index = at_ms // _CHUNK_MS
        for shifts in (self._chunk(index).shifts, self._chunk(index - 1).shifts):
            found = bisect_right(shifts, at_ms, key=lambda window: window.from_ms) - 1
            if found >= 0:
                return shifts[found]
        return None

    def _span_of_days(self, kind: WindowKind, at_ms: int) -> Window:
        day = local_day(at_ms, self.tz)
        period = period_of("weekly" if kind == "week" else "daily", day, self.tz)
        return Window(period.from_ms, period.to_ms)

    def _sum(self, first: int, last: int) -> int:
        """Duty in the chunks from one to before another [ms], however many there are."""
        found = self._sums.get((first, last))
        if found is None:
            changed = {
                index
                for day in self.calendar_days(first * _CHUNK_MS, last * _CHUNK_MS)
                if day.kind != "observed"
                for index in range(day.from_ms // _CHUNK_MS, day.to_ms // _CHUNK_MS + 1)
            }
            found = sum(self._total(index, index in changed) for index in range(first, last))
            if len(self._sums) >= _KEPT:
                self._sums.clear()
            self._sums[first, last] = found
        return found

    def _total(self, index: int, changed: bool) -> int:
        """Duty in a chunk [ms]: as in each that begins on the same day of the week, if unchanged.

        Exceptions change it, and changes of the clocks in it or at its edge.
        """
        offset = None if changed else _clock_of(index, self.tz)
        if offset is None:
            return self._chunk(index).total
        key = index % 7, offset
        if key not in self._totals:
            self._totals[key] = self._chunk(index).total
        return self._totals[key]

    def _chunk(self, index: int) -> _Chunk:
        chunk = self._chunks.get(index)
        if chunk is None:
            if len(self._chunks) >= _KEPT:
                self._chunks.clear()
            chunk = self._chunks[index] = self._compute(index)
        return chunk

    def _compute(self, index: int) -> _Chunk:
        begin, end = index * _CHUNK_MS, (index + 1) * _CHUNK_MS
        days = self.calendar_days(begin - 2 * DAY_MS, end + 2 * DAY_MS)
        exceptions = _closed(days)
        shifts = sorted(self._shifts_about(begin, end, [d for d in days if d.kind == "works"]))
        starts: list[int] = []
        ends: list[int] = []
        for duty in _less(_merged(shifts), exceptions):
            if duty.from_ms < end and duty.to_ms > begin:
                starts.append(max(duty.from_ms, begin))
                ends.append(min(duty.to_ms, end))
        lengths = (to_ms - from_ms for from_ms, to_ms in zip(starts, ends, strict=True))
        *before, total = accumulate(lengths, initial=0)
        own = [shift for shift in shifts if begin <= shift.from_ms < end]
        return _Chunk(starts, ends, before, total, own, exceptions)

    def _shifts_about(
        self, begin_ms: int, end_ms: int, working: Sequence[CalendarException]
    ) -> Iterator[Window]:
        # Two days before: a shift over midnight, and any offset of the zone.
        day = datetime.fromtimestamp(begin_ms / 1000, UTC).date() - timedelta(days=2)
        last = datetime.fromtimestamp(end_ms / 1000, UTC).date() + timedelta(days=1)
        while day <= last:
            weekday, noon_ms = day.weekday(), wall(day, DAY_MIN // 2, self.tz)
            if any(each.from_ms <= noon_ms < each.to_ms for each in working):
                weekday = self._working_as(weekday)
            for span in self.spans:
                if weekday in span.weekdays:
                    clock = (span.start_min, span.end_min)
                    shift = Window(*(wall(day, minute, self.tz) for minute in clock))
                    if shift.from_ms < shift.to_ms:  # a gap of the clock can swallow one
                        yield shift
            day += timedelta(days=1)


def _closed(days: Sequence[CalendarException]) -> list[CalendarException]:
    return [day for day in days if day.kind == "closed"]


@lru_cache(maxsize=4096)
def _clock_of(index: int, tz: ZoneInfo) -> timedelta | None:
    """The offset of the clocks about a chunk; None where it changes."""
    begin = datetime.fromtimestamp(index * _CHUNK_MS // 1000, UTC)
    days = (begin + timedelta(days=day) for day in range(-3, 36))
    offsets = {day.astimezone(tz).utcoffset() for day in days}
    return offsets.pop() if len(offsets) == 1 else None


def _until(chunk: _Chunk, at_ms: int) -> int:
    """Duty in the chunk before an instant."""
    found = bisect_right(chunk.starts, at_ms) - 1
    if found < 0:
        return 0
    return chunk.before[found] + min(at_ms, chunk.ends[found]) - chunk.starts[found]


def _merged(windows: Sequence[Window]) -> list[Window]:
    merged: list[Window] = []
    for window in windows:
        if merged and window.from_ms <= merged[-1].to_ms:
            merged[-1] = Window(merged[-1].from_ms, max(merged[-1].to_ms, window.to_ms))
        else:
            merged.append(window)
    return merged


def _less(duty: Sequence[Window], exceptions: Sequence[CalendarException]) -> Iterator[Window]:
    """`duty` without `exceptions`; both sorted."""
    for window in duty:
        start = window.from_ms
        for exception in exceptions:
            if exception.to_ms <= start or exception.from_ms >= window.to_ms:
                continue
            if exception.from_ms > start:
                yield Window(start, exception.from_ms)
            start = exception.to_ms
        if start < window.to_ms:
            yield Window(start, window.to_ms)
