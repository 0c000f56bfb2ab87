"""The tail of the archive: fixes that only the log holds, in memory, ready to be asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bikes.telemetry import TelemetryBatch
from geofence.spans import Spans, keys

MERGE: Final = 8
"""So many pieces of one generation are put together into one of the next: a question then looks
at few pieces, and a fix is copied a few times in its life here."""


@dataclass(slots=True)
class Piece:
    """Some fixes of the tail; sorted when the first question comes, and then for good."""

    fixes: TelemetryBatch
    generation: int = 0
    _sorted: tuple[TelemetryBatch, NDArray[np.int64]] | None = None

    def within(self, spans: Spans) -> TelemetryBatch:
        """Its fixes in some spans."""
        found = self._sorted
        if found is None:
            # Two threads may both do this: they come to the same, and either stays.
            distinct = self.fixes.distinct()
            found = distinct, keys(distinct.bike, distinct.timestamp_ms)
            self.fixes, self._sorted = distinct, found
        fixes, sorted_keys = found
        return fixes.take(spans.rows_among(sorted_keys))


@dataclass(slots=True)
class Tail:
    """Fixes by order of arrival, in pieces.

    Changes belong to one thread; questions may be asked in any: the list of pieces is replaced,
    never changed.
    """

    _pieces: list[Piece] = field(default_factory=list)
    _held: int = 0

    def __len__(self) -> int:
        return sum(len(piece.fixes) for piece in self._pieces)

    def append(self, fixes: TelemetryBatch) -> None:
        """Take in fixes, in any order, duplicates included."""
        if not len(fixes):
            return
        pieces = [*self._pieces, Piece(fixes)]
        while len(pieces) - self._held >= MERGE:
            youngest = pieces[-MERGE:]
            generation = youngest[0].generation
            if youngest[-1].generation != generation:
                break
            merged = TelemetryBatch.concat([piece.fixes for piece in youngest])
            pieces[-MERGE:] = [Piece(merged, generation + 1)]
        self._pieces = pieces

    def hold(self) -> tuple[int, TelemetryBatch]:
        """All there is now: the number of pieces, which stay as they are, and their fixes."""
        self._held = len(self._pieces)
        return self._held, TelemetryBatch.concat([piece.fixes for piece in self._pieces])

    def drop(self, pieces: int) -> None:
        """Let go of the oldest pieces, which :meth:`hold` has counted."""
        self._pieces = self._pieces[pieces:]
        self._held = max(0, self._held - pieces)

    def within(self, spans: Spans) -> list[TelemetryBatch]:
        """Fixes in some spans, in no order, a fix maybe more than once."""
        return [piece.within(spans) for piece in self._pieces]
