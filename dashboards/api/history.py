"""Routes about how zones were covered over time: the window so far, and day by day."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from alerts.periods import local_day
from alerts.spans import span_text
from dashboards.api import answers
from dashboards.api.answers import Answer
from dashboards.api.background import Background, Shared
from dashboards.api.problems import ProblemError, unknown
from dashboards.api.times import Times
from dashboards.api.trend import trend_of
from dashboards.api.zone_days import days_of, local_days
from dashboards.sources import Sources
from geofence.coverage import SLOT_MS

TREND_S = 5.0
"""How long a trend is shared between those who ask for it [s]."""

DAYS = 31
MAX_DAYS = 366
EXCEPTIONS = 5
YEAR_MS = 366 * 86_400_000


def router(sources: Sources, times: Times, background: Background) -> APIRouter:
    """The routes /coverage/trend, /coverage/{zone_id}/days and /zones/{zone_id}/policy."""
    routes = APIRouter(tags=["coverage"])
    trends = Shared[answers.Trend](background, keep_s=TREND_S, most=1)

    def known(zone_id: str, at_ms: int | None = None) -> str:
        """A zone that there is at an instant; without one, that there ever is."""
        layout = sources.atlas.layout
        zone_ids = (
            layout.zone_ids
            if at_ms is None
            else [zone.zone_id for zone in sources.zones_at(at_ms).zones]
        )
        if zone_id not in zone_ids:
            raise unknown("zone", zone_id, zone_ids)
        return zone_id

    @routes.get("/coverage/trend", response_class=Answer, response_model=answers.Trend)
    async def trend() -> Response:
        """How the current window of each zone came to its covered ratio.

        One value for each quarter hour of the clock; between shifts, the shift that ended last.
        Values are rounded to 4 digits, and shared for some seconds between all who ask.
        """
        now_ms = sources.now_ms()
        work = partial(trend_of, sources, times, sources.ledger.parts(), now_ms)
        return Answer(await trends.get(now_ms // SLOT_MS, work))

    @routes.get("/coverage/{zone_id}/days", response_class=Answer, response_model=answers.ZoneDays)
    async def days(
        zone_id: str,
        from_: Annotated[
            str | None, Query(alias="from", description="A local date; without it, 30 days before")
        ] = None,
        to: Annotated[
            str | None, Query(description="A local date, included; without it, today")
        ] = None,
    ) -> Response:
        """The days of a zone, oldest first; at most 366 are asked for at once.

        Of a day before the record, or still to come, nothing is known: it is left out, and so is
        one at whose end there was no such zone. A zone that has ended still has its days.
        """
        known(zone_id)
        now_ms = sources.now_ms()
        last = local_day(now_ms, times.zone) if to is None else times.read_day(to, name="to")
        first = None if from_ is None else times.read_day(from_, name="from")
        dates = local_days(first, last, DAYS)
        if not dates:
            raise ProblemError(400, "empty_window", "from= must not be after to=", where="from")
        if len(dates) > MAX_DAYS:
            raise ProblemError(
                400,
                "too_many_days",
                f"{len(dates)} days are asked for; at most {MAX_DAYS} at once",
                where="from",
            )
        work = partial(days_of, sources, zone_id, dates, sources.ledger.parts(), now_ms)
        return Answer({"zone_id": zone_id, "days": await background.run(work)})

    @routes.get("/zones/{zone_id}/policy", response_class=Answer, response_model=answers.ZonePolicy)
    async def policy(
        zone_id: str,
        at: Annotated[str | None, Query(description="An instant; without it, now.")] = None,
    ) -> Response:
        """What is asked of a zone: its policy, or what a campaign has made of it.

        With `at`, what was or will be asked at an instant, by what is ordered and configured now.
        """
        at_ms = times.read_or_none(at, name="at")
        at_ms = sources.now_ms() if at_ms is None else at_ms
        asked = sources.plan(known(zone_id, at_ms)).policy_at(at_ms)
        closures = asked.hours.closures(at_ms, at_ms + YEAR_MS)[:EXCEPTIONS]
        answer: dict[str, Any] = {
            "zone_id": zone_id,
            "policy": asked.name,
            "campaign": asked.campaign,
            "frequency_s": asked.frequency_s,
            "target": asked.target,
            "window": asked.window,
            "hours": [span_text(span) for span in asked.hours.spans],
            "exceptions": [
                {"summary": summary, "from": times.write(from_ms), "to": times.write(to_ms)}
                for from_ms, to_ms, summary in closures
            ],
            "min_cells": asked.min_cells,
            "look_back_s": asked.look_back_s,
            "paused": asked.paused or None,
            "auto_close": asked.auto_close,
            "close_hold_s": asked.close_hold_s,
        }
        return Answer(answer)

    return routes
