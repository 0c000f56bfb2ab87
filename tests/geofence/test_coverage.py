"""The ledger against a dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.coverage import SLOT_MS, Ledger, Rows
from geofence.runs import Visits
from geofence.spans import Spans

T0 = 1_763_856_000_000
CELLS = 50

visit = st.tuples(
    st.integers(0, 3), st.integers(0, CELLS - 1), st.integers(0, 3 * SLOT_MS), st.booleans()
)


def columns(visits: list[tuple[int, int, int, bool]]) -> Visits:
    """Visits from tuples of bike, cell, milliseconds, observed."""
    bike, cell, at, seen = zip(*visits, strict=True) if visits else ([], [], [], [])
    at_ms = np.array(at, np.int64) + T0
    return Visits(
        np.array(bike, np.int32), np.array(cell, np.int32), at_ms, np.array(seen, bool), at_ms
    )


def as_dict(rows: Rows) -> dict[tuple[int, int, int], tuple[int, bool]]:
    """Ledger rows by bike, slot and cell."""
    keys = zip(rows.bike.tolist(), rows.slot.tolist(), rows.cell.tolist(), strict=True)
    values = zip(rows.last_ms.tolist(), rows.observed.tolist(), strict=True)
    return dict(zip(keys, values, strict=True))


def slow(visits: list[tuple[int, int, int, bool]]) -> dict[tuple[int, int, int], tuple[int, bool]]:
    """The ledger spelled out."""
    rows: dict[tuple[int, int, int], tuple[int, bool]] = {}
    for bike, cell, at, seen in visits:
        key = (bike, (T0 + at) // SLOT_MS, cell)
        last, observed = rows.get(key, (0, False))
        rows[key] = (max(last, T0 + at), observed or seen)
    return rows


@settings(max_examples=150)
@given(
    st.lists(visit, max_size=60),
    st.lists(visit, max_size=10),
    st.integers(0, 3 * SLOT_MS),
    st.integers(0, SLOT_MS),
)
def test_the_ledger_is_a_dictionary(
    settled: list[tuple[int, int, int, bool]],
    provisional: list[tuple[int, int, int, bool]],
    instant: int,
    opened: int,
) -> None:
    """Rows, last visits, windows and instants agree with a dictionary, however it was filled."""
    ledger = Ledger(CELLS)
    for i in range(0, len(settled), 7):
        ledger.add(columns(settled[i : i + 7]))
        ledger.last_visit_ms()
    ledger.provisional(np.arange(4, dtype=np.int32), columns(provisional))
    expected = slow(settled + provisional)
    assert as_dict(ledger.rows()) == expected

    last = np.zeros(CELLS, np.int64)
    at_instant = np.zeros(CELLS, np.int64)
    window = np.zeros(CELLS, bool)
    for (_, _, cell), (at_ms, _) in expected.items():
        last[cell] = max(last[cell], at_ms)
        if at_ms <= T0 + instant:
            at_instant[cell] = max(at_instant[cell], at_ms)
        window[cell] |= T0 + opened <= at_ms < T0 + instant
    assert np.array_equal(ledger.last_visit_ms(), last)
    assert np.array_equal(ledger.last_visit_ms(T0 + instant), at_instant)
    assert np.array_equal(ledger.covered(T0 + opened, T0 + instant), window)

    slots = range((T0 + opened) // SLOT_MS, (T0 + instant) // SLOT_MS)
    between = {key: value for key, value in expected.items() if key[1] in slots}
    assert as_dict(ledger.between(T0 + opened, T0 + instant)) == between
    assert as_dict(ledger.between(0, 1 << 41)) == expected
    frozen = Ledger.as_of(ledger.parts(), CELLS, T0 + instant)
    assert np.array_equal(frozen.last_visit_ms(), at_instant)


def test_provisional_visits_are_replaced_per_bike() -> None:
    """What a bike's newest fixes said is forgotten when it is heard again; others' stays."""
    ledger = Ledger(CELLS)
    ledger.provisional(np.array([0, 1], np.int32), columns([(0, 5, 0, True), (1, 6, 0, True)]))
    ledger.provisional(np.array([0], np.int32), columns([(0, 7, 10, True)]))
    assert np.flatnonzero(ledger.last_visit_ms()).tolist() == [6, 7]


def test_replacing_a_day_leaves_other_bikes_and_slots() -> None:
    """A restatement touches one bike and its slots only."""
    ledger = Ledger(CELLS)
    ledger.add(columns([(0, 1, 0, True), (0, 2, SLOT_MS, True), (1, 3, 0, True)]))
    first_slot = T0 // SLOT_MS * SLOT_MS
    ledger.replace(Spans.one(0, first_slot, first_slot + SLOT_MS), columns([(0, 4, 5, False)]))
    assert np.flatnonzero(ledger.last_visit_ms()).tolist() == [2, 3, 4]


def test_a_snapshot_survives_a_new_numbering_of_bikes() -> None:
    """Bikes are renumbered at every start; the rows follow."""
    ledger = Ledger(CELLS)
    ledger.add(columns([(0, 1, 0, True), (1, 2, 9, False)]))
    again = Ledger(CELLS)
    again.restore(ledger.state(), np.array([1, 0], np.int32))
    assert as_dict(again.rows()) == slow([(1, 1, 0, True), (0, 2, 9, False)])
    assert np.array_equal(again.last_visit_ms(), ledger.last_visit_ms())


def test_old_slots_are_forgotten() -> None:
    """The ledger is bounded by its retention."""
    ledger = Ledger(CELLS)
    ledger.add(columns([(0, 1, 0, True), (0, 2, 2 * SLOT_MS, True)]))
    ledger.forget_before(T0 + SLOT_MS)
    assert np.flatnonzero(ledger.last_visit_ms()).tolist() == [2]


def test_parts_stay_as_they_are_while_the_ledger_goes_on() -> None:
    """They may be read in another thread: what is added later is not in them."""
    ledger = Ledger(CELLS)
    for n in range(3):
        ledger.add(columns([(n, n, 0, True)]))
    ledger.provisional(np.array([3], np.int32), columns([(3, 9, 0, True)]))
    parts = ledger.parts()
    before = as_dict(Rows.union(list(parts)))
    assert len(parts) <= 3
    ledger.add(columns([(0, 20, 5, True)]))
    ledger.provisional(np.array([3], np.int32), columns([]))
    ledger.forget_before(T0 + SLOT_MS)
    assert (
        as_dict(Rows.union(list(parts)))
        == before
        == slow([(0, 0, 0, True), (1, 1, 0, True), (2, 2, 0, True), (3, 9, 0, True)])
    )
