"""The instants and durations that may come from outside, and how people write durations. Pure.

Whoever reads one (API, configuration, zones, calendars, commands, telemetry) holds it to these
bounds, so that every instant that is kept can be shown in any time zone and reckoned with.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import UTC, datetime, tzinfo
from typing import Final

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

FIRST_MS: Final = 0
"""The first instant that there is: the beginning of 1970, UTC [ms since the epoch]."""
LAST_MS: Final = 4_102_444_800_000
"""The last one: the beginning of 2100, UTC [ms since the epoch]."""
LONGEST_S: Final = 3_660 * 86_400
"""The longest duration: ten years [s]."""

_DURATION = re.compile(
    r"(?:(\d{1,10})d)?\s*(?:(\d{1,10})h)?\s*(?:(\d{1,10})m(?:in)?)?\s*(?:(\d{1,10})s)?"
)


def bounded_ms(at: datetime | int, local: tzinfo = UTC) -> int:
    """A time, or ms since the epoch, as ms since the epoch; without an offset a time is `local`.

    ValueError: out of bounds.
    """
    try:
        if isinstance(at, datetime):
            at_ms = round(at.timestamp() * 1000) if at.tzinfo else instant(at, local)
        else:
            at_ms = at
    except OverflowError:  # the first and the last day there are have no other side
        at_ms = -1
    if not FIRST_MS <= at_ms <= LAST_MS:
        raise ValueError("must lie between the years 1970 and 2100")
    return at_ms


def held_ms(at_ms: int) -> int:
    """The nearest instant that there is: of one that an older version has kept."""
    return min(max(at_ms, FIRST_MS), LAST_MS)


def instant(local: datetime, tz: tzinfo) -> int:
    """The instant of a naive local time [ms since the epoch].

    A time that occurs twice is the first of the two (RFC 5545, 3.3.5). One that does not occur is
    when the clocks go forward, so that of a stretch that begins or ends there that much is left
    which exists, and no stretch ends before it begins.
    """
    at = local.replace(tzinfo=tz, fold=0)
    before, after = at.utcoffset(), at.replace(fold=1).utcoffset()
    late = round(at.timestamp() * 1000)
    if before is None or after is None or before >= after:
        return late
    early_s = late // 1000 - int((after - before).total_seconds())
    changed = bisect_left(
        range(early_s, late // 1000),
        True,
        key=lambda at_s: datetime.fromtimestamp(at_s, tz).utcoffset() == after,
    )
    return (early_s + changed) * 1000


def duration_s(value: object) -> int:
    """Seconds of "2h", "1h30m", "45m", "90s", "1d" or a whole number of seconds.

    ValueError: it is none of these, or longer than ten years.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        seconds = value
    else:
        match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None or not any(match.groups()):
            raise ValueError(
                f'{value!r:.80} is not a duration; write "2h", "1h30m", "45m" or "90s"'
            )
        days, hours, minutes, rest = (int(part or 0) for part in match.groups())
        seconds = ((days * 24 + hours) * 60 + minutes) * 60 + rest
    if seconds > LONGEST_S:
        raise ValueError(f"is longer than ten years ({LONGEST_S // 86_400} days)")
    return seconds
