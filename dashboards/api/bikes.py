"""Routes about bikes: all of them, one, where one has been, and where all were for replay."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from bikes.roster import BikeKey
from dashboards.api import bike_answers, paging
from dashboards.api.answers import Answer, GeoAnswer
from dashboards.api.background import Background, Shared
from dashboards.api.lists import AskedOnMaps
from dashboards.api.precision import POSITION
from dashboards.api.problems import ProblemError, unknown
from dashboards.api.routes import group, needs
from dashboards.api.times import Times
from dashboards.api.views import AT_ONCE as WRITTEN_AT_ONCE
from dashboards.api.views import Views
from dashboards.sources import Sources
from geofence.frames import Frames, frames
from geofence.quality import VERDICTS
from words.times import DAY_MS

MAX_POINTS = 200_000
"""Frames of an answer, which is then at most some 10 MB."""

STEPS_S = (5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)

KEEP_S = 30.0
"""How long an answer is shared between those who ask for it [s]."""

COMPARED = 1_000
"""Names that are compared with one that there is not."""

Vendor = Annotated[
    str | None, Query(description="Needed when more than one vendor has a bike of this id")
]


def add(
    api: APIRouter, sources: Sources, times: Times, views: Views, background: Background
) -> None:
    """Add the routes under /bikes, and /tracks."""
    routes = group(api, needs("viewer"), tags=["bikes"])
    known = Shared[bike_answers.Tracks](background, keep_s=KEEP_S, most=4)

    @routes.get("/bikes", response_model=bike_answers.Bikes)
    async def list_bikes(
        asked: AskedOnMaps,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
        cursor: str | None = None,
    ) -> Response:
        """The fleet: the newest that is known of every bike, by vendor and id."""
        after = bike_cursor(cursor)
        page, going_on = paging.page(await views.keys(), tuple, limit=limit, after=after)
        bikes: list[bike_answers.Bike] = []
        for first in range(0, len(page), WRITTEN_AT_ONCE):
            some = map(sources.roster.at, page[first : first + WRITTEN_AT_ONCE])
            bikes += views.bikes(np.array(list(some)))
            await asyncio.sleep(0)
        found = {"at": times.write(sources.now_ms()), "bikes": bikes}
        cursor = going_on and "/".join(going_on)
        write = partial(asked.answer, found, "bikes", bike_answers.Bike, cursor, _point)
        return write() if len(bikes) <= WRITTEN_AT_ONCE else await run_in_threadpool(write)

    @routes.get(
        "/bikes/{bike_id:bike}/track", response_class=GeoAnswer, response_model=bike_answers.Track
    )
    async def get_bike_track(
        request: Request,
        asked: AskedOnMaps,
        bike_id: str,
        vendor: Vendor = None,
        from_: Annotated[str | None, Query(alias="from")] = None,
        to: Annotated[str | None, Query(description="Not included; without it, now.")] = None,
        limit: Annotated[int, Query(ge=1, le=100_000)] = 10_000,
        cursor: str | None = None,
    ) -> Response:
        """Where a bike has been: a GeoJSON Feature with a LineString, sorted by time.

        `properties.timestamps` (ms) and `properties.verdicts` stand beside the coordinates,
        one for each. A page may hold a single position, or none: then they are a MultiPoint.
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
        work = partial(sources.judged, [key], start_ms, to_ms)
        found = await background.run(work, request)
        more = len(found.fixes) > limit
        fixes = found.fixes.take(slice(limit))
        positions = np.column_stack([fixes.lng_deg, fixes.lat_deg]).round(POSITION).tolist()
        timestamps = fixes.timestamp_ms.tolist()
        verdicts = [VERDICTS[code] for code in found.verdict[:limit]]
        going_on = timestamps[-1] if more else None
        if asked.format == "csv":
            rows = [
                {"timestamp": at_ms, "lat": lat, "lng": lng, "verdict": verdict}
                for at_ms, (lng, lat), verdict in zip(timestamps, positions, verdicts, strict=True)
            ]
            return asked.answer({"track": rows}, "track", bike_answers.TrackRow, going_on)
        feature: dict[str, Any] = {
            "type": "Feature",
            "id": str(key),
            "geometry": line(positions),
            "properties": {
                "vendor": key.vendor,
                "bike_id": key.bike_id,
                "from": times.write(from_ms),
                "to": times.write(to_ms),
                "timestamps": timestamps,
                "verdicts": verdicts,
            },
        }
        if more:
            feature["next_cursor"] = str(going_on)
        return GeoAnswer(feature)

    # After the others of a bike, for its id may have a slash.
    @routes.get("/bikes/{bike_id:bike}", response_model=bike_answers.Bike)
    async def get_bike(bike_id: str, vendor: Vendor = None) -> Response:
        """One bike of the fleet: the newest that is known of it."""
        key = find_bike(sources, bike_id, vendor)
        (bike,) = views.bikes(np.array([sources.roster.at(key)]))
        return Answer(bike)

    @routes.get("/tracks", response_model=bike_answers.Tracks)
    async def list_tracks(
        request: Request,
        asked: AskedOnMaps,
        from_: Annotated[str, Query(alias="from")],
        to: Annotated[str | None, Query(description="Not included; without it, now.")] = None,
        step_s: Annotated[int | None, Query(ge=1, le=3600)] = None,
    ) -> Response:
        """One believed fix per bike and step, the last in it; of at most 24 hours.

        Columns beside each other, one value a frame. A heading that the bike did not state is
        that of the way from the frame before. Shared for half a minute between all who ask.
        """
        now_ms = sources.now_ms()
        from_ms = times.read(from_, name="from")
        to_ms = now_ms if to is None else times.read(to, name="to")
        if not from_ms < to_ms:
            raise ProblemError(400, "empty_window", "from= must be before to=", where="from")
        if to_ms - from_ms > DAY_MS:
            raise ProblemError(
                400, "span_too_long", "from= to to= is more than 24 hours", where="from"
            )
        keys = sorted(sources.roster.keys)
        fits_s = step_that_fits(len(keys), to_ms - from_ms)
        if step_s is None:
            step_s = fits_s
        elif points(len(keys), to_ms - from_ms, step_s) > MAX_POINTS:
            raise ProblemError(
                400,
                "too_many_points",
                f"{len(keys)} bikes in steps of {step_s} s may be more than {MAX_POINTS:,} "
                f"points; step_s={fits_s} fits, or ask for a shorter time",
                where="step_s",
                step_s=fits_s,
            )
        work = partial(tracks_of, sources, times, keys, from_ms, to_ms, step_s)
        found = await known.get((from_ms, to_ms, step_s, len(keys)), work, request)
        if asked.format == "csv":
            rows: dict[str, Any] = {"tracks": _frames(found["bikes"])}
            write = partial(asked.answer, rows, "tracks", bike_answers.TracksRow)
            return await run_in_threadpool(write)  # it may be a second for 200,000 rows
        return asked.answer(found, "bikes", bike_answers.BikeTrack, feature=_ridden)


def line(positions: list[list[float]]) -> bike_answers.Positions:
    """Positions [lng, lat in degrees] in their order: a line, or points when there are too few."""
    return {"type": "LineString" if len(positions) > 1 else "MultiPoint", "coordinates": positions}


def _point(bike: bike_answers.Bike) -> tuple[bike_answers.Point | None, bike_answers.Bike]:
    lat, lng = bike["lat"], bike["lng"]
    if lat is None or lng is None:
        return None, bike
    return {"type": "Point", "coordinates": [lng, lat]}, bike


def _ridden(track: bike_answers.BikeTrack) -> tuple[bike_answers.Positions, dict[str, Any]]:
    positions = [[lng, lat] for lng, lat in zip(track["lng"], track["lat"], strict=True)]
    return line(positions), {k: v for k, v in track.items() if k not in ("lat", "lng")}


def _frames(tracks: Iterable[bike_answers.BikeTrack]) -> Iterator[dict[str, Any]]:
    for track in tracks:
        headings = track.get("heading") or [None] * len(track["lat"])
        columns = track["timestamps"], track["lat"], track["lng"], headings
        for at_ms, lat, lng, heading in zip(*columns, strict=True):
            yield {
                "vendor": track["vendor"], "bike_id": track["bike_id"], "timestamp": at_ms,
                "lat": lat, "lng": lng, "heading": heading,
            }  # fmt: skip


def find_bike(sources: Sources, bike_id: str, vendor: str | None) -> BikeKey:
    """The bike that is meant, by its id or as answers name it, `vendor/bike_id`.

    ProblemError: 404 `unknown_bike` or `unknown_vendor`; 409 `ambiguous_bike`.
    """
    if "/" in bike_id and vendor is None:
        vendor, _, bike_id = bike_id.partition("/")
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
    if vendor is not None and vendor not in sources.roster.vendors:
        raise unknown("vendor", vendor, sources.roster.vendors)
    # Of a very large fleet the first ones: to compare names takes long.
    some = map(sources.roster.key, range(min(len(sources.roster), COMPARED)))
    known = {key.bike_id for key in some if vendor in (None, key.vendor)}
    raise unknown("bike", bike_id, sorted(known))


def bike_cursor(cursor: str | None) -> tuple[str, str] | None:
    """Vendor and id of the bike that a page goes on after. ProblemError: 400 `invalid_cursor`."""
    if cursor is None:
        return None
    vendor, slash, bike_id = cursor.partition("/")
    if not slash:
        raise paging.invalid(cursor)
    return vendor, bike_id


def points(bikes: int, span_ms: int, step_s: int) -> int:
    """The most frames of some bikes in a time [ms] by steps [s]; one that is begun counts."""
    return bikes * -(-span_ms // (step_s * 1000))


def step_that_fits(bikes: int, span_ms: int) -> int:
    """The finest step [s] that gives no more points than are allowed; a round one if it can be."""
    for step_s in STEPS_S:
        if points(bikes, span_ms, step_s) <= MAX_POINTS:
            return step_s
    return -(-bikes * span_ms // (MAX_POINTS * 1000))


def tracks_of(
    sources: Sources, times: Times, keys: list[BikeKey], from_ms: int, to_ms: int, step_s: int
) -> bike_answers.Tracks:
    """The frames of some bikes in [from_ms, to_ms), a part of them at a time; in a worker thread.

    Raises as :attr:`Sources.judged`.
    """
    bikes: list[bike_answers.BikeTrack] = []
    for believed in sources.last_believed(keys, from_ms, to_ms, step_s * 1000):
        bikes += _columns(sources, frames(believed, from_ms=from_ms, step_ms=step_s * 1000))
    return {
        "from": times.write(from_ms),
        "to": times.write(to_ms),
        "step_s": step_s,
        "duty": _duty(sources, from_ms, to_ms),
        "bikes": bikes,
    }


def _duty(sources: Sources, from_ms: int, to_ms: int) -> list[list[int]]:
    """When there was duty in some zone in [from_ms, to_ms) [ms]; stretches may overlap."""
    plans = {id(plan): plan for plan in map(sources.plan, sources.atlas.layout.zone_ids)}
    found = {each for plan in plans.values() for each in plan.duty(from_ms, to_ms)}
    return [list(each) for each in sorted(found)]


def _columns(sources: Sources, found: Frames) -> Iterator[bike_answers.BikeTrack]:
    bikes, first = np.unique(found.bike, return_index=True)
    ends = [*first.tolist(), found.bike.size][1:]
    for bike, low, high in zip(bikes.tolist(), first.tolist(), ends, strict=True):
        key = sources.roster.key(bike)
        track: dict[str, Any] = {
            "vendor": key.vendor,
            "bike_id": key.bike_id,
            "timestamps": found.timestamp_ms[low:high].tolist(),
            "lat": found.lat_deg[low:high].round(POSITION).tolist(),
            "lng": found.lng_deg[low:high].round(POSITION).tolist(),
        }
        heading = found.heading_deg[low:high].round()
        if not np.isnan(heading).all():
            track["heading"] = heading.tolist()
        yield track  # type: ignore[misc]
