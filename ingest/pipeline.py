"""Telemetry into coverage: extends runs as fixes come, recomputes what a late fix touches.

State per bike, beside the ledger:

- ``newest``: time of its newest fix.
- ``settled``: visits that hang on fixes up to here are in the ledger for good, unless a late fix
  comes. It trails ``newest`` by ``limits.after_ms + reorder_ms``.
- its *context*: the fixes after ``settled - limits.before_ms``, enough to judge every fix after
  ``settled`` exactly as a pass over the whole run would.

A fix is *late* when it could change something settled. The slots in which it could are then judged
again from history and replace what the ledger held; all late fixes of a step together, because
bikes that were out of reach hand in hundreds at once. So the ledger is a function of the set of
fixes, never of their arrival (docs/decisions/0002).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bikes.telemetry import COLUMNS, TelemetryBatch
from geofence.coverage import SLOT_MS, Ledger
from geofence.runs import Judge, Visits
from geofence.spans import Spans

NEVER = np.iinfo(np.int64).min // 2

RESTATE = 512
"""Stretches of time that are judged again at once: bounds the memory that it takes."""


class History(Protocol):
    """All fixes that were ever taken in; the batch being stepped is already among them."""

    def within(self, spans: Spans) -> TelemetryBatch:
        """Distinct fixes in some spans, sorted by bike, then time."""
        ...


@dataclass
class Counters:
    """What the pipeline has done, cumulative.

    Attributes
    ----------
    fixes : int
        Fixes taken in.
    duplicates : int
        Fixes that were there already.
    restated : int
        Stretches of a bike's time that were judged again because of late fixes.
    """

    fixes: int = 0
    duplicates: int = 0
    restated: int = 0


@dataclass
class Pipeline:
    """Keeps a ledger up to date with telemetry.

    Parameters
    ----------
    judge : Judge
        Turns fixes into verdicts and visits.
    history : History
        Where the fixes of earlier hours are found when a late one comes.
    reorder_s : float
        How far out of order fixes may come before history is asked [s]. Cost grows with it.
    """

    judge: Judge
    history: History
    reorder_s: float = 30.0
    ledger: Ledger = field(init=False)
    counters: Counters = field(default_factory=Counters)
    _context: TelemetryBatch = field(default_factory=TelemetryBatch.empty)
    _newest: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    _settled: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.judge.atlas.grid.size)

    @property
    def newest_ms(self) -> int:
        """Time of the newest fix of any bike [ms]; 0 before the first."""
        return max(int(self._newest.max(initial=0)), 0)

    def step(self, batch: TelemetryBatch) -> None:
        """Take in fixes, in any order, duplicates and late ones included."""
        if not len(batch):
            return
        new = batch.distinct()
        self.counters.fixes += len(batch)
        self.counters.duplicates += len(batch) - len(new)
        self._grow(int(new.bike[-1]) + 1)
        self.ledger.hear(new.bike, new.timestamp_ms)
        late = new.timestamp_ms - self.judge.limits.after_ms <= self._settled[new.bike]
        self._extend(new)
        if late.any():
            self._restate(new.take(late))

    def _extend(self, new: TelemetryBatch) -> None:
        """Judge the contexts of some bikes together with new fixes.

        What late fixes change of what is settled already, and judged here without the fixes
        around them, is not looked at.
        """
        bikes = _first_of_each(new.bike)
        touched = np.zeros(self._newest.size, dtype=bool)
        touched[bikes] = True
        mine = touched[self._context.bike]
        before = self._context.take(mine)
        fixes = TelemetryBatch.concat([before, new]).distinct()
        self.counters.duplicates += len(before) + len(new) - len(fixes)
        last = np.append(np.flatnonzero(np.diff(fixes.bike)), len(fixes) - 1)
        was_settled = self._settled.copy()
        self._advance(bikes, fixes.timestamp_ms[last])
        _, visits = self.judge.assess(fixes)
        self._keep(bikes, visits, after_ms=was_settled)
        self._remember(self._context.take(~mine), fixes)

    def _restate(self, late: TelemetryBatch) -> None:
        """Judge again, from history, the slots in which late fixes could change something."""
        limits = self.judge.limits
        # A visit hangs on a fix up to one gap after it.
        first_ms = late.timestamp_ms - limits.after_ms - limits.max_gap_ms
        last_ms = late.timestamp_ms + limits.before_ms
        slots = Spans.joined(
            late.bike, first_ms // SLOT_MS * SLOT_MS, (last_ms // SLOT_MS + 1) * SLOT_MS
        )
        self.counters.restated += slots.bike.size
        visits = [self._judged_again(part) for part in slots.parts(RESTATE)]
        self.ledger.replace(slots, Visits.concat(visits))

    def redrawn(self, from_ms: int) -> None:
        """Judge again what has been judged from an instant on, where the zones have changed.

        Mostly that is nothing: zones are redrawn for later, and only the clock of a bike that is
        ahead has been there already.
        """
        ahead = np.flatnonzero(self._settled >= from_ms).astype(np.int32)
        slots = Spans.joined(
            ahead,
            np.full(ahead.size, from_ms // SLOT_MS * SLOT_MS),
            (self._settled[ahead] // SLOT_MS + 1) * SLOT_MS,
        )
        visits = [self._judged_again(part) for part in slots.parts(RESTATE)]
        self.ledger.replace(slots, Visits.concat(visits))
        self._restate_provisional()

    def _restate_provisional(self) -> None:
        """What hangs on the newest fixes of all bikes, by their contexts."""
        if len(self._context):
            _, visits = self.judge.assess(self._context)
            self.ledger.provisional(
                np.unique(self._context.bike),
                visits.where(visits.settles_ms > self._settled[visits.bike]),
            )

    def _judged_again(self, slots: Spans) -> Visits:
        """The settled visits of some slots."""
        limits = self.judge.limits
        fixes = self.history.within(
            slots.widened(limits.before_ms, limits.max_gap_ms + limits.after_ms + 1)
        )
        _, visits = self.judge.assess(fixes)
        settled = visits.settles_ms <= self._settled[visits.bike]
        return visits.where(settled & slots.contain(visits.bike, visits.at_ms))

    def _advance(self, bikes: NDArray[np.int32], newest_ms: NDArray[np.int64]) -> None:
        """Move `newest`, and with it `settled`, of some bikes; never back."""
        self._newest[bikes] = np.maximum(self._newest[bikes], newest_ms)
        trail = self.judge.limits.after_ms + round(self.reorder_s * 1000)
        self._settled[bikes] = np.maximum(self._settled[bikes], self._newest[bikes] - trail)

    def _keep(
        self, bikes: NDArray[np.int32], visits: Visits, *, after_ms: NDArray[np.int64]
    ) -> None:
        """Hand visits to the ledger: newly settled ones for good, the others provisionally."""
        settled = visits.settles_ms <= self._settled[visits.bike]
        fresh = visits.settles_ms > after_ms[visits.bike]
        self.ledger.add(visits.where(settled & fresh))
        self.ledger.provisional(bikes, visits.where(~settled))

    def _remember(self, others: TelemetryBatch, fixes: TelemetryBatch) -> None:
        """Keep of `fixes` what judging their bikes' next fixes will need."""
        needed = fixes.timestamp_ms > self._settled[fixes.bike] - self.judge.limits.before_ms
        self._context = TelemetryBatch.concat([others, fixes.take(needed)])

    def _grow(self, size: int) -> None:
        missing = size - self._newest.size
        if missing > 0:
            never = np.full(missing, NEVER)
            self._newest = np.append(self._newest, never)
            self._settled = np.append(self._settled, never)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """What a snapshot must hold to go on from here; bikes by their index of today."""
        context = {f"context_{name}": getattr(self._context, name) for name in COLUMNS}
        ledger = {f"ledger_{name}": column for name, column in self.ledger.state().items()}
        counters = np.array([self.counters.fixes, self.counters.duplicates, self.counters.restated])
        return {
            **context,
            **ledger,
            "newest": self._newest,
            "settled": self._settled,
            "counters": counters,
        }

    def restore(self, state: Mapping[str, NDArray[np.generic]], bikes: NDArray[np.int32]) -> None:
        """Go on from a snapshot whose bike i is `bikes[i]` now."""
        columns = {name: state[f"context_{name}"] for name in COLUMNS}
        columns["bike"] = bikes[columns["bike"].astype(np.intp)]
        context = TelemetryBatch(**columns).distinct()  # type: ignore[arg-type]
        self._grow(int(bikes.max(initial=-1)) + 1)
        known = bikes[: state["newest"].size]
        self._newest[known] = state["newest"]
        self._settled[known] = state["settled"]
        self._context = context
        self.counters = Counters(*(int(n) for n in state["counters"]))
        self.ledger.restore(
            {
                name.removeprefix("ledger_"): column
                for name, column in state.items()
                if name.startswith("ledger_")
            },
            bikes,
        )
        self._restate_provisional()


def _first_of_each(sorted_bikes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Each bike of a sorted column once."""
    first = np.append(True, sorted_bikes[1:] != sorted_bikes[:-1])
    bikes: NDArray[np.int32] = sorted_bikes[first]
    return bikes
