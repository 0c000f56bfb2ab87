"""The local days of a zone: what was covered, against what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from alerts.days import reached
from alerts.hours import Window
from alerts.periods import period_of
from dashboards.api import answers
from dashboards.sources import Sources
from geofence.coverage import Rows, union_between
from geofence.zone_days import zone_day
from geofence.zonemap import ZoneMap

DAY_MS = 86_400_000


def local_days(first: date | None, last: date, most: int) -> list[date]:
    """The dates from `first` to `last`, both included; without a first, the last `most`."""
    begin = last - timedelta(days=most - 1) if first is None else first
    return [begin + timedelta(days=n) for n in range((last - begin).days + 1)]


def days_of(
    sources: Sources, zone_id: str, dates: Sequence[date], parts: Sequence[Rows], now_ms: int
) -> list[answers.ZoneDay]:
    """Those of some days of which something is known.

    Each day is measured by the zones there were at its end, or are now; of the visits, those
    that were made in the zone.

    Parameters
    ----------
    parts : sequence of Rows
        The ledger's, as taken on the event loop.
    now_ms : int
        When [ms].
    """
    known_from_ms = sources.known_from_ms()
    days = [
        (day, Window(period.from_ms, period.to_ms))
        for day in dates
        for period in [period_of("daily", day, sources.tz)]
        if period.to_ms > known_from_ms and period.from_ms <= now_ms
    ]
    if not days:
        return []
    # A shift that ends on the first day may have begun on the one before.
    rows = union_between(parts, days[0][1].from_ms - DAY_MS, days[-1][1].to_ms)
    plan = sources.plan(zone_id)
    visits: tuple[ZoneMap, _Visits] | None = None
    found: list[answers.ZoneDay] = []
    for day, window in days:
        zones = sources.zones_at(min(window.to_ms - 1, now_ms))
        if zone_id not in {zone.zone_id for zone in zones.zones}:
            continue
        if visits is None or visits[0] is not zones:
            own_rows = rows.where(sources.atlas.layout.own(rows.cell, rows.last_ms, zones))
            visits = zones, _Visits(own_rows, zones, zone_id)
        own = visits[1]
        until_ms = min(window.to_ms, now_ms)
        record = zone_day(
            *own.within(window),
            own.cells,
            list(plan.duty(max(window.from_ms, known_from_ms), until_ms)),
        )
        total = int(own.cells.size)
        found.append(
            {
                "date": day.isoformat(),
                "covered_ratio": record.cells_covered / total,
                "cells_covered": record.cells_covered,
                "cells_total": total,
                "target": plan.policy_at(until_ms - 1).target,
                "reached": reached(
                    plan,
                    window,
                    own.covered,
                    cells_total=total,
                    known_from_ms=known_from_ms,
                    now_ms=now_ms,
                ),
                "duty_s": plan.duty_s(window.from_ms, until_ms),
                "mean_idle_s": record.mean_idle_s,
            }
        )
    return found


class _Visits:
    """The visits of one zone by time, so that those of a window lie side by side."""

    def __init__(self, rows: Rows, zones: ZoneMap, zone_id: str) -> None:
        self.cells = zones.cells(zone_id)
        mine = rows.where(zones.cell_zone[rows.cell] == zones.index(zone_id))
        order = np.argsort(mine.last_ms, kind="stable")
        self._at_ms, self._cell = mine.last_ms[order], mine.cell[order]

    def within(self, window: Window) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Cells and times in a window."""
        low, high = np.searchsorted(self._at_ms, window)
        return self._cell[low:high], self._at_ms[low:high]

    def covered(self, window: Window) -> int:
        """Distinct cells in a window."""
        return int(np.unique(self.within(window)[0]).size)
