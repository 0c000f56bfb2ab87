"""Routes about what bikes did on a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from starlette.responses import Response

from alerts.periods import Period, local_day, period_of
from bikes.roster import BikeKey
from dashboards.api import answers, paging
from dashboards.api.answers import Answer
from dashboards.api.background import Background, Shared
from dashboards.api.fleet import Vendor, bike_cursor, find_bike
from dashboards.api.problems import ProblemError
from dashboards.api.routes import needs
from dashboards.api.times import Times
from dashboards.sources import Sources
from geofence.bike_days import contributions, rides
from geofence.coverage import Rows, union_between
from geofence.quality import VERDICTS

KEEP_S = 30.0
"""How long a page is shared between those who ask for it [s]."""

PAGES = 16
"""How many pages are kept."""

Day = Annotated[str | None, Query(alias="date", description="A local date; without it, today")]


def router(sources: Sources, times: Times, background: Background) -> APIRouter:
    """The routes /bikes/days and /bikes/{bike_id}/day."""
    routes = APIRouter(tags=["bikes"], dependencies=[needs("viewer")])
    pages = Shared[list[answers.BikeDay]](background, keep_s=KEEP_S, most=PAGES)

    async def found(keys: Sequence[BikeKey], day: date) -> list[answers.BikeDay]:
        work = partial(days_of, sources, keys, day, sources.ledger().parts)
        return await pages.get((tuple(keys), day), work)

    @routes.get("/bikes/days", response_class=Answer, response_model=answers.BikeDays)
    async def days(
        date_: Day = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
        cursor: str | None = None,
    ) -> Response:
        """What each bike did on a day, by vendor and id, and what it added to coverage.

        A page is shared for half a minute between all who ask for it.
        """
        day = wanted_day(sources, times, date_)
        keys = sorted(sources.roster.keys)
        page, going_on = paging.page(keys, tuple, limit=limit, after=bike_cursor(cursor))
        answer: answers.BikeDays = {"date": day.isoformat(), "days": await found(page, day)}
        if going_on is not None:
            answer["next_cursor"] = "/".join(going_on)
        return Answer(answer)

    @routes.get("/bikes/{bike_id}/day", response_class=Answer, response_model=answers.BikeDay)
    async def one(bike_id: str, vendor: Vendor = None, date_: Day = None) -> Response:
        """What one bike did on a day."""
        key, day = find_bike(sources, bike_id, vendor), wanted_day(sources, times, date_)
        return Answer((await found([key], day))[0])

    return routes


def wanted_day(sources: Sources, times: Times, text: str | None) -> date:
    """The local day that is asked for; without one, today.

    Raises
    ------
    ProblemError
        400 `invalid_date` or `day_to_come`.
    """
    today = local_day(sources.now_ms(), times.zone)
    day = today if text is None else times.read_day(text, name="date")
    if day > today:
        raise ProblemError(400, "day_to_come", f"date: {day} has not begun", where="date")
    return day


def days_of(
    sources: Sources, keys: Sequence[BikeKey], day: date, parts: Sequence[Rows]
) -> list[answers.BikeDay]:
    """A day of some bikes, in their order; time and cells are of the zones of their time.

    The work is bounded by the fixes of these bikes, and one pass over the day's ledger rows.

    Parameters
    ----------
    parts : sequence of Rows
        Of the ledger.
    """
    period = period_of("daily", day, sources.tz)
    layout = sources.atlas.layout
    index = np.array(sources.roster.restore(keys), np.int32)
    bikes = np.sort(index)
    ridden = rides(sources.judged(keys, period.from_ms, period.to_ms), bikes, layout)
    added = None
    if remembered(period, sources):
        added = contributions(union_between(parts, period.from_ms, period.to_ms), bikes, layout)
    zone_ids = layout.zone_ids
    days: list[answers.BikeDay] = []
    for key, row in zip(keys, np.searchsorted(bikes, index).tolist(), strict=True):
        cells = np.zeros(len(zone_ids), np.int64) if added is None else added.zone_cells[row]
        touched = np.flatnonzero((cells > 0) | (ridden.zone_s[row] > 0)).tolist()
        touched.sort(key=lambda number: zone_ids[number])
        share = None if added is None else float(added.redundant_share[row])
        days.append(
            {
                "vendor": key.vendor,
                "bike_id": key.bike_id,
                "date": day.isoformat(),
                "distance_m": round(float(ridden.distance_m[row]), 1),
                "cells": None if added is None else int(cells.sum()),
                "cells_first": None if added is None else int(added.first[row]),
                # NaN becomes null.
                "redundant_share": None if share is None else round(share, 4),
                "zones": [
                    {
                        "zone_id": zone_ids[zone],
                        "time_s": round(float(ridden.zone_s[row, zone]), 1),
                        "cells": None if added is None else int(cells[zone]),
                    }
                    for zone in touched
                ],
                "verdicts": {
                    VERDICTS[code]: count
                    for code, count in enumerate(ridden.verdicts[row].tolist())
                    if count
                },
            }
        )
    return days


def remembered(period: Period, sources: Sources) -> bool:
    """Whether the ledger knows of the day; of a part of it, when the record began on it."""
    return period.to_ms > sources.known_from_ms()
