"""Covered cells quarter hour by quarter hour, against counting each window by itself."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.coverage import SLOT_MS, Ledger, Rows
from geofence.covered import covered_by_slot
from tests.geofence.test_presence import CELLS, ZONES, columns, visit
from tests.rides import START_MS

NO_WINDOW = (0, 0)
window = st.one_of(
    st.just(NO_WINDOW),
    st.builds(
        lambda begin, length: (START_MS + begin * 60_000, START_MS + (begin + length) * 60_000),
        st.integers(-40, 60),
        st.integers(1, 90),
    ),
)


def slow(ledger: Ledger, zone: int, from_ms: int, to_ms: int) -> list[int]:
    """Each slot's end asked for by itself."""
    ends = range(from_ms // SLOT_MS + 1, -(-to_ms // SLOT_MS) + 1) if to_ms > from_ms else ()
    counts = []
    rows = ledger.view().rows()
    for end in ends:
        cells = {
            cell
            for cell, at_ms in zip(rows.cell.tolist(), rows.last_ms.tolist(), strict=True)
            if from_ms <= at_ms < min(to_ms, end * SLOT_MS) and ZONES.cell_zone[cell] == zone
        }
        counts.append(len(cells))
    return counts


@settings(max_examples=200)
@given(st.lists(visit, max_size=40), window, window)
def test_one_pass_is_as_many_windows_as_there_are_slots(
    visits: list[tuple[int, int, int]], one: tuple[int, int], two: tuple[int, int]
) -> None:
    """Each zone has a window of its own, on quarter hours or not, or none."""
    ledger = Ledger(ZONES.grid.size)
    ledger.add(columns(visits))
    from_ms, to_ms = np.array([one, two], np.int64).T
    found = covered_by_slot(ledger.view().rows(), ZONES, from_ms, to_ms)
    for zone, (begin, end) in enumerate((one, two)):
        assert found[zone].tolist() == slow(ledger, zone, begin, end)


def test_nothing_was_visited() -> None:
    """Zeros, as long as the window; the boundary belongs to the slot it begins."""
    from_ms = np.full(2, START_MS, np.int64)
    found = covered_by_slot(Rows.empty(), ZONES, from_ms, from_ms + 2 * SLOT_MS)
    assert [part.tolist() for part in found] == [[0, 0], [0, 0]]
    rows = Rows.of(columns([(0, CELLS[0], SLOT_MS)]))
    west = covered_by_slot(rows, ZONES, from_ms, from_ms + 2 * SLOT_MS)[ZONES.index("west")]
    assert west.tolist() == [0, 1]
