"""Routes about a bike's local day: what it did, what it added to coverage, and its path to draw."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from numpy.typing import NDArray
from starlette.responses import Response

from alerts.periods import Period, local_day, period_of
from bikes.roster import BikeKey
from dashboards.api import bike_answers, paging
from dashboards.api.answers import Answer
from dashboards.api.background import Background, Shared
from dashboards.api.bikes import Vendor, bike_cursor, find_bike
from dashboards.api.lists import Asked
from dashboards.api.precision import POSITION
from dashboards.api.problems import ProblemError
from dashboards.api.routes import group, needs
from dashboards.api.times import Times
from dashboards.sources import Sources
from geofence.bike_days import contributions, first_visits, rides
from geofence.coverage import Rows, union_between
from geofence.quality import PARKED, VERDICTS
from geofence.steps import JudgedFixes

KEEP_S = 30.0
"""How long a page is shared between those who ask for it [s]."""

PAGES = 16
"""How many pages are kept."""

MAX_MARKS = 2_000
"""Rejected fixes of an answer: more are not told apart on a map."""

Day = Annotated[str | None, Query(alias="date", description="A local date; without it, today")]


def add(api: APIRouter, sources: Sources, times: Times, background: Background) -> None:
    """Add the routes /bikes/days, /bikes/{bike_id}/day and /bikes/{bike_id}/path."""
    routes = group(api, needs("viewer"), tags=["bikes"])
    pages = Shared[list[bike_answers.BikeDay]](background, keep_s=KEEP_S, most=PAGES)
    paths = Shared[bike_answers.BikePath](background, keep_s=KEEP_S, most=PAGES)

    async def found(
        request: Request, keys: Sequence[BikeKey], day: date
    ) -> list[bike_answers.BikeDay]:
        work = partial(days_of, sources, keys, day, sources.ledger().parts)
        return await pages.get((tuple(keys), day), work, request)

    @routes.get("/bikes/days", response_model=bike_answers.BikeDays)
    async def list_bike_days(
        request: Request,
        asked: Asked,
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
        answer: bike_answers.BikeDays = {
            "date": day.isoformat(),
            "days": await found(request, page, day),
        }
        cursor = going_on and "/".join(going_on)
        return asked.answer(answer, "days", bike_answers.BikeDay, cursor)

    @routes.get("/bikes/{bike_id:bike}/day", response_model=bike_answers.BikeDay)
    async def get_bike_day(
        request: Request, bike_id: str, vendor: Vendor = None, date_: Day = None
    ) -> Response:
        """What one bike did on a day."""
        key, day = find_bike(sources, bike_id, vendor), wanted_day(sources, times, date_)
        return Answer((await found(request, [key], day))[0])

    @routes.get("/bikes/{bike_id:bike}/path", response_model=bike_answers.BikePath)
    async def get_bike_path(
        request: Request, bike_id: str, vendor: Vendor = None, date_: Day = None
    ) -> Response:
        """The believed path of a bike's day, where it parked, what was rejected, and its cells.

        Of more than 2,000 rejected fixes as many are chosen evenly. Shared for half a minute
        between all who ask.
        """
        key, day = find_bike(sources, bike_id, vendor), wanted_day(sources, times, date_)
        work = partial(path_of, sources, times, key, day, sources.ledger().parts)
        return Answer(await paths.get((key, day), work, request))


def wanted_day(sources: Sources, times: Times, text: str | None) -> date:
    """The local day that is asked for; without one, today.

    ProblemError: 400 `invalid_date` or `day_to_come`.
    """
    today = local_day(sources.now_ms(), times.zone)
    day = today if text is None else times.read_day(text, name="date")
    if day > today:
        raise ProblemError(400, "day_to_come", f"date: {day} has not begun", where="date")
    return day


def days_of(
    sources: Sources, keys: Sequence[BikeKey], day: date, parts: Sequence[Rows]
) -> list[bike_answers.BikeDay]:
    """A day of some bikes, in their order; time and cells are of the zones of their time.

    It runs in a thread, as it reads files; errors are those of :attr:`Sources.judged`. The work is
    bounded by the fixes of these bikes, and one pass over `parts`, the ledger's rows.
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
    days: list[bike_answers.BikeDay] = []
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


def path_of(
    sources: Sources, times: Times, key: BikeKey, day: date, parts: Sequence[Rows]
) -> bike_answers.BikePath:
    """The path of a bike's day, in a thread as :func:`days_of`; `parts` are the ledger's."""
    period = period_of("daily", day, sources.tz)
    grid = sources.atlas.grid
    judged = sources.judged([key], period.from_ms, period.to_ms)
    at = np.column_stack([judged.fixes.lat_deg, judged.fixes.lng_deg]).round(POSITION)
    rejected = np.flatnonzero(~judged.believed)
    return {
        "vendor": key.vendor,
        "bike_id": key.bike_id,
        "date": day.isoformat(),
        "path": [at[rows].tolist() for rows in judged.steps.stretches()],
        "stops": _stops(judged, times),
        "rejected": _marks(judged, _evenly(rejected, MAX_MARKS)),
        "rejected_total": int(rejected.size),
        "cells": _cells(sources, key, period, parts),
        "cell": [
            round((grid.north_deg - grid.south_deg) / grid.rows, POSITION),
            round((grid.east_deg - grid.west_deg) / grid.cols, POSITION),
        ],
    }


def _stops(judged: JudgedFixes, times: Times) -> list[bike_answers.BikeStop]:
    """Parked fixes that follow each other, without a gap, are one stop, where the first was."""
    fixes, verdict, steps = judged
    rests = (verdict[steps.a] == PARKED) & (verdict[steps.b] == PARKED)
    a, b = steps.a[rests], steps.b[rests]
    begins = np.append(True, a[1:] != b[:-1])[: a.size]
    ends = np.append(begins[1:], True)[: a.size]
    return [
        {
            "from": times.write(int(fixes.timestamp_ms[first])),
            "to": times.write(int(fixes.timestamp_ms[last])),
            "lat": round(float(fixes.lat_deg[first]), POSITION),
            "lng": round(float(fixes.lng_deg[first]), POSITION),
        }
        for first, last in zip(a[begins].tolist(), b[ends].tolist(), strict=True)
    ]


def _evenly(rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    if rows.size <= most:
        return rows
    return rows[np.linspace(0, rows.size - 1, most).round().astype(np.intp)]


def _marks(judged: JudgedFixes, rows: NDArray[np.intp]) -> bike_answers.BikeMarks:
    fixes = judged.fixes
    return {
        "timestamps": fixes.timestamp_ms[rows].tolist(),
        "lat": fixes.lat_deg[rows].round(POSITION).tolist(),
        "lng": fixes.lng_deg[rows].round(POSITION).tolist(),
        "verdicts": [VERDICTS[code] for code in judged.verdict[rows]],
    }


def _cells(
    sources: Sources, key: BikeKey, period: Period, parts: Sequence[Rows]
) -> bike_answers.BikeCells | None:
    if not remembered(period, sources):
        return None
    rows = union_between(parts, period.from_ms, period.to_ms)
    visits = first_visits(rows, sources.atlas.layout)
    own = visits.bike == sources.roster.restore([key])[0]
    lat, lng = sources.atlas.grid.centre(visits.cell[own])
    return {
        "lat": lat.round(POSITION).tolist(),
        "lng": lng.round(POSITION).tolist(),
        "first": visits.first[own].tolist(),
    }
