"""Routes about drawing zones: their versions, new ones, also from a file, an end, the policies.

What is saved is a whole: two people who draw at once must not undo each other's work. So a change
names the version of the zones that it was drawn over, and is refused when they are others now.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Header, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from dashboards.api import answers, caller
from dashboards.api.answers import Answer, GeoAnswer
from dashboards.api.background import Background
from dashboards.api.conditional import names
from dashboards.api.lists import Asked
from dashboards.api.problems import PROBLEMS, ProblemError, invalid, unknown
from dashboards.api.routes import group, needs
from dashboards.api.times import Times
from dashboards.api.views import feature
from dashboards.drawing import Proposal
from dashboards.sources import Sources
from geofence.errors import Problem, ZonesError
from geofence.geojson import Feature, read_features
from geofence.redrawing import all_redrawn, ended, redrawn, versions
from geofence.zones import Zone, Zones, as_text
from ingest.errors import StoreUnavailable
from ingest.zone_files import as_geojson

Change = Callable[[Zones], tuple[list[str], Zones]]
"""From all zones: the ids of those that it is about, and all zones after it. In a thread."""

IfMatch = Annotated[str | None, Header()]
DryRun = Annotated[bool, Query(description="Say what would come of it, and change nothing.")]
ZonesFile = Annotated[bytes, Body(media_type="application/octet-stream")]

REFUSED: dict[int | str, dict[str, Any]] = {
    status: {**PROBLEMS[400], "description": description}
    for status, description in (
        (409, "The zone does not exist then"),
        (412, "The zones are not those that it was drawn over"),
        (428, "It must say over which zones it was drawn"),
        (503, "It cannot be saved"),
    )
}


class Drawn(BaseModel):
    """A GeoJSON feature in WGS-84. Its properties are `name`, `policy`, and optionally `name_zh`,
    `code`, and `valid_from`: an instant, without which it is now."""

    model_config = ConfigDict(json_schema_extra={"required": ["type", "geometry", "properties"]})

    type: Literal["Feature"]
    geometry: Any = None
    properties: dict[str, Any] = {}


class End(BaseModel):
    """When the zone ends; without `valid_to`, now."""

    model_config = ConfigDict(extra="forbid")

    valid_to: str | None = None


def _filled(feature: Feature, policy: str) -> dict[str, Any]:
    """A feature of a file with an id, a name and a policy, where it has none of its own."""
    given = {key: as_text(value) for key, value in feature.properties.items() if value is not None}
    named = {"zone_id": f"zone-{feature.number}", "policy": policy} | given
    named.setdefault("name", named["zone_id"])
    return {"properties": named, "geometry": feature.geometry}


def add(api: APIRouter, sources: Sources, times: Times, background: Background) -> None:
    """Add the routes /zones/import, /zones/{zone_id}, /zones/{zone_id}/versions and /policies."""
    routes = group(api, needs("viewer"), tags=["zones"])
    drawing = sources.drawing

    def collection(found: Collection[Zone]) -> Any:
        write = times.write_or_none
        features = [
            feature(
                zone, {"valid_from": write(zone.valid_from_ms), "valid_to": write(zone.valid_to_ms)}
            )
            for zone in found
        ]
        return {"type": "FeatureCollection", "version": drawing.version, "features": features}

    def known(zone_id: str) -> list[Zone]:
        found = versions(drawing.zones, zone_id)
        if not found:
            raise unknown("zone", zone_id, {zone.zone_id for zone in drawing.zones.zones})
        return found

    def same_zones(if_match: str | None) -> None:
        if if_match is None:
            detail = "send the version of /zones as If-Match, so that nobody's work is undone"
            raise ProblemError(428, "if_match_missing", detail)
        if not names(if_match, drawing.version):
            raise changed()

    def changed() -> ProblemError:
        detail = "somebody has drawn zones meanwhile: load /zones again; nothing was changed"
        return ProblemError(412, "zones_changed", detail, version=drawing.version)

    def when(given: object, name: str, problems: list[Problem]) -> int:
        """Read an instant that is not in the past; otherwise add a problem and return now."""
        now_ms = sources.now_ms()
        if given is None:
            return now_ms
        message = "lies in the past, which is not rewritten; leave it out to begin now"
        try:
            at_ms = times.read(str(given), name=name)
            if at_ms >= now_ms:
                return at_ms
        except ProblemError as exc:
            message = exc.detail.removeprefix(f"{name}: ")
        problems.append(Problem(name, message))
        return now_ms

    async def redraw(
        request: Request,
        change: Change,
        at_ms: int,
        problems: list[Problem],
        if_match: str | None,
        dry_run: bool = False,
    ) -> tuple[list[str], Zones, dict[str, Any]]:
        """Make a change, and adopt it unless it is a dry run.

        Returns the ids of the zones that it is about, all zones after it, and what came of it.
        """
        if not dry_run:
            same_zones(if_match)
        over, before = drawing.version, drawing.zones

        def propose() -> tuple[list[str], Proposal]:
            zone_ids, zones = change(before)
            return zone_ids, drawing.propose(zones)

        try:
            zone_ids, proposal = await background.run(propose, request)
        except ZonesError as exc:
            problems += exc.problems
        if problems:
            raise invalid("invalid_zones", problems)
        if dry_run:
            await caller.leave_out_of_record(request)
        elif drawing.version != over:
            raise changed()
        else:
            try:
                drawing.adopt(proposal)
            except StoreUnavailable as exc:
                detail = f"{exc}; nothing was changed"
                raise ProblemError(503, "storage_unavailable", detail) from exc
            caller.add_to_record(request, zone=", ".join(zone_ids), at=times.write(at_ms))
        then, zones = proposal.layout.era_at(at_ms).zones, proposal.layout.zones
        counts = [int(then.cells_total[then.index(each)]) for each in zone_ids if then.has(each)]
        told = [each for each in zones.warnings if not set(zone_ids).isdisjoint(each.zone_ids)]
        came_of_it = {
            "version": drawing.version,
            "at": times.write(at_ms),
            "dry_run": dry_run,
            "live": proposal.live,
            "cells_total": sum(counts) if counts else None,
            "warnings": [times.answer(answers.ZoneWarning, each) for each in told],
        }
        return zone_ids, zones, came_of_it

    def tagged(answer: type[Answer], content: object) -> Response:
        return answer(content, headers={"ETag": f'"{drawing.version}"'})

    def one(zone_id: str, zones: Zones, came_of_it: dict[str, Any]) -> Response:
        outlines = collection(versions(zones, zone_id))
        return tagged(Answer, {"zone_id": zone_id, **came_of_it, "versions": outlines})

    @routes.get(
        "/zones/{zone_id}/versions",
        response_class=GeoAnswer,
        response_model=answers.ZoneVersions,
    )
    async def list_zone_versions(zone_id: str) -> Response:
        """Every outline that a zone has had, has, or is to have, as a FeatureCollection.

        The oldest is first. `valid_from` and `valid_to` are null where there is no bound.
        """
        return tagged(GeoAnswer, collection(known(zone_id)))

    @routes.post(
        "/zones/import",
        dependencies=[needs("admin")],
        response_model=answers.ZonesImport,
        responses=REFUSED,
    )
    async def import_zones(
        request: Request,
        body: ZonesFile,
        policy: str,
        valid_from: str | None = None,
        alone: bool = False,
        dry_run: DryRun = False,
        if_match: IfMatch = None,
    ) -> Response:
        """Draw all zones of a file at once: GeoJSON, KML, KMZ or a zipped Shapefile; or gzip of it.

        Of each feature `zone_id`, `name`, `name_zh`, `policy` and `code` count. One without an id
        gets one by its number in the file, one without a name is called by its id. All of them are
        drawn, or none: 422 lists everything that is wrong as `problems`.
        """
        problems: list[Problem] = []
        from_ms = when(valid_from, "valid_from", problems)

        def change(zones: Zones) -> tuple[list[str], Zones]:
            found: list[Problem] = []
            read = list(read_features(as_geojson(body, "file"), "file", "zone_id", found))
            if found or not read:
                raise ZonesError(found or [Problem("file", "has no features")])
            drawn = [_filled(each, policy) for each in read]
            zone_ids = sorted({str(each["properties"]["zone_id"]) for each in drawn})
            return zone_ids, all_redrawn(
                zones, drawn, from_ms, alone=alone, policies=sources.policies, timezone=times.zone
            )

        zone_ids, _, said = await redraw(request, change, from_ms, problems, if_match, dry_run)
        return tagged(Answer, {"zone_ids": zone_ids, **said})

    @routes.put(
        "/zones/{zone_id}",
        dependencies=[needs("admin")],
        response_model=answers.ZoneChange,
        responses=REFUSED,
    )
    async def draw_zone(
        request: Request,
        zone_id: str,
        body: Drawn,
        dry_run: DryRun = False,
        if_match: IfMatch = None,
    ) -> Response:
        """Draw a zone, or draw it anew from `valid_from` on.

        The version before it ends then; one that was to come later, and a planned end, give way.
        What was covered before stays what it was. 422 lists everything that is wrong as
        `problems`. `live` is false when the outline leaves the grid of the running station: then
        it takes effect at its next start.
        """
        problems: list[Problem] = []
        from_ms = when(body.properties.get("valid_from"), "valid_from", problems)

        def change(zones: Zones) -> tuple[list[str], Zones]:
            return [zone_id], redrawn(
                zones,
                zone_id,
                body.model_dump(),
                from_ms,
                policies=sources.policies,
                timezone=times.zone,
            )

        _, zones, said = await redraw(request, change, from_ms, problems, if_match, dry_run)
        return one(zone_id, zones, said)

    @routes.delete(
        "/zones/{zone_id}",
        dependencies=[needs("admin")],
        response_model=answers.ZoneChange,
        responses=REFUSED,
    )
    async def end_zone(
        request: Request, zone_id: str, body: End | None = None, if_match: IfMatch = None
    ) -> Response:
        """Let a zone end. What was covered before stays what it was; open alerts are voided.

        409 `zone_ended` when it does not exist then, and is not to come later.
        """
        found = known(zone_id)
        problems: list[Problem] = []
        to_ms = when(None if body is None else body.valid_to, "valid_to", problems)

        def change(zones: Zones) -> tuple[list[str], Zones]:
            if all(zone.valid_to_ms is not None and zone.valid_to_ms <= to_ms for zone in found):
                detail = f"{zone_id} has ended by then"
                raise ProblemError(409, "zone_ended", detail, zone_id=zone_id)
            return [zone_id], ended(zones, zone_id, to_ms, times.zone)

        _, zones, said = await redraw(request, change, to_ms, problems, if_match)
        return one(zone_id, zones, said)

    @routes.get("/policies", response_model=answers.Policies)
    async def list_policies(asked: Asked) -> Response:
        """The policies that a zone can have, as they are without a campaign."""
        known = sources.policies.items()
        named = [times.answer(answers.PolicyName, each, name=name) for name, each in known]
        return asked.answer({"policies": named}, "policies", answers.PolicyName)
