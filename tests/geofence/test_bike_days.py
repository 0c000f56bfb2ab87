"""What bikes did on a day, against loops over fixes and visits."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bikes.telemetry import TelemetryBatch
from geofence.atlas import Atlas
from geofence.bike_days import contributions, rides
from geofence.coverage import Ledger, Rows
from geofence.quality import VERDICTS
from geofence.runs import Judge
from geofence.steps import JudgedFixes
from tests.geofence.test_atlas import ATLAS, HOUR_MS, T
from tests.geofence.test_presence import ZONES, columns, visit
from tests.rides import START_MS, batch, judge, messy, two_drawn

BIKES = np.array([0, 1], np.int32)
LAYOUT = Atlas(two_drawn()).layout


def judged(fixes: TelemetryBatch, by: Judge | None = None) -> JudgedFixes:
    """Distinct fixes, their verdicts and the steps between them."""
    distinct, by = fixes.distinct(), by or judge()
    codes, _ = by.assess(distinct)
    return JudgedFixes(distinct, codes, by.steps(distinct, codes))


def slow(found: JudgedFixes, bike: int) -> tuple[float, list[float], dict[str, int]]:
    """One bike, fix by fix: distance, time in each zone, fixes by verdict."""
    limits, midnights, grid = judge().limits, judge().midnights, ZONES.grid
    fixes = found.fixes
    x, y = grid.plane(fixes.lat_deg, fixes.lng_deg)
    zone = ZONES.zone_of(fixes.lat_deg, fixes.lng_deg)
    distance, times = 0.0, [0.0] * len(ZONES.zones)
    counts: dict[str, int] = {}
    usable_ms = believed = None
    broken = True
    for n in np.flatnonzero(fixes.bike == bike).tolist():
        name, at_ms = VERDICTS[found.verdict[n]], int(fixes.timestamp_ms[n])
        counts[name] = counts.get(name, 0) + 1
        if name in ("inaccurate", "outside_district", "off_shift"):
            continue
        # A silence or a midnight between two usable fixes ends the run.
        if usable_ms is not None:
            broken |= at_ms - usable_ms > limits.max_gap_ms
            broken |= midnights.starts(at_ms) != midnights.starts(usable_ms)
        usable_ms = at_ms
        if name not in ("ok", "parked"):
            continue
        if believed is not None and not broken:
            took_ms = at_ms - int(fixes.timestamp_ms[believed])
            length = math.hypot(x[n] - x[believed], y[n] - y[believed])
            near = length <= min(limits.max_gap_m, took_ms * limits.max_speed_mps / 1000)
            if took_ms <= limits.max_gap_ms and near:
                for end in (believed, n):
                    if zone[end] >= 0:
                        times[zone[end]] += took_ms / 2000
                if {name, VERDICTS[found.verdict[believed]]} != {"parked"}:
                    distance += length
        believed, broken = n, False
    return distance, times, counts


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_rides_are_those_of_a_loop(seed: int) -> None:
    """Noise, stops, jumps, gaps and a midnight: the same distance, times and verdicts."""
    found = judged(messy(seed))
    fast = rides(found, BIKES, LAYOUT)
    for bike in BIKES.tolist():
        distance, times, counts = slow(found, bike)
        assert fast.distance_m[bike] == pytest.approx(distance)
        assert fast.zone_s[bike].tolist() == pytest.approx(times)
        assert {
            name: count
            for name, count in zip(VERDICTS, fast.verdicts[bike].tolist(), strict=True)
            if count
        } == counts


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_part_of_a_record_has_its_own_steps(seed: int) -> None:
    """Steps with both ends in the part, by its own numbers."""
    found = judged(messy(seed))
    at_ms = found.fixes.timestamp_ms
    mask = at_ms < np.median(at_ms)
    part = found.where(mask)
    whole = mask[found.steps.a] & mask[found.steps.b]
    assert part.steps.length_m.tolist() == found.steps.length_m[whole].tolist()
    times = part.fixes.timestamp_ms[part.steps.b] - part.fixes.timestamp_ms[part.steps.a]
    assert times.tolist() == (at_ms[found.steps.b] - at_ms[found.steps.a])[whole].tolist()


def test_a_straight_ride_is_as_long_as_it_is() -> None:
    """100 m in 25 s; a second bike's, a gap and a jump add nothing."""
    ride = batch([0, 5, 10, 15, 20, 25], [0, 20, 40, 60, 80, 100], [0] * 6)
    later = batch([400, 405], [900, 900], [0, 10], bike=0)
    jump = batch([30], [5_000], [0])
    found = rides(judged(TelemetryBatch.concat([ride, jump, later])), BIKES, LAYOUT)
    assert found.distance_m.tolist() == [pytest.approx(110), 0.0]
    assert found.zone_s[0, ZONES.index("west")] == pytest.approx(30)
    assert found.verdicts[0, VERDICTS.index("ok")] == 8


def test_a_parked_bike_drifts_and_does_not_ride() -> None:
    """Its time counts where it stands, its drift is no distance."""
    at_s = [5.0 * n for n in range(60)]
    found = rides(
        judged(batch(at_s, [3.0 * (n % 2) for n in range(60)], [0.0] * 60)), BIKES, LAYOUT
    )
    assert found.distance_m[0] == 0
    assert found.zone_s[0].sum() == pytest.approx(295)


def test_no_fixes_and_one() -> None:
    """Neither has gone anywhere."""
    none = rides(judged(TelemetryBatch.empty()), BIKES, LAYOUT)
    assert none.distance_m.tolist() == [0, 0]
    assert none.zone_s.shape == (2, 2)
    one = rides(judged(batch([0], [0], [0])), BIKES, LAYOUT)
    assert one.zone_s.sum() == 0
    assert one.verdicts.sum() == 1


def slow_contributions(rows: Rows, bike: int) -> tuple[list[int], int]:
    """Cells of each zone, and those nobody else had visited earlier."""
    first: dict[tuple[int, int], tuple[int, int]] = {}
    for b, slot, cell, at_ms in zip(
        rows.bike.tolist(), rows.slot.tolist(), rows.cell.tolist(), rows.last_ms.tolist(),
        strict=True,
    ):  # fmt: skip
        if ZONES.cell_zone[cell] >= 0:
            first[b, cell] = min(first.get((b, cell), (slot, at_ms)), (slot, at_ms))
    cells = [0] * len(ZONES.zones)
    own = 0
    for (b, cell), (_, at_ms) in first.items():
        if b == bike:
            cells[ZONES.cell_zone[cell]] += 1
            own += all(at_ms <= other[1] for (_, c), other in first.items() if c == cell)
    return cells, own


@settings(max_examples=200)
@given(st.lists(visit, max_size=40))
def test_contributions_are_those_of_a_loop(visits: list[tuple[int, int, int]]) -> None:
    """Of all bikes, and the same of some of them only."""
    ledger = Ledger(ZONES.grid.size)
    ledger.add(columns(visits))
    rows = ledger.view().rows()
    fast = contributions(rows, np.arange(4, dtype=np.int32), LAYOUT)
    for bike in range(4):
        cells, own = slow_contributions(rows, bike)
        assert (fast.zone_cells[bike].tolist(), fast.first[bike]) == (cells, own)
        share = fast.redundant_share[bike]
        assert np.isnan(share) if not sum(cells) else share == pytest.approx(1 - own / sum(cells))
    some = contributions(rows, np.array([1, 3], np.int32), LAYOUT)
    assert some.first.tolist() == fast.first[[1, 3]].tolist()
    assert some.zone_cells.tolist() == fast.zone_cells[[1, 3]].tolist()


def test_who_comes_second_is_redundant() -> None:
    """Two of three cells were another's before; at one instant both are first."""
    cells = ZONES.cells("west")[:3].tolist()
    early, late = 0, 20 * 60_000
    visits = [(0, cells[0], early), (0, cells[1], early), (0, cells[2], late)]
    visits += [(1, cells[0], late), (1, cells[1], late), (1, cells[2], late)]
    found = contributions(Rows.of(columns(visits)), BIKES, LAYOUT)
    assert found.first.tolist() == [3, 1]
    assert found.redundant_share.tolist() == [0, pytest.approx(2 / 3)]
    assert START_MS % (15 * 60_000) == 0


BORDER = [
    int(ATLAS.grid.cell_of(np.array([36.31]), np.array([120 + e / 100]))[0]) for e in (2.5, 1)
]
"""A cell that is a's for an hour and b's before and after, one that is always a's."""


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.sampled_from(BORDER), st.integers(T - HOUR_MS, T + 3 * HOUR_MS)
        ),
        max_size=20,
    )
)
def test_on_a_day_of_redrawing_cells_are_of_the_zones_of_their_time(
    visits: list[tuple[int, int, int]],
) -> None:
    """A zone's cell is one that was visited while the zone had it, and so is who came first."""
    layout = ATLAS.layout
    rows = Rows.of(columns([(bike, cell, at - START_MS) for bike, cell, at in visits]))
    found = contributions(rows, np.arange(3, dtype=np.int32), layout)
    kept = zip(rows.bike.tolist(), rows.cell.tolist(), rows.last_ms.tolist(), strict=True)
    early: dict[tuple[str, int, int], int] = {}
    for bike, cell, at in kept:
        zones = ATLAS.at(at)
        if (owner := int(zones.cell_zone[cell])) >= 0:
            place = zones.zones[owner].zone_id, cell, bike
            early[place] = min(at, early.get(place, at))
    for bike in range(3):
        cells = [
            sum((zone, who) == (zone_id, bike) for zone, _, who in early)
            for zone_id in layout.zone_ids
        ]
        first = sum(
            all(at <= other for (*there, _), other in early.items() if there == [zone, cell])
            for (zone, cell, who), at in early.items()
            if who == bike
        )
        assert (found.zone_cells[bike].tolist(), found.first[bike]) == (cells, first)


def test_on_a_day_of_redrawing_time_is_spent_in_the_zones_of_then() -> None:
    """A bike stands for two minutes where the boundary passes over it in the middle."""
    at_s = (T - START_MS) / 1000 + np.arange(-60, 61, 10)
    fixes = replace(
        batch(at_s.tolist(), [0] * 13, [0] * 13),
        lat_deg=np.full(13, 36.31),
        lng_deg=np.full(13, 120.025),
    )
    by = Judge(ATLAS, judge().limits, judge().midnights, {"core": 20.0})
    found = rides(judged(fixes, by), BIKES, ATLAS.layout)
    a, b = (ATLAS.layout.zone_ids.index(zone_id) for zone_id in "ab")
    # A step over the boundary has half of its time on either side.
    assert found.zone_s[0, [a, b]].tolist() == [65, 55]
