"""Zones as they are after one of them was drawn anew, and as a file keeps them.

A redraw is a new *version* of a zone from an instant on. The version before it ends there; a
version that was to come later, and a planned end, give way to it. What has been is not touched.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any

import shapely

from geofence.errors import Problem, ZonesError
from geofence.zones import Zone, Zones, parse_zones

KEYS = ("name", "name_zh", "policy", "code")
"""Properties of a version beside its outline."""


def redrawn(
    zones: Zones,  # as they are
    zone_id: str,  # of the zone; a new one when there is none
    # A GeoJSON feature; of its properties `name`, `name_zh`, `policy` and `code` count.
    drawn: Mapping[str, Any],
    from_ms: int,  # from when on it is so [ms]
    *,
    policies: Collection[str],  # the policies that exist
    timezone: tzinfo,  # what times are written in
) -> Zones:
    """The zones after one was drawn, or drawn anew.

    ZonesError: with everything that is wrong with the zones as they would be.
    """
    given = drawn.get("properties")
    named = {**(given if isinstance(given, dict) else {}), "zone_id": zone_id}
    one = {"properties": named, "geometry": drawn.get("geometry")}
    return all_redrawn(zones, [one], from_ms, policies=policies, timezone=timezone)


def all_redrawn(
    zones: Zones,  # as they are
    drawn: Sequence[Mapping[str, Any]],  # features as above, with `zone_id` beside the others
    from_ms: int,
    *,
    alone: bool = False,  # whether the zones that are not among them end then
    policies: Collection[str],
    timezone: tzinfo,
) -> Zones:
    """The zones after several were drawn at once, each a new one or drawn anew.

    ZonesError: with everything that is wrong; the numbers of features are those of `drawn`.
    """
    new = [
        {
            "type": "Feature",
            "properties": {
                **{key: feature["properties"].get(key) for key in ("zone_id", *KEYS)},
                "valid_from": _written(from_ms, timezone),
            },
            "geometry": feature["geometry"],
        }
        for feature in drawn
    ]
    named = {str(feature["properties"].get("zone_id")) for feature in drawn}
    ends = {zone.zone_id for zone in zones.zones} | named if alone else named
    kept = [feature_of(zone, timezone) for zone in _until(zones, ends, from_ms)]
    document = json.dumps({"type": "FeatureCollection", "features": [*new, *kept]})
    parsed = parse_zones(
        document.encode(),
        None,
        policies,
        source="zones",
        timezone=timezone,
        cell_m=zones.cell_m,
        overlap_m=zones.overlap_m,
    )
    return replace(parsed, exclusions=zones.exclusions)


def ended(zones: Zones, zone_id: str, at_ms: int, timezone: tzinfo) -> Zones:
    """The zones after it was said that one ends at an instant [ms].

    ZonesError: there would be an instant from then on at which the district has no zone.
    """
    left = replace(zones, zones=tuple(_until(zones, {zone_id}, at_ms)))
    for from_ms in (at_ms, *(ms for ms in left.changes_ms if ms > at_ms)):
        if not left.at(from_ms):
            when = _written(from_ms, timezone)
            message = f"is the last zone: from {when} on the district would have none"
            raise ZonesError([Problem(f'zone_id "{zone_id}"', message)])
    return left


def versions(zones: Zones, zone_id: str) -> list[Zone]:
    """The versions of a zone, the oldest first."""
    return [zone for zone in zones.zones if zone.zone_id == zone_id]


def feature_of(zone: Zone, timezone: tzinfo) -> dict[str, Any]:
    """A zone as a GeoJSON feature that `parse_zones` reads as this zone."""
    properties: dict[str, Any] = {"zone_id": zone.zone_id}
    properties |= {key: getattr(zone, key) for key in KEYS}
    properties["valid_from"] = _written(zone.valid_from_ms, timezone)
    properties["valid_to"] = _written(zone.valid_to_ms, timezone)
    return {
        "type": "Feature",
        "properties": {key: value for key, value in properties.items() if value is not None},
        "geometry": shapely.geometry.mapping(zone.geometry),
    }


def _until(zones: Zones, zone_ids: Collection[str], at_ms: int) -> Iterable[Zone]:
    """The zones, of some of them only what is before an instant."""
    for zone in zones.zones:
        if zone.zone_id not in zone_ids or (
            zone.valid_to_ms is not None and zone.valid_to_ms <= at_ms
        ):
            yield zone
        elif zone.valid_from_ms is None or zone.valid_from_ms < at_ms:
            yield replace(zone, valid_to_ms=at_ms)


def _written(at_ms: int | None, timezone: tzinfo) -> str | None:
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, timezone).isoformat(timespec="milliseconds")
