"""A small district and a simulated fleet for tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from shapely import box

from bikes.simulator import SimulationPlan, SimZone

SHANGHAI = ZoneInfo("Asia/Shanghai")
START_MS = round(datetime(2026, 3, 4, 8, tzinfo=SHANGHAI).timestamp() * 1000)
"""08:00 on a Wednesday."""

HOUR_MS = 3_600_000

QUIET = {"inaccurate": 0.0, "outlier": 0.0, "dropouts_per_hour": 0.0, "duplicate": 0.0, "bad": 0.0}
"""Everything goes well."""


def zones() -> list[SimZone]:
    """Four squares of some 1.4 km: `sw`, `se`, `nw`, `ne`."""
    lat, lng, side_lat, side_lng = 36.30, 120.38, 0.0125, 0.0155
    return [
        SimZone(
            name,
            box(
                lng + col * side_lng,
                lat + row * side_lat,
                lng + (col + 1) * side_lng,
                lat + (row + 1) * side_lat,
            ),
        )
        for name, row, col in (("sw", 0, 0), ("se", 0, 1), ("nw", 1, 0), ("ne", 1, 1))
    ]


def plan(seed: int = 1, bikes: int = 6, **changes: Any) -> SimulationPlan:
    """Six bikes; nobody goes to `ne`, and `se` is patrolled from 08:35."""
    settings: dict[str, Any] = {
        "seed": seed,
        "vendor": "hello",
        "bike_ids": [f"HB{n:03d}" for n in range(1, bikes + 1)],
        "zones": zones(),
        "start_ms": START_MS,
        "neglected": "ne",
        "delayed": "se",
    }
    return SimulationPlan(**(settings | changes))
