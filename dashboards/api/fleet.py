"""Routes about bikes: all of them, one, and where one has been."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from bikes.roster import BikeKey
from dashboards.api import answers, paging
from dashboards.api.answers import Answer, GeoAnswer
from dashboards.api.problems import ProblemError, unknown
from dashboards.api.routes import needs
from dashboards.api.times import Times
from dashboards.api.views import Views, bike_key
from dashboards.sources import Sources
from geofence.quality import VERDICTS

DAY_MS = 86_400_000

Vendor = Annotated[
    str | None, Query(description="Needed when more than one vendor has a bike of this id")
]


def router(sources: Sources, times: Times, views: Views) -> APIRouter:
    """The routes under /bikes."""
    routes = APIRouter(tags=["bikes"], dependencies=[needs("viewer")])

    @routes.get("/bikes", response_class=Answer, response_model=answers.Bikes)
    async def bikes(
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000, cursor: str | None = None
    ) -> Response:
        """The fleet: the newest that is known of every bike, by vendor and id."""
        after = bike_cursor(cursor)
        page, going_on = paging.page(views.bikes(), bike_key, limit=limit, after=after)
        answer: dict[str, Any] = {"at": times.write(sources.now_ms()), "bikes": page}
        if going_on is not None:
            answer["next_cursor"] = "/".join(going_on)
        return Answer(answer)

    @routes.get("/bikes/{bike_id}", response_class=Answer, response_model=answers.Bike)
    async def bike(bike_id: str, vendor: Vendor = None) -> Response:
        """One bike."""
        key = find_bike(sources, bike_id, vendor)
        return Answer(next(bike for bike in views.bikes() if bike_key(bike) == key))

    @routes.get("/bikes/{bike_id}/track", response_class=GeoAnswer, response_model=dict[str, Any])
    async def track(
        bike_id: str,
        vendor: Vendor = None,
        from_: Annotated[
            str | None, Query(alias="from", description="Without it, a day before `to`.")
        ] = None,
        to: Annotated[str | None, Query(description="Not included; without it, now.")] = None,
        limit: Annotated[int, Query(ge=1, le=100_000)] = 10_000,
        cursor: str | None = None,
    ) -> Response:
        """Where a bike has been: a GeoJSON Feature with a LineString, sorted by time.

        `properties.timestamps` (ms) and `properties.verdicts` stand beside the coordinates,
        one for each. A page may hold a single position, or none.
        """
        key = find_bike(sources, bike_id, vendor)
        # A bike whose clock is ahead has fixes after now: "until now" must not hide them.
        to_ms = times.read_or_none(to, name="to") or sources.now_ms() + DAY_MS
        from_ms = times.read_or_none(from_, name="from")
        if from_ms is None:
            from_ms = min(to_ms, sources.now_ms()) - DAY_MS
        if from_ms > to_ms:
            raise ProblemError(400, "empty_window", "from= must be before to=", where="from")
        after_ms = paging.number(cursor)
        start_ms = from_ms if after_ms is None else max(from_ms, after_ms + 1)
        found = await run_in_threadpool(sources.judged, [key], start_ms, to_ms)
        more = len(found.fixes) > limit
        fixes = found.fixes.take(slice(limit))
        positions = np.column_stack([fixes.lng_deg, fixes.lat_deg])
        timestamps = fixes.timestamp_ms.tolist()
        feature: dict[str, Any] = {
            "type": "Feature",
            "id": str(key),
            "geometry": {"type": "LineString", "coordinates": positions.round(7).tolist()},
            "properties": {
                "vendor": key.vendor,
                "bike_id": key.bike_id,
                "from": times.write(from_ms),
                "to": times.write(to_ms),
                "timestamps": timestamps,
                "verdicts": [VERDICTS[code] for code in found.verdict[:limit]],
            },
        }
        if more:
            feature["next_cursor"] = str(timestamps[-1])
        return GeoAnswer(feature)

    return routes


def find_bike(sources: Sources, bike_id: str, vendor: str | None) -> BikeKey:
    """The bike that is meant.

    Raises
    ------
    ProblemError
        404 `unknown_bike` or `unknown_vendor`; 409 `ambiguous_bike`.
    """
    keys = sources.roster.find(bike_id)
    if vendor is not None:
        keys = [key for key in keys if key.vendor == vendor]
    if len(keys) == 1:
        return keys[0]
    if keys:
        vendors = sorted(key.vendor for key in keys)
        raise ProblemError(
            409,
            "ambiguous_bike",
            f"more than one vendor has a bike {bike_id!r}: add ?vendor=, one of "
            f"{', '.join(vendors)}",
            vendors=vendors,
        )
    known = sources.roster.keys
    if vendor is not None:
        if vendor not in sources.roster.vendors:
            raise unknown("vendor", vendor, sources.roster.vendors)
        known = [key for key in known if key.vendor == vendor]
    raise unknown("bike", bike_id, sorted({key.bike_id for key in known}))


def bike_cursor(cursor: str | None) -> tuple[str, str] | None:
    """The bike that a page goes on after; 400 `invalid_cursor`."""
    if cursor is None:
        return None
    vendor, slash, bike_id = cursor.partition("/")
    if not slash:
        raise paging.invalid(cursor)
    return vendor, bike_id
