"""What calendars of exceptions mean for each policy, in words, and that they can be computed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from alerts.calendar_exceptions import CalendarException
from alerts.duty_hours import Hours
from patrol.assembly import District
from patrol.errors import ConfigError, Problem
from words.times import DAY_MS

AHEAD_DAYS, TOLD_DAYS = 366, 60
MOST_LINES = 40
"""Lines that are told of one calendar."""

_SAYS = {"closed": "no duty", "works": "work as on a Monday", "observed": "no day off"}


def calendars_told(district: District, now_ms: int) -> list[str]:
    """Lines about every calendar: what it says of the next 60 days, and whose it is.

    ConfigError: what the calendar of a policy or campaign says of the year from `now_ms` on cannot
    be computed.
    """
    settings = district.settings
    tz = settings.district.tz
    named: dict[Path, list[str]] = defaultdict(list)
    hours: dict[Path, Hours] = {}
    problems: list[Problem] = []
    for kind, sections in (("policy", settings.policies), ("campaign", settings.campaigns)):
        for name, section in sections.items():
            if (file := section.exceptions) is None:
                continue
            named[file].append(f"{kind} {name}")
            hours[file] = own = Hours.parse(section.hours or (), tz, district.calendars[str(file)])
            own.duty_ms(now_ms, now_ms + AHEAD_DAYS * DAY_MS)
            problems += [
                Problem(f"{kind} {name}: exceptions", f"cannot be computed: {why}")
                for why in own.troubles
            ]
    if problems:
        raise ConfigError(problems)
    lines = []
    for file, own in hours.items():
        days = own.calendar_days(now_ms, now_ms + TOLD_DAYS * DAY_MS)
        told = list(_told(days, tz)) or ["  nothing"]
        lines.append(f"{', '.join(named[file])}: {file.name} in the next {TOLD_DAYS} days:")
        lines += told[:MOST_LINES]
        lines += [f"  and {more} more"] if (more := len(told) - MOST_LINES) > 0 else []
    return lines


def _told(days: Sequence[CalendarException], tz: ZoneInfo) -> Iterator[str]:
    """A line for each day, and one for all of those that have the same name, if they are many."""
    alike: dict[tuple[str, str], list[CalendarException]] = defaultdict(list)
    for day in days:
        alike[day.kind, day.summary].append(day)
    for (kind, summary), group in alike.items():
        if len(group) > 3:
            first, last = (_span(day, tz) for day in (group[0], group[-1]))
            yield f"  {_SAYS[kind]}: {summary}: {len(group)} times, {first} … {last}"
        else:
            yield from (f"  {_SAYS[kind]}: {summary}: {_span(day, tz)}" for day in group)


def _span(day: CalendarException, tz: ZoneInfo) -> str:
    """When something begins and ends on the district's clock, in words; whole days as days."""
    begins, ends, last = (
        datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(tz)
        for at_ms in (day.from_ms, day.to_ms, day.to_ms - 1)
    )
    date = f"{begins:%a %Y-%m-%d}"
    if f"{begins:%H:%M}{ends:%H:%M}" == "00:0000:00":
        days = (last.date() - begins.date()).days + 1
        return date if days == 1 else f"{date} to {last:%a %Y-%m-%d} ({days} days)"
    until = f"{ends:%H:%M}" if ends.date() == begins.date() else f"{ends:%a %Y-%m-%d %H:%M}"
    return f"{date} {begins:%H:%M} to {until}"
