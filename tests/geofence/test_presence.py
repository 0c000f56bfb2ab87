"""Who is in a zone, and who was there last, spelled out."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.coverage import SLOT_MS, Ledger
from geofence.presence import bikes_inside, visitors
from geofence.runs import Visits
from tests.rides import START_MS, batch, two_zones

ZONES = two_zones()
CELLS = [*ZONES.cells("west")[:4].tolist(), *ZONES.cells("east")[:3].tolist()]

visit = st.tuples(
    st.integers(0, 3), st.sampled_from([*CELLS, 0]), st.integers(0, 5 * SLOT_MS)
)  # cell 0 is in the margin, of no zone


def columns(visits: list[tuple[int, int, int]]) -> Visits:
    """Visits from tuples of bike, cell, milliseconds."""
    bike, cell, at = zip(*visits, strict=True) if visits else ([], [], [])
    at_ms = np.array(at, np.int64) + START_MS
    seen = np.ones(len(visits), bool)
    return Visits(np.array(bike, np.int32), np.array(cell, np.int32), at_ms, seen, at_ms, at_ms)


def slow(visits: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """The newest visit of each zone: bike and time; -1, 0 for none."""
    found = []
    for zone in range(len(ZONES.zones)):
        mine = [(-at, bike) for bike, cell, at in visits if ZONES.cell_zone[cell] == zone]
        found.append((min(mine)[1], START_MS - min(mine)[0]) if mine else (-1, 0))
    return found


@settings(max_examples=150)
@given(st.lists(st.lists(visit, max_size=8), max_size=5), st.lists(visit, max_size=5))
def test_the_newest_visit_is_found_however_visits_came(
    parts: list[list[tuple[int, int, int]]], provisional: list[tuple[int, int, int]]
) -> None:
    """Asked after every addition, going on from the last answer; ties go to the smaller index."""
    ledger = Ledger(ZONES.grid.size)
    known, seen = None, []
    for part in parts:
        ledger.add(columns(part))
        seen += part
        before, known = known, visitors(ledger.view(), ZONES, known)
        assert list(zip(known.at_ms.tolist(), strict=True)) == [(at,) for _, at in slow(seen)]
        if before is None or (known.at_ms != before.at_ms).all():
            assert known.bike.tolist() == [bike for bike, _ in slow(seen)]
    ledger.provisional(np.arange(4, dtype=np.int32), columns(provisional))
    afresh = visitors(ledger.view(), ZONES)
    assert list(zip(*map(np.ndarray.tolist, afresh), strict=True)) == slow(seen + provisional)
    again = visitors(ledger.view(), ZONES, known)
    assert again.at_ms.tolist() == afresh.at_ms.tolist()


def test_a_visit_that_is_taken_back_is_forgotten() -> None:
    """What was provisional may turn out to be nothing: the zone's last visit is the one before."""
    ledger = Ledger(ZONES.grid.size)
    ledger.add(columns([(0, CELLS[0], 5)]))
    ledger.provisional(np.array([1], np.int32), columns([(1, CELLS[1], 9), (1, CELLS[5], 9)]))
    known = visitors(ledger.view(), ZONES)
    ledger.provisional(np.array([1], np.int32), columns([]))
    found = visitors(ledger.view(), ZONES, known)
    west, east = ZONES.index("west"), ZONES.index("east")
    assert (found.bike[west], found.at_ms[west]) == (0, START_MS + 5)
    assert (found.bike[east], found.at_ms[east]) == (-1, 0)


def test_bikes_are_counted_where_they_are() -> None:
    """By the outline, not by the cell; one outside all zones counts nowhere."""
    fixes = batch([0, 1, 2], [0, 100, 90_000], [0, 0, 0])
    assert bikes_inside(ZONES, fixes) == {"west": 2}
    assert bikes_inside(ZONES, batch([], [], [])) == {}
