"""The sample district and the simulated fleet together tell the story that the demo shows."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import shapely

from bikes.roster import Roster
from bikes.simulator import SimulationPlan, Simulator, SimZone
from bikes.telemetry import TelemetryBatch
from geofence.runs import Visits
from ingest.log import Messages
from patrol.assembly import District, decoder_of, district_of
from patrol.config.settings import load_with_zones
from tests.patrol.configurations import check

SAMPLE = Path(__file__).parents[2] / "samples" / "chengyang" / "patrol.toml"
START_MS = round(datetime(2026, 3, 4, 8, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)
MINUTE_MS = 60_000
HALF_HOUR_MS = 30 * MINUTE_MS
NEGLECTED, DELAYED = "cy-07", "cy-08"


def test_sample_has_no_mistake() -> None:
    """The configuration of the sample district passes its own check."""
    assert check(SAMPLE) == []


def first_hour(seed: int) -> tuple[District, Visits, int]:
    """District and visits of the first hour, and items that were neither kept nor rejected."""
    settings, zones = load_with_zones(SAMPLE)
    district = district_of(settings, zones, START_MS)
    walled = shapely.union_all([exclusion.geometry for exclusion in zones.exclusions])
    fleet = Simulator(
        SimulationPlan(
            seed=seed,
            vendor="hello",
            bike_ids=list(settings.vendors["hello"].bikes),
            zones=[SimZone(z.zone_id, z.geometry.difference(walled)) for z in zones.zones],
            start_ms=START_MS,
            neglected=NEGLECTED,
            delayed=DELAYED,
        )
    )
    decoder = decoder_of(settings, Roster({"hello": settings.vendors["hello"].bikes}))
    parts, unaccounted = [], 0
    messages = fleet.messages(START_MS, START_MS + 60 * MINUTE_MS)
    for second, group in groupby(messages, key=lambda message: message.at_ms // 1000):
        batch = list(group)
        received = Messages(
            (second + 1) * 1000, [m.topic for m in batch], [m.payload for m in batch]
        )
        decoded = decoder.decode(received)
        parts.append(decoded.telemetry)
        unaccounted += sum(m.items for m in batch)
        unaccounted -= len(decoded.telemetry) + decoded.refused.total()
    _, visits = district.judge.assess(TelemetryBatch.concat(parts).distinct())
    return district, visits, unaccounted


@pytest.mark.parametrize("seed", [1, 2])
def test_first_hour_of_the_sample(seed: int) -> None:
    """One zone is neglected, one is patrolled late, the others meet their frequency."""
    district, visits, unaccounted = first_hour(seed)
    assert unaccounted == 0
    zones = district.atlas.at(START_MS)
    assert len(zones.zones) == 9
    zone = zones.cell_zone[visits.cell]
    for n, place in enumerate(zones.zones):
        policy = district.settings.policies[place.policy]
        cells, at_ms = visits.cell[zone == n], visits.at_ms[zone == n] - START_MS

        def patrolled(now_min: int, cells=cells, at_ms=at_ms, least=policy.min_cells) -> bool:
            now_ms = now_min * MINUTE_MS
            recent = cells[(at_ms > now_ms - HALF_HOUR_MS) & (at_ms <= now_ms)]
            return np.unique(recent).size >= least

        when = [minute for minute in range(1, 61) if patrolled(minute)]
        if place.zone_id == NEGLECTED:
            assert policy.frequency_s == 1_800
            assert not cells.size
        elif place.zone_id == DELAYED:
            assert policy.frequency_s == 1_800
            assert 34 < when[0] < 42
            assert when == list(range(when[0], 61))
        else:
            assert when[0] <= 5
            assert when == list(range(when[0], 61))
