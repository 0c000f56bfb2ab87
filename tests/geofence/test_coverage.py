"""The ledger against a dictionary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from geofence.coverage import SLOT_MS, Ledger, Rows, View
from geofence.runs import Visits
from tests.spans import one_span

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
        np.array(bike, np.int32),
        np.array(cell, np.int32),
        at_ms,
        np.array(seen, bool),
        at_ms,
        at_ms,
    )


Known = dict[tuple[int, int, int], tuple[int, bool, int]]
"""Last visit, whether any was observed, and first visit, by bike, slot and cell."""


def as_dict(rows: Rows) -> Known:
    """Ledger rows by bike, slot and cell."""
    keys = zip(rows.bike.tolist(), rows.slot.tolist(), rows.cell.tolist(), strict=True)
    values = zip(*(column.tolist() for column in rows[1:4]), strict=True)
    return dict(zip(keys, values, strict=True))


def dense(view: View, every: int = 1) -> NDArray[np.int64]:
    """Last visit of each cell, or of each so many-th; 0 for never."""
    return view.last_visits.of(np.arange(CELLS) * every)


def slow(visits: list[tuple[int, int, int, bool]]) -> Known:
    """The ledger spelled out."""
    rows: Known = {}
    for bike, cell, at, seen in visits:
        key = (bike, (T0 + at) // SLOT_MS, cell)
        last, observed, first = rows.get(key, (0, False, T0 + at))
        rows[key] = (max(last, T0 + at), observed or seen, min(first, T0 + at))
    return rows


@settings(max_examples=150)
@given(
    st.lists(visit, max_size=60),
    st.lists(visit, max_size=10),
    st.integers(0, 3 * SLOT_MS),
    st.integers(0, SLOT_MS),
    st.sampled_from([1, 200_000]),
)
def test_the_ledger_is_a_dictionary(
    settled: list[tuple[int, int, int, bool]],
    provisional: list[tuple[int, int, int, bool]],
    instant: int,
    opened: int,
    every: int,
) -> None:
    """Rows, last visits, windows and instants agree with a dictionary, however it was filled.

    In a small grid, and in one of ten million cells.
    """
    settled, provisional = (
        [(bike, cell * every, at, seen) for bike, cell, at, seen in visits]
        for visits in (settled, provisional)
    )
    ledger = Ledger(CELLS * every)
    for i in range(0, len(settled), 7):
        ledger.add(columns(settled[i : i + 7]))
        ledger.view()
    ledger.provisional(np.arange(4, dtype=np.int32), columns(provisional))
    view, visits = ledger.view(), settled + provisional
    expected = slow(visits)
    assert as_dict(view.rows()) == expected

    last = np.zeros(CELLS, np.int64)
    known = np.zeros(CELLS, np.int64)
    window = np.zeros(CELLS, bool)
    for (_, _, cell), (last_ms, _, first_ms) in expected.items():
        cell //= every
        last[cell] = max(last[cell], last_ms)
        for at_ms in (first_ms, last_ms):
            if at_ms <= T0 + instant:
                known[cell] = max(known[cell], at_ms)
            window[cell] |= T0 + opened <= at_ms < T0 + instant
    assert np.array_equal(dense(view, every), last)
    then = dense(view.as_of(T0 + instant), every)
    # A visit between the first and the last of its slot may be known while they are in two parts.
    assert (known <= then).all()
    assert (then <= np.minimum(last, T0 + instant)).all()
    assert np.array_equal(then > 0, known > 0)
    found = view.rows().visited(T0 + opened, T0 + instant)
    assert set((found.cell // every).tolist()) == set(np.flatnonzero(window).tolist())
    by_then = {cell // every for _, cell, at, _ in visits if at <= instant}
    assert set(np.flatnonzero(then).tolist()) == by_then

    slots = range((T0 + opened) // SLOT_MS, (T0 + instant) // SLOT_MS)
    between = {key: value for key, value in expected.items() if key[1] in slots}
    assert as_dict(view.between(T0 + opened, T0 + instant)) == between
    assert as_dict(view.between(0, 1 << 41)) == expected


@settings(max_examples=100)
@given(st.permutations(range(12)), st.lists(visit, min_size=12, max_size=12))
def test_who_was_heard_depends_on_no_order(
    order: list[int], fixes: list[tuple[int, int, int, bool]]
) -> None:
    """First and last fix of each bike and slot, however they came, and after a new start."""
    ledger = Ledger(CELLS)
    for index in order:
        bike, _, at, _ = fixes[index]
        ledger.hear(np.array([bike], np.int32), np.array([T0 + at]))
    expected = slow([(bike, 0, at, False) for bike, _, at, _ in fixes])
    again = Ledger(CELLS)
    again.restore(ledger.state(), np.arange(4, dtype=np.int32))
    for each in (ledger, again):
        assert as_dict(Rows.union(each.view().heard)) == expected


def test_a_snapshot_of_an_older_version_opens() -> None:
    """It holds last visits only: they are taken for the first too, and prove who was heard."""
    ledger = Ledger(CELLS)
    ledger.add(columns([(0, 1, 0, True), (0, 1, 9, False), (0, 2, 5, False)]))
    state = {name: ledger.state()[name] for name in ("key", "last_ms", "observed")}
    again = Ledger(CELLS)
    again.restore(state, np.array([1], np.int32))
    slot = T0 // SLOT_MS
    assert as_dict(again.view().rows()) == {
        (1, slot, 1): (T0 + 9, True, T0 + 9),
        (1, slot, 2): (T0 + 5, False, T0 + 5),
    }
    assert as_dict(again.view().heard[0]) == {(1, slot, 0): (T0 + 9, False, T0 + 5)}


def test_a_visit_is_known_when_it_is_certain() -> None:
    """Before that the next fix could have taken it back, whatever the time of the visit."""
    bike, cell, at_ms = np.array([0], np.int32), np.array([3], np.int32), np.array([T0])
    ledger = Ledger(CELLS)
    ledger.add(Visits(bike, cell, at_ms, np.array([False]), at_ms, at_ms + 20))
    view = ledger.view()
    assert not dense(view.as_of(T0 + 19)).any()
    assert dense(view.as_of(T0 + 20))[3] == T0
    assert view.rows().visited(T0, T0 + 1).cell.tolist() == [3]


def test_a_key_of_a_large_grid_has_room_for_fewer_bikes_and_says_so() -> None:
    """24 bits of a cell leave 17 for the bike; one more would be written as another."""
    ledger = Ledger(10_000_000)
    ledger.add(columns([((1 << 17) - 1, 9_999_999, 0, True)]))
    rows = ledger.view().rows()
    assert (rows.bike.tolist(), rows.cell.tolist()) == ([(1 << 17) - 1], [9_999_999])
    with pytest.raises(OverflowError, match="131,072 bikes"):
        ledger.add(columns([(1 << 17, 0, 0, True)]))


def test_what_has_changed_is_told_by_its_earliest_instant() -> None:
    """Since any version; a change of a slot ends what was derived from it and from later ones."""
    ledger = Ledger(CELLS)
    start = T0 // SLOT_MS * SLOT_MS
    ledger.add(columns([(0, 1, 3 * SLOT_MS, True)]))
    old = ledger.version
    ledger.provisional(np.array([0], np.int32), columns([(0, 2, 2 * SLOT_MS, True)]))
    middle = ledger.version
    ledger.provisional(np.array([0], np.int32), columns([(0, 2, 3 * SLOT_MS, True)]))
    new = ledger.version
    view = ledger.view()
    assert view.changed_since(old) == start + 2 * SLOT_MS
    assert view.changed_since(middle) == start + 2 * SLOT_MS  # what was provisional is gone
    assert view.changed_since(new) > start + 100 * SLOT_MS
    ledger.replace(one_span(0, start, start + SLOT_MS), Visits.empty())
    assert ledger.view().changed_since(new) == start


def test_provisional_visits_are_replaced_per_bike() -> None:
    """What a bike's newest fixes said is forgotten when it is heard again; others' stays."""
    ledger = Ledger(CELLS)
    ledger.provisional(np.array([0, 1], np.int32), columns([(0, 5, 0, True), (1, 6, 0, True)]))
    ledger.provisional(np.array([0], np.int32), columns([(0, 7, 10, True)]))
    assert ledger.view().last_visits.cell.tolist() == [6, 7]


def test_replacing_a_day_leaves_other_bikes_and_slots() -> None:
    """A restatement touches one bike and its slots only."""
    ledger = Ledger(CELLS)
    ledger.add(columns([(0, 1, 0, True), (0, 2, SLOT_MS, True), (1, 3, 0, True)]))
    first_slot = T0 // SLOT_MS * SLOT_MS
    ledger.replace(one_span(0, first_slot, first_slot + SLOT_MS), columns([(0, 4, 5, False)]))
    assert ledger.view().last_visits.cell.tolist() == [2, 3, 4]


def test_a_snapshot_survives_a_new_numbering_of_bikes() -> None:
    """Bikes are renumbered at every start; the rows follow."""
    ledger = Ledger(CELLS)
    ledger.add(columns([(0, 1, 0, True), (1, 2, 9, False)]))
    again = Ledger(CELLS)
    again.restore(ledger.state(), np.array([1, 0], np.int32))
    assert as_dict(again.view().rows()) == slow([(1, 1, 0, True), (0, 2, 9, False)])
    assert np.array_equal(dense(again.view()), dense(ledger.view()))


def test_old_slots_are_forgotten() -> None:
    """The ledger is bounded by its retention; where nothing is older, nothing changes."""
    ledger = Ledger(CELLS)
    ledger.add(columns([(0, 1, 0, True), (0, 2, 2 * SLOT_MS, True)]))
    before = ledger.version
    ledger.forget_before(T0)
    assert ledger.version == before
    ledger.forget_before(T0 + SLOT_MS)
    assert ledger.version > before
    assert ledger.view().last_visits.cell.tolist() == [2]


def test_a_view_stays_as_it_is_while_the_ledger_goes_on() -> None:
    """They may be read in another thread: what is added later is not in them."""
    ledger = Ledger(CELLS)
    for n in range(3):
        ledger.add(columns([(n, n, 0, True)]))
    ledger.provisional(np.array([3], np.int32), columns([(3, 9, 0, True)]))
    parts = ledger.view().parts
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
