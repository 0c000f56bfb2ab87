"""GeoJSON of zones, and what reading it finds, for tests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from geofence.errors import Problem, ZonesError
from geofence.zones import Zones, parse_zones

POLICIES = {"core", "arterial", "residential", "industrial", "waterfront"}


def square(lng: float = 120.38, lat: float = 36.30, side: float = 0.01) -> list[Any]:
    return [
        [[lng, lat], [lng + side, lat], [lng + side, lat + side], [lng, lat + side], [lng, lat]]
    ]


def feature(number: int = 1, coordinates: Any = None, **properties: Any) -> dict[str, Any]:
    """A zone that is fine; a property given as None is left out."""
    known = {"zone_id": f"cy-{number:02}", "name": f"Zone {number}", "policy": "core"} | properties
    return {
        "type": "Feature",
        "properties": {k: v for k, v in known.items() if v is not None},
        "geometry": {
            "type": "Polygon",
            "coordinates": square(120.30 + 0.01 * number) if coordinates is None else coordinates,
        },
    }


def parse(*features: Any, exclusions: Any = None, **members: Any) -> Zones:
    document = {"type": "FeatureCollection", "features": list(features)} | members
    excluded = None if exclusions is None else json.dumps(exclusions).encode()
    return parse_zones(json.dumps(document).encode(), excluded, POLICIES)


def problems(*features: Any, **kwargs: Any) -> list[Problem]:
    with pytest.raises(ZonesError) as caught:
        parse(*features, **kwargs)
    return caught.value.problems


def only(*features: Any, **kwargs: Any) -> str:
    """The one problem there must be, as it is shown."""
    found = problems(*features, **kwargs)
    assert len(found) == 1, found
    return str(found[0])
