"""What was patrolled when: the ledger's answers to the questions of `alerts`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alerts.patrols import CellAges, VisitBy, ZoneRef
from bikes.fleet import FleetState
from bikes.roster import Roster
from geofence.atlas import ALWAYS_MS, Atlas
from geofence.counted import covered, covered_since
from geofence.coverage import Rows, View
from geofence.zonemap import ZoneMap

PATROL_MS = 30 * 60 * 1000
"""A zone is patrolled when enough of its cells were visited within this time [ms]."""

DAY_MS = 24 * 3_600_000


@dataclass
class Facts:
    """Answers of one ledger; implements :class:`alerts.patrols.Patrols`.

    Parameters
    ----------
    atlas : Atlas
        Cells and zones through time.
    ledger : callable
        Visited cells, as of now or as of `at_ms`.
    fleet : callable
        Who was heard, as of now.
    roster : Roster
        Who they are.
    since_ms : int
        Start of the record [ms].
    behind : callable
        How far the pipeline is behind [ms].
    at_ms : int, optional
        Answer as of this instant; None for as of now.

    Attributes
    ----------
    now_ms : int
        When it is asked [ms]: whose zones are meant. Whoever asks about now sets it first, so
        that the zones stay the same for as long as one evaluation takes.
    """

    atlas: Atlas
    ledger: Callable[[], View]
    fleet: Callable[[], FleetState]
    roster: Roster
    since_ms: int
    behind: Callable[[], int] = lambda: 0
    at_ms: int | None = None
    now_ms: int = 0
    _visits: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))
    _cells: tuple[ZoneMap | None, dict[str, NDArray[np.int32]]] = (None, {})
    _counts: tuple[int, dict[tuple[int, int, ZoneMap], NDArray[np.int64]]] = (-1, {})
    _older: dict[tuple[str, int], tuple[int, int | None]] = field(default_factory=dict)
    _state: tuple[int, ZoneMap | None] = (-1, None)
    _revision: int = 0

    def __post_init__(self) -> None:
        if self.at_ms is not None:
            self.now_ms = self.at_ms

    @property
    def behind_ms(self) -> int:
        """How far the pipeline is behind what was received [ms]."""
        return self.behind()

    def zones(self) -> Sequence[ZoneRef]:
        """All zones that there are; one that was redrawn is as old as its first outline."""
        zones, layout = self._zones(), self.atlas.layout
        return [
            ZoneRef(
                zone.zone_id,
                zone.name,
                zone.name_zh,
                zone.policy,
                total,
                layout.since_ms(zone.zone_id, self.now_ms),
            )
            for zone, total in zip(zones.zones, zones.cells_total.tolist(), strict=True)
        ]

    def cells_total(self, zone_id: str, to_ms: int) -> int:
        """Patrollable cells of the zone at the end of a window, or now while it is on."""
        zones = self._zones(to_ms)
        return int(zones.cells_total[zones.index(zone_id)]) if zones.has(zone_id) else 0

    def revision(self, zone_id: str) -> int:
        """Changes with the ledger, and when other zones come into force."""
        state = self.ledger().version, self._zones()
        if state != self._state:
            self._state = state
            self._revision += 1
        return self._revision

    def covered(self, zone_id: str, from_ms: int, to_ms: int) -> int:
        """Distinct patrollable cells of the zone visited in [from_ms, to_ms).

        Of the cells that it has at the end, or now while the window is on, those that were
        visited when they were the zone's.
        """
        zones = self._zones(to_ms)
        if not zones.has(zone_id):
            return 0
        if self._counts[0] != self.ledger().version:
            self._counts = self.ledger().version, {}
        counts = self._counts[1].get((from_ms, to_ms, zones))
        if counts is None:
            counts = self._count(from_ms, to_ms, zones)
            self._counts[1][from_ms, to_ms, zones] = counts
        return int(counts[zones.index(zone_id)])

    def idle_cells(self, zone_id: str, now_ms: int) -> CellAges:
        """Ages of the zone's cells; one that was never visited is as old as the record.

        A visit by a bike whose clock is ahead has no age yet.
        """
        last = self._last()[self._cells_of(zone_id)]
        if not last.any():
            return CellAges(None, None)
        age_s = np.maximum(now_ms - np.maximum(last, self.since_ms), 0) / 1000
        return CellAges(float(age_s.max()), float(age_s.mean()))

    def last_heard_ms(self, zone_id: str) -> int | None:
        """Newest telemetry of any bike: as yet every bike may serve every zone."""
        return self.fleet().newest_ms()

    def last_visit_by(self, zone_id: str, since_ms: int) -> VisitBy | None:
        """The newest visit in the zone at or after `since_ms`."""
        rows = self._rows_since(since_ms)
        rows = rows.where(rows.last_ms >= since_ms)
        rows = rows.where(self._mine(rows, zone_id))
        if not rows.key.size:
            return None
        newest = int(np.argmax(rows.last_ms))
        return VisitBy(str(self.roster.key(int(rows.bike[newest]))), int(rows.last_ms[newest]))

    def last_patrolled_ms(self, zone_id: str, *, min_cells: int, now_ms: int) -> int | None:
        """The last visit that, with those of the 30 min before it, made `min_cells` cells.

        What lies more than a day back is looked up again only once an hour.
        """
        cells = self._cells_of(zone_id)
        needed = min(min_cells, cells.size)
        last = self._last()[cells]
        newest = int(last.max(initial=0))
        drawn_ms = self.atlas.layout.era_at(self.now_ms).from_ms
        if newest == 0 and drawn_ms == ALWAYS_MS:
            return None
        # Nearly always the newest visit is part of a patrol, and last visits alone tell; not
        # where the cells were another zone's in that half hour.
        whole = drawn_ms <= newest - PATROL_MS and newest <= now_ms
        if whole and (last > newest - PATROL_MS).sum() >= needed:
            return newest
        found = self._search(self._rows_since(now_ms - DAY_MS), zone_id, needed, now_ms)
        if found is not None:
            return found
        hour, memo = now_ms // 3_600_000, (zone_id, needed)
        if memo not in self._older or self._older[memo][0] != hour:
            self._older[memo] = hour, self._search(self._rows_since(0), zone_id, needed, now_ms)
        return self._older[memo][1]

    def _search(self, rows: Rows, zone_id: str, needed: int, now_ms: int) -> int | None:
        """The last time at which `needed` distinct cells of the zone were visited in 30 min."""
        rows = rows.where(rows.last_ms <= now_ms)
        mine = self._mine(rows, zone_id)
        at_ms, cell = rows.last_ms[mine], rows.cell[mine]
        order = np.argsort(at_ms, kind="stable")
        times, cells = at_ms[order].tolist(), cell[order].tolist()
        within: Counter[int] = Counter()
        found, first = None, 0
        for time, visited in zip(times, cells, strict=True):
            within[visited] += 1
            while times[first] <= time - PATROL_MS:
                within[cells[first]] -= 1
                if not within[cells[first]]:
                    del within[cells[first]]
                first += 1
            if len(within) >= needed:
                found = time
        return found

    def _count(self, from_ms: int, to_ms: int, zones: ZoneMap) -> NDArray[np.int64]:
        """Covered cells of each zone in a window."""
        last, layout = self._last(), self.atlas.layout
        if to_ms > int(last.max(initial=0)):
            found = covered_since(self.ledger(), layout, zones, from_ms, last)
        else:
            found = covered(self.ledger(), layout, zones, from_ms, to_ms)
        return np.bincount(zones.cell_zone[found], minlength=len(zones.zones))

    def _zones(self, to_ms: int | None = None) -> ZoneMap:
        """The zones there are, or were when a window ended."""
        ended = self.now_ms if to_ms is None else min(to_ms - 1, self.now_ms)
        return self.atlas.at(ended)

    def _mine(self, rows: Rows, zone_id: str) -> NDArray[np.bool_]:
        """Whether each visit was made in the zone, in the outline that it had then."""
        layout = self.atlas.layout
        owner = layout.owner(rows.cell, rows.last_ms)
        mine: NDArray[np.bool_] = owner == layout.zone_ids.index(zone_id)
        return mine

    def _last(self) -> NDArray[np.int64]:
        if self._visits[0] != self.ledger().version:
            self._visits = self.ledger().version, self.ledger().last_visit_ms()
        return self._visits[1]

    def _rows_since(self, since_ms: int) -> Rows:
        return self.ledger().between(since_ms, 1 << 41)

    def _cells_of(self, zone_id: str) -> NDArray[np.int32]:
        zones = self._zones()
        if self._cells[0] is not zones:
            self._cells = zones, {}
        cells = self._cells[1]
        if zone_id not in cells:
            cells[zone_id] = zones.cells(zone_id)
        return cells[zone_id]
