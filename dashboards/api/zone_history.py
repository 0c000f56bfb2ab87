"""Routes about how zones were covered over time: the window so far, and day by day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from numpy.typing import NDArray
from starlette.responses import Response

from alerts.duty_hours import span_text
from alerts.periods import local_day, period_of
from dashboards.api import answers
from dashboards.api.answers import Answer
from dashboards.api.background import Background, Shared
from dashboards.api.lists import Asked
from dashboards.api.problems import ProblemError, unknown
from dashboards.api.routes import group, needs
from dashboards.api.times import Times
from dashboards.api.zones import At, zone_index
from dashboards.sources import Sources
from files.checkpoint import checkpoint
from geofence.coverage import SLOT_MS, Rows, View, union_between
from geofence.covered import covered_by_slot
from geofence.idleness import zone_day
from geofence.record import ZoneRef
from geofence.windows import VERDICTS, Window, Zone, judge_day, judge_windows
from geofence.zonemap import ZoneMap
from words.times import DAY_MS

TREND_S = 5.0
"""How long a trend is shared between those who ask for it [s]."""

DAYS = 31
MAX_DAYS = 366
EXCEPTIONS = 5
YEAR_MS = 366 * DAY_MS


def add(api: APIRouter, sources: Sources, times: Times, background: Background) -> None:
    """Add the routes /coverage/trend, /coverage/{zone_id}/days and /zones/{zone_id}/policy."""
    routes = group(api, needs("viewer"), tags=["coverage"])
    trends = Shared[answers.Trend](background, keep_s=TREND_S, most=1)

    @routes.get("/coverage/trend", response_model=answers.Trend)
    async def get_coverage_trend(request: Request, asked: Asked) -> Response:
        """How the current window of each zone came to its covered ratio.

        One value for each quarter hour of the clock; between shifts, the shift that ended last.
        Values are rounded to 4 digits, and shared for some seconds between all who ask.
        """
        now_ms = sources.now_ms()
        work = partial(trend_of, sources, times, sources.ledger().parts, now_ms)
        found = await trends.get(now_ms // SLOT_MS, work, request)
        return asked.answer(found, "zones", answers.ZoneTrend)

    @routes.get("/coverage/{zone_id}/days", response_model=answers.ZoneDays)
    async def list_zone_days(
        request: Request,
        asked: Asked,
        zone_id: str,
        from_: Annotated[str | None, Query(alias="from")] = None,
        to: str | None = None,
    ) -> Response:
        """The days of a zone, oldest first; at most 366 are asked for at once.

        Of a day before the record, or still to come, nothing is known: it is left out, and so is
        one at whose end there was no such zone. A zone that has ended still has its days.
        """
        zone_ids = sources.atlas.layout.zone_ids  # of the zones that there ever were
        if zone_id not in zone_ids:
            raise unknown("zone", zone_id, zone_ids)
        now_ms = sources.now_ms()
        last = local_day(now_ms, times.zone) if to is None else times.read_day(to, name="to")
        first = last - timedelta(days=DAYS - 1)
        if from_ is not None:
            first = times.read_day(from_, name="from")
        dates = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        if not dates:
            raise ProblemError(400, "empty_window", "from= must not be after to=", where="from")
        if len(dates) > MAX_DAYS:
            raise ProblemError(
                400,
                "too_many_days",
                f"{len(dates)} days are asked for; at most {MAX_DAYS} at once",
                where="from",
            )
        work = partial(days_of, sources, zone_id, dates, sources.ledger(), now_ms)
        content = {"zone_id": zone_id, "days": await background.run(work, request)}
        return asked.answer(content, "days", answers.ZoneDay)

    @routes.get("/zones/{zone_id}/policy", response_model=answers.ZonePolicy)
    async def get_zone_policy(zone_id: str, at: At = None) -> Response:
        """What is asked of a zone: its policy, or what a campaign has made of it.

        With `at`, what was or will be asked at an instant, by what is ordered and configured now.
        """
        at_ms = times.read_or_none(at, name="at")
        at_ms = sources.now_ms() if at_ms is None else at_ms
        zone_index(sources.zones_at(at_ms), zone_id)
        asked = sources.plan(zone_id).policy_at(at_ms)
        exceptions = asked.hours.exceptions(at_ms, at_ms + YEAR_MS)[:EXCEPTIONS]
        answer = times.answer(
            answers.ZonePolicy,
            asked,
            zone_id=zone_id,
            policy=asked.name,
            hours=[span_text(span) for span in asked.hours.spans],
            exceptions=[
                {"summary": e.summary, "from": times.write(e.from_ms), "to": times.write(e.to_ms)}
                for e in exceptions
            ],
            paused=asked.paused or None,
        )
        return Answer(answer)


def trend_of(sources: Sources, times: Times, parts: Sequence[Rows], now_ms: int) -> answers.Trend:
    """The trend of all zones at `now_ms` [ms], from the rows of the ledger."""
    zones, known_from_ms = sources.zones, sources.known_from_ms()
    plans = [sources.plan(zone.zone_id) for zone in zones.zones]
    windows = [plan.window_at(now_ms) or (0, 0) for plan in plans]
    from_ms, whole_ms = np.array(windows, np.int64).T
    to_ms = np.minimum(whole_ms, (now_ms // SLOT_MS + 1) * SLOT_MS)
    begun = from_ms > 0
    if begun.any():
        first_ms, end_ms = int(from_ms[begun].min()), int(to_ms[begun].max())
        rows = union_between(parts, first_ms, end_ms + SLOT_MS - 1)
    else:
        rows = Rows.empty()
    rows = rows.where(sources.atlas.layout.own(rows.cell, rows.last_ms, zones))
    covered = covered_by_slot(rows, zones, from_ms, to_ms)
    write = times.write_or_none
    return {
        "at": times.write(now_ms),
        "zones": [
            {
                "zone_id": zone.zone_id,
                "from": write(begin_ms),
                "to": write(end_ms),
                "step_s": SLOT_MS // 1000,
                "target": plan.policy_at(now_ms).target,
                "covered_ratio": _known(
                    (counts / total).round(4).tolist(), begin_ms // SLOT_MS, known_from_ms
                ),
            }
            for zone, plan, begin_ms, end_ms, counts, total in zip(
                zones.zones,
                plans,
                from_ms.tolist(),
                whole_ms.tolist(),
                covered,
                zones.cells_total.tolist(),
                strict=True,
            )
        ],
    }


def _known(ratios: list[float], first_slot: int, known_from_ms: int) -> list[float | None]:
    """None for the quarter hours that ended before the record begins."""
    unknown = min(max(known_from_ms // SLOT_MS - first_slot, 0), len(ratios))
    return [*[None] * unknown, *ratios[unknown:]]


def days_of(
    sources: Sources, zone_id: str, dates: Sequence[date], ledger: View, now_ms: int
) -> list[answers.ZoneDay]:
    """The days of `dates` of which something is known; may run in a thread.

    Each day is measured by the zones there were at its end, or are now; of the visits, those
    that were made in the zone.
    """
    known_from_ms = sources.known_from_ms()
    record, plan = sources.record(ledger, now_ms), sources.plan(zone_id)
    days = [
        (day, Window(period.from_ms, period.to_ms))
        for day in dates
        for period in [period_of("daily", day, sources.tz)]
        if period.to_ms > known_from_ms and period.from_ms <= now_ms
    ]
    if not days:
        return []
    # A shift that ends on the first day may have begun on the one before.
    rows = ledger.between(days[0][1].from_ms - DAY_MS, days[-1][1].to_ms)
    visits: tuple[ZoneMap, _Visits] | None = None
    found: list[answers.ZoneDay] = []
    for day, window in days:
        checkpoint()
        measured_ms = min(window.to_ms - 1, now_ms)
        zones = sources.zones_at(measured_ms)
        if zone_id not in {zone.zone_id for zone in zones.zones}:
            continue
        if visits is None or visits[0] is not zones:
            own_rows = rows.where(sources.atlas.layout.own(rows.cell, rows.last_ms, zones))
            visits = zones, _Visits(own_rows, zones, zone_id)
        own = visits[1]
        until_ms = min(window.to_ms, now_ms)
        measured = zone_day(
            *own.within(window),
            own.cells,
            list(plan.duty(max(window.from_ms, known_from_ms), until_ms)),
        )
        total = int(own.cells.size)
        ref = ZoneRef(zone_id, "", None, "", total, record.layout.since_ms(zone_id, measured_ms))
        zone = Zone(ref, plan, record)
        verdict, reason = judge_day(zone, window)
        ended = Counter(each.verdict for each in judge_windows(zone, window.from_ms, until_ms))
        found.append(
            {
                "date": day.isoformat(),
                "covered_ratio": measured.cells_covered / total,
                "cells_covered": measured.cells_covered,
                "cells_total": total,
                "target": plan.policy_at(until_ms - 1).target,
                "reached": {"reached": True, "short": False, "unknown": None}[verdict],
                "verdict": verdict,
                "reason": reason,
                "windows": {verdict: ended[verdict] for verdict in VERDICTS},
                "duty_s": plan.duty_s(window.from_ms, until_ms),
                "mean_idle_s": measured.mean_idle_s,
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
