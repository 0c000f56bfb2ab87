"""The instants and durations that may come from outside, and how people write durations. Pure.

Whoever reads one (API, configuration, zones, calendars, commands, telemetry) holds it to these
bounds, so that every instant that is kept can be shown in any time zone and reckoned with.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

FIRST_MS: Final = 0
"""The first instant that there is: the beginning of 1970, UTC [ms since the epoch]."""
LAST_MS: Final = 4_102_444_800_000
"""The last one: the beginning of 2100, UTC [ms since the epoch]."""
LONGEST_S: Final = 3_660 * 86_400
"""The longest duration: ten years [s]."""

_DURATION = re.compile(
    r"(?:(\d{1,10})d)?\s*(?:(\d{1,10})h)?\s*(?:(\d{1,10})m(?:in)?)?\s*(?:(\d{1,10})s)?"
)


def bounded_ms(at: datetime | int) -> int:
    """An aware time, or ms since the epoch, as ms since the epoch. ValueError: out of bounds."""
    try:
        at_ms = round(at.timestamp() * 1000) if isinstance(at, datetime) else at
    except OverflowError:  # the first and the last day there are have no other side
        at_ms = -1
    if not FIRST_MS <= at_ms <= LAST_MS:
        raise ValueError("must lie between the years 1970 and 2100")
    return at_ms


def held_ms(at_ms: int) -> int:
    """The nearest instant that there is: of one that an older version has kept."""
    return min(max(at_ms, FIRST_MS), LAST_MS)


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
