"""Routes about zones: their coverage, now, then and in a window, and their cells."""

from __future__ import annotations

import time
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Header, Query
from numpy.typing import NDArray
from starlette.responses import Response

from dashboards.api import answers, overlay, paging
from dashboards.api.answers import Answer, GeoAnswer
from dashboards.api.outlines import feature
from dashboards.api.past import Past
from dashboards.api.problems import ProblemError, unknown
from dashboards.api.times import Times
from dashboards.api.views import Views, by_urgency
from dashboards.sources import Sources
from geofence.counted import covered
from geofence.coverage import SLOT_MS, Rows
from geofence.zonemap import ZoneMap

PICTURE_S = 1.0
"""How long a picture of the cells is shared between those who ask for the present [s]."""

At = Annotated[str | None, Query(description="An instant; without it, now.")]


def router(sources: Sources, times: Times, views: Views, past: Past) -> APIRouter:
    """The routes /zones, /coverage, /cells and /cells.png."""
    routes = APIRouter(tags=["coverage"])
    picture: tuple[float, ZoneMap, overlay.Picture] | None = None

    def index(zones: ZoneMap, zone_id: str) -> int:
        if not zones.has(zone_id):
            raise unknown("zone", zone_id, [zone.zone_id for zone in zones.zones])
        return zones.index(zone_id)

    def zones_of(at_ms: int | None) -> ZoneMap:
        return sources.zones if at_ms is None else sources.zones_at(at_ms)

    @routes.get("/zones", response_class=GeoAnswer, response_model=dict[str, Any])
    async def geojson(at: At = None) -> Response:
        """The zones as a FeatureCollection, with live coverage as properties.

        With `at`, the zones of that instant, without coverage. `label` is where a name can stand,
        [lng, lat]; `grid` the box of /cells.png; `version` what a change of zones must send as
        If-Match.
        """
        at_ms = times.read_or_none(at, name="at")
        statuses = sources.statuses() if at_ms is None else {}
        features = []
        for zone in zones_of(at_ms).zones:
            status = statuses.get(zone.zone_id)
            features.append(feature(zone, {} if status is None else views.coverage(status)))
        return GeoAnswer(
            {
                "type": "FeatureCollection",
                "at": times.write(sources.now_ms() if at_ms is None else at_ms),
                "version": sources.drawing.version,
                "grid": views.grid(),
                "features": features,
            }
        )

    @routes.get("/coverage", response_class=Answer, response_model=answers.Coverage)
    async def table(at: At = None) -> Response:
        """All zones, now or `at` an instant, the most urgent first."""
        at_ms = times.read_or_none(at, name="at")
        if at_ms is None:
            statuses = sorted(sources.statuses().values(), key=by_urgency)
            found = [views.coverage(status) for status in statuses]
        else:
            found = await past.coverage(at_ms)
        stated = times.write(sources.now_ms() if at_ms is None else at_ms)
        return Answer({"at": stated, "zones": found})

    @routes.get(
        "/coverage/{zone_id}",
        response_class=Answer,
        response_model=answers.ZoneAt | answers.WindowCoverage,
    )
    async def one(
        zone_id: str,
        at: At = None,
        from_: Annotated[str | None, Query(alias="from")] = None,
        to: Annotated[str | None, Query(description="Without it, now.")] = None,
    ) -> Response:
        """One zone: how it stands now or `at` an instant, or what was covered in a window.

        A window is rounded outwards to whole quarters of an hour; the answer says to which. The
        zone is as it was at the instant, or at the end of the window.
        """
        now_ms = sources.now_ms()
        if from_ is None and to is not None:
            raise ProblemError(400, "missing_from", "to= needs from=", where="from")
        if from_ is None:
            at_ms = times.read_or_none(at, name="at")
            index(zones_of(at_ms), zone_id)
            status = sources.statuses().get(zone_id) if at_ms is None else None
            stated_ms = now_ms if at_ms is None else at_ms
            if status is not None:
                found = views.coverage(status)
            else:
                there = await past.coverage(stated_ms)
                found = next(each for each in there if each["zone_id"] == zone_id)
            return Answer({"at": times.write(stated_ms), **found})
        if at is not None:
            raise ProblemError(
                400, "at_with_window", "give at=, or from= and to=, not both", where="at"
            )
        from_ms = times.read(from_, name="from")
        to_ms = now_ms if to is None else times.read(to, name="to")
        if not from_ms < to_ms:
            raise ProblemError(400, "empty_window", "from= must be before to=", where="from")
        from_ms, to_ms = from_ms // SLOT_MS * SLOT_MS, -(-to_ms // SLOT_MS) * SLOT_MS
        zones = zones_of(to_ms - 1 if to_ms <= now_ms else None)
        zone = index(zones, zone_id)
        visited = covered(sources.ledger, sources.atlas.layout, zones, from_ms, to_ms)
        count = int(np.count_nonzero(visited & (zones.cell_zone == zone)))
        total = int(zones.cells_total[zone])
        return Answer(
            {
                "zone_id": zone_id,
                "name": zones.zones[zone].name,
                "name_zh": zones.zones[zone].name_zh,
                "from": times.write(from_ms),
                "to": times.write(to_ms),
                "covered_ratio": count / total if total else 1.0,
                "cells_covered": count,
                "cells_total": total,
            }
        )

    @routes.get("/cells", response_class=Answer, response_model=answers.Cells)
    async def cells(
        zone_id: str | None = None,
        at: At = None,
        limit: Annotated[int, Query(ge=1, le=50_000)] = 10_000,
        cursor: str | None = None,
    ) -> Response:
        """Patrollable cells: last visit, whether a fix lay in the cell then, and the age."""
        after = paging.number(cursor)
        at_ms = times.read_or_none(at, name="at")
        zones = zones_of(at_ms)
        owner = zones.cell_zone
        wanted = owner >= 0 if zone_id is None else owner == index(zones, zone_id)
        known_ms = sources.now_ms() if at_ms is None else at_ms
        found = np.flatnonzero(wanted).tolist()
        page, going_on = paging.page(found, int, limit=limit, after=after)
        answer: dict[str, Any] = {
            "at": times.write(known_ms),
            "grid": views.grid(),
            "cells": _cells(zones, np.array(page, np.intp), known_ms),
        }
        if going_on is not None:
            answer["next_cursor"] = str(going_on)
        return Answer(answer)

    def _cells(zones: ZoneMap, page: NDArray[np.intp], at_ms: int) -> list[answers.Cell]:
        last_ms, observed = _last_visits(sources.ledger.rows(), zones.grid.size, at_ms)
        lat, lng = zones.grid.centre(page)
        columns = (page, zones.cell_zone[page], lat, lng, last_ms[page], observed[page])
        return [
            {
                "cell": cell,
                "zone_id": zones.zones[zone].zone_id,
                "lat": round(cell_lat, 7),
                "lng": round(cell_lng, 7),
                "last_visit": times.write_or_none(visit_ms),
                "seen": None if not visit_ms else "observed" if seen else "inferred",
                "age_s": max(at_ms - visit_ms, 0) / 1000 if visit_ms else None,
            }
            for cell, zone, cell_lat, cell_lng, visit_ms, seen in zip(
                *(column.tolist() for column in columns), strict=True
            )
        ]

    @routes.get(
        "/cells.png", response_class=Response, responses={200: {"content": {"image/png": {}}}}
    )
    async def cells_png(
        at: At = None,
        zone_id: Annotated[str | None, Query(description="Only the cells of this zone.")] = None,
        missing_since: Annotated[
            str | None,
            Query(description="Only the cells not visited at or after this, in one colour."),
        ] = None,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """The whole grid as an image, a pixel a cell, coloured by age.

        The box it covers is in the header `Grid-Box` (south, west, north, east in degrees) and
        in `grid` of /zones. Cells that were never visited, or are of no zone, are transparent.
        With `missing_since` it is the other way round: what is coloured is what is missing.
        """
        nonlocal picture
        at_ms = times.read_or_none(at, name="at")
        since_ms = times.read_or_none(missing_since, name="missing_since")
        zones = zones_of(at_ms)
        shown = None if zone_id is None else index(zones, zone_id)
        if at_ms is None and since_ms is None and shown is None:
            elapsed_s = time.monotonic()
            if picture is None or picture[1] is not zones or elapsed_s - picture[0] > PICTURE_S:
                last_ms = sources.ledger.last_visit_ms()
                picture = elapsed_s, zones, overlay.draw(zones, last_ms, sources.now_ms())
            drawn = picture[2]
        else:
            last_ms = sources.ledger.last_visit_ms(at_ms)
            if since_ms is None:
                stated_ms = sources.now_ms() if at_ms is None else at_ms
                drawn = overlay.draw(zones, last_ms, stated_ms, zone=shown)
            else:
                drawn = overlay.draw_missing(zones, last_ms, since_ms, zone=shown)
        box = zones.grid
        headers = {
            "ETag": drawn.etag,
            "Cache-Control": "no-cache",
            "Grid-Box": ",".join(
                f"{edge:.7f}" for edge in (box.south_deg, box.west_deg, box.north_deg, box.east_deg)
            ),
        }
        asked = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
        if drawn.etag in asked or "*" in asked:
            return Response(status_code=304, headers=headers)
        return Response(drawn.png, media_type="image/png", headers=headers)

    return routes


def _last_visits(rows: Rows, cells: int, at_ms: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Last visit of each cell up to an instant [ms], and whether that was observed."""
    rows = rows.where(rows.last_ms <= at_ms)
    last_ms = np.zeros(cells, np.int64)
    np.maximum.at(last_ms, rows.cell, rows.last_ms)
    observed = np.zeros(cells, np.bool_)
    observed[rows.cell[rows.observed & (rows.last_ms == last_ms[rows.cell])]] = True
    return last_ms, observed
