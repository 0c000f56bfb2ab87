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

from alerts.calendar_exceptions import instant

Kind = Literal["daily", "weekly", "monthly"]

KINDS: tuple[Kind, ...] = ("daily", "weekly", "monthly")


class Period(NamedTuple):
    """One day, week or month.

    Attributes
    ----------
    kind : {"daily", "weekly", "monthly"}
        Which.
    name : str
        ``2026-11-23``, ``2026-W48`` or ``2026-11``; unique within its kind.
    from_ms, to_ms : int
        ``[from_ms, to_ms)``.
    """

    kind: Kind
    name: str
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
    return Period(kind, name, _midnight(first, tz), _midnight(after, tz))


def last_whole(kind: Kind, now_ms: int, tz: ZoneInfo) -> date:
    """A day of the last day, week or month that has ended."""
    first, _ = _bounds(kind, local_day(now_ms, tz))
    return first - timedelta(days=1)


def due_between(
    kind: Kind, after_ms: int, until_ms: int, at_min: int, tz: ZoneInfo
) -> list[tuple[int, Period]]:
    """The bulletins that come due in ``(after_ms, until_ms]``, in order.

    Parameters
    ----------
    kind : {"daily", "weekly", "monthly"}
        Which.
    after_ms, until_ms : int
        From when, until when.
    at_min : int
        Minute of the local day at which they are due.
    tz : ZoneInfo
        The district's time zone.

    Returns
    -------
    list of (int, Period)
        When each is due, and the period that has ended just before.
    """
    found = []
    day, _ = _bounds(kind, local_day(after_ms, tz))
    while (due_ms := _wall(day, at_min, tz)) <= until_ms:
        if due_ms > after_ms:
            found.append((due_ms, period_of(kind, day - timedelta(days=1), tz)))
        _, day = _bounds(kind, day)
    return found


def next_due_ms(kind: Kind, after_ms: int, at_min: int, tz: ZoneInfo) -> int:
    """When the next bulletin is due after an instant."""
    day, following = _bounds(kind, local_day(after_ms, tz))
    due_ms = _wall(day, at_min, tz)
    return due_ms if due_ms > after_ms else _wall(following, at_min, tz)


def local_day(at_ms: int, tz: ZoneInfo) -> date:
    """The day on the district's calendar."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(tz).date()


def _bounds(kind: Kind, day: date) -> tuple[date, date]:
    """First day of the period in which a day lies, and of the period after it."""
    if kind == "daily":
        return day, day + timedelta(days=1)
    if kind == "weekly":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


def _wall(day: date, minute: int, tz: ZoneInfo) -> int:
    return instant(datetime.combine(day, time(minute // 60, minute % 60)), tz)


def _midnight(day: date, tz: ZoneInfo) -> int:
    return _wall(day, 0, tz)
