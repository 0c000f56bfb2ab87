"""Fixes with their verdicts as they come in, and again when a verdict changes.

The verdict of a fix depends on the fixes from ``limits.before_ms`` before to ``limits.after_ms``
after it, so the newest ones of a run are provisional. State per bike:

- ``newest``: time of its newest fix.
- ``settled``: verdicts of fixes up to here change only by a late fix. It trails ``newest`` by
  ``limits.after_ms + reorder_ms``.
- its *context*: the fixes after ``settled - limits.before_ms``, each with the verdict that was
  *told* last, if any was.

A fix that is not late is judged together with its bike's context; what comes out other than it
was told is told again. A *late* fix could change something settled: what it could change is
judged again from history and told, whether it changed or not.

So what was told last of every fix is what one pass over all fixes would say
(docs/decisions/0002). That holds over a restart as well: contexts are read from history then,
and told again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bikes.telemetry import COLUMNS, TelemetryBatch
from geofence import quality
from geofence.runs import Judge
from geofence.spans import Spans, keys

NEVER = np.iinfo(np.int64).min // 2

UNTOLD = np.uint8(255)
"""Stands in a column of verdicts where none was told."""

VALUES = [name for name in COLUMNS if name not in ("bike", "timestamp_ms")]


class History(Protocol):
    """All fixes that were taken in, up to those being stepped at least; later ones do no harm."""

    def within(self, spans: Spans) -> TelemetryBatch:
        """Distinct fixes in some spans, sorted by bike, then time."""
        ...


class Judged(NamedTuple):
    """Fixes, and the verdict of each: positions in :data:`geofence.quality.VERDICTS`."""

    fixes: TelemetryBatch
    verdicts: NDArray[np.uint8]

    @classmethod
    def empty(cls) -> Judged:
        """Nothing."""
        return cls(TelemetryBatch.empty(), np.empty(0, np.uint8))

    @classmethod
    def concat(cls, parts: list[Judged]) -> Judged:
        """One after the other."""
        if len(parts) == 1:
            return parts[0]
        fixes = TelemetryBatch.concat([part.fixes for part in parts])
        return cls(fixes, np.concatenate([np.empty(0, np.uint8), *(p.verdicts for p in parts)]))


@dataclass
class VerdictStream:
    """Judges fixes as they come.

    Parameters
    ----------
    judge : Judge
        What says the verdicts.
    history : History
        Where the surroundings of late fixes are found, and contexts after a restart.
    reorder_s : float
        How far out of order fixes may come before history is asked [s].
    """

    judge: Judge
    history: History
    reorder_s: float = 30.0
    _context: TelemetryBatch = field(default_factory=TelemetryBatch.empty)
    _told: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    _newest: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    _cold: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))

    @property
    def context_rows(self) -> int:
        """How many fixes are held: what a step costs beside those it is given."""
        return len(self._context)

    def restore(self, newest_ms: Mapping[int, int]) -> None:
        """Go on from where an earlier life was.

        Parameters
        ----------
        newest_ms : mapping of int to int
            By bike: the newest fix that was told, or a later one [ms].
        """
        self._grow(max(newest_ms, default=-1) + 1)
        for bike, at_ms in newest_ms.items():
            self._newest[bike], self._cold[bike] = at_ms, True

    def newest_ms(self, bikes: NDArray[np.int32]) -> NDArray[np.int64]:
        """Time of the newest fix of each of some bikes that had any [ms]."""
        return self._newest[bikes]

    def step(self, batch: TelemetryBatch) -> Judged:
        """Take in fixes, in any order, duplicates and late ones included.

        Returns
        -------
        Judged
            What there is to tell: the fixes that are new, and earlier ones whose verdict has
            changed. When a fix is replaced by a better one of its bike and timestamp that lies
            in another zone, it is told as ``duplicate``. A fix may be there twice; then the
            later one counts.

        Raises
        ------
        IngestError
            History cannot be read. Nothing was changed; the step can be tried again.
        """
        if not len(batch):
            return Judged.empty()
        new = batch.distinct()
        self._grow(int(new.bike[-1]) + 1)
        self._warm(np.unique(new.bike))
        limits = self.judge.limits
        late = new.timestamp_ms - limits.after_ms <= self._settled(new.bike)
        if not late.any():
            return self._extend(new)
        at_last = new.take(late)
        touched = Spans.joined(
            at_last.bike,
            at_last.timestamp_ms - limits.after_ms,
            at_last.timestamp_ms + limits.before_ms + 1,
        )
        needed = touched.widened(limits.before_ms, limits.after_ms)
        past = self.history.within(needed)
        told = [] if late.all() else [self._extend(new.take(~late))]
        told.append(self._restate(TelemetryBatch.concat([past, at_last]), touched, needed))
        return Judged.concat(told)

    def _extend(self, new: TelemetryBatch) -> Judged:
        """Judge the contexts of some bikes together with new fixes that change nothing settled."""
        touched = np.zeros(self._newest.size, dtype=bool)
        touched[new.bike] = True
        mine = touched[self._context.bike]
        known = Judged(self._context.take(mine), self._told[mine])
        fixes = TelemetryBatch.concat([known.fixes, new]).distinct()
        told, replaced = self._told_of(fixes, known, len(new))
        changeable = fixes.timestamp_ms > self._settled(fixes.bike)
        np.maximum.at(self._newest, new.bike, new.timestamp_ms)
        found = self._tell(fixes, told, changeable)
        self._remember(~mine, fixes, told)
        return Judged.concat([replaced, found])

    def _restate(self, past: TelemetryBatch, touched: Spans, needed: Spans) -> Judged:
        """Judge again what late fixes touch; `past` is all there is in the needed spans."""
        mine = needed.contain(self._context.bike, self._context.timestamp_ms)
        known = Judged(self._context.take(mine), self._told[mine])
        fixes = TelemetryBatch.concat([past, known.fixes]).distinct()
        told, replaced = self._told_of(fixes, known, len(past))
        found = self._tell(fixes, told, touched.contain(fixes.bike, fixes.timestamp_ms))
        # History may be ahead of what was read; a context ends with what was.
        read = fixes.timestamp_ms <= self._newest[fixes.bike]
        self._remember(~mine, fixes.take(read), told[read])
        return Judged.concat([replaced, found])

    def _tell(
        self, fixes: TelemetryBatch, told: NDArray[np.uint8], which: NDArray[np.bool_]
    ) -> Judged:
        """What of `fixes` has to be told, of those in question; `told` is brought up to date."""
        verdict = self.judge.verdicts(fixes)
        rows = np.flatnonzero(which & (verdict != told))
        told[rows] = verdict[rows]
        return Judged(fixes.take(rows), verdict[rows])

    def _told_of(
        self, fixes: TelemetryBatch, known: Judged, others: int
    ) -> tuple[NDArray[np.uint8], Judged]:
        """What was told of `fixes`, and what of `known` was replaced in another zone.

        `fixes` are the distinct ones of `known` and so many others.
        """
        told = np.full(len(fixes), UNTOLD)
        rows = np.searchsorted(
            keys(fixes.bike, fixes.timestamp_ms), keys(known.fixes.bike, known.fixes.timestamp_ms)
        )
        told[rows] = known.verdicts
        if len(fixes) == rows.size + others:
            return told, Judged.empty()  # nothing came that was there already
        differs = np.zeros(rows.size, dtype=bool)
        for name in VALUES:
            was, now = getattr(known.fixes, name), getattr(fixes, name)[rows]
            differs |= (was != now) & ~(np.isnan(was) & np.isnan(now))
        if not differs.any():
            return told, Judged.empty()
        told[rows[differs]] = UNTOLD
        was, now = known.fixes.take(differs), fixes.take(rows[differs])
        elsewhere = (known.verdicts[differs] != UNTOLD) & (self._zone(was) != self._zone(now))
        replaced = was.take(elsewhere)
        return told, Judged(replaced, np.full(len(replaced), quality.DUPLICATE))

    def _zone(self, fixes: TelemetryBatch) -> NDArray[np.int32]:
        layout = self.judge.atlas.layout
        return layout.zone_of(fixes.lat_deg, fixes.lng_deg, fixes.timestamp_ms)

    def _remember(
        self, others: NDArray[np.bool_], fixes: TelemetryBatch, told: NDArray[np.uint8]
    ) -> None:
        """Keep of `fixes` what judging their bikes' next fixes will need, beside the `others`."""
        needed = fixes.timestamp_ms > self._settled(fixes.bike) - self.judge.limits.before_ms
        self._context = TelemetryBatch.concat([self._context.take(others), fixes.take(needed)])
        self._told = np.concatenate([self._told[others], told[needed]])

    def _warm(self, bikes: NDArray[np.int32]) -> None:
        """Read the contexts of bikes that are known from an earlier life only."""
        cold = bikes[self._cold[bikes]]
        if not cold.size:
            return
        oldest_ms = self._settled(cold) - self.judge.limits.before_ms
        found = self.history.within(Spans(cold, oldest_ms + 1, self._newest[cold] + 1))
        self._cold[cold] = False
        self._context = TelemetryBatch.concat([self._context, found])
        self._told = np.concatenate([self._told, np.full(len(found), UNTOLD)])

    def _settled(self, bikes: NDArray[np.int32]) -> NDArray[np.int64]:
        trail = self.judge.limits.after_ms + round(self.reorder_s * 1000)
        return self._newest[bikes] - trail

    def _grow(self, size: int) -> None:
        missing = size - self._newest.size
        if missing > 0:
            self._newest = np.append(self._newest, np.full(missing, NEVER))
            self._cold = np.append(self._cold, np.zeros(missing, dtype=bool))
