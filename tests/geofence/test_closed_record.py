"""A closed record is measured the same however it is cut into stretches of time."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from alerts.plan import Policies
from bikes.telemetry import TelemetryBatch
from geofence.closed_record import ClosedRecord, ZoneRecord
from geofence.coverage import SLOT_MS
from geofence.record import patrolled_ms
from geofence.runs import Visits
from tests.rides import judge, messy
from words.times import DAY_MS, MINUTE_MS

SHANGHAI = ZoneInfo("Asia/Shanghai")
POLICY = {"frequency": "1h", "target": 0.02, "min_cells": 3}
WEEKS = {**POLICY, "window": "week", "hours": ["Mon-Sun 00:00-24:00"]}
SHIFTS = {**POLICY, "window": "shift", "hours": ["Mon-Sun 21:00-24:00", "Mon-Sun 00:00-02:00"]}


def measured(
    fixes: TelemetryBatch, visits: Visits, policy: dict[str, object], ends_ms: list[int]
) -> list[ZoneRecord]:
    """The figures of both zones by stretches that end there."""
    atlas = judge().atlas
    policies = Policies.parse({"west": "core", "east": "core"}, {"core": policy}, SHANGHAI)
    plans = {zone: policies.plan(zone) for zone in ("west", "east")}
    ends = int(fixes.timestamp_ms.min()), int(fixes.timestamp_ms.max())
    record = ClosedRecord(atlas.layout, atlas.grid.size, plans, *ends)
    begin_ms = 0
    for end_ms in ends_ms:
        heard = (fixes.timestamp_ms >= begin_ms) & (fixes.timestamp_ms < end_ms)
        some = visits.where((visits.at_ms >= begin_ms) & (visits.at_ms < end_ms))
        in_zones = record.hear(fixes.bike[heard], fixes.timestamp_ms[heard], some)
        record.pass_([in_zones], end_ms)
        begin_ms = end_ms
    return [figures for _, figures in record.ended()]


@pytest.mark.parametrize("policy", [WEEKS, SHIFTS])
@pytest.mark.parametrize("seed", range(4))
def test_how_a_record_is_cut_does_not_show(policy: dict[str, object], seed: int) -> None:
    """By slots, by days and at once: every figure is the same, bit for bit."""
    ridden = messy(seed).distinct()
    days = [replace(ridden, timestamp_ms=ridden.timestamp_ms + n * DAY_MS) for n in range(10)]
    fixes = TelemetryBatch.concat(days).distinct()
    _, visits = judge().assess(fixes)
    end_ms = (int(fixes.timestamp_ms.max()) // SLOT_MS + 1) * SLOT_MS
    at_once = measured(fixes, visits, policy, [end_ms])
    begin_ms = int(fixes.timestamp_ms.min()) // SLOT_MS * SLOT_MS
    for step_ms in (SLOT_MS, DAY_MS):
        cut = [*range(begin_ms + step_ms, end_ms, step_ms), end_ms]
        assert measured(fixes, visits, policy, cut) == at_once
    assert any(figures.unpatrolled for figures in at_once)
    assert any(figures.windows["reached"] for figures in at_once)


def test_the_longest_time_without_a_patrol_is_that_between_two_patrols() -> None:
    """Against all patrols at once, where there is duty all day."""
    fixes = messy(1).distinct()
    _, visits = judge().assess(fixes)
    end_ms = (int(fixes.timestamp_ms.max()) // SLOT_MS + 1) * SLOT_MS
    begin_ms = int(fixes.timestamp_ms.min()) // SLOT_MS * SLOT_MS
    cut = [*range(begin_ms + 15 * MINUTE_MS, end_ms, SLOT_MS), end_ms]
    found = measured(fixes, visits, WEEKS, cut)
    for number, figures in enumerate(found):
        mine = visits.where(judge().atlas.at(end_ms).cell_zone[visits.cell] == number)
        mine = mine.where(np.argsort(mine.at_ms, kind="stable"))
        times = patrolled_ms(mine.cell, mine.at_ms, 3)
        edges = [fixes.timestamp_ms.min(), *times, fixes.timestamp_ms.max()]
        assert figures.longest_idle_s == round(np.diff(edges).max() / 1000, 1)
        assert figures.cells_covered == np.unique(mine.cell).size
