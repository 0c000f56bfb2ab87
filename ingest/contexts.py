"""The context of each bike: the fixes that its next ones are judged with.

State per bike:

- *newest*: time of its newest fix.
- *horizon*: fixes may come in disorder from here on; it trails the newest by ``reorder_ms``.
- *settled*: what hangs on fixes before this changes only by a *late* fix, one before the horizon.
- *context*: its newest fixes, the tail of its record (:mod:`geofence.tails`), each with the verdict
  that its holder gave it last. They are enough to judge the fixes from `settled` on as a pass over
  the whole record would.

What a late fix could change is judged again from history, and so is a context that it could reach.
So the outcome is a function of the set of fixes, never of their arrival (docs/decisions/0002).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bikes.telemetry import COLUMNS, TelemetryBatch
from geofence.intervals import Intervals, keys, positions
from geofence.quality import Limits, Mask, Times
from geofence.runs import Judge, Judgement
from geofence.tails import Tails, tails

AT_ONCE = 32_768
"""Fixes that are judged at once, more or less: it takes some 8 MB."""

NEVER = np.iinfo(np.int64).min // 2
"""Stands for the newest fix of a bike without any."""


class Judged(NamedTuple):
    """Fixes, and their verdicts, shape (n,): positions in :data:`geofence.quality.VERDICTS`."""

    fixes: TelemetryBatch
    verdicts: NDArray[np.uint8]

    @classmethod
    def concat(cls, parts: Sequence[Judged]) -> Judged:
        """All fixes of `parts`, one after the other."""
        fixes = TelemetryBatch.concat([part.fixes for part in parts])
        return cls(fixes, np.concatenate([np.empty(0, np.uint8), *(p.verdicts for p in parts)]))

    @classmethod
    def blank(cls, size: int) -> Judged:
        """Room for so many rows, which hold anything."""
        fixes = TelemetryBatch(*(np.empty(size, dtype) for dtype in COLUMNS.values()))
        return cls(fixes, np.empty(size, np.uint8))

    def where(self, rows: Mask | NDArray[np.intp]) -> Judged:
        """The rows that a mask or positions select."""
        return Judged(self.fixes.take(rows), self.verdicts[rows])


def rows_in(some: TelemetryBatch, fixes: TelemetryBatch) -> NDArray[np.intp]:
    """The positions (n,) of some fixes, by bike and time, among sorted ones that hold them all."""
    wanted, there = (keys(batch.bike, batch.timestamp_ms) for batch in (some, fixes))
    return np.searchsorted(there, wanted)


@dataclass
class Contexts:
    """The contexts of all bikes, by the roster's index; grows with it.

    History is not asked for fixes in disorder up to `reorder_s` [s]. Cost grows with it. Times have
    the shape (bikes,), numbers of bikes the shape (n,).
    """

    limits: Limits
    reorder_s: float
    # Time of each bike's newest fix [ms]; :data:`NEVER` for none.
    newest_ms: Times = field(default_factory=lambda: np.empty(0, np.int64))
    # What hangs on earlier fixes of the bike is settled [ms].
    settled_ms: Times = field(default_factory=lambda: np.empty(0, np.int64))
    # Earlier fixes of the bike's context are neighbours only [ms].
    first_ms: Times = field(default_factory=lambda: np.empty(0, np.int64))
    # Rows are only ever added, and those that a bike has no more are cleared away together.
    _rows: Judged = field(default_factory=lambda: Judged.blank(0))
    _used: int = 0
    _from: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    _to: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))

    def __len__(self) -> int:
        """Number of fixes in all contexts."""
        return int((self._to - self._from).sum())

    def horizon_ms(self) -> Times:
        """From when on fixes of each bike are not late [ms]; shape (bikes,)."""
        return self.newest_ms - round(self.reorder_s * 1000) + 1

    def bound_ms(self) -> Times:
        """What hangs on fixes before this is settled by the limits [ms]; shape (bikes,)."""
        return self.horizon_ms() - self.limits.after_ms

    def late(self, fixes: TelemetryBatch) -> Mask:
        """Which fixes could change something settled."""
        return fixes.timestamp_ms < self.horizon_ms()[fixes.bike]

    def leads(self, fixes: TelemetryBatch) -> Mask:
        """Which fixes of contexts are neighbours only."""
        return fixes.timestamp_ms < self.first_ms[fixes.bike]

    def touched_until_ms(self, late: TelemetryBatch, new: TelemetryBatch) -> Times:
        """Up to when late fixes could change something; to the newest when they reach a context.

        The late ones are among `new` fixes, of which others may be newer than all known ones.
        """
        newest_ms = self.newest_ms.copy()
        np.maximum.at(newest_ms, new.bike, new.timestamp_ms)
        until_ms = late.timestamp_ms + self.limits.before_ms
        reach = until_ms >= self.settled_ms[late.bike] - self.limits.before_ms
        return np.where(reach, np.maximum(until_ms, newest_ms[late.bike]), until_ms)

    def ends_in(self, spans: Intervals) -> Mask:
        """Whose newest fix lies in some spans, each with all that its context takes before it.

        Shape (bikes,), by index of the bike.
        """
        found = np.zeros(self.newest_ms.size, dtype=bool)
        found[spans.bike] = spans.contain(spans.bike, self.newest_ms[spans.bike])
        return found

    def of(self, bikes: NDArray[np.int32]) -> Judged:
        """The contexts of some bikes, which rise: sorted by bike, then time."""
        return self._rows.where(positions(self._from[bikes], self._to[bikes]))

    def all(self) -> Judged:
        """The contexts of all bikes: sorted by bike, then time."""
        return self.of(np.arange(self.newest_ms.size, dtype=np.int32))

    def parts(self, new: TelemetryBatch) -> Iterator[TelemetryBatch]:
        """Distinct fixes, those of one bike together, as many as are judged at once with contexts.

        It bounds the memory that this takes, whatever the number of bikes.
        """
        bikes, first = np.unique(new.bike, return_index=True)
        rows = np.diff(np.append(first, len(new))) + self._to[bikes] - self._from[bikes]
        number = np.cumsum(rows) // AT_ONCE
        for begin, end in pairwise([0, *first[1:][np.diff(number) > 0].tolist(), len(new)]):
            yield new.take(slice(begin, end))

    def extended(self, judge: Judge, new: TelemetryBatch) -> tuple[Judged, Judgement]:
        """Judge the contexts of some bikes together with new fixes, none of them late.

        Return what their contexts are, and a judgement, to :meth:`settle` and :meth:`keep`, which
        says something of the fixes from what was settled on.
        """
        known = self.of(np.unique(new.bike))
        fixes = TelemetryBatch.concat([known.fixes, new]).distinct()
        np.maximum.at(self.newest_ms, new.bike, new.timestamp_ms)
        return known, judge.judge(fixes, self.leads(fixes))

    def settle(self, judgement: Judgement, of: Mask | None = None) -> Tails:
        """Move what is settled of the bikes of a judgement, or of some; the tails to keep.

        `of` is by index of the bike.
        """
        found = tails(judgement, self.horizon_ms(), self.limits)
        if of is not None:
            found = Tails._make(column[of[found.bike]] for column in found)
        self.settled_ms[found.bike], self.first_ms[found.bike] = found.settled_ms, found.first_ms
        return found

    def keep(self, tails_: Tails, judged: Judged) -> None:
        """Hold the fixes of some tails, which are among those of a judgement, instead of others.

        The verdicts to hold may be others than those found.
        """
        lead_ms = np.full(self.newest_ms.size, np.iinfo(np.int64).max)
        lead_ms[tails_.bike] = tails_.lead_ms
        fixes = judged.fixes
        self.put(tails_.bike, judged.where(fixes.timestamp_ms >= lead_ms[fixes.bike]))

    def start(self, bikes: NDArray[np.int32], judged: Judged) -> None:
        """Hold fixes of some bikes with nothing known but the limits.

        They are sorted, and all from `limits.before_ms` before :meth:`bound_ms` on.
        """
        self.settled_ms[bikes], self.first_ms[bikes] = self.bound_ms()[bikes], NEVER
        self.put(bikes, judged)

    def grow(self, bikes: int) -> None:
        """Make room for so many bikes."""
        missing = bikes - self.newest_ms.size
        if missing > 0:
            for name in ("newest_ms", "settled_ms", "first_ms"):
                setattr(self, name, np.append(getattr(self, name), np.full(missing, NEVER)))
            self._from, self._to = (
                np.append(end, np.zeros(missing, int)) for end in (self._from, self._to)
            )

    def put(self, bikes: NDArray[np.int32], judged: Judged) -> None:
        """Hold rows of some bikes instead of what was held of them; sorted, as the bikes are."""
        self._to[bikes] = self._from[bikes]
        size = len(judged.fixes)
        if self._used + size > len(self._rows.fixes):
            kept, counts = self.all(), self._to - self._from
            self._to = np.cumsum(counts)
            self._from = self._to - counts
            self._used = len(kept.fixes)
            self._rows = Judged.concat([kept, Judged.blank((self._used + size) // 2 + size)])
        rows = slice(self._used, self._used + size)
        for name in COLUMNS:
            getattr(self._rows.fixes, name)[rows] = getattr(judged.fixes, name)
        self._rows.verdicts[rows] = judged.verdicts
        counts = np.bincount(judged.fixes.bike, minlength=self.newest_ms.size)[bikes]
        self._to[bikes] = self._used + np.cumsum(counts)
        self._from[bikes] = self._to[bikes] - counts
        self._used += size
