"""The record and the fleet that timelines are told with answer as the real ones do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from alerts.fleet import Fleet
from bikes.fleet import FleetState
from bikes.roster import Roster
from bikes.telemetry import TelemetryBatch
from geofence.atlas import Atlas
from geofence.coverage import Ledger
from geofence.record import Record, VisitBy
from geofence.runs import Visits
from tests.alerts.district import FakeFleet, FakePatrols, at
from tests.rides import two_drawn, two_zones

MINUTE_MS = 60_000
T0, NOW = at("23 08:00"), at("23 18:00")
ROSTER = Roster({"hello": ["B01", "B02"]})
CELLS = {name: two_zones().cells(name) for name in ("west", "east")}

Seen = tuple[str, int, int, int]
"""A visit: zone, number of the cell in it, minute after eight, number of the bike."""

RIDES: list[Seen] = [
    *(("west", cell, cell, 0) for cell in range(5)),
    *(("west", cell, 60 + 10 * cell, 1) for cell in range(5)),
    ("west", 0, 200, 0),
    ("east", 3, 30, 1),
]


def real_record(rides: list[Seen]) -> Record:
    """The record of a ledger."""
    columns = zip(
        *((bike, CELLS[z][c], T0 + m * MINUTE_MS) for z, c, m, bike in rides), strict=True
    )
    bike, cell, at_ms = (np.array(column) for column in columns)
    ledger = Ledger(two_zones().grid.size)
    bike, cell = bike.astype(np.int32), cell.astype(np.int32)
    ledger.add(Visits(bike, cell, at_ms, np.ones(at_ms.size, bool), at_ms, at_ms))
    ledger.hear(bike, at_ms)
    layout = Atlas(two_drawn()).layout
    return Record(layout, ledger.view(), ROSTER, since_ms=at("23 00:00"), now_ms=NOW)


def told_record(rides: list[Seen]) -> FakePatrols:
    """The stand-in, told of the same visits."""
    record = FakePatrols(*CELLS)
    record.cells = {zone: cells.size for zone, cells in CELLS.items()}
    record.now_ms, record.always_heard = NOW, False
    for zone, cell, minute, bike in rides:
        at_ms = T0 + minute * MINUTE_MS
        record.visits[zone].append((at_ms, cell, str(ROSTER.key(bike))))
        record.heard = max(at_ms, record.heard or 0)
    return record


@pytest.fixture(params=[real_record, told_record])
def record(request: pytest.FixtureRequest) -> Record:
    """What answers of :data:`RIDES` at six in the evening."""
    return request.param(RIDES)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("zone", "least", "until", "minute"),
    [
        ("west", 5, 600, 4),  # the second ride takes longer than half an hour
        ("west", 3, 600, 100),
        ("west", 3, 99, 90),
        ("west", 3, 1, None),
        ("east", 1, 600, 30),
        ("east", 2, 600, None),
    ],
)
def test_a_patrol_is_enough_cells_within_half_an_hour(
    record: Record, zone: str, least: int, until: int, minute: int | None
) -> None:
    """The last visit up to an instant that, with those before, made enough."""
    found = record.last_patrolled_ms(zone, min_cells=least, now_ms=T0 + until * MINUTE_MS)
    assert found == (None if minute is None else T0 + minute * MINUTE_MS)


@pytest.mark.parametrize(
    ("zone", "first", "end", "cells"),
    [
        ("west", 0, 600, 5),
        ("west", 0, 4, 4),
        ("west", 4, 5, 1),
        ("west", 5, 60, 0),
        ("east", 0, 600, 1),
    ],
)
def test_covered_cells_are_those_of_a_half_open_window(
    record: Record, zone: str, first: int, end: int, cells: int
) -> None:
    """Each counts once; the end is not part of the window."""
    assert record.covered(zone, T0 + first * MINUTE_MS, T0 + end * MINUTE_MS) == cells


def test_zones_and_their_cells(record: Record) -> None:
    """A zone that there is not has no cells."""
    assert sorted(ref.zone_id for ref in record.zones()) == ["east", "west"]
    assert record.cells_total("west", NOW) == CELLS["west"].size
    assert record.cells_total("south", NOW) == 0


def test_evidence_is_the_newest_visit(record: Record) -> None:
    """With the bike that made it; none when all are older."""
    assert record.last_visit_by("west", T0) == VisitBy("hello/B01", T0 + 200 * MINUTE_MS)
    assert record.last_visit_by("east", T0) == VisitBy("hello/B02", T0 + 30 * MINUTE_MS)
    assert record.last_visit_by("east", T0 + 31 * MINUTE_MS) is None


def test_who_is_silent_was_heard_before(record: Record) -> None:
    """Any bike's newest fix counts for every zone; from then on there is silence."""
    newest_ms = T0 + 200 * MINUTE_MS
    assert record.heard_ms == newest_ms
    assert record.silences(newest_ms + 1, NOW) == [(newest_ms + 1, NOW)]
    assert record.silences(newest_ms - 1, NOW)[-1] == (newest_ms, NOW)


def test_an_answer_is_remembered_while_nothing_changes(record: Record) -> None:
    """One that depends on nothing is found once."""
    assert record.remember("key", -1, lambda: 1) == 1
    assert record.remember("key", -1, lambda: 2) == 1


def real_fleet() -> Fleet:
    """The facts of a fleet state."""
    fleet = FleetState(ROSTER)
    nan = np.array([np.nan])
    for bike, lng, battery, minute in ((0, 120.40, 15.0, 0), (1, 120.46, 80.0, 30)):
        said = {"lat_deg": 36.30, "lng_deg": lng, "accuracy_m": 0.0, "battery_percent": battery}
        columns = {name: np.array([value]) for name, value in said.items()}
        rest = dict.fromkeys(("speed_mps", "heading_deg", "altitude_m"), nan)
        at_ms = T0 + minute * MINUTE_MS
        fix = TelemetryBatch(np.array([bike], np.int32), np.array([at_ms]), **columns, **rest)
        fleet.update(fix, heard_at_ms=at_ms)
    return Fleet(Atlas(two_drawn()), lambda: fleet, ROSTER, keep_ms=900_000)


def told_fleet() -> FakeFleet:
    """The stand-in, told the same."""
    fleet = FakeFleet()
    first, second = "2026-11-23T08:00", "2026-11-23T08:30"
    fleet.put(
        "hello/B01", heard=first, fix=first, battery=first, battery_percent=15.0, outside_m=0.0
    )
    fleet.put(
        "hello/B02", heard=second, fix=second, battery=second, battery_percent=80.0, outside_m=897.0
    )
    return fleet


@pytest.mark.parametrize("make", [real_fleet, told_fleet])
def test_a_fleet_says_who_was_heard_is_low_and_is_outside(make: Callable[[], Fleet]) -> None:
    """Limits are part of what is asked for, ends of spans are not."""
    fleet, half_ms = make(), T0 + 30 * MINUTE_MS
    assert sorted(fleet.bikes()) == ["hello/B01", "hello/B02"]
    assert list(fleet.heard_between(T0, half_ms)) == ["hello/B01"]
    assert list(fleet.heard_between(T0 + 1, half_ms + 1)) == ["hello/B02"]
    assert fleet.heard(half_ms) == 1
    assert list(fleet.charged_at_most(15.0)) == ["hello/B01"]
    assert list(fleet.charged_at_most(14.9)) == []
    assert list(fleet.outside_by(500.0, NOW)) == ["hello/B02"]
    assert list(fleet.outside_by(1_000.0, NOW)) == []
    known = fleet.bike("hello/B01")
    assert known is not None
    assert (known.heard_ms, known.fix_ms, known.battery_ms) == (T0, T0, T0)
    assert (known.battery_percent, known.outside_m) == (15.0, 0.0)
    assert fleet.bike("hello/B09") is None
