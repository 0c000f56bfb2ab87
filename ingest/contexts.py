"""The context of each bike: the fixes that its next ones are judged with.

The verdict of a fix, and the visits that hang on it, depend on the fixes from
``limits.before_ms`` before to ``limits.after_ms`` after it, so those of a bike's newest fixes are
provisional. State per bike:

- *newest*: time of its newest fix.
- *settled*: what hangs on fixes up to here changes only by a late fix. It trails the newest by
  ``limits.after_ms + reorder_ms``.
- *context*: the fixes after ``settled - limits.before_ms``, each with the verdict that was found
  last. They are enough to judge every fix after `settled` as a pass over the whole run would.

A fix is *late* when it could change something settled: what it could change is judged again from
history. So the outcome is a function of the set of fixes, never of their arrival
(docs/decisions/0002).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bikes.telemetry import TelemetryBatch
from geofence.quality import Limits

NEVER = np.iinfo(np.int64).min // 2
"""Stands for the newest fix of a bike without any."""


class Judged(NamedTuple):
    """Fixes, and their verdicts, shape (n,): positions in :data:`geofence.quality.VERDICTS`."""

    fixes: TelemetryBatch
    verdicts: NDArray[np.uint8]

    @classmethod
    def empty(cls) -> Judged:
        """No fixes."""
        return cls(TelemetryBatch.empty(), np.empty(0, np.uint8))

    @classmethod
    def concat(cls, parts: Sequence[Judged]) -> Judged:
        """All fixes of `parts`, one after the other."""
        fixes = TelemetryBatch.concat([part.fixes for part in parts])
        return cls(fixes, np.concatenate([np.empty(0, np.uint8), *(p.verdicts for p in parts)]))

    def where(self, mask: NDArray[np.bool_]) -> Judged:
        """The rows that `mask`, of shape (n,), selects."""
        return Judged(self.fixes.take(mask), self.verdicts[mask])


@dataclass
class Contexts:
    """The contexts of all bikes, by the roster's index; grows with it.

    History is not asked for fixes in disorder up to `reorder_s` [s]. Cost grows with it.

    Attributes
    ----------
    newest_ms : ndarray of int64, shape (bikes,)
        Time of each bike's newest fix [ms]; :data:`NEVER` for none.
    held : Judged
        The contexts; fixes of one bike are in no particular order with those of others.
    """

    limits: Limits
    reorder_s: float
    newest_ms: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    held: Judged = field(default_factory=Judged.empty)

    def settled_ms(self) -> NDArray[np.int64]:
        """Up to when each bike is settled [ms]; shape (bikes,)."""
        return self.newest_ms - self.limits.after_ms - round(self.reorder_s * 1000)

    def late(self, fixes: TelemetryBatch) -> NDArray[np.bool_]:
        """Which fixes could change something settled."""
        return fixes.timestamp_ms - self.limits.after_ms <= self.settled_ms()[fixes.bike]

    def of(self, fixes: TelemetryBatch) -> NDArray[np.bool_]:
        """Which rows of :attr:`held` belong to the bikes of some fixes."""
        touched = np.zeros(self.newest_ms.size, dtype=bool)
        touched[fixes.bike] = True
        mine: NDArray[np.bool_] = touched[self.held.fixes.bike]
        return mine

    def advance(self, fixes: TelemetryBatch) -> None:
        """Move the newest of some bikes, never back; `fixes` are distinct and sorted."""
        last = np.append(np.flatnonzero(np.diff(fixes.bike)), len(fixes) - 1)
        bikes = fixes.bike[last]
        self.newest_ms[bikes] = np.maximum(self.newest_ms[bikes], fixes.timestamp_ms[last])

    def replace(self, mine: NDArray[np.bool_], judged: Judged) -> None:
        """Hold, instead of the rows `mine`, what the next fixes of some bikes will need."""
        needed_ms = self.settled_ms() - self.limits.before_ms
        needed = judged.fixes.timestamp_ms > needed_ms[judged.fixes.bike]
        self.held = Judged.concat([self.held.where(~mine), judged.where(needed)])

    def grow(self, bikes: int) -> None:
        """Make room for so many bikes."""
        missing = bikes - self.newest_ms.size
        if missing > 0:
            self.newest_ms = np.append(self.newest_ms, np.full(missing, NEVER))
