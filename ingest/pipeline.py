"""Telemetry into coverage: extends runs as fixes come, judges again what a late fix touches.

Each bike's newest fixes are judged together with its context (:mod:`ingest.contexts`). Visits
that hang on settled fixes are in the ledger for good, unless a late fix comes; the others are
there provisionally. The slots that a late fix could change are judged again from history and
replace what the ledger held; all late fixes of a step together, because bikes that were out of
reach hand in hundreds at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bikes.telemetry import COLUMNS, TelemetryBatch
from geofence.coverage import SLOT_MS, Ledger
from geofence.intervals import Intervals, keys
from geofence.quality import DUPLICATE, VERDICTS
from geofence.runs import Judge, Visits
from ingest.archive import Archive
from ingest.contexts import Contexts, Judged
from ingest.snapshot import under

OF_CONTEXTS = {"newest", "settled", "first"}
"""Times of contexts that a snapshot holds."""

RESTATE = 512
"""Stretches of time that are judged again at once: bounds the memory that it takes."""


@dataclass
class Counters:
    """Cumulative counts of the pipeline."""

    fixes: int = 0  # fixes taken in
    duplicates: int = 0  # fixes that were there already
    restated: int = 0  # stretches of a bike's time that were judged again because of late fixes
    # Other fixes that are settled, by verdict: positions in :data:`geofence.quality.VERDICTS`. When
    # history is ahead of the ledger a late fix that it has counts as a duplicate: then only the sum
    # of both is exact.
    verdicts: list[int] = field(default_factory=lambda: [0] * len(VERDICTS))

    def by_verdict(self) -> dict[str, int]:
        """Settled fixes and duplicates, by the name of their verdict."""
        found: dict[str, int] = dict(zip(VERDICTS, self.verdicts, strict=True))
        found[VERDICTS[DUPLICATE]] += self.duplicates
        return found


@dataclass
class Pipeline:
    """Keeps a ledger up to date with telemetry; for one thread, save the views of the ledger.

    `history` has all fixes that were taken in before a step; later ones do no harm to the ledger.
    It is not asked for fixes in disorder up to `reorder_s` [s], with which the cost grows.
    """

    judge: Judge
    history: Archive
    reorder_s: float = 30.0
    ledger: Ledger = field(init=False)
    counters: Counters = field(default_factory=Counters)
    # Fixes of the last step that were there already, by index of the bike.
    repeated: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    # Bike and time of those that were there before the step, as :func:`geofence.intervals.keys`.
    _before: list[NDArray[np.int64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.judge.atlas.grid.size)
        self._contexts = Contexts(self.judge.limits, self.reorder_s)

    @property
    def newest_ms(self) -> int:
        """Time of the newest fix of any bike [ms]; 0 before the first."""
        return max(int(self._contexts.newest_ms.max(initial=0)), 0)

    def step(self, batch: TelemetryBatch) -> None:
        """Take in fixes, in any order, duplicates and late ones included.

        ArchiveDamaged: what is not late was taken in, the ledger lacks the late ones.
        """
        self.repeated = np.zeros(self._contexts.newest_ms.size, np.intp)
        self._before = []
        if not len(batch):
            return
        new = batch.distinct()
        self.counters.fixes += len(batch)
        self._contexts.grow(int(new.bike[-1]) + 1)
        self.repeated = np.zeros(self._contexts.newest_ms.size, np.intp)
        if len(new) < len(batch):
            counts = [np.bincount(each.bike, minlength=self.repeated.size) for each in (batch, new)]
            self._repeat(np.repeat(np.arange(self.repeated.size), counts[0] - counts[1]))
        self.ledger.hear(new.bike, new.timestamp_ms)
        late = self._contexts.late(new)
        if not late.all():
            for part in self._contexts.parts(new.take(~late)):
                self._extend(part)
        if late.any():
            self._restate(new.take(late), new)

    def repeats(self, batch: TelemetryBatch) -> NDArray[np.bool_]:
        """Which fixes of the last step, shape (n,), were there already, be it earlier in it."""
        found = keys(batch.bike, batch.timestamp_ms)
        again = np.isin(found, np.concatenate([np.empty(0, np.int64), *self._before]))
        again[np.setdiff1d(np.arange(found.size), np.unique(found, return_index=True)[1])] = True
        return again

    def _repeat(self, bikes: NDArray[np.integer]) -> None:
        """Count fixes that were there already, each by its bike."""
        self.counters.duplicates += bikes.size
        self.repeated += np.bincount(bikes, minlength=self.repeated.size)

    def _repeat_known(self, fixes: TelemetryBatch) -> None:
        self._before.append(keys(fixes.bike, fixes.timestamp_ms))
        self._repeat(fixes.bike)

    def _extend(self, new: TelemetryBatch) -> None:
        """Judge the contexts of some bikes together with new fixes."""
        contexts = self._contexts
        was_settled = contexts.settled_ms.copy()
        known, judgement = contexts.extended(self.judge, new)
        fixes, visits = judgement.fixes, self.judge.visits(judgement)
        contexts.keep(contexts.settle(judgement), Judged(fixes, judgement.verdict))
        if len(fixes) < len(known.fixes) + len(new):
            self._repeat_known(new.take(_among(new, known.fixes)))
        fresh = visits.where(visits.settles_ms >= was_settled[visits.bike])
        settled = fresh.settles_ms < contexts.settled_ms[fresh.bike]
        self.ledger.add(fresh.where(settled))
        self.ledger.provisional(np.unique(new.bike), fresh.where(~settled))
        at_ms = fixes.timestamp_ms
        settled = at_ms < contexts.settled_ms[fixes.bike]
        self._count(judgement.verdict[(at_ms >= was_settled[fixes.bike]) & settled], 1)

    def _restate(self, late: TelemetryBatch, new: TelemetryBatch) -> None:
        """Judge again, from history, the slots in which late fixes could change something.

        They are among all `new` ones. A context that they could reach is made anew: what was
        settled of it may not be so now.
        """
        limits, contexts = self.judge.limits, self._contexts
        was_settled = contexts.settled_ms.copy()
        # A visit hangs on a fix up to one gap after it.
        first_ms = late.timestamp_ms - limits.after_ms - limits.max_gap_ms
        last_ms = contexts.touched_until_ms(late, late)
        slots = Intervals.joined(
            late.bike, first_ms // SLOT_MS * SLOT_MS, (last_ms // SLOT_MS + 1) * SLOT_MS
        )
        self.counters.restated += slots.bike.size
        found = []
        for part in slots.parts(RESTATE):
            known = self._known(part)
            here = late.take(part.contain(late.bike, late.timestamp_ms))
            again = _among(here, known)
            self._repeat_known(here.take(again))
            now = new.take(self._needed(part).contain(new.bike, new.timestamp_ms))
            judgement = self.judge.judge(TelemetryBatch.concat([known, now]).distinct())
            fixes, visits = judgement.fixes, self.judge.visits(judgement)
            anew = contexts.ends_in(part)
            contexts.keep(contexts.settle(judgement, anew), Judged(fixes, judgement.verdict))
            settled = visits.settles_ms < contexts.settled_ms[visits.bike]
            found.append(visits.where(settled & part.contain(visits.bike, visits.at_ms)))
            self.ledger.provisional(
                np.flatnonzero(anew).astype(np.int32), visits.where(anew[visits.bike] & ~settled)
            )
            before = fixes.take(~_among(fixes, here.take(~again)))
            self._count_settled(fixes, judgement.verdict, part, contexts.settled_ms, 1)
            self._count_settled(before, self.judge.verdicts(before), part, was_settled, -1)
        self.ledger.replace(slots, Visits.concat(found))

    def _count_settled(
        self,
        fixes: TelemetryBatch,
        verdicts: NDArray[np.uint8],
        slots: Intervals,
        settled_ms: NDArray[np.int64],
        sign: int,
    ) -> None:
        inside = slots.contain(fixes.bike, fixes.timestamp_ms)
        self._count(verdicts[inside & (fixes.timestamp_ms < settled_ms[fixes.bike])], sign)

    def _count(self, verdicts: NDArray[np.uint8], sign: int) -> None:
        counts = np.bincount(verdicts, minlength=len(VERDICTS))
        self.counters.verdicts = (self.counters.verdicts + sign * counts).tolist()

    def redrawn(self, from_ms: int) -> None:
        """Judge again what has been judged from an instant on, where the zones have changed.

        Mostly that is nothing: zones are redrawn for later, and only the clock of a bike that is
        ahead has been there already. ArchiveDamaged: nothing was judged again.
        """
        settled_ms = self._contexts.settled_ms
        ahead = np.flatnonzero(settled_ms > from_ms).astype(np.int32)
        slots = Intervals.joined(
            ahead,
            np.full(ahead.size, from_ms // SLOT_MS * SLOT_MS),
            (settled_ms[ahead] // SLOT_MS + 1) * SLOT_MS,
        )
        found = []
        for part in slots.parts(RESTATE):
            visits = self.judge.visits(self.judge.judge(self._known(part).distinct()))
            settled = visits.settles_ms < settled_ms[visits.bike]
            found.append(visits.where(settled & part.contain(visits.bike, visits.at_ms)))
        self.ledger.replace(slots, Visits.concat(found))
        self._judge_contexts()

    def _judge_contexts(self) -> None:
        """Judge the contexts of all bikes, for what is provisional."""
        contexts = self._contexts
        fixes = contexts.all().fixes
        visits = self.judge.visits(self.judge.judge(fixes, contexts.leads(fixes)))
        open_ = visits.settles_ms >= contexts.settled_ms[visits.bike]
        self.ledger.provisional(np.unique(fixes.bike), visits.where(open_))

    def _needed(self, slots: Intervals) -> Intervals:
        """The time whose fixes judging some slots takes."""
        limits = self.judge.limits
        return slots.widened(limits.before_ms, limits.max_gap_ms + limits.after_ms + 1)

    def _known(self, slots: Intervals) -> TelemetryBatch:
        """All known fixes that judging some slots takes, up to the newest of each bike."""
        contexts, past = self._contexts, self.history.within(self._needed(slots))
        # History may be ahead: what was taken in and is not settled is in the contexts.
        held = contexts.of(np.unique(slots.bike)).fixes
        parts = [
            past.take(past.timestamp_ms < contexts.settled_ms[past.bike]),
            held.take(held.timestamp_ms >= contexts.settled_ms[held.bike]),
        ]
        return TelemetryBatch.concat(parts)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """State for a snapshot, which no change touches; bikes by their index of today."""
        contexts, counters = self._contexts, self.counters
        context = contexts.all().fixes
        return {
            **{f"context_{name}": getattr(context, name) for name in COLUMNS},
            **{f"ledger_{name}": column for name, column in self.ledger.state().items()},
            **{name: getattr(contexts, f"{name}_ms").copy() for name in OF_CONTEXTS},
            "counters": np.array([counters.fixes, counters.duplicates, counters.restated]),
            "verdicts": np.array(counters.verdicts),
        }

    def restore(self, state: Mapping[str, NDArray[np.generic]], bikes: NDArray[np.int32]) -> None:
        """Go on from a snapshot whose bike i is `bikes[i]` now; shape (bikes,)."""
        columns = {name: state[f"context_{name}"] for name in COLUMNS}
        columns["bike"] = bikes[columns["bike"].astype(np.intp)]
        context = TelemetryBatch(**columns).distinct()  # type: ignore[arg-type]
        contexts = self._contexts
        contexts.grow(int(bikes.max(initial=-1)) + 1)
        known = bikes[: state["newest"].size]
        contexts.newest_ms[known] = state["newest"]
        contexts.start(np.sort(known), Judged(context, np.zeros(len(context), np.uint8)))
        for name in OF_CONTEXTS & state.keys():  # an older version had only the newest
            getattr(contexts, f"{name}_ms")[known] = state[name]
        self.ledger.restore(under("ledger_", state), bikes)
        self._judge_contexts()
        fixes, duplicates, restated = (int(n) for n in state["counters"])
        self.counters = Counters(fixes, duplicates, restated)
        if "verdicts" in state:  # an older version did not count them
            self.counters.verdicts = [int(n) for n in state["verdicts"]]


def _among(fixes: TelemetryBatch, others: TelemetryBatch) -> NDArray[np.bool_]:
    """Which fixes have the bike and the time of one of the others."""
    mine, theirs = (keys(each.bike, each.timestamp_ms) for each in (fixes, others))
    return np.isin(mine, theirs)
