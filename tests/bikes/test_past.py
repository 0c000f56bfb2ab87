"""The past of a simulated fleet: a month that looks like one, quickly made."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from bikes.simulator import SimulationPlan, SimZone, past_days

START_MS = 1_772_582_400_000  # 2026-03-04, a Wednesday, 08:00 in Shanghai
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def plan() -> SimulationPlan:
    """Six bikes in two zones."""
    boxes = {"west": 120.38, "east": 120.40}
    zones = [SimZone(name, shapely.box(x, 36.30, x + 0.015, 36.31)) for name, x in boxes.items()]
    ids = [f"b{n}" for n in range(6)]
    return SimulationPlan(seed=3, vendor="v", bike_ids=ids, zones=zones, start_ms=START_MS)


def test_every_day_lies_in_its_shifts_before_the_start(plan: SimulationPlan) -> None:
    """No fix is parked, in the night, or after the plan's start; bikes differ from day to day."""
    days = list(past_days(plan, 10))
    assert len(days) == 10
    riders = set()
    for back, day in zip(range(10, 0, -1), days, strict=True):
        since_h = (day.timestamp_ms - (START_MS - back * DAY_MS)) / 3_600_000
        assert ((since_h >= 0) & (since_h < 10.2)).all()
        assert ((since_h < 4.1) | (since_h > 5.4)).all()
        assert len(day) > 100
        riders.add(tuple(np.unique(day.bike)))
    assert len(riders) > 3


def test_the_same_plan_has_the_same_past(plan: SimulationPlan) -> None:
    """Byte for byte, as its messages."""
    once, again = (list(past_days(plan, 3)) for _ in range(2))
    for a, b in zip(once, again, strict=True):
        assert a.lat_deg.tobytes() == b.lat_deg.tobytes()
        assert (a.bike == b.bike).all()
