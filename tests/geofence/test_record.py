"""The answers to the questions of the rules, against visits one can count."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from bikes.roster import Roster
from geofence.atlas import Atlas
from geofence.coverage import SLOT_MS, Ledger
from geofence.record import Record, VisitBy
from geofence.runs import Visits
from geofence.zones import Zones
from tests.rides import START_MS, two_drawn, two_zones

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
T0 = START_MS
BIKES = ["HB0", "HB1"]
LAYOUT = Atlas(two_drawn()).layout
ROSTER = Roster({"hello": BIKES})
ZONES = {name: two_zones().cells(name)[:6].tolist() for name in ("west", "east")}


class Visit(NamedTuple):
    """A visit, by numbers that one can read: bike, zone, which of its cells, when."""

    bike: int
    zone: str
    cell: int
    at_ms: int


def filled(visits: list[Visit], *, provisional: bool = False) -> Ledger:
    """A ledger of some visits."""
    at_ms = np.array([v.at_ms for v in visits], np.int64)
    columns = Visits(
        np.array([v.bike for v in visits], np.int32),
        np.array([ZONES[v.zone][v.cell] for v in visits], np.int32),
        at_ms,
        np.ones(len(visits), bool),
        at_ms,
        at_ms,
    )
    ledger = Ledger(two_zones().grid.size)
    if provisional:
        ledger.provisional(np.arange(2, dtype=np.int32), columns)
    else:
        ledger.add(columns)
    return ledger


def record(
    ledger: Ledger, *, at_ms: int | None = None, now_ms: int = T0 + 60 * DAY_MS, **more: Any
) -> Record:
    """A record of a ledger, that begins at `T0`; as of an instant, or as of now."""
    view = ledger.view() if at_ms is None else ledger.view().as_of(at_ms)
    now_ms = now_ms if at_ms is None else at_ms
    layout = more.pop("layout", LAYOUT)
    return Record(layout, view, ROSTER, since_ms=T0, now_ms=now_ms, **more)


def remembered(visits: list[Visit], at_ms: int | None = None) -> list[Visit]:
    """What a ledger keeps: of each bike, cell and slot the first visit and the last."""
    kept: dict[tuple[int, str, int, int], list[Visit]] = {}
    for visit in sorted(visits, key=lambda v: v.at_ms):
        kept.setdefault((*visit[:3], visit.at_ms // SLOT_MS), []).append(visit)
    ends = [v for known in kept.values() for v in (known[0], known[-1])]
    return [v for v in ends if at_ms is None or v.at_ms <= at_ms]


def slow_last_patrolled(visits: list[Visit], zone: str, least: int, now_ms: int) -> int | None:
    """As DOMAIN says it: at t, at least so many cells within the 30 minutes before."""
    mine = [v for v in visits if v.zone == zone and v.at_ms <= now_ms]
    for at_ms in sorted({v.at_ms for v in mine}, reverse=True):
        cells = {v.cell for v in mine if at_ms - 30 * MINUTE_MS < v.at_ms <= at_ms}
        if len(cells) >= least:
            return at_ms
    return None


minutes = st.one_of(
    st.integers(0, 90), st.integers(1380, 1500), st.integers(2_800, 2_900)
)  # now, a day on, and another
instants = st.builds(
    lambda m, ms: T0 + m * MINUTE_MS + ms, minutes, st.sampled_from([0, 1, 30_000])
)
visit = st.builds(
    Visit, st.integers(0, 1), st.sampled_from(["west", "east"]), st.integers(0, 5), instants
)
visits_ = st.lists(visit, max_size=40)


@settings(max_examples=150)
@given(visits_, instants, instants, st.none() | instants)
def test_covered_counts_the_cells_of_a_window(
    visits: list[Visit], first_ms: int, end_ms: int, at_ms: int | None
) -> None:
    """Distinct cells with a visit in the window: open or closed, on slots or not, frozen or not."""
    asked = record(filled(visits), at_ms=at_ms)
    known = remembered(visits, at_ms)
    for zone in ZONES:
        cells = {v.cell for v in known if v.zone == zone and first_ms <= v.at_ms < end_ms}
        assert asked.covered(zone, first_ms, end_ms) == len(cells)


@settings(max_examples=200)
@given(visits_, st.lists(instants, min_size=1, max_size=3), st.integers(1, 4), st.none() | instants)
def test_last_patrolled_is_the_last_visit_that_made_enough_cells(
    visits: list[Visit], nows: list[int], least: int, at_ms: int | None
) -> None:
    """Now and in the past, today and days back, asked once or again."""
    ledger, known = filled(visits), remembered(visits, at_ms)
    before = None
    for now_ms in sorted(nows):
        asked = before = record(ledger, at_ms=at_ms, now_ms=now_ms, before=before)
        now_ms = min(now_ms, asked.now_ms)
        for zone in ZONES:
            expected = slow_last_patrolled(known, zone, least, now_ms)
            assert asked.last_patrolled_ms(zone, min_cells=least, now_ms=now_ms) == expected


@settings(max_examples=100)
@given(visits_, instants)
def test_ages_of_cells(visits: list[Visit], now_ms: int) -> None:
    """Each cell's age since its last visit, or since the record began; the oldest and the mean."""
    asked = record(filled(visits), at_ms=now_ms)
    known = remembered(visits, now_ms)
    for zone in ZONES:
        last = dict.fromkeys(two_zones().cells(zone).tolist(), T0)
        for v in known:
            if v.zone == zone:
                last[ZONES[zone][v.cell]] = max(last[ZONES[zone][v.cell]], v.at_ms)
        ages_s = [max(now_ms - at, 0) / 1000 for at in last.values()]
        found = asked.cell_ages(zone)
        if not any(v.zone == zone for v in known):
            assert found == (None, None)
        else:
            assert found.oldest_cell_age_s == max(ages_s)
            assert found.mean_cell_age_s == pytest.approx(np.mean(ages_s))


@settings(max_examples=100)
@given(visits_, instants, st.none() | instants)
def test_the_evidence_is_the_newest_visit(
    visits: list[Visit], since_ms: int, at_ms: int | None
) -> None:
    """Who visited last, and when; nobody when the last visit is older."""
    asked = record(filled(visits), at_ms=at_ms)
    for zone in ZONES:
        mine = [v for v in remembered(visits, at_ms) if v.zone == zone and v.at_ms >= since_ms]
        found = asked.last_visit_by(zone, since_ms)
        if not mine:
            assert found is None
        else:
            newest = max(v.at_ms for v in mine)
            bikes = {f"hello/{BIKES[v.bike]}" for v in mine if v.at_ms == newest}
            assert found is not None
            assert (found.at_ms, found.bike in bikes) == (newest, True)


def tour(
    zone: str, end_ms: int, cells: int, *, bike: int = 0, every_ms: int = MINUTE_MS
) -> list[Visit]:
    """Visits to so many cells, the last of them at `end_ms`."""
    return [Visit(bike, zone, n, end_ms - n * every_ms) for n in range(cells)]


def test_clipping_a_corner_is_not_a_patrol() -> None:
    """The last patrol counts, not the last visit: four cells are not five."""
    patrol, corner = tour("west", T0 + HOUR_MS, 5), tour("west", T0 + 3 * HOUR_MS, 4)
    asked = record(filled(patrol + corner))
    now_ms = T0 + 4 * HOUR_MS
    assert asked.last_patrolled_ms("west", min_cells=5, now_ms=now_ms) == T0 + HOUR_MS
    assert asked.last_patrolled_ms("west", min_cells=4, now_ms=now_ms) == T0 + 3 * HOUR_MS
    assert asked.last_patrolled_ms("east", min_cells=1, now_ms=now_ms) is None


def test_a_window_that_ends_within_a_quarter_keeps_what_is_visited_again() -> None:
    """The first visit in the quarter tells."""
    ends = T0 + 70 * MINUTE_MS
    before = [Visit(0, "west", n, ends - 2 * MINUTE_MS) for n in range(4)]
    again = [Visit(0, "west", n, ends + 2 * MINUTE_MS) for n in range(4)]
    assert record(filled(before)).covered("west", T0, ends) == 4
    assert record(filled(before + again)).covered("west", T0, ends) == 4
    aligned = T0 + 75 * MINUTE_MS
    assert record(filled(before + again)).covered("west", T0, aligned) == 4


def test_half_an_hour_is_from_after_to_at() -> None:
    """A visit exactly 30 minutes before is too old; one a millisecond younger counts."""
    half_hour = 30 * MINUTE_MS
    for first, counts in ((0, False), (1, True)):
        visits = [Visit(0, "west", 0, T0 + first), Visit(0, "west", 1, T0 + half_hour)]
        found = record(filled(visits)).last_patrolled_ms("west", min_cells=2, now_ms=T0 + HOUR_MS)
        assert found == (T0 + half_hour if counts else None)


def test_two_bikes_patrol_together() -> None:
    """It does not matter who visited which cell, and one cell visited twice is one."""
    together = tour("west", T0 + HOUR_MS, 3) + [
        Visit(1, "west", cell, T0 + HOUR_MS - cell) for cell in (2, 3, 4)
    ]
    asked = record(filled(together))
    assert asked.last_patrolled_ms("west", min_cells=5, now_ms=T0 + DAY_MS) == T0 + HOUR_MS
    assert asked.last_patrolled_ms("west", min_cells=6, now_ms=T0 + DAY_MS) is None


def test_a_small_zone_is_patrolled_when_all_of_it_was_visited() -> None:
    """Nobody can visit more cells than there are."""
    cells = two_zones().cells("west")
    at_ms = np.full(cells.size, T0 + HOUR_MS)
    bike, seen = np.zeros(cells.size, np.int32), np.ones(cells.size, bool)
    visits = Visits(bike, cells, at_ms, seen, at_ms, at_ms)
    ledger = Ledger(two_zones().grid.size)
    ledger.add(visits)
    asked = record(ledger)
    least = cells.size + 50
    assert asked.last_patrolled_ms("west", min_cells=least, now_ms=T0 + DAY_MS) == T0 + HOUR_MS


def test_what_is_provisional_counts() -> None:
    """The newest fixes of a bike are seen before they have settled."""
    asked = record(filled(tour("west", T0 + HOUR_MS, 5), provisional=True))
    assert asked.covered("west", T0, T0 + DAY_MS) == 5
    now_ms = T0 + HOUR_MS
    assert asked.last_patrolled_ms("west", min_cells=5, now_ms=now_ms) == now_ms
    assert asked.last_visit_by("west", now_ms) == VisitBy("hello/HB0", now_ms)


def test_what_the_next_fix_may_take_back_does_not_count_yet() -> None:
    """It does when it is certain, also when nothing else comes."""
    ledger = Ledger(two_zones().grid.size)
    at_ms, bike = np.array([T0 + 1000]), np.zeros(1, np.int32)
    cell = np.array(ZONES["west"][:1], np.int32)
    visits = Visits(bike, cell, at_ms, np.ones(1, bool), at_ms, at_ms + 5000)
    ledger.provisional(bike, visits)
    early = record(ledger, now_ms=T0 + 5999)
    assert early.covered("west", T0, T0 + DAY_MS) == 0
    assert early.covered("west", T0, T0 + 1001) == 0
    late = record(ledger, now_ms=T0 + 6000, before=early)
    assert late.covered("west", T0, T0 + DAY_MS) == 1
    assert late.covered("west", T0, T0 + 1001) == 1


def test_answers_follow_the_ledger() -> None:
    """What an earlier record has found out is asked again exactly where something has changed."""
    ledger = filled(tour("west", T0 + HOUR_MS, 2))
    now_ms = T0 + 3 * HOUR_MS
    early = record(ledger, now_ms=now_ms)
    assert early.covered("west", T0, T0 + DAY_MS) == 2
    assert early.covered("west", T0, T0 + SLOT_MS) == 0
    rows = filled(tour("west", T0 + 2 * HOUR_MS, 4)).view().rows()
    more = Visits(rows.bike, rows.cell, rows.last_ms, rows.observed, rows.last_ms, rows.last_ms)
    ledger.add(more)
    late = record(ledger, now_ms=now_ms, before=early)
    assert late.covered("west", T0, T0 + DAY_MS) == 4
    assert late.last_patrolled_ms("west", min_cells=4, now_ms=now_ms) == T0 + 2 * HOUR_MS
    again: list[int] = []
    late.remember("asked", T0 + HOUR_MS, lambda: again.append(1))
    ledger.provisional(np.arange(1, dtype=np.int32), more.where(np.arange(1)))
    later = record(ledger, now_ms=now_ms, before=late)
    later.remember("asked", T0 + HOUR_MS, lambda: again.append(2))
    assert again == [1]  # a visit at about two o'clock changes nothing of one o'clock
    later.remember("asked", T0 + 2 * HOUR_MS, lambda: again.append(3))
    assert again == [1, 3]


def test_a_frozen_answer_does_not_know_what_came_later() -> None:
    """As of an instant: later visits change nothing, however the question reaches ahead."""
    early, late = tour("west", T0 + HOUR_MS, 3), tour("west", T0 + 3 * HOUR_MS, 6)
    asked = record(filled(early + late), at_ms=T0 + 2 * HOUR_MS)
    assert asked.covered("west", T0, T0 + DAY_MS) == 3
    later_ms = T0 + 3 * DAY_MS
    assert asked.last_patrolled_ms("west", min_cells=5, now_ms=later_ms) is None
    assert asked.last_patrolled_ms("west", min_cells=3, now_ms=later_ms) == T0 + HOUR_MS


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 1), instants), max_size=12), instants, instants, instants)
def test_silences_lie_between_what_was_heard(
    fixes: list[tuple[int, int]], now_ms: int, first_ms: int, end_ms: int
) -> None:
    """Of all bikes together: in a quarter of an hour from the first fix of each to its last."""
    ledger = filled([])
    for bike, at_ms in fixes:
        ledger.hear(np.array([bike], np.int32), np.array([at_ms]))
    asked = record(ledger, at_ms=now_ms)
    assert asked.heard_ms == max((t for _, t in ends_of(fixes) if t <= now_ms), default=None)
    asked = record(ledger)
    spans = [
        (min(of), max(of))
        for bike, slot in {(b, t // SLOT_MS) for b, t in fixes}
        for of in [[t for b, t in fixes if (b, t // SLOT_MS) == (bike, slot)]]
    ]
    silences = asked.silences(first_ms, end_ms)
    assert all(first_ms <= begin < end <= end_ms for begin, end in silences)
    for instant in range(first_ms, end_ms, 90_000):
        heard = any(begin <= instant <= end for begin, end in spans)
        silent = any(begin <= instant < end for begin, end in silences)
        assert silent != heard or instant in {t for _, t in fixes}


def ends_of(fixes: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """First and last fix of each bike and quarter of an hour."""
    kept: dict[tuple[int, int], list[int]] = {}
    for bike, at_ms in fixes:
        kept.setdefault((bike, at_ms // SLOT_MS), []).append(at_ms)
    return [(bike, at_ms) for (bike, _), of in kept.items() for at_ms in (min(of), max(of))]


def test_zones_are_told_as_they_are_configured() -> None:
    """Names, policy and cells, in one order."""
    asked = record(filled([]))
    told = [(zone.zone_id, zone.policy, zone.cells_total) for zone in asked.zones()]
    assert sorted(told) == [
        (name, "core", two_zones().cells(name).size) for name in ("east", "west")
    ]


MOVE_MS = T0 + 2 * HOUR_MS
"""When the boundary of the zones moves: `west` takes the first cells of `east`, and lets go of
its own but two."""


def redrawn(visits: list[Visit], now_ms: int) -> Record:
    """A record in which the zones were redrawn."""
    before = two_drawn()
    (east, west) = before.zones
    outlines = (box(120.41, 36.28, 120.45, 36.32), box(120.37, 36.28, 120.41, 36.32))
    moved = Zones(
        tuple(
            version
            for zone, outline in zip((east, west), outlines, strict=True)
            for version in (
                replace(zone, valid_to_ms=MOVE_MS),
                replace(zone, geometry=outline, valid_from_ms=MOVE_MS),
            )
        )
    )
    atlas = Atlas(moved)
    assert atlas.grid == two_zones().grid
    return record(filled(visits), now_ms=now_ms, layout=atlas.layout)


def test_a_window_that_ended_is_of_the_zones_of_its_end() -> None:
    """Its cells and what was covered of them stay what they were."""
    visits = [Visit(0, "west", n, T0 + HOUR_MS + n) for n in range(4)]
    early, late = (redrawn(visits, now_ms) for now_ms in (MOVE_MS - 1, MOVE_MS + HOUR_MS))
    window = ("west", T0, MOVE_MS)
    assert early.covered(*window) == late.covered(*window) == 4
    assert late.cells_total("west", MOVE_MS) == two_zones().cells("west").size
    day = ("west", T0, T0 + DAY_MS)
    assert early.cells_total("west", T0 + DAY_MS) != late.cells_total("west", T0 + DAY_MS)
    assert (early.covered(*day), late.covered(*day)) == (4, 0)  # those cells are no longer its own


def test_a_cell_counts_for_a_zone_from_when_it_came_to_it() -> None:
    """The neighbour's visits of before are the neighbour's."""
    seen = [Visit(0, "east", n, T0 + HOUR_MS) for n in range(3)]
    again = [Visit(0, "east", n, MOVE_MS + HOUR_MS) for n in range(1)]
    found = redrawn(seen + again, MOVE_MS + 2 * HOUR_MS)
    assert found.covered("west", T0, T0 + DAY_MS) == 1
    assert found.last_visit_by("west", T0) == VisitBy("hello/HB0", MOVE_MS + HOUR_MS)
    assert found.last_visit_by("east", T0) == VisitBy("hello/HB0", T0 + HOUR_MS)


def test_redrawing_neither_makes_nor_takes_back_a_patrol() -> None:
    """A zone was patrolled when it was, in the outline that it had then."""
    patrol = [Visit(0, "west", n, MOVE_MS - 5 * MINUTE_MS + n) for n in range(5)]
    found = redrawn(patrol, MOVE_MS + MINUTE_MS)
    asked = {"min_cells": 5, "now_ms": MOVE_MS + MINUTE_MS}
    assert found.last_patrolled_ms("west", **asked) == MOVE_MS - 5 * MINUTE_MS + 4
    others = [Visit(0, "east", n, MOVE_MS - 5 * MINUTE_MS + n) for n in range(5)]
    assert redrawn(others, MOVE_MS + MINUTE_MS).last_patrolled_ms("west", **asked) is None


def test_a_zone_that_is_redrawn_is_not_new() -> None:
    """Nobody gains time by redrawing a zone."""
    assert {ref.valid_from_ms for ref in redrawn([], MOVE_MS).zones()} == {None}


def test_what_is_lost_is_as_silent_as_what_nobody_heard() -> None:
    """Whoever else was heard in it; a loss too short to hide a patrol does not count."""
    ledger = filled([])
    at_ms = np.arange(T0, T0 + 6 * HOUR_MS, MINUTE_MS)
    ledger.hear(np.zeros(at_ms.size, np.int32), at_ms)
    lost = [(T0 + HOUR_MS, T0 + 3 * HOUR_MS), (T0 + 4 * HOUR_MS, T0 + 4 * HOUR_MS + MINUTE_MS)]

    def long(of: Record, from_ms: int) -> list[tuple[int, int]]:
        found = of.silences(from_ms, T0 + 5 * HOUR_MS)
        return [(begin, end) for begin, end in found if end - begin > SLOT_MS]

    whole = record(ledger, now_ms=T0 + 5 * HOUR_MS)
    assert long(whole, T0) == []
    asked = record(ledger, now_ms=T0 + 5 * HOUR_MS, lost=lost)
    ((begin, end),) = long(asked, T0)
    assert begin <= lost[0][0] < lost[0][1] <= end < lost[0][1] + SLOT_MS
    assert long(asked, T0 + 2 * HOUR_MS) == [(T0 + 2 * HOUR_MS, end)]
    assert (whole.known_again_ms, asked.known_again_ms) == (0, lost[0][1])
    within = record(ledger, now_ms=T0 + 2 * HOUR_MS, lost=lost)
    assert (within.heard_ms, within.known_again_ms) == (lost[0][0], 0)
