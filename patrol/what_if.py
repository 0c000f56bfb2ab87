"""`patrol replay --what-if`: how a record stands against policies.

A record is judged as the running system would have judged it, once by the policies that are
configured and once by others. Only duty time counts: patrol hours less exceptions and pauses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from alerts.orders import Orders
from alerts.plan import ZonePlan
from alerts.rules import RECORD_SLACK_S
from alerts.store.book_file import BookFile
from geofence.runs import Visits
from patrol.assembly import District
from patrol.config.fields import FOLDER, Name, Section, did_you_mean
from patrol.config.mistakes import Places, complaint, key_of
from patrol.config.sections import Policy
from patrol.config.settings import Settings, keys_of
from patrol.config.toml_tables import Key, parse_tables
from patrol.errors import ConfigError, Problem
from patrol.facts import PATROL_MS

AHEAD_MS = 8 * 86_400_000
"""A window that the record's end lies in ends no later than this after it [ms]."""


class ZoneJudged(msgspec.Struct, frozen=True):
    """One zone against its policy.

    Attributes
    ----------
    zone_id, policy : str
    unpatrolled : int
        How often its frequency was exceeded.
    longest_idle_s : float
        The longest it was not patrolled, the ends of the record included [s of duty].
    windows, windows_short : int
        Windows of the policy that the record covers, and those of them that ended below target.
    """

    zone_id: str
    policy: str
    unpatrolled: int
    longest_idle_s: float
    windows: int
    windows_short: int


class WhatIf(msgspec.Struct, frozen=True):
    """Zones by the policies that are configured, and by the others."""

    configured: list[ZoneJudged]
    zones: list[ZoneJudged]


class _File(Section):
    """What the file of other policies may hold."""

    policies: dict[Name, Policy] = Field(min_length=1)


def policies_of(path: Path, settings: Settings) -> dict[str, Policy]:
    """The policies in a file of ``[policies.*]``, which stand in for those of the same names.

    Raises
    ------
    ConfigError
        With every mistake; a policy that is not configured is one, as no zone names it.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as exc:
        raise ConfigError([Problem(str(path), f"cannot be read: {exc.strerror}")]) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError([Problem(str(path), "is not UTF-8 text")]) from exc
    places = Places(path, text)
    tables, mistakes = parse_tables(text)
    problems = [Problem(f"{path}:{line}", message) for line, message in mistakes]
    if tables is None or problems:
        raise ConfigError(problems)
    token = FOLDER.set(path.parent)
    try:
        found = _File.model_validate(tables).policies
    except ValidationError as exc:
        for error in exc.errors():
            key = key_of(error)
            problems.append(Problem(places.where(key), complaint(error, _siblings(key))))
        raise ConfigError(problems) from exc
    finally:
        FOLDER.reset(token)
    problems = [
        Problem(
            places.where(("policies", name)),
            f"no policy has this name{did_you_mean(name, settings.policies)}",
        )
        for name in found
        if name not in settings.policies
    ]
    if problems:
        raise ConfigError(problems)
    return found


def follow_orders(settings: Settings, *districts: District) -> None:
    """Let what people have ordered lie over the policies: what was paused stays paused.

    Orders are in the alert book of the configured storage; without one there are none.

    Raises
    ------
    BookUnavailable, BookUnreadable
        There is one, and it cannot be read.
    """
    path = settings.storage.path / "alerts.sqlite"
    if not path.exists():
        return
    file = BookFile(path)
    try:
        for district in districts:
            Orders(file, district.policies, ZoneInfo(settings.district.timezone))
    finally:
        file.close()


def judged_by(district: District, visits: Visits, from_ms: int, to_ms: int) -> list[ZoneJudged]:
    """Every zone of a district against its policies, over the record [from_ms, to_ms]."""
    zones = district.atlas.at(to_ms)
    visits = visits.where(district.atlas.layout.own(visits.cell, visits.at_ms, zones))
    order = np.argsort(visits.at_ms, kind="stable")
    cell, at_ms = visits.cell[order], visits.at_ms[order]
    zone_of_visit = zones.cell_zone[cell]
    found = []
    for index, zone in enumerate(zones.zones):
        mine = zone_of_visit == index
        plan = district.policies.plan(zone.zone_id)
        total = int(zones.cells_total[index])
        longest_s, exceeded = _idle(plan, cell[mine], at_ms[mine], total, from_ms, to_ms)
        windows, short = _windows(plan, cell[mine], at_ms[mine], total, from_ms, to_ms)
        found.append(ZoneJudged(zone.zone_id, zone.policy, exceeded, longest_s, windows, short))
    return found


def patrolled_ms(
    cell: NDArray[np.int32], at_ms: NDArray[np.int64], needed: int
) -> NDArray[np.int64]:
    """When a zone was patrolled: at every visit that, with those of 30 min before, made enough.

    Parameters
    ----------
    cell, at_ms : ndarray of shape (n,)
        Visits in the zone, by time [ms].
    needed : int
        Distinct cells that make a patrol.

    Returns
    -------
    ndarray of int64
        Ascending [ms].
    """
    # A visit counts its cell until the next one of that cell does, or half an hour has passed.
    order = np.lexsort((at_ms, cell))
    until_ms = at_ms + PATROL_MS
    same = cell[order][1:] == cell[order][:-1]
    following = at_ms[order][1:][same]
    before = order[:-1][same]
    until_ms[before] = np.minimum(until_ms[before], following)
    counting = np.arange(1, at_ms.size + 1) - np.searchsorted(np.sort(until_ms), at_ms, "right")
    # Visits of one instant all count at it.
    last = np.searchsorted(at_ms, at_ms, "right") - 1
    return at_ms[counting[last] >= needed]


def _idle(
    plan: ZonePlan,
    cell: NDArray[np.int32],
    at_ms: NDArray[np.int64],
    total: int,
    from_ms: int,
    to_ms: int,
) -> tuple[float, int]:
    """The longest idle time [s of duty], and how often the frequency was exceeded."""
    if not total:
        return 0.0, 0
    edges = [from_ms, to_ms]
    # What makes a patrol may change with a campaign; each stretch is asked of its own policy.
    for start_ms, end_ms, policy in plan.parts(from_ms, to_ms + 1):
        times = patrolled_ms(cell, at_ms, min(policy.min_cells, total))
        edges += times[(times >= start_ms) & (times < end_ms)].tolist()
    times = np.unique(np.array(edges, np.int64))
    gaps = np.diff(times)
    longest_s, exceeded = 0.0, 0
    for row in np.argsort(-gaps, kind="stable").tolist():
        start_ms, end_ms = int(times[row]), int(times[row + 1])
        over = any(
            not policy.paused and plan.duty_s(start_ms, upto_ms) > policy.frequency_s
            for _, upto_ms, policy in plan.parts(start_ms, end_ms)
        )
        idle_s = plan.duty_s(start_ms, end_ms)
        exceeded += over
        longest_s = max(longest_s, idle_s)
        # No shorter gap holds more duty, nor exceeds the strictest frequency.
        least_s = min(policy.frequency_s for _, _, policy in plan.parts(from_ms, to_ms + 1))
        if gaps[row] / 1000 <= min(longest_s, least_s):
            break
    return round(longest_s, 1), exceeded


def _windows(
    plan: ZonePlan,
    cell: NDArray[np.int32],
    at_ms: NDArray[np.int64],
    total: int,
    from_ms: int,
    to_ms: int,
) -> tuple[int, int]:
    """Windows with hardly any duty outside the record, and those of them below target."""
    windows = short = 0
    if not total:
        return windows, short
    for window, policy in plan.windows_ended(from_ms, to_ms + AHEAD_MS):
        outside_s = plan.duty_s(window.from_ms, from_ms) + plan.duty_s(to_ms, window.to_ms)
        inside_s = plan.duty_s(window.from_ms, window.to_ms) - outside_s
        if inside_s <= 0 or outside_s > RECORD_SLACK_S:
            continue
        windows += 1
        inside = (at_ms >= window.from_ms) & (at_ms < window.to_ms)
        covered = np.unique(cell[inside]).size
        short += covered < math.ceil(policy.target * total - 1e-9)
    return windows, short


def _siblings(key: Key) -> Mapping[str, object]:
    """The keys that may stand where a key stands."""
    return keys_of(key[:-1]) if len(key) > 1 else _File.model_fields
