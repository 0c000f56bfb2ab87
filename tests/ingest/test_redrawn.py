"""Redrawing zones while telemetry comes: the ledger is as if the zones had always been known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from bikes.telemetry import TelemetryBatch
from geofence.atlas import Atlas
from geofence.quality import Limits
from geofence.redrawing import ended
from geofence.runs import Judge, Midnights
from geofence.zones import CHINA_STANDARD_TIME, Zone, Zones
from ingest.pipeline import Pipeline
from tests.histories import Everything
from tests.rides import START_MS, messy

RIDE = messy(3, bikes=2, fixes=200)
FIRST_MS, LAST_MS = int(RIDE.timestamp_ms.min()), int(RIDE.timestamp_ms.max())


def zone(zone_id: str, west: float, east: float, from_ms=None, to_ms=None, policy="core") -> Zone:
    outline = box(west, 36.28, east, 36.32)
    return Zone(zone_id, zone_id, None, policy, None, outline, from_ms, to_ms)


BEFORE = Zones((zone("east", 120.38, 120.42), zone("west", 120.35, 120.38)))


@cache
def after(at_ms: int) -> Zones:
    """The boundary between the zones moves, one asks for more path, and a third begins."""
    return Zones(
        (
            zone("east", 120.38, 120.42, None, at_ms),
            zone("east", 120.384, 120.41, at_ms, None, "strict"),
            zone("north", 120.41, 120.42, at_ms, None),
            zone("west", 120.35, 120.38),
        )
    )


class Line:
    """A pipeline over an atlas of its own."""

    def __init__(self, zones: Zones) -> None:
        self.atlas = Atlas(zones)
        least_m = {"core": 20.0, "strict": 60.0}
        judge = Judge(self.atlas, Limits(), Midnights("Asia/Shanghai"), least_m)
        self.history = Everything()
        self.pipeline = Pipeline(judge, self.history)

    def take(self, fixes: TelemetryBatch) -> None:
        self.pipeline.step(fixes)
        self.history.take(fixes)

    def redraw(self, zones: Zones) -> None:
        from_ms = self.atlas.adopt(self.atlas.lay(zones))
        if from_ms is not None:
            self.pipeline.redrawn(from_ms)

    def rows(self) -> list[list[object]]:
        return [column.tolist() for column in self.pipeline.ledger.view().rows()[:4]]


def batches(cuts: Sequence[int]) -> list[TelemetryBatch]:
    """The ride in order of time, cut."""
    order = np.argsort(RIDE.timestamp_ms, kind="stable")
    return [RIDE.take(part) for part in np.split(order, sorted(cuts))]


@settings(max_examples=40)
@given(data=st.data())
def test_redrawing_live_is_as_if_it_had_always_been_known(data: st.DataObject) -> None:
    """Whenever it is drawn, and from when on it holds: the same ledger, bit for bit."""
    at_ms = data.draw(st.integers(FIRST_MS - 60_000, LAST_MS + 60_000))
    parts = batches(data.draw(st.lists(st.integers(0, len(RIDE)), max_size=5)))
    when = data.draw(st.integers(0, len(parts)))
    live = Line(BEFORE)
    for index, part in enumerate(parts):
        if index == when:
            live.redraw(after(at_ms))
        live.take(part)
    if when == len(parts):
        live.redraw(after(at_ms))
    known = Line(after(at_ms))
    known.take(RIDE)
    assert live.rows() == known.rows()


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_visits_before_a_change_are_those_of_the_zones_before(share: float) -> None:
    """Judged at once, each side of the instant is what its zones alone would say."""
    at_ms = int(FIRST_MS + share * (LAST_MS - FIRST_MS))
    both, old, new = Line(after(at_ms)), Line(BEFORE), Line(after(START_MS - 1))
    found = []
    for line in (both, old, new):
        _, visits = line.pipeline.judge.assess(RIDE.distinct())
        columns = (visits.bike, visits.cell, visits.at_ms, visits.observed)
        found.append(set(zip(*(column.tolist() for column in columns), strict=True)))
    then, before, later = found
    assert before != later
    assert then == {v for v in before if v[2] < at_ms} | {v for v in later if v[2] >= at_ms}


def test_a_zone_that_ends_is_visited_no_more() -> None:
    """From its end on its cells are of no zone."""
    at_ms = (FIRST_MS + LAST_MS) // 2
    line = Line(BEFORE)
    line.redraw(ended(BEFORE, "east", at_ms, CHINA_STANDARD_TIME))
    line.take(RIDE)
    rows = line.pipeline.ledger.view().rows()
    east = line.atlas.at(FIRST_MS).cells("east")
    inside = np.isin(rows.cell, east)
    assert (inside & (rows.last_ms < at_ms)).any()
    assert not (inside & (rows.last_ms >= at_ms)).any()
