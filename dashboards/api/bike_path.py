"""The route /bikes/{bike_id}/path: what of a bike's day can be drawn on a map."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from starlette.responses import Response

from alerts.periods import Period, period_of
from bikes.roster import BikeKey
from dashboards.api import answers
from dashboards.api.answers import Answer
from dashboards.api.background import Background, Shared
from dashboards.api.bike_days import KEEP_S, PAGES, Day, remembered, wanted_day
from dashboards.api.fleet import Vendor, find_bike
from dashboards.api.routes import needs
from dashboards.api.times import Times
from dashboards.sources import Sources
from geofence.bike_days import first_visits
from geofence.coverage import Rows, union_between
from geofence.quality import PARKED, VERDICTS
from geofence.steps import JudgedFixes

MAX_MARKS = 2_000
"""Rejected fixes of an answer: more are not told apart on a map."""


def router(sources: Sources, times: Times, background: Background) -> APIRouter:
    """The route /bikes/{bike_id}/path."""
    routes = APIRouter(tags=["bikes"], dependencies=[needs("viewer")])
    known = Shared[answers.BikePath](background, keep_s=KEEP_S, most=PAGES)

    @routes.get("/bikes/{bike_id}/path", response_class=Answer, response_model=answers.BikePath)
    async def path(bike_id: str, vendor: Vendor = None, date_: Day = None) -> Response:
        """The believed path of a bike's day, where it parked, what was rejected, and its cells.

        Of more than 2,000 rejected fixes as many are chosen evenly. Shared for half a minute
        between all who ask.
        """
        key, day = find_bike(sources, bike_id, vendor), wanted_day(sources, times, date_)
        work = partial(path_of, sources, times, key, day, sources.ledger().parts)
        return Answer(await known.get((key, day), work))

    return routes


def path_of(
    sources: Sources, times: Times, key: BikeKey, day: date, parts: Sequence[Rows]
) -> answers.BikePath:
    """The path of a bike's day; `parts` are the ledger's."""
    period = period_of("daily", day, sources.tz)
    grid = sources.atlas.grid
    judged = sources.judged([key], period.from_ms, period.to_ms)
    at = np.column_stack([judged.fixes.lat_deg, judged.fixes.lng_deg]).round(6)
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
            (grid.north_deg - grid.south_deg) / grid.rows,
            (grid.east_deg - grid.west_deg) / grid.cols,
        ],
    }


def _stops(judged: JudgedFixes, times: Times) -> list[answers.BikeStop]:
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
            "lat": round(float(fixes.lat_deg[first]), 6),
            "lng": round(float(fixes.lng_deg[first]), 6),
        }
        for first, last in zip(a[begins].tolist(), b[ends].tolist(), strict=True)
    ]


def _evenly(rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    if rows.size <= most:
        return rows
    return rows[np.linspace(0, rows.size - 1, most).round().astype(np.intp)]


def _marks(judged: JudgedFixes, rows: NDArray[np.intp]) -> answers.BikeMarks:
    fixes = judged.fixes
    return {
        "timestamps": fixes.timestamp_ms[rows].tolist(),
        "lat": fixes.lat_deg[rows].round(6).tolist(),
        "lng": fixes.lng_deg[rows].round(6).tolist(),
        "verdicts": [VERDICTS[code] for code in judged.verdict[rows]],
    }


def _cells(
    sources: Sources, key: BikeKey, period: Period, parts: Sequence[Rows]
) -> answers.BikeCells | None:
    if not remembered(period, sources):
        return None
    rows = union_between(parts, period.from_ms, period.to_ms)
    visits = first_visits(rows, sources.atlas.layout)
    own = visits.bike == sources.roster.restore([key])[0]
    lat, lng = sources.atlas.grid.centre(visits.cell[own])
    return {
        "lat": lat.round(6).tolist(),
        "lng": lng.round(6).tolist(),
        "first": visits.first[own].tolist(),
    }
