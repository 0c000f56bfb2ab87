"""Routes about zones: their outlines and their coverage, now, then and in a window."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from dashboards.api import answers
from dashboards.api.answers import Answer, GeoAnswer
from dashboards.api.background import Background
from dashboards.api.conditional import names
from dashboards.api.lists import Asked, AskedOnMaps
from dashboards.api.precision import rounded
from dashboards.api.problems import ProblemError, unknown
from dashboards.api.routes import group, needs
from dashboards.api.times import Times
from dashboards.api.views import Views, by_urgency, draw, excluded, feature, presence_at
from dashboards.sources import Sources
from geofence.coverage import SLOT_MS
from geofence.covered import covered
from geofence.zone_state import states_of
from geofence.zonemap import ZoneMap

At = Annotated[str | None, Query(description="An instant; without it, now.")]


def zones_of(sources: Sources, at_ms: int | None) -> ZoneMap:
    """The zones of an instant [ms]; without one, those of the last assessment."""
    return sources.zones if at_ms is None else sources.zones_at(at_ms)


def zone_index(zones: ZoneMap, zone_id: str, where: str | None = None) -> int:
    """The number of a zone among some. ProblemError `unknown_zone`: 404, for a filter 422."""
    if not zones.has(zone_id):
        raise unknown("zone", zone_id, [zone.zone_id for zone in zones.zones], where)
    return zones.index(zone_id)


def add(
    api: APIRouter, sources: Sources, times: Times, views: Views, background: Background
) -> None:
    """Add the routes /zones, /coverage and /coverage/{zone_id}."""
    routes = group(api, needs("viewer"), tags=["coverage"])

    async def coverage_at(request: Request, at_ms: int) -> list[answers.ZoneCoverage]:
        """All zones that there were at an instant [ms], most urgent first, by what is known now.

        One pass over the ledger, in a thread.
        """
        zones, known = sources.zones_at(at_ms), sources.ledger()

        def look() -> list[answers.ZoneCoverage]:
            ledger = known.as_of(at_ms)
            statuses = states_of(sources.record(ledger, at_ms), sources.plan)
            presence = presence_at(ledger, zones, sources.roster)
            return [
                views.coverage_of(status, zones, presence)
                for status in sorted(statuses, key=by_urgency)
            ]

        return await background.run(look, request)

    @routes.get("/zones", response_class=GeoAnswer, response_model=answers.Zones)
    async def list_zones(
        asked: AskedOnMaps,
        at: At = None,
        coverage: bool = True,
        had: Annotated[str | None, Header(alias="If-None-Match", include_in_schema=False)] = None,
    ) -> Response:
        """The zones as a FeatureCollection, with live coverage as properties.

        With `at`, the zones of that instant, without coverage. `label` is where a name can stand,
        [lng, lat]; `grid` the box of /cells.png; `version` what a change of zones must send as
        If-Match; `excluded` what cannot be patrolled, as features of a name.
        """
        at_ms = times.read_or_none(at, name="at")
        headers = {}
        if at_ms is None and not coverage:
            # What is there already is not even written: outlines of a thousand zones are 3 MB.
            version, from_ms = sources.drawing.version.strip('"'), sources.in_force().from_ms
            etag = f'W/"{version}-{from_ms}"'
            headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
            if had is not None and names(had, etag):
                return Response(status_code=304, headers=headers)
        zones = zones_of(sources, at_ms).zones
        await run_in_threadpool(draw, zones)
        await run_in_threadpool(views.presence.now)
        statuses = sources.statuses() if coverage and at_ms is None else {}
        features = []
        for zone in zones:
            status = statuses.get(zone.zone_id)
            features.append(feature(zone, {} if status is None else views.coverage(status)))
        if asked.format == "csv":
            rows = [each["properties"] for each in features]
            shape = answers.LiveZone if coverage and at is None else answers.DrawnZone
            return asked.answer({"zones": rows}, "zones", shape)
        return GeoAnswer(
            {
                "at": times.write(sources.now_ms() if at_ms is None else at_ms),
                "type": "FeatureCollection",
                "version": sources.drawing.version,
                "grid": views.grid(),
                "excluded": [excluded(each) for each in sources.drawing.zones.exclusions],
                "features": features,
            },
            headers=headers,
        )

    @routes.get("/coverage", response_model=answers.Coverage)
    async def list_coverage(request: Request, asked: Asked, at: At = None) -> Response:
        """All zones, now or `at` an instant, the most urgent first."""
        at_ms = times.read_or_none(at, name="at")
        if at_ms is None:
            await run_in_threadpool(views.presence.now)
            found, text = views.coverages()
            if asked.format == "json":
                return Answer({"at": times.write(sources.now_ms()), "zones": text})
        else:
            found = await coverage_at(request, at_ms)
        stated = times.write(sources.now_ms() if at_ms is None else at_ms)
        return asked.answer({"at": stated, "zones": found}, "zones", answers.ZoneCoverage)

    @routes.get("/coverage/{zone_id}", response_model=answers.ZoneAt | answers.WindowCoverage)
    async def get_coverage(
        request: Request,
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
            zone_index(zones_of(sources, at_ms), zone_id)
            status = sources.statuses().get(zone_id) if at_ms is None else None
            stated_ms = now_ms if at_ms is None else at_ms
            if status is not None:
                found = views.coverage(status)
            else:
                there = await coverage_at(request, stated_ms)
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
        # Up to an instant to come, also what a bike says of it whose clock is ahead.
        known = sources.view().ledger.certain(max(to_ms, now_ms))
        from_ms, to_ms = from_ms // SLOT_MS * SLOT_MS, -(-to_ms // SLOT_MS) * SLOT_MS
        zones = zones_of(sources, to_ms - 1 if to_ms <= now_ms else None)
        zone = zone_index(zones, zone_id)
        visited = covered(known, sources.atlas.layout, zones, from_ms, to_ms)
        count = int(np.count_nonzero(zones.cell_zone[visited] == zone))
        total = int(zones.cells_total[zone])
        return Answer(
            {
                "zone_id": zone_id,
                "name": zones.zones[zone].name,
                "name_zh": zones.zones[zone].name_zh,
                "from": times.write(from_ms),
                "to": times.write(to_ms),
                "covered_ratio": rounded(count / total if total else 1.0, "covered_ratio"),
                "cells_covered": count,
                "cells_total": total,
            }
        )
