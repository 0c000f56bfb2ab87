"""The patrol policy of a zone, as written in the configuration.

A policy says two things, and both count duty time only: the *frequency*, the longest a
zone may stay without being patrolled, and the *target*, the covered ratio to reach by the
end of each *window*. A campaign overrides any key of the policy of some zones between two
dates; a pause (weather, closure) is a campaign that sets ``paused``, and then nothing else of it
counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from typing import cast, get_args
from zoneinfo import ZoneInfo

from alerts.duty_hours import ALWAYS, Hours, span_text
from alerts.errors import PolicyError, Problem
from geofence.windows import Asked, WindowKind
from words.times import bounded_ms, duration_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Asked):
    """What is asked of a zone, and when."""

    hours: Hours  # patrol hours less exceptions
    min_cell_m: float = 20.0  # length of path inside a cell that makes a visit [m]
    look_back_s: int | None = None  # to patrol again a zone that was overdue [s of duty]
    auto_close: bool = True  # whether a returned alert closes by itself
    # On the clock, so that a correction by late telemetry can come before it closes [s].
    close_hold_s: int = 60


@dataclass(frozen=True, slots=True)
class Campaign:
    """Overrides the policy of some zones in ``[from_ms, to_ms)`` [ms since the epoch]."""

    name: str
    zones: tuple[str, ...]
    from_ms: int
    to_ms: int
    keys: Mapping[str, object]  # of a policy, as in the configuration


REQUIRED_KEYS = frozenset({"frequency", "target", "window"})
POLICY_KEYS = REQUIRED_KEYS | {
    *("min_cells", "min_cell_m", "look_back", "hours", "exceptions", "paused"),
    *("auto_close", "close_hold"),
}
CAMPAIGN_KEYS = frozenset({"zones", "from", "to"})
QUARTER_MIN = 15
"""Coverage is kept by the quarter of an hour: two visits of a cell in it are known [min]."""
_HOURS = frozenset({"hours", "exceptions"})


def parse_policy(
    name: str,
    keys: Mapping[str, object],
    tz: ZoneInfo,
    calendars: Mapping[str, str] | None = None,
    *,
    where: str | None = None,
) -> Policy:
    """A policy from the keys of its section.

    ``frequency``, ``target`` and ``window`` are required. `calendars` is the text of the .ics files
    by the name that ``exceptions`` gives them; problems name the section `where`, by default
    ``policies.<name>``.

    PolicyError: with everything that is wrong, each with its key.
    """
    where = where or f"policies.{name}"
    problems: list[Problem] = []

    def take(key: str, read: Callable[[object], object], default: object = None) -> object:
        if key not in keys or keys[key] is None:
            if key in REQUIRED_KEYS:
                problems.append(Problem(f"{where}.{key}", "is required"))
            return default
        try:
            return read(keys[key])
        except ValueError as exc:
            problems.append(Problem(f"{where}.{key}", str(exc)))
            return default

    for key in sorted(set(keys) - POLICY_KEYS):
        near = get_close_matches(key, POLICY_KEYS, 1) or sorted(POLICY_KEYS)
        hint = f"is not a key of a policy; did you mean {' or '.join(near)}?"
        problems.append(Problem(f"{where}.{key}", hint))
    values = {
        "frequency_s": take("frequency", _frequency),
        "target": take("target", _ratio),
        "window": take("window", _window),
        "min_cells": take("min_cells", _cells, 5),
        "min_cell_m": take("min_cell_m", _metres, 20.0),
        "look_back_s": take("look_back", duration_s),
        "auto_close": take("auto_close", _switch, True),
        "close_hold_s": take("close_hold", duration_s, 60),
        "paused": take("paused", _why, ""),
    }
    lines = take("hours", _lines, [ALWAYS])
    calendar = take("exceptions", lambda value: _calendar(value, calendars or {}))
    try:
        hours = Hours.parse(cast("list[str]", lines), tz, cast("str | None", calendar))
    except PolicyError as exc:
        problems += [Problem(f"{where}.{p.where}", p.message) for p in exc.problems]
    else:
        if values["window"] == "shift":
            problems += [
                Problem(
                    f"{where}.hours",
                    f"a shift ends at {span_text(span)[-5:]}; coverage is kept by the quarter of "
                    "an hour, so where each shift has a target it must end on :00, :15, :30 or :45",
                )
                for span in hours.spans
                if span.end_min % QUARTER_MIN
            ]
    if problems:
        raise PolicyError(problems)
    return Policy(name=name, hours=hours, **values)  # type: ignore[arg-type]


def parse_campaign(name: str, keys: Mapping[str, object], tz: ZoneInfo) -> Campaign:
    """A campaign from the keys of its section; its policy keys are read with the policy.

    ``from`` and ``to`` are dates or date-times, local unless they carry an offset; a date
    as ``to`` is its last day.

    PolicyError: with everything that is wrong, each with its key.
    """
    where = f"campaigns.{name}"
    problems: list[Problem] = []
    zones = keys.get("zones")
    if not isinstance(zones, list | tuple) or not zones:
        problems.append(Problem(f"{where}.zones", 'must list zone ids, as in ["Z01", "Z02"]'))
        zones = ()
    span: dict[str, int] = {}
    for key, last in (("from", False), ("to", True)):
        try:
            span[key] = _date_ms(keys.get(key), tz, last=last)
        except ValueError as exc:
            problems.append(Problem(f"{where}.{key}", str(exc)))
    if len(span) == 2 and span["from"] >= span["to"]:
        problems.append(Problem(f"{where}.to", "must be after from"))
    if problems:
        raise PolicyError(problems)
    rest = {key: value for key, value in keys.items() if key not in CAMPAIGN_KEYS}
    return Campaign(name, tuple(map(str, zones)), span["from"], span["to"], rest)


def overridden(
    policy: Policy,
    base: Mapping[str, object],
    campaign: Campaign,
    tz: ZoneInfo,
    calendars: Mapping[str, str] | None = None,
) -> Policy:
    """`policy`, whose section is `base`, under a campaign; PolicyError names its keys."""
    why = campaign.keys.get("paused")
    if len(campaign.keys) == 1 and isinstance(why, str):
        return replace(policy, paused=why)  # pauses are many, and need no parsing
    keys = {**base, **campaign.keys}
    shared = not campaign.keys.keys() & _HOURS
    if shared:  # read once, and so computed once
        keys = {key: value for key, value in keys.items() if key not in _HOURS}
    parsed = parse_policy(policy.name, keys, tz, calendars, where=f"campaigns.{campaign.name}")
    if shared:
        parsed = replace(parsed, hours=policy.hours)
    return replace(parsed, campaign=campaign.name)


def _frequency(value: object) -> int:
    seconds = duration_s(value)
    if seconds <= 0:
        raise ValueError("must be longer than 0")
    return seconds


def _ratio(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ValueError(f"{value!r} is not a ratio over 0 and up to 1, as in 0.8")
    return float(value)


def _window(value: object) -> str:
    if value not in get_args(WindowKind):
        raise ValueError(f"{value!r} is not one of {', '.join(get_args(WindowKind))}")
    return str(value)


def _cells(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1_000_000:
        raise ValueError(f"{value!r:.80} is not a number of cells, 1 to a million")
    return value


def _metres(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10_000:
        raise ValueError(f"{value!r:.80} is not a length of 0 to 10,000 metres")
    return float(value)


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _why(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f'{value!r} does not say why, as in "typhoon"')
    return value


def _lines(value: object) -> list[str]:
    lines = [value] if isinstance(value, str) else value
    if not isinstance(lines, list | tuple) or not all(isinstance(line, str) for line in lines):
        raise ValueError('must be a list of hours, as in ["Mon-Sun 08:00-18:00"]')
    return list(lines)


def _calendar(value: object, calendars: Mapping[str, str]) -> str:
    text = calendars.get(str(value))
    if text is None:
        raise ValueError(f"the calendar {str(value)!r} was not found")
    return text


def _date_ms(value: object, tz: ZoneInfo, *, last: bool) -> int:
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
        except ValueError:
            value = None
    if isinstance(value, datetime):
        return bounded_ms(value, tz)
    if isinstance(value, date):
        begins = datetime(value.year, value.month, value.day, tzinfo=tz)
        bounded_ms(begins)  # the last day of the year 9999 has no day after it
        return bounded_ms(begins + timedelta(days=int(last)))
    raise ValueError("must be a date (2026-10-01) or a date and time (2026-10-01T08:00)")
