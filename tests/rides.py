"""Synthetic rides and a small district for tests of geofence and pipeline."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bikes.telemetry import TelemetryBatch
from geofence.atlas import Atlas
from geofence.quality import Limits
from geofence.runs import Judge, Midnights
from geofence.zonemap import MARGIN_M, ZoneMap
from geofence.zones import Zones, parse_zones

START_MS = 1_763_856_000_000  # 2025-11-23 08:00 in Shanghai


@cache
def two_drawn() -> Zones:
    """Two rectangular zones side by side, some 4 by 4 km each, with a common edge."""

    def feature(zone_id: str, west: float, east: float) -> dict[str, object]:
        ring = [[west, 36.28], [east, 36.28], [east, 36.32], [west, 36.32], [west, 36.28]]
        return {
            "type": "Feature",
            "properties": {"zone_id": zone_id, "name": zone_id, "policy": "core"},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }

    text = json.dumps(
        {
            "type": "FeatureCollection",
            "features": [feature("west", 120.35, 120.40), feature("east", 120.40, 120.45)],
        }
    )
    return parse_zones(text.encode(), None, {"core"})


@cache
def two_zones() -> ZoneMap:
    """:func:`two_drawn` on a grid."""
    return zone_map(two_drawn())


def zone_map(
    zones: Zones, *, cell_m: float = 100.0, margin_m: float = MARGIN_M, at_ms: int = 0
) -> ZoneMap:
    """The zones of an instant on a grid of their own."""
    in_order = replace(zones, zones=tuple(sorted(zones.zones, key=lambda zone: zone.zone_id)))
    return Atlas(in_order, cell_m=cell_m, margin_m=margin_m).at(at_ms)


def judge(limits: Limits | None = None) -> Judge:
    """A judge over :func:`two_zones`."""
    return Judge(Atlas(two_drawn()), limits or Limits(), Midnights("Asia/Shanghai"), {"core": 20.0})


def batch(
    at_s: list[float],
    east_m: list[float],
    north_m: list[float],
    *,
    accuracy_m: list[float] | float = 5.0,
    bike: int = 0,
) -> TelemetryBatch:
    """Fixes of one bike by seconds after :data:`START_MS` and metres from 36.30 N, 120.38 E."""
    n = len(at_s)
    grid = two_zones().grid
    nan = np.full(n, np.nan, np.float32)
    return TelemetryBatch(
        bike=np.full(n, bike, np.int32),
        timestamp_ms=START_MS + np.round(np.array(at_s, float) * 1000).astype(np.int64),
        lat_deg=36.30 + np.array(north_m, float) / grid.metres_per_lat,
        lng_deg=120.38 + np.array(east_m, float) / grid.metres_per_lng,
        accuracy_m=np.broadcast_to(np.asarray(accuracy_m, np.float32), (n,)).copy(),
        speed_mps=nan,
        heading_deg=nan,
        altitude_m=nan,
        battery_percent=nan,
    )


def messy(seed: int, *, bikes: int = 2, fixes: int = 300, tau_s: float = 5.0) -> TelemetryBatch:
    """Rides with noise, stops, outliers, inaccurate fixes, gaps, equal timestamps, a midnight;
    then a lock that says now and then where it stands."""
    rng = np.random.default_rng(seed)
    parts = []
    for bike in range(bikes):
        heading = np.cumsum(rng.normal(0, 0.4, fixes))
        speed = np.where((np.arange(fixes) // 40) % 3 == 2, 0.0, rng.uniform(2, 6))
        if rng.random() < 0.3:
            speed[fixes // 2 :] *= 5  # into a van
        east = np.cumsum(speed * tau_s * np.cos(heading)) + rng.normal(0, 3, fixes)
        north = np.cumsum(speed * tau_s * np.sin(heading)) + rng.normal(0, 3, fixes)
        east += np.where(rng.random(fixes) < 0.03, rng.choice([400, 9_000]), 0)
        # Starts so late in the evening that midnight falls into the ride.
        at_s = 15.9 * 3600 + np.arange(fixes) * tau_s + rng.uniform(0, 2, fixes)
        at_s += np.cumsum(np.where(rng.random(fixes) < 0.02, rng.choice([119, 121, 600]), 0))
        accuracy = np.where(rng.random(fixes) < 0.04, 80, rng.choice([3, 5, 30], fixes))
        ride = batch(
            list(np.round(at_s, 1)), list(east), list(north), accuracy_m=list(accuracy), bike=bike
        )
        ride = TelemetryBatch.concat(
            [replace(ride, speed_mps=speed.astype(np.float32)), _heartbeats(ride, rng)]
        )
        again = ride.take(rng.integers(0, len(ride), 5))
        moved = TelemetryBatch(
            again.bike,
            again.timestamp_ms,
            again.lat_deg + 1e-4,
            again.lng_deg,
            again.accuracy_m,
            again.speed_mps,
            again.heading_deg,
            again.altitude_m,
            again.battery_percent,
        )
        parts += [ride, again, moved]
    return TelemetryBatch.concat(parts)


def _heartbeats(ride: TelemetryBatch, rng: np.random.Generator) -> TelemetryBatch:
    """Bursts of fixes of a bike that stands where its ride ended; some are longer than others."""
    pause_s = np.where(rng.random(16) < 0.5, rng.choice([10, 60, 119], 16), 300)
    last = ride.take(np.full(16, len(ride) - 1))
    speed = np.where(rng.random(16) < 0.8, 0.0, rng.choice([np.nan, 0.6], 16))
    return replace(
        last,
        timestamp_ms=last.timestamp_ms + np.cumsum(pause_s).astype(np.int64) * 1000,
        lat_deg=last.lat_deg + rng.choice([0, 5e-5, 3e-4], 16),
        accuracy_m=np.full(16, 5, np.float32),
        speed_mps=speed.astype(np.float32),
    )


disorders = st.sampled_from([0, 1, 20, 40, 300, 3_000, 90_000])
"""How much later than others a fix may come [s]."""

stirred = given(
    seed=st.integers(0, 2**32 - 1),
    disorder_s=disorders,
    cuts=st.integers(0, 60),
    repeats=st.integers(0, 40),
)
"""Gives a test what :func:`messy` and :func:`shuffled` are asked for."""


def shuffled(
    fixes: TelemetryBatch, rng: np.random.Generator, *, disorder_s: int, repeats: int, cuts: int
) -> list[TelemetryBatch]:
    """Fixes out of order, some repeated, in batches of any size."""
    n = len(fixes)
    sent = fixes.timestamp_ms + rng.integers(0, disorder_s * 1000 + 1, n)
    order = np.argsort(sent, kind="stable")
    order = np.insert(order, rng.integers(0, n, repeats), rng.integers(0, n, repeats))
    edges = np.sort(rng.integers(0, len(order) + 1, cuts))
    return [fixes.take(part) for part in np.split(order, edges)]
