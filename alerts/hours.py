"""Patrol hours: when bikes are expected to patrol, and how much duty time lies between.

Hours are spans of the week (:mod:`alerts.spans`) on the district's clock, less exceptions.
Intervals are closed at the start and open at the end, in ms since the epoch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from alerts.closures import Closure, Occasion, instant, parse_calendar
from alerts.errors import PolicyError, Problem
from alerts.spans import ALWAYS, DAY_MIN, Span, overlap, parse_span

WindowKind = Literal["shift", "day", "week"]


_DAY_MS = 86_400_000
_CHUNK_MS = 32 * _DAY_MS
_HORIZON_CHUNKS = 14  # over a year: a district without duty for that long has none


class Window(NamedTuple):
    """``[from_ms, to_ms)``."""

    from_ms: int
    to_ms: int


class _Chunk(NamedTuple):
    """What is known about 32 days: computed once, then looked up by bisection."""

    starts: list[int]
    ends: list[int]
    before: list[int]  # duty before each start, within the chunk
    total: int
    shifts: list[Window]  # those that start in the chunk
    closures: list[Closure]


class Hours:
    """Patrol hours less exceptions, in one time zone.

    Parameters
    ----------
    spans : sequence of Span
        The weekly pattern; not overlapping.
    tz : ZoneInfo
        The district's time zone.
    exceptions : sequence of Occasion
        Events during which there is no duty.
    """

    def __init__(
        self, spans: Sequence[Span], tz: ZoneInfo, exceptions: Sequence[Occasion] = ()
    ) -> None:
        self.spans = tuple(spans)
        self.tz = tz
        self.exceptions = tuple(exceptions)
        self._chunks: dict[int, _Chunk] = {}
        self._windows: dict[WindowKind, Window] = {}

    @classmethod
    def parse(cls, spans: Sequence[str], tz: ZoneInfo, exceptions: str | None = None) -> Hours:
        """Read patrol hours.

        Parameters
        ----------
        spans : sequence of str
            As above; an empty sequence is always on duty.
        tz : ZoneInfo
            The district's time zone.
        exceptions : str, optional
            The text of an .ics file.

        Raises
        ------
        PolicyError
            With every line that is wrong, or overlaps another.
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
        occasions: tuple[Occasion, ...] = ()
        if exceptions is not None:
            try:
                occasions = parse_calendar(exceptions, tz)
            except PolicyError as exc:
                problems += [
                    Problem(f"exceptions {p.where}".rstrip(), p.message) for p in exc.problems
                ]
        if problems:
            raise PolicyError(problems)
        return cls(parsed, tz, occasions)

    def contains(self, at_ms: int) -> bool:
        """Whether there is duty at an instant."""
        chunk = self._chunk(at_ms // _CHUNK_MS)
        found = bisect_right(chunk.starts, at_ms) - 1
        return found >= 0 and at_ms < chunk.ends[found]

    def closure_at(self, at_ms: int) -> Closure | None:
        """The exception in force at an instant, whether or not there would be duty."""
        for closure in self._chunk(at_ms // _CHUNK_MS).closures:
            if closure.from_ms <= at_ms < closure.to_ms:
                return closure
        return None

    def closures(self, from_ms: int, to_ms: int) -> list[Closure]:
        """The exceptions that overlap ``[from_ms, to_ms)``, the first to begin first."""
        return sorted(c for e in self.exceptions for c in e.between(from_ms, to_ms))

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
        whole = sum(self._chunk(index).total for index in range(first, last))
        return whole - _until(self._chunk(first), from_ms) + _until(self._chunk(last), to_ms)

    def duty_s(self, from_ms: int, to_ms: int) -> float:
        """Duty time in ``[from_ms, to_ms)`` [s]."""
        return self.duty_ms(from_ms, to_ms) / 1000

    def advance(self, from_ms: int, duty_ms: int) -> int | None:
        """The first instant by which `duty_ms` of duty have passed since `from_ms`.

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

    def shift_of(self, at_ms: int) -> Window | None:
        """The shift that is on at an instant: one occurrence of one line of patrol hours.

        Exceptions do not move its ends: they only take duty out of it.
        """
        window = self._latest_shift(at_ms)
        return window if window is not None and at_ms < window.to_ms else None

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

    def _latest_shift(self, at_ms: int) -> Window | None:
        """The shift that began last at or before an instant; it may have ended."""
        index = at_ms // _CHUNK_MS
        for shifts in (self._chunk(index).shifts, self._chunk(index - 1).shifts):
            found = bisect_right(shifts, at_ms, key=lambda window: window.from_ms) - 1
            if found >= 0:
                return shifts[found]
        return None

    def _span_of_days(self, kind: WindowKind, at_ms: int) -> Window:
        today = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self.tz).date()
        days = 1
        if kind == "week":
            today -= timedelta(days=today.weekday())
            days = 7
        return Window(self._wall(today, 0), self._wall(today, days * DAY_MIN))

    def _wall(self, day: date, minute: int) -> int:
        """The instant of a minute counted from the midnight at which a day begins."""
        days, minute = divmod(minute, DAY_MIN)
        at = datetime.combine(day + timedelta(days=days), time(minute // 60, minute % 60))
        return instant(at, self.tz)

    def _chunk(self, index: int) -> _Chunk:
        chunk = self._chunks.get(index)
        if chunk is None:
            chunk = self._chunks[index] = self._compute(index)
        return chunk

    def _compute(self, index: int) -> _Chunk:
        begin, end = index * _CHUNK_MS, (index + 1) * _CHUNK_MS
        shifts = sorted(self._shifts_about(begin, end))
        closures = self.closures(begin, end)
        starts: list[int] = []
        ends: list[int] = []
        for duty in _less(_merged(shifts), closures):
            if duty.from_ms < end and duty.to_ms > begin:
                starts.append(max(duty.from_ms, begin))
                ends.append(min(duty.to_ms, end))
        before, total = [], 0
        for from_ms, to_ms in zip(starts, ends, strict=True):
            before.append(total)
            total += to_ms - from_ms
        own = [shift for shift in shifts if begin <= shift.from_ms < end]
        return _Chunk(starts, ends, before, total, own, closures)

    def _shifts_about(self, begin_ms: int, end_ms: int) -> Iterator[Window]:
        # Two days before: a shift over midnight, and any offset of the zone.
        day = datetime.fromtimestamp(begin_ms / 1000, UTC).date() - timedelta(days=2)
        last = datetime.fromtimestamp(end_ms / 1000, UTC).date() + timedelta(days=1)
        while day <= last:
            for span in self.spans:
                if day.weekday() in span.weekdays:
                    shift = Window(self._wall(day, span.start_min), self._wall(day, span.end_min))
                    if shift.from_ms < shift.to_ms:  # a gap of the clock can swallow one
                        yield shift
            day += timedelta(days=1)


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


def _less(duty: Sequence[Window], closures: Sequence[Closure]) -> Iterator[Window]:
    """`duty` without `closures`; both sorted."""
    for window in duty:
        start = window.from_ms
        for closure in closures:
            if closure.to_ms <= start or closure.from_ms >= window.to_ms:
                continue
            if closure.from_ms > start:
                yield Window(start, closure.from_ms)
            start = closure.to_ms
        if start < window.to_ms:
            yield Window(start, window.to_ms)
