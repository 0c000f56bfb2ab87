"""The record: what was patrolled when and by whom, and when that could have been heard.

It answers every question about patrols from one view of the ledger and one layout of the zones,
as of one instant. Two records of one instant agree, whether it was now or is long past: live
evaluation, replay, calendar, bulletins and what-if ask the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from bikes.roster import Roster
from geofence.atlas import ALWAYS_MS, Layout
from geofence.coverage import SLOT_MS, View, union_between
from geofence.covered import covered, covered_since
from geofence.zonemap import ZoneMap
from words.times import DAY_MS, HOUR_MS

PATROL_MS = 30 * 60 * 1000
"""A zone is patrolled when enough of its cells were visited within this time [ms]."""

RECENT_MS = 2 * HOUR_MS
"""Patrols of this time are looked up at every question, older ones are remembered [ms]."""

MEMORIES = 50_000
"""Answers that are remembered between records before all are forgotten."""

T = TypeVar("T")


class ZoneRef(NamedTuple):
    """A zone of a record."""

    # As drawn.
    zone_id: str
    name: str
    name_zh: str | None
    policy: str
    cells_total: int  # its patrollable cells
    # Since when it has been there, in whatever outline [ms]; None when it always was.
    valid_from_ms: int | None = None


class CellAges(NamedTuple):
    """Ages of a zone's cells [s]; None when no cell was ever visited."""

    oldest_cell_age_s: float | None
    mean_cell_age_s: float | None


class VisitBy(NamedTuple):
    """Evidence: which bike (``vendor/bike_id``) visited, and when."""

    bike: str
    at_ms: int


def patrolled_ms(
    cell: NDArray[np.integer], at_ms: NDArray[np.int64], needed: int
) -> NDArray[np.int64]:
    """When a zone was patrolled: at every visit that, with those of 30 min before, made enough.

    Visits, of shape (n,), are those in the zone, by time [ms]; `needed` distinct cells make a
    patrol. The answer rises [ms].
    """
    # A visit counts its cell until the next one of that cell does, or half an hour has passed.
    order = np.argsort(cell, kind="stable")  # by time they are already
    until_ms = at_ms + PATROL_MS
    same = np.diff(cell[order]) == 0
    before = order[:-1][same]
    until_ms[before] = np.minimum(until_ms[before], at_ms[order[1:][same]])
    counting = np.arange(1, at_ms.size + 1) - np.searchsorted(np.sort(until_ms), at_ms, "right")
    # Visits of one instant all count at it.
    last = np.searchsorted(at_ms, at_ms, "right") - 1
    return at_ms[counting[last] >= needed]


class _Patrols(NamedTuple):
    """First and last visits of some slots, sorted by zone, then time."""

    zone: NDArray[np.int32]
    at_ms: NDArray[np.int64]
    cell: NDArray[np.int32]


class Record:
    """The patrols of a district as of an instant, for one thread at a time."""

    def __init__(
        self,
        layout: Layout,  # the zones through time
        # Visits, and who was heard; of an instant of the past, :meth:`View.as_of` it. Visits that a
        # further fix may take back are left out: they count some seconds later.
        ledger: View,
        names: Roster,  # who bikes are
        *,
        since_ms: int,  # where knowledge begins [ms]
        now_ms: int,  # the instant [ms]
        behind_ms: int = 0,  # how far the ledger is behind what had been received [ms]
        # Stretches of time whose telemetry is lost: ``[from, to)`` [ms]. Whatever others were heard
        # in them, nobody knows what was patrolled. A short one hides no patrol, and does not count.
        lost: Sequence[tuple[int, int]] = (),
        # An earlier one of the same ledger: what it found out and still holds is not asked again.
        before: Record | None = None,
    ) -> None:
        self.layout, self.ledger = layout, ledger.certain(now_ms)
        self.since_ms, self.now_ms, self.behind_ms = since_ms, now_ms, behind_ms
        self.lost = [span for span in lost if span[1] - span[0] >= PATROL_MS and span[0] < now_ms]
        self._names = names
        self._memory: dict[Hashable, tuple[int, object]] = {}
        self._open: dict[Hashable, tuple[int, object]] = {}
        if before is not None and before._foretells(self):
            self._memory = before._memory
        if len(self._memory) > MEMORIES:
            self._memory.clear()

    def _foretells(self, later: Record) -> bool:
        """Tell whether answers may hold in a later record; not after the clock went back."""
        same = self.layout is later.layout and self.since_ms == later.since_ms
        return same and self.lost == later.lost and self.now_ms <= later.now_ms

    def remember(self, key: Hashable, until_ms: int, find: Callable[[], T]) -> T:
        """The answer of `find`, asked again only after a change before an instant.

        `find` depends on nothing at or after `until_ms` [ms]; `key` is the name of the question.
        """
        # What is not certain yet may be so at the next look without any change of the ledger.
        memory = self._memory if until_ms <= self.ledger.open_ms else self._open
        version, answer = memory.get(key, (-1, None))
        if version < 0 or self.ledger.changed_since(version) < until_ms:
            answer = find()
            memory[key] = self.ledger.version, answer
        return answer  # type: ignore[return-value]

    def zones(self) -> list[ZoneRef]:
        """All zones in force at the instant."""
        zones = self._zones()
        return [
            ZoneRef(
                zone.zone_id,
                zone.name,
                zone.name_zh,
                zone.policy,
                total,
                self.layout.since_ms(zone.zone_id, self.now_ms),
            )
            for zone, total in zip(zones.zones, zones.cells_total.tolist(), strict=True)
        ]

    def cells_total(self, zone_id: str, to_ms: int) -> int:
        """Patrollable cells of a zone when a window ended, or now while it is on; 0 without it."""
        zones = self._zones(to_ms)
        return int(zones.cells_total[zones.index(zone_id)]) if zones.has(zone_id) else 0

    def covered(self, zone_id: str, from_ms: int, to_ms: int) -> int:
        """Distinct patrollable cells of the zone visited in [from_ms, to_ms).

        Of the cells that :meth:`cells_total` counts, those that were visited when they were the
        zone's.
        """
        zones = self._zones(to_ms)
        if not zones.has(zone_id):
            return 0

        def count() -> NDArray[np.int64]:
            if to_ms > int(self.ledger.last_visits.at_ms.max(initial=0)):
                found = covered_since(self.ledger, self.layout, zones, from_ms)
            else:
                found = covered(self.ledger, self.layout, zones, from_ms, to_ms)
            return np.bincount(zones.cell_zone[found], minlength=len(zones.zones))

        counts = self.remember(("covered", from_ms, to_ms, zones), to_ms, count)
        return int(counts[zones.index(zone_id)])

    def cell_ages(self, zone_id: str) -> CellAges:
        """Ages of the zone's cells; one that was never visited is as old as the record.

        Both are None when no cell was ever visited; KeyError when there is no such zone.
        A visit by a bike whose clock is ahead has no age yet.
        """
        total, last = self.cells_total(zone_id, self.now_ms + 1), self._last_visits_of(zone_id)
        if not last.size:
            return CellAges(None, None)
        # Of the cells that were visited, and of one that never was.
        age_ms = np.maximum(self.now_ms - np.maximum(last, self.since_ms), 0)
        never, record_ms = total - last.size, max(self.now_ms - self.since_ms, 0)
        oldest_ms = record_ms if never else int(age_ms.max())
        return CellAges(oldest_ms / 1000, (int(age_ms.sum()) + never * record_ms) / total / 1000)

    @property
    def known_again_ms(self) -> int:
        """The end of the last stretch that is lost [ms]; 0 without one, or while it lasts."""
        return max((to_ms for _, to_ms in self.lost if to_ms <= self.now_ms), default=0)

    @cached_property
    def heard_ms(self) -> int | None:
        """Time of the newest fix of any bike, not ahead of the instant [ms]; None before any.

        In a stretch that is lost it is its beginning.
        """
        for from_ms, to_ms in self.lost:
            if self.now_ms < to_ms:
                return from_ms
        for since_ms in (self.now_ms - SLOT_MS, self.now_ms - DAY_MS, 0):
            rows = union_between(self.ledger.heard, since_ms, self.now_ms + SLOT_MS)
            rows = rows.as_of(self.now_ms)
            if rows.key.size:
                return int(rows.last_ms.max())
        return None

    def silences(self, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
        """The stretches [start, end) of [from_ms, to_ms) in which no bike was heard, in order [ms].

        A bike is taken to have been heard from its first fix in a slot to its last: a silence of
        less than a slot may be missing. What is lost is as silent.
        """

        def find() -> list[tuple[int, int]]:
            rows = union_between(self.ledger.heard, from_ms, to_ms + SLOT_MS)
            rows = rows.where((rows.first_ms < to_ms) & (rows.last_ms >= from_ms))
            order = np.argsort(rows.first_ms, kind="stable")
            begins = np.append(rows.first_ms[order], to_ms)
            ends = np.maximum.accumulate(np.append(from_ms, rows.last_ms[order]))
            silent = begins > ends
            spans = [*zip(ends[silent].tolist(), begins[silent].tolist(), strict=True), *self.lost]
            found: list[tuple[int, int]] = []
            for begin, end in sorted((max(a, from_ms), min(b, to_ms)) for a, b in spans):
                if found and begin < found[-1][1]:
                    found[-1] = found[-1][0], max(end, found[-1][1])
                elif begin < end:
                    found.append((begin, end))
            return found

        return self.remember(("silences", from_ms, to_ms), to_ms, find)

    def last_visit_by(self, zone_id: str, since_ms: int) -> VisitBy | None:
        """The newest visit in the zone at or after `since_ms`, as evidence; None without one."""
        rows = self.ledger.between(since_ms, 1 << 41)
        rows = rows.where(rows.last_ms >= since_ms)
        owner = self.layout.owner(rows.cell, rows.last_ms)
        rows = rows.where(owner == self.layout.zone_ids.index(zone_id))
        if not rows.key.size:
            return None
        newest = int(np.argmax(rows.last_ms))
        return VisitBy(str(self._names.key(int(rows.bike[newest]))), int(rows.last_ms[newest]))

    def last_patrolled_ms(self, zone_id: str, *, min_cells: int, now_ms: int) -> int | None:
        """The last visit up to an instant that, with those of 30 min before, made a patrol [ms].

        None when there was none since the record began.

        `min_cells` distinct cells make a patrol; all, in a zone that has fewer. The instant [ms] is
        not after that of the record.
        """
        needed = min(min_cells, self.cells_total(zone_id, self.now_ms + 1))
        last = self._last_visits_of(zone_id)
        newest = int(last.max(initial=0))
        drawn_ms = self.layout.era_at(self.now_ms).from_ms
        if newest == 0 and drawn_ms == ALWAYS_MS:
            return None
        # Nearly always the newest visit is part of a patrol, and last visits alone tell; not
        # where the cells were another zone's in that half hour.
        whole = drawn_ms <= newest - PATROL_MS and newest <= now_ms
        if whole and (last > newest - PATROL_MS).sum() >= needed:
            return newest
        number = self._number(zone_id)
        recent_ms, day_ms = self.now_ms - RECENT_MS, self.now_ms - DAY_MS
        found = _last_of(self._recent, number, needed, now_ms)
        if found is not None and found >= recent_ms:
            return found

        def of_all() -> int | None:
            return _last_of(self._patrols(0, number), number, needed, now_ms)

        def of_the_day() -> int | None:
            found = _last_of(self._day, number, needed, now_ms)
            if found is not None and found >= day_ms:
                return found
            if now_ms < self.now_ms:
                return of_all()
            key = "patrolled ever", zone_id, needed, self.now_ms // DAY_MS
            return self.remember(key, day_ms, of_all)

        if now_ms < self.now_ms:
            key = "patrolled by", zone_id, needed, now_ms
            return self.remember(key, now_ms + 1, of_the_day)
        # Asked again after a while: a bike whose clock is ahead has been where nobody was yet.
        key = "patrolled before", zone_id, needed, self.now_ms // RECENT_MS
        return self.remember(key, recent_ms, of_the_day)

    @cached_property
    def _recent(self) -> _Patrols:
        """Visits of two hours, and of the half hour before them that counts for their patrols."""
        return self._patrols(self.now_ms - RECENT_MS - PATROL_MS)

    @cached_property
    def _day(self) -> _Patrols:
        """Visits of the last day, and of half an hour before it."""
        return self._patrols(self.now_ms - DAY_MS - PATROL_MS)

    def _patrols(self, since_ms: int, number: int | None = None) -> _Patrols:
        rows = self.ledger.between(since_ms, 1 << 41)
        at_ms = np.concatenate([np.minimum(rows.first_ms, rows.last_ms), rows.last_ms])
        cell = np.tile(rows.cell, 2)
        zone = self.layout.owner(cell, at_ms)
        wanted = np.flatnonzero(zone >= 0 if number is None else zone == number)
        order = wanted[np.lexsort((at_ms[wanted], zone[wanted]))]
        return _Patrols(zone[order], at_ms[order], cell[order])

    def _number(self, zone_id: str) -> int:
        return self.layout.zone_ids.index(zone_id)

    def _zones(self, to_ms: int | None = None) -> ZoneMap:
        """The zones there are, or were when a window ended."""
        at_ms = self.now_ms if to_ms is None else min(to_ms - 1, self.now_ms)
        return self.layout.era_at(at_ms).zones

    def _last_visits_of(self, zone_id: str) -> NDArray[np.int64]:
        """Last visits of the zone's cells, in any order, without those never visited [ms]."""
        zones = self._zones()

        def by_zone() -> list[NDArray[np.int64]]:
            last = self.ledger.last_visits
            zone = zones.cell_zone[last.cell]
            order = np.argsort(zone, kind="stable")
            starts = np.searchsorted(zone[order], np.arange(len(zones.zones)))
            return np.split(last.at_ms[order], starts)[1:]

        return self.remember(("last visits", zones), 1 << 62, by_zone)[zones.index(zone_id)]


def _last_of(patrols: _Patrols, zone: int, needed: int, now_ms: int) -> int | None:
    """The last instant up to `now_ms` at which a zone, by its number, was patrolled [ms]."""
    low, high = np.searchsorted(patrols.zone, (zone, zone + 1))
    high = low + np.searchsorted(patrols.at_ms[low:high], now_ms, side="right")
    found = patrolled_ms(patrols.cell[low:high], patrols.at_ms[low:high], needed)
    return int(found[-1]) if found.size else None
