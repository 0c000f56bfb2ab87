"""Zones as GeoJSON features."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import shapely

from geofence.outlines import Outline
from geofence.zones import Zone


def feature(zone: Zone, more: Mapping[str, object]) -> dict[str, Any]:
    """A zone and what else is known of it; `label` is where its name can stand, [lng, lat]."""
    geometry, label = _shape(zone.geometry)
    return {
        "type": "Feature",
        "id": zone.zone_id,
        "geometry": geometry,
        "properties": {
            "zone_id": zone.zone_id,
            "name": zone.name,
            "name_zh": zone.name_zh,
            "policy": zone.policy,
            **more,
            "code": zone.code,
            "label": label,
        },
    }


@lru_cache(maxsize=4096)
def _shape(geometry: Outline) -> tuple[dict[str, Any], list[float]]:
    """A zone's outline as GeoJSON, and a point inside it; the same for all who ask."""
    label = shapely.maximum_inscribed_circle(geometry).coords[0]
    outline: dict[str, Any] = shapely.geometry.mapping(geometry)
    return outline, [round(label[0], 6), round(label[1], 6)]
