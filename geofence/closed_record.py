"""Figures of zones over a closed record: coverage, idle times, and the windows in it.

Idle times are of duty: nobody is late in the night.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geofence.idleness import duty_idleness
from geofence.record import Record, patrolled_ms
from geofence.runs import Visits
from geofence.windows import RECORD_SLACK_S, Plan, Verdict, Window, Zone, judge_window
from words.times import DAY_MS

AHEAD_MS = 8 * DAY_MS
"""A window that the record's end lies in ends no later than this after it [ms]."""


class ZoneRecord(NamedTuple):
    """One zone against its plan."""

    cells_covered: int  # its cells that were visited
    # Of the cells that were visited, so that one left out does not hide the others [s of duty];
    # None without a visit or duty.
    worst_idle_s: float | None
    # Of all its cells [s of duty]; None in a record without duty.
    mean_idle_s: float | None
    unpatrolled: int  # how often its frequency was exceeded
    # The longest it was not patrolled, the ends of the record included [s of duty].
    longest_idle_s: float
    windows: Counter[Verdict]  # windows with hardly any duty outside the record, by verdict


def zone_record(zone: Zone, visits: Visits, cells: NDArray[np.int32]) -> ZoneRecord:
    """Measure a zone from the beginning of its record to its end.

    The record of the zone is as of a millisecond after the last fix, which belongs to it. `visits`
    are all in the zone, by time: the record knows two of a quarter of an hour. `cells`, of
    shape (cells,), are those of the zone, which rise.
    """
    from_ms, to_ms = zone.record.since_ms, zone.record.now_ms - 1
    if not zone.ref.cells_total:
        return ZoneRecord(0, None, None, 0, 0.0, Counter())
    times = _patrols(zone, visits, from_ms, to_ms)
    gaps = np.diff(times)
    longest_s, exceeded = 0.0, 0
    plan = zone.plan
    # No shorter gap holds more duty, nor exceeds the strictest frequency.
    least_s = min(asked.frequency_s for _, _, asked in plan.parts(from_ms, to_ms + 1))
    for row in np.argsort(-gaps, kind="stable").tolist():
        if gaps[row] / 1000 <= min(longest_s, least_s):
            break
        start_ms, end_ms = int(times[row]), int(times[row + 1])
        exceeded += _exceeded(plan, start_ms, end_ms)
        longest_s = max(longest_s, plan.duty_s(start_ms, end_ms))
    duty = list(plan.duty(from_ms, to_ms + 1))
    idle = duty_idleness(visits.cell, visits.at_ms, cells, duty)
    visited = np.isin(cells, visits.cell)
    return ZoneRecord(
        cells_covered=int(visited.sum()),
        worst_idle_s=round(float(idle.worst_s[visited].max()), 1)
        if idle and visited.any()
        else None,
        mean_idle_s=round(float(idle.mean_s.mean()), 1) if idle else None,
        unpatrolled=exceeded,
        longest_idle_s=round(longest_s, 1),
        windows=_windows(zone, from_ms, to_ms),
    )


def _patrols(zone: Zone, visits: Visits, from_ms: int, to_ms: int) -> NDArray[np.int64]:
    """The ends of the record and the instants between them at which the zone was patrolled."""
    edges = [from_ms, to_ms]
    # What makes a patrol may change with a campaign; each stretch is asked of its own policy.
    for start_ms, end_ms, asked in zone.plan.parts(from_ms, to_ms + 1):
        needed = min(asked.min_cells, zone.ref.cells_total)
        times = patrolled_ms(visits.cell, visits.at_ms, needed)
        edges += times[(times >= start_ms) & (times < end_ms)].tolist()
    return np.unique(np.array(edges, np.int64))


def _exceeded(plan: Plan, from_ms: int, to_ms: int) -> bool:
    """Tell whether a time without a patrol came to exceed the frequency."""
    return any(
        not asked.paused and plan.duty_s(from_ms, upto_ms) > asked.frequency_s
        for _, upto_ms, asked in plan.parts(from_ms, to_ms)
    )


def _windows(zone: Zone, from_ms: int, to_ms: int) -> Counter[Verdict]:
    found: Counter[Verdict] = Counter()
    plan = zone.plan
    for window, asked in plan.windows_ended(from_ms, to_ms + AHEAD_MS):
        outside_s = plan.duty_s(window.from_ms, from_ms) + plan.duty_s(to_ms, window.to_ms)
        if plan.duty_s(*window) > outside_s and outside_s <= RECORD_SLACK_S:
            within = Window(window.from_ms, min(window.to_ms, to_ms + 1))
            found[judge_window(zone, within, asked).verdict] += 1
    return found


def zone_records(record: Record, plans: dict[str, Plan], visits: Visits) -> dict[str, ZoneRecord]:
    """Measure all zones of a record, which is as of its end, by their ids.

    `plans` say what is asked of each zone; `visits` are all that the record holds, in any order.
    """
    zones = record.layout.era_at(record.now_ms).zones
    visits = visits.where(record.layout.own(visits.cell, visits.at_ms, zones))
    visits = visits.where(np.argsort(visits.at_ms, kind="stable"))
    return {
        ref.zone_id: zone_record(
            Zone(ref, plans[ref.zone_id], record),
            visits.where(zones.cell_zone[visits.cell] == zones.index(ref.zone_id)),
            zones.cells(ref.zone_id),
        )
        for ref in record.zones()
    }
