"""Fixes with their verdicts as they come in, and again when a verdict changes.

A fix that is not late is judged together with its bike's context (:mod:`ingest.contexts`); a
verdict other than the one that was *told* last is told again. What a *late* fix could change is
judged again from history and told, whether it changed or not.

So the last told verdict of every fix is the one that a pass over all fixes would give
(docs/decisions/0002). That holds over a restart as well: contexts are read from history then,
and told again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bikes.telemetry import TelemetryBatch
from geofence import quality
from geofence.intervals import Intervals
from geofence.runs import Judge, Judgement
from ingest.archive import VALUES, Archive
from ingest.contexts import NEVER, Contexts, Judged

UNTOLD = np.uint8(255)
"""Stands in a column of verdicts where none was told."""


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

    @property
    def context_rows(self) -> int:
        """Number of fixes in all contexts, which a step may judge beside the new ones."""
        return len(self._contexts)

    def restore(self, newest_ms: Mapping[int, int]) -> None:
        """Go on from where an earlier life was.

        `newest_ms` is, by bike, its newest fix that was told, or a later one [ms].
        """
        self._contexts.grow(max(newest_ms, default=-1) + 1)
        for bike, at_ms in newest_ms.items():
            self._contexts.newest_ms[bike] = at_ms

    def newest_ms(self, bikes: NDArray[np.int32]) -> NDArray[np.int64]:
        """Time of the newest fix of each of some bikes that had any, shape (k,) [ms]."""
        return self._contexts.newest_ms[bikes]

    def step(self, batch: TelemetryBatch) -> Judged:
        """Take in fixes, in any order, duplicates and late ones included.

        Return the verdicts to tell: of new fixes, and of earlier ones whose verdict has changed.
        When a fix is replaced by a better one of its bike and timestamp that lies in another zone,
        it is told as ``duplicate``. A fix may be there twice; then the later one counts.

        IngestError: history cannot be read. Nothing was changed; the step can be tried again.
        """
        if not len(batch):
            return Judged.blank(0)
        new = batch.distinct()
        self._contexts.grow(int(new.bike[-1]) + 1)
        self._warm(np.unique(new.bike))
        contexts, limits = self._contexts, self.judge.limits
        late = contexts.late(new)
        if not late.any():
            return self._extend(new)
        at_last = new.take(late)
        from_ms = at_last.timestamp_ms - limits.after_ms
        until_ms = at_last.timestamp_ms + limits.before_ms + 1
        touched = Intervals.joined(at_last.bike, from_ms, until_ms)
        needed = Intervals.joined(
            at_last.bike,
            from_ms - limits.before_ms,
            np.maximum(until_ms + limits.after_ms, contexts.touched_until_ms(at_last, new) + 1),
        )
        past = self.history.within(needed)
        told = [] if late.all() else [self._extend(new.take(~late))]
        told.append(self._restate(TelemetryBatch.concat([past, at_last]), touched, needed))
        return Judged.concat(told)

    def _extend(self, new: TelemetryBatch) -> Judged:
        """Judge the contexts of some bikes together with new fixes that change nothing settled."""
        was_settled, told = self._contexts.settled_ms.copy(), []
        for part in self._contexts.parts(new):
            known, judgement = self._contexts.extend(self.judge, part)
            fixes = judgement.fixes
            changeable = fixes.timestamp_ms >= was_settled[fixes.bike]
            told.append(self._tell(judgement, known, len(part), changeable)[0])
        return Judged.concat(told)

    def _restate(self, past: TelemetryBatch, touched: Intervals, needed: Intervals) -> Judged:
        """Judge again what late fixes touch; `past` is all there is in the needed spans."""
        contexts = self._contexts
        # History may be ahead of what was read; a context ends with what was.
        past = past.take(past.timestamp_ms <= contexts.newest_ms[past.bike])
        known = contexts.of(np.unique(needed.bike))
        known = known.where(needed.contain(known.fixes.bike, known.fixes.timestamp_ms))
        fixes = TelemetryBatch.concat([past, known.fixes]).distinct()
        judgement = self.judge.judge(fixes)
        inside = touched.contain(fixes.bike, fixes.timestamp_ms)
        found, told = self._tell(judgement, known, len(past), inside)
        contexts.hold(Judged(fixes, told), judgement, contexts.ends_in(needed))
        return found

    def _tell(
        self, judgement: Judgement, known: Judged, others: int, which: NDArray[np.bool_]
    ) -> tuple[Judged, NDArray[np.uint8]]:
        """The rows among `which` whose verdict is not the told one, and what is told then.

        The judgement is of the distinct fixes of the `known` ones and so many others. Known ones
        that were replaced in another zone are told before.
        """
        fixes, verdict = judgement.fixes, judgement.verdict
        told, replaced = self._told_of(fixes, known, others)
        rows = np.flatnonzero(which & (verdict != told))
        told[rows] = verdict[rows]
        return Judged.concat([replaced, Judged(fixes.take(rows), verdict[rows])]), told

    def _told_of(
        self, fixes: TelemetryBatch, known: Judged, others: int
    ) -> tuple[NDArray[np.uint8], Judged]:
        """The told verdict of each of `fixes`, and the `known` ones replaced in another zone.

        `fixes` are the distinct ones of `known` and so many others.
        """
        told = np.full(len(fixes), UNTOLD)
        rows = known.rows_in(fixes)
        told[rows] = known.verdicts
        if len(fixes) == rows.size + others:
            return told, Judged.blank(0)  # nothing came that was there already
        differs = np.zeros(rows.size, dtype=bool)
        for name in VALUES:
            was, now = getattr(known.fixes, name), getattr(fixes, name)[rows]
            differs |= (was != now) & ~(np.isnan(was) & np.isnan(now))
        told[rows[differs]] = UNTOLD
        was, now = known.fixes.take(differs), fixes.take(rows[differs])
        elsewhere = (known.verdicts[differs] != UNTOLD) & (self._zone(was) != self._zone(now))
        replaced = was.take(elsewhere)
        return told, Judged(replaced, np.full(len(replaced), quality.DUPLICATE))

    def _zone(self, fixes: TelemetryBatch) -> NDArray[np.int32]:
        layout = self.judge.atlas.layout
        return layout.zone_of(fixes.lat_deg, fixes.lng_deg, fixes.timestamp_ms)

    def _warm(self, bikes: NDArray[np.int32]) -> None:
        """Read the contexts of bikes that are known from an earlier life only."""
        contexts = self._contexts
        unjudged = contexts.settled_ms[bikes] == NEVER
        cold = bikes[unjudged & (contexts.newest_ms[bikes] != NEVER)]
        if not cold.size:
            return
        oldest_ms = contexts.bound_ms()[cold] - self.judge.limits.before_ms
        found = self.history.within(Intervals(cold, oldest_ms, contexts.newest_ms[cold] + 1))
        contexts.start(cold, Judged(found, np.full(len(found), UNTOLD)))
