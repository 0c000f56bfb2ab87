"""The lines in which patrol hours are written.

Mon-Sun 08:00-18:00        every day
Mon,Wed 22:00-02:00        over midnight; the days are those on which it begins
Sat-Mon 00:00-24:00        days may wrap around the week
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MIN = 24 * 60
ALWAYS = "Mon-Sun 00:00-24:00"

_NAMES = [day.capitalize() for day in DAYS]
_SPAN = re.compile(r"\s*([A-Za-z,\s-]+?)\s+(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*")


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
    parts: list[list[int]] = []
    for day in sorted(span.weekdays):
        if parts and parts[-1][-1] == day - 1:
            parts[-1].append(day)
        else:
            parts.append([day])
    days = [
        name
        for part in parts
        for name in (
            [f"{_NAMES[part[0]]}-{_NAMES[part[-1]]}"]
            if len(part) > 2
            else [_NAMES[d] for d in part]
        )
    ]
    end_min = span.end_min if span.end_min <= DAY_MIN else span.end_min - DAY_MIN
    clock = "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (span.start_min, end_min))
    return f"{','.join(days)} {clock}"


def overlap(spans: Sequence[Span]) -> str | None:
    """What overlaps, if any two lines do: a shift must be one shift."""
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
