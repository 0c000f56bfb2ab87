"""Figures of zones over a closed record: coverage, idle times, and the windows in it.

The record is measured a stretch of time after the other, each with all visits in it, and what lies
behind is forgotten: memory does not grow with its length. How it is cut does not show, bit for bit.
Idle times are of duty: nobody is late in the night.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bikes.roster import Roster
from geofence.atlas import Layout
from geofence.coverage import SLOT_MS, Ledger
from geofence.idleness import Idling
from geofence.record import PATROL_MS, Record, ZoneRef, patrolled_ms
from geofence.runs import Visits
from geofence.windows import RECORD_SLACK_S, VERDICTS, Plan, Verdict, Window, Zone, judge_window
from words.times import DAY_MS

AHEAD_MS = 8 * DAY_MS
"""A window that the record's end lies in ends no later than this after it [ms]."""


class ZoneRecord(NamedTuple):
    """One zone against its plan."""

    cells_covered: int  # its cells that were visited
    # Of the cells that were visited, so that one left out does not hide the others [s of duty];
    # None without a visit or duty.
    worst_idle_s: float | None
    # Of all its cells [s of duty]; None in a record without duty.
    mean_idle_s: float | None
    unpatrolled: int  # how often its frequency was exceeded
    # The longest it was not patrolled, the ends of the record included [s of duty].
    longest_idle_s: float
    windows: Counter[Verdict]  # windows with hardly any duty outside the record, by verdict


AT_ONCE = 1 << 19
"""Visits that are measured at once, more or less: it takes some 30 MB."""


class Seen(NamedTuple):
    """Visits of zones by time, as columns of shape (k,): all that figures take of them."""

    cell: NDArray[np.int32]
    at_ms: NDArray[np.int64]  # [ms]


NOTHING = Seen(np.empty(0, np.int32), np.empty(0, np.int64))


class ClosedRecord:
    """Measures all zones of a record [from_ms, to_ms], which is as of a millisecond after its end.

    `plans` say what is asked of each zone, by its id.
    """

    def __init__(
        self, layout: Layout, cells: int, plans: Mapping[str, Plan], from_ms: int, to_ms: int
    ) -> None:
        self._layout, self._from_ms, self._to_ms = layout, from_ms, to_ms
        self._ledger = Ledger(cells)
        self._zones = layout.era_at(to_ms + 1).zones
        refs = self._record().zones()
        self._figures = [_Figures(ref, plans[ref.zone_id], from_ms, to_ms) for ref in refs]
        # The number of each cell within its zone; of 16 bits, by which numpy sorts in one pass.
        few = max(ref.cells_total for ref in refs) < 1 << 16
        self._number: NDArray[Any] = np.zeros(cells, np.uint16 if few else np.int32)
        for ref in refs:
            self._number[self._zones.cells(ref.zone_id)] = np.arange(ref.cells_total)

    def hear(self, bike: NDArray[np.int32], at_ms: NDArray[np.int64], visits: Visits) -> Seen:
        """Take in fixes of a stretch, of shape (n,) [ms], and the visits that they make.

        Return what :meth:`pass_` wants of them.
        """
        self._ledger.hear(bike, at_ms)
        self._ledger.add(visits)
        own = np.flatnonzero(self._layout.own(visits.cell, visits.at_ms, self._zones))
        own = own[np.argsort(visits.at_ms[own], kind="stable")]
        return Seen(visits.cell[own], visits.at_ms[own])

    def pass_(self, parts: Sequence[Seen], until_ms: int) -> None:
        """Measure a stretch that ends before an instant [ms]: all that was heard of it is known.

        Stretches follow each other, and an end lies between two slots of the ledger. The parts
        are all of the stretch; many visits are measured by shorter stretches.
        """
        begin_ms = min((int(seen.at_ms[0]) for seen in parts if seen.at_ms.size), default=until_ms)
        pieces = sum(seen.cell.size for seen in parts) // AT_ONCE + 1
        step_ms = (max(until_ms - begin_ms, 0) // pieces // SLOT_MS + 1) * SLOT_MS
        low = [0] * len(parts)
        for end_ms in [
            *range(begin_ms // SLOT_MS * SLOT_MS + step_ms, until_ms, step_ms),
            until_ms,
        ]:
            high = [int(np.searchsorted(seen.at_ms, end_ms)) for seen in parts]
            some = [NOTHING]
            for (cell, at_ms), first, end in zip(parts, low, high, strict=True):
                some.append(Seen(cell[first:end], at_ms[first:end]))
            self._measure(Seen(*map(np.concatenate, zip(*some, strict=True))), end_ms)
            low = high

    def _measure(self, seen: Seen, until_ms: int) -> None:
        order = np.argsort(seen.at_ms, kind="stable")
        order = order[np.argsort(self._zones.cell_zone[seen.cell[order]], kind="stable")]
        zone = self._zones.cell_zone[seen.cell[order]]
        cell, at_ms = self._number[seen.cell[order]], seen.at_ms[order]
        record = self._record()
        open_ms = until_ms
        for number, figures in enumerate(self._figures):
            low, high = np.searchsorted(zone, (number, number + 1))
            figures.patrol(cell[low:high], at_ms[low:high], until_ms)
            open_ms = min(open_ms, figures.judge(record, until_ms))
        self._ledger.forget_before(open_ms)

    def state(self) -> dict[str, NDArray[Any]]:
        """What was measured so far, for :meth:`restore`."""
        found = {f"ledger/{name}": array for name, array in self._ledger.state().items()}
        for number, figures in enumerate(self._figures):
            found |= {f"{number}/{name}": array for name, array in figures.state().items()}
        return found

    def restore(self, state: Mapping[str, NDArray[Any]], bikes: NDArray[np.int32]) -> None:
        """Go on from a state of the same record whose bike i is `bikes[i]` now; shape (bikes,)."""
        parts: dict[str, dict[str, NDArray[Any]]] = {}
        for name, array in state.items():
            whose, _, of = name.partition("/")
            parts.setdefault(whose, {})[of] = array
        self._ledger.restore(parts["ledger"], bikes)
        for number, figures in enumerate(self._figures):
            figures.restore(parts[str(number)])

    def ended(self) -> list[tuple[ZoneRef, ZoneRecord]]:
        """The figures of all zones, when the whole record was passed."""
        return [(figures.ref, figures.ended()) for figures in self._figures]

    def _record(self) -> Record:
        view, names = self._ledger.view(), Roster({})
        return Record(self._layout, view, names, since_ms=self._from_ms, now_ms=self._to_ms + 1)


class _Figures:
    """The figures of one zone so far."""

    def __init__(self, ref: ZoneRef, plan: Plan, from_ms: int, to_ms: int) -> None:
        self.ref, self._plan = ref, plan
        self._from_ms, self._to_ms = from_ms, to_ms
        parts = list(plan.parts(from_ms, to_ms + 1))
        # No shorter gap holds more duty, nor exceeds the strictest frequency.
        self._least_s = min(asked.frequency_s for _, _, asked in parts)
        self._idling = Idling(ref.cells_total, list(plan.duty(from_ms, to_ms + 1)))
        self._windows = [
            (Window(window.from_ms, min(window.to_ms, to_ms + 1)), asked)
            for window, asked in plan.windows_ended(from_ms, to_ms + AHEAD_MS)
            if self._within(window)
        ]
        begins = (window.from_ms for window, _ in reversed(self._windows))
        # The first instant of each window and all after it, which may be longer.
        self._since_ms = [*accumulate(begins, min)][::-1]
        self._passed_ms = self._patrolled_ms = from_ms
        # Visits of the last half hour, which count for the next patrols.
        self._cell: NDArray[Any] = np.empty(0, np.uint16)
        self._at_ms = np.empty(0, np.int64)
        self._longest_s, self._exceeded = 0.0, 0
        self._verdicts: Counter[Verdict] = Counter()
        self._judged = 0

    def _within(self, window: Window) -> bool:
        outside_s = self._plan.duty_s(window.from_ms, self._from_ms)
        outside_s += self._plan.duty_s(self._to_ms, window.to_ms)
        return self._plan.duty_s(*window) > outside_s and outside_s <= RECORD_SLACK_S

    def patrol(self, cell: NDArray[Any], at_ms: NDArray[np.int64], until_ms: int) -> None:
        """Take in the visits of a stretch, by time; cells by their number in the zone."""
        self._idling.add(cell, at_ms)
        cell, at_ms = np.append(self._cell, cell), np.append(self._at_ms, at_ms)
        until_ms = min(until_ms, self._to_ms + 1)
        found = [np.array([self._patrolled_ms])]
        # What makes a patrol may change with a campaign; each stretch is asked of its own policy.
        for start_ms, end_ms, asked in self._plan.parts(self._passed_ms, until_ms):
            needed = min(asked.min_cells, self.ref.cells_total)
            times = patrolled_ms(cell, at_ms, needed)
            low, high = np.searchsorted(times, (start_ms, end_ms))
            found.append(times[low:high])
        if until_ms > self._to_ms:
            found.append(np.array([self._to_ms]))
        self._look(np.concatenate(found))
        self._passed_ms = until_ms
        late = np.searchsorted(at_ms, until_ms - PATROL_MS)
        self._cell, self._at_ms = cell[late:], at_ms[late:]

    def _look(self, times: NDArray[np.int64]) -> None:
        """Look at the gaps between instants at which the zone was patrolled, which rise."""
        gaps = np.diff(times)
        long = np.flatnonzero(gaps / 1000 > min(self._longest_s, self._least_s))
        for row in long[np.argsort(-gaps[long], kind="stable")].tolist():
            if gaps[row] / 1000 <= min(self._longest_s, self._least_s):
                break
            start_ms, end_ms = int(times[row]), int(times[row + 1])
            self._exceeded += _exceeded(self._plan, start_ms, end_ms)
            self._longest_s = max(self._longest_s, self._plan.duty_s(start_ms, end_ms))
        self._patrolled_ms = int(times[-1])

    def judge(self, record: Record, until_ms: int) -> int:
        """Judge the windows that are over; return since when more must be remembered [ms]."""
        zone = Zone(self.ref, self._plan, record)
        over = self._to_ms < until_ms
        while self._judged < len(self._windows):
            window, asked = self._windows[self._judged]
            if window.to_ms > until_ms and not over:
                return min(until_ms, self._since_ms[self._judged])
            self._verdicts[judge_window(zone, window, asked).verdict] += 1
            self._judged += 1
        return until_ms

    def state(self) -> dict[str, NDArray[Any]]:
        """What was measured so far."""
        numbers = [self._passed_ms, self._patrolled_ms, self._exceeded, self._judged]
        return {
            "numbers": np.array([*numbers, *(self._verdicts[each] for each in VERDICTS)]),
            "longest_s": np.array(self._longest_s),
            "cell": self._cell,
            "at_ms": self._at_ms,
            **self._idling.state(),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state."""
        numbers = state["numbers"].tolist()
        self._passed_ms, self._patrolled_ms, self._exceeded, self._judged, *counts = numbers
        self._verdicts = Counter(dict(zip(VERDICTS, counts, strict=True)))
        self._longest_s = float(state["longest_s"])
        self._cell, self._at_ms = state["cell"], state["at_ms"]
        for name, array in self._idling.state().items():
            array[:] = state[name]

    def ended(self) -> ZoneRecord:
        """The figures."""
        idle, visited = self._idling.ended(), self._idling.visited
        return ZoneRecord(
            cells_covered=int(visited.sum()),
            worst_idle_s=round(float(idle.worst_s[visited].max()), 1)
            if idle and visited.any()
            else None,
            mean_idle_s=round(float(idle.mean_s.mean()), 1) if idle else None,
            unpatrolled=self._exceeded,
            longest_idle_s=round(self._longest_s, 1),
            windows=self._verdicts,
        )


def _exceeded(plan: Plan, from_ms: int, to_ms: int) -> bool:
    """Tell whether a time without a patrol came to exceed the frequency."""
    return any(
        not asked.paused and plan.duty_s(from_ms, upto_ms) > asked.frequency_s
        for _, upto_ms, asked in plan.parts(from_ms, to_ms)
    )
