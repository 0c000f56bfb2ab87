"""What is said of fixes as they come in, each thing once: where a bike was, and later the verdict.

| said of a fix | when |
| --- | --- |
| values, verdict at first sight, time since the fix before | when it comes in first |
| verdict | once no fix in order can change it, or its bike was silent for :data:`WAIT_MS` |
| another verdict | when a late fix changes one that was said: a correction, beside the old one |

Fixes are judged with their bikes' contexts (:mod:`ingest.contexts`); what a *late* fix could change
is judged again from history (docs/decisions/0023). With the corrections the verdict of every fix is
the one that a pass over all fixes would give (docs/decisions/0002).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bikes.roster import BikeKey
from bikes.telemetry import TelemetryBatch
from geofence.intervals import Intervals, keys
from geofence.quality import Mask, Times
from geofence.runs import Judge, Judgement
from ingest.archive import Archive
from ingest.contexts import NEVER, Contexts, Judged, rows_in

OPEN = np.uint8(255)
"""Stands in a column of verdicts where none was said."""

WAIT_MS = 600_000
"""The verdicts of a bike that was not heard for so long are said as they are [ms]: longer than any
fix that comes in order can change one (:attr:`geofence.quality.Limits.after_ms`)."""


class Bike(NamedTuple):
    """How far a bike was decided on."""

    key: BikeKey
    newest_ms: int  # time of its newest fix [ms]
    decided_ms: int  # every fix of it before this has its verdict [ms]


class Said(NamedTuple):
    """What is to be said; nothing of it was said before."""

    first: Judged  # fixes that came in first, with the verdict at first sight
    interval_s: NDArray[np.float32]  # since the bike's fix before; NaN where that is unknown
    final: Judged  # fixes with their verdicts
    corrected: Judged  # fixes with verdicts other than those that were said

    @classmethod
    def concat(cls, parts: Sequence[Said]) -> Said:
        """All of `parts`."""
        first, interval_s, final, corrected = zip(*parts, strict=True) if parts else ((),) * 4
        return cls(
            Judged.concat(first),
            np.concatenate([np.empty(0, np.float32), *interval_s]),
            Judged.concat(final),
            Judged.concat(corrected),
        )


class _Around(NamedTuple):
    """What late fixes touch."""

    fixes: TelemetryBatch  # all there are in the needed spans, the late ones included
    touched: Intervals  # where verdicts may be others than before
    needed: Intervals  # what must be judged for these


@dataclass
class VerdictStream:
    """Judges fixes as they come; for one thread.

    `history` has at least the fixes that were taken in; later ones do no harm. It is asked for the
    fixes around late ones, which are later than `reorder_s` [s], and for contexts after a restart.
    """

    judge: Judge
    history: Archive
    reorder_s: float = 30.0

    def __post_init__(self) -> None:
        self._contexts = Contexts(self.judge.limits, self.reorder_s)
        # By index of the bike: every fix before has its verdict [ms]; when a bike was heard that
        # has fixes without [ms], or NEVER.
        self.decided_ms = self._heard_ms = np.empty(0, np.int64)
        self._left: dict[int, list[NDArray[np.int64]]] = {}  # an earlier life left these open

    @property
    def context_rows(self) -> int:
        """Number of fixes in all contexts, which a step may judge beside the new ones."""
        return len(self._contexts)

    def restore(
        self,
        indices: Sequence[int],
        bikes: Sequence[Bike],
        undecided: Iterable[tuple[int, int, Times]],
    ) -> None:
        """Go on from where an earlier life was.

        `bikes` have these `indices`; the newest fix of each may be a later one. `undecided` are an
        index, the time of a receipt and times of fixes, which may have no verdict yet [ms].
        """
        self._grow(max(indices, default=-1) + 1)
        for bike, (_, newest_ms, decided_ms) in zip(indices, bikes, strict=True):
            self._contexts.newest_ms[bike], self.decided_ms[bike] = newest_ms, decided_ms
        for bike, heard_ms, at_ms in undecided:
            self._left.setdefault(bike, []).append(at_ms[at_ms >= self.decided_ms[bike]])
            self._heard_ms[bike] = heard_ms

    def newest_ms(self, bikes: NDArray[np.int32]) -> Times:
        """Time of the newest fix of each of some bikes that had any, shape (k,) [ms]."""
        return self._contexts.newest_ms[bikes]

    def step(self, batch: TelemetryBatch, again: Mask, at_ms: int) -> Said:
        """Take in fixes that were received at an instant [ms], in any order, late ones included.

        `again`, of shape (fixes,), says which were there before; what is said of others is said of
        the first with its bike and time. Of several the best is judged, and a verdict said once.

        IngestError: history cannot be read. Nothing was changed; the step can be tried again.
        """
        silent = np.flatnonzero((self._heard_ms != NEVER) & (self._heard_ms < at_ms - WAIT_MS))
        quiet: NDArray[np.int32] = np.setdiff1d(silent, batch.bike).astype(np.int32)
        if not len(batch) and not quiet.size:
            return Said.concat([])
        new, first = batch.distinct(), _firsts(batch.take(~again))
        self._grow(int(new.bike.max(initial=-1)) + 1)
        self._warm(np.union1d(quiet, new.bike), first)
        contexts = self._contexts
        late, came_late = contexts.late(new), contexts.late(first)
        around = self._around(new.take(late), new) if late.any() else None
        said = [self._give_up(quiet)] if quiet.size else []
        in_order = first.take(~came_late)
        for part in contexts.parts(new.take(~late)) if not late.all() else ():
            ends = np.searchsorted(in_order.bike, [part.bike[0], part.bike[-1] + 1])
            said.append(self._extend(part, in_order.take(slice(*ends))))
        if around is not None:
            said.append(self._restate(around, first.take(came_late)))
        self._heard_ms[new.bike] = at_ms
        return Said.concat(said)

    def _extend(self, new: TelemetryBatch, first: TelemetryBatch) -> Said:
        """Judge the contexts of some bikes together with new fixes that change nothing settled."""
        contexts = self._contexts
        was_settled, newest_ms = contexts.settled_ms.copy(), contexts.newest_ms.copy()
        known, judgement = contexts.extended(self.judge, new)
        fixes = judgement.fixes
        rows = rows_in(first, fixes)
        before_ms = np.append(NEVER, fixes.timestamp_ms[:-1])
        starts = np.flatnonzero(np.diff(fixes.bike, prepend=-1))
        before_ms[starts] = newest_ms[fixes.bike[starts]]
        gap_ms = (fixes.timestamp_ms - before_ms)[rows]
        known_gap = (before_ms[rows] != NEVER) & (gap_ms > 0)
        interval_s = np.where(known_gap, gap_ms / 1000, np.nan).astype(np.float32)
        tails = contexts.settle(judgement)
        changeable = fixes.timestamp_ms >= was_settled[fixes.bike]
        said, verdicts = self._say(judgement, known, rows, judgement.verdict, changeable)
        contexts.keep(tails, Judged(fixes, verdicts))
        return Said(Judged(first, judgement.verdict[rows]), interval_s, *said)

    def _around(self, late: TelemetryBatch, new: TelemetryBatch) -> _Around:
        """What some of the new fixes, the late ones, touch; it is read from history."""
        limits = self.judge.limits
        from_ms = late.timestamp_ms - limits.after_ms
        until_ms = late.timestamp_ms + limits.before_ms + 1
        touched = Intervals.joined(late.bike, from_ms, until_ms)
        newest_ms = self._contexts.touched_until_ms(late, new)
        ends_ms = np.maximum(until_ms + limits.after_ms, newest_ms + 1)
        needed = Intervals.joined(late.bike, from_ms - limits.before_ms, ends_ms)
        past = self.history.within(needed)
        return _Around(TelemetryBatch.concat([past, late]), touched, needed)

    def _restate(self, around: _Around, first: TelemetryBatch) -> Said:
        """Judge again what late fixes touch."""
        past, touched, needed = around
        contexts = self._contexts
        # History may be ahead of what was read; a context ends with what was.
        past = past.take(past.timestamp_ms <= contexts.newest_ms[past.bike])
        known = contexts.of(np.unique(needed.bike))
        known = known.where(needed.contain(known.fixes.bike, known.fixes.timestamp_ms))
        fixes = TelemetryBatch.concat([past, known.fixes]).distinct()
        judgement = self.judge.judge(fixes)
        rows = rows_in(first, fixes)
        # What was said of others is what was found without these.
        others = np.ones(len(fixes), dtype=bool)
        others[rows] = False
        before = judgement.verdict.copy()
        before[others] = self.judge.verdicts(fixes.take(others))
        tails = contexts.settle(judgement, contexts.ends_in(needed))
        inside = touched.contain(fixes.bike, fixes.timestamp_ms)
        said, verdicts = self._say(judgement, known, rows, before, inside)
        contexts.keep(tails, Judged(fixes, verdicts))
        unknown = np.full(len(first), np.nan, np.float32)
        return Said(Judged(first, judgement.verdict[rows]), unknown, *said)

    def _say(
        self,
        judgement: Judgement,
        known: Judged,
        first: NDArray[np.intp],
        before: NDArray[np.uint8],
        changeable: Mask,
    ) -> tuple[tuple[Judged, Judged], NDArray[np.uint8]]:
        """The verdicts to say, the corrections, and what was said of each fix then.

        Of `known` fixes it is known what was said; nothing of those at the rows `first`; of others
        what was found `before`. Corrections are among those that are `changeable`.
        """
        fixes, verdict = judgement.fixes, judgement.verdict
        said = before.copy()
        said[rows_in(known.fixes, fixes)] = known.verdicts
        said[first] = OPEN
        bikes = np.unique(fixes.bike)
        settled_ms = self._contexts.settled_ms[bikes]
        self.decided_ms[bikes] = np.maximum(self.decided_ms[bikes], settled_ms)
        final = np.flatnonzero((said == OPEN) & (fixes.timestamp_ms < self.decided_ms[fixes.bike]))
        other = np.flatnonzero(changeable & (said != OPEN) & (said != verdict))
        both = np.append(final, other)
        said[both] = verdict[both]
        found = Judged(fixes, verdict)
        return (found.where(final), found.where(other)), said

    def _give_up(self, bikes: NDArray[np.int32]) -> Said:
        """Say the verdicts of bikes that are silent."""
        contexts = self._contexts
        known = contexts.of(bikes)
        judgement = self.judge.judge(known.fixes, contexts.leads(known.fixes))
        self.decided_ms[bikes] = np.maximum(self.decided_ms[bikes], self.newest_ms(bikes) + 1)
        self._heard_ms[bikes] = NEVER
        none = np.empty(0, np.intp)
        unchanged = np.zeros(len(known.fixes), dtype=bool)
        said, verdicts = self._say(judgement, known, none, known.verdicts, unchanged)
        contexts.put(bikes, Judged(known.fixes, verdicts))
        return Said(Judged.blank(0), np.empty(0, np.float32), *said)

    def _grow(self, bikes: int) -> None:
        missing = bikes - self.decided_ms.size
        self._contexts.grow(bikes)
        if missing > 0:
            never = np.full(missing, NEVER)
            self.decided_ms = np.append(self.decided_ms, never)
            self._heard_ms = np.append(self._heard_ms, never)

    def _warm(self, bikes: NDArray[np.int32], first: TelemetryBatch) -> None:
        """Read the contexts of bikes that are known from an earlier life only; but the `first`."""
        contexts = self._contexts
        unjudged = contexts.settled_ms[bikes] == NEVER
        cold = bikes[unjudged & (contexts.newest_ms[bikes] != NEVER)]
        if not cold.size:
            return
        before_ms = self.judge.limits.before_ms
        oldest_ms = contexts.bound_ms() - before_ms
        # Verdicts are right from there on when as much before is judged with them.
        spans = Intervals(cold, oldest_ms[cold] - before_ms, contexts.newest_ms[cold] + 1)
        found = self.history.within(spans)
        known = keys(found.bike, found.timestamp_ms)
        before = ~np.isin(known, keys(first.bike, first.timestamp_ms))
        found, known = found.take(before), known[before]
        said = self.judge.verdicts(found)
        left = [np.empty(0, np.int64)]
        for bike in cold.tolist():
            left += [keys(np.full(at_ms.size, bike), at_ms) for at_ms in self._left.pop(bike, [])]
        said[np.isin(known, np.concatenate(left))] = OPEN
        contexts.start(cold, Judged(found, said).where(found.timestamp_ms >= oldest_ms[found.bike]))


def _firsts(fixes: TelemetryBatch) -> TelemetryBatch:
    """The first with its bike and time of each, sorted by bike, then time."""
    return fixes.take(np.unique(keys(fixes.bike, fixes.timestamp_ms), return_index=True)[1])
