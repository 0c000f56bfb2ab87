"""The days, weeks and months that bulletins are about, on the district's calendar. Pure.

| bulletin | about | due |
| --- | --- | --- |
| daily (每日催办) | the day before | every day |
| weekly (每周督办) | the week before, Monday to Sunday | on Monday |
| monthly (每月通报) | the month before | on the 1st |
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from words.times import instant

Kind = Literal["daily", "weekly", "monthly"]

DAY_MIN = 24 * 60
"""Minutes of a day on the clock."""
KINDS: tuple[Kind, ...] = ("daily", "weekly", "monthly")


class Period(NamedTuple):
    """One day, week or month: ``[from_ms, to_ms)``."""

    kind: Kind
    name: str  # ``2026-11-23``, ``2026-W48`` or ``2026-11``; unique within its kind
    from_ms: int
    to_ms: int


def period_of(kind: Kind, day: date, tz: ZoneInfo) -> Period:
    """The day, week or month in which a day lies."""
    first, after = _bounds(kind, day)
    if kind == "daily":
        name = first.isoformat()
    elif kind == "weekly":
        year, week, _ = first.isocalendar()
        name = f"{year}-W{week:02}"
    else:
        name = f"{first:%Y-%m}"
    return Period(kind, name, wall(first, 0, tz), wall(after, 0, tz))


def last_whole(kind: Kind, now_ms: int, tz: ZoneInfo) -> date:
    """The last day of the last day, week or month that has ended."""
    first, _ = _bounds(kind, local_day(now_ms, tz))
    return first - timedelta(days=1)


def due_between(
    kind: Kind, after_ms: int, until_ms: int, at_min: int, tz: ZoneInfo
) -> list[tuple[int, Period]]:
    """The bulletins that come due in ``(after_ms, until_ms]`` at a minute of the local day.

    In order: when each is due [ms], and the period that has ended just before.
    """
    found = []
    day, _ = _bounds(kind, local_day(after_ms, tz))
    while (due_ms := wall(day, at_min, tz)) <= until_ms:
        if due_ms > after_ms:
            found.append((due_ms, period_of(kind, day - timedelta(days=1), tz)))
        _, day = _bounds(kind, day)
    return found


def next_due_ms(kind: Kind, after_ms: int, at_min: int, tz: ZoneInfo) -> int:
    """When the next bulletin is due after an instant, which is excluded [ms]."""
    day, following = _bounds(kind, local_day(after_ms, tz))
    due_ms = wall(day, at_min, tz)
    return due_ms if due_ms > after_ms else wall(following, at_min, tz)


def local_day(at_ms: int, tz: ZoneInfo) -> date:
    """The day on the district's calendar."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(tz).date()


def wall(day: date, minute: int, tz: ZoneInfo) -> int:
    """The instant of a minute counted from the midnight at which a day begins [ms]."""
    days, minute = divmod(minute, DAY_MIN)
    at = datetime.combine(day + timedelta(days=days), time(minute // 60, minute % 60))
    return instant(at, tz)


def _bounds(kind: Kind, day: date) -> tuple[date, date]:
    """First day of the period in which a day lies, and of the period after it."""
    if kind == "daily":
        return day, day + timedelta(days=1)
    if kind == "weekly":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)
