"""Intervals of the time of bikes: what part of a record is meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bikes.telemetry import TIME_BITS

_LAST_MS = (1 << TIME_BITS) - 1


class Intervals(NamedTuple):
    """Stretches [from_ms, to_ms) of the time of some bikes, as columns of shape (s,).

    They are sorted by bike, then time, and those of one bike are apart: there is time between
    them that none of them holds.
    """

    bike: NDArray[np.int32]  # index into the roster
    # First instant, and the first after it that is not meant any more [ms].
    from_ms: NDArray[np.int64]
    to_ms: NDArray[np.int64]

    @classmethod
    def joined(
        cls, bike: NDArray[np.int32], from_ms: NDArray[np.int64], to_ms: NDArray[np.int64]
    ) -> Intervals:
        """The fewest intervals that cover some stretches; those that overlap or touch become one.

        The stretches must be sorted by bike, and those of one bike by either end alike.
        """
        apart = (bike[1:] != bike[:-1]) | (from_ms[1:] > to_ms[:-1])
        first = np.append(np.ones(min(bike.size, 1), dtype=bool), apart)
        last = np.append(apart, np.ones(min(bike.size, 1), dtype=bool))
        return cls(bike[first], from_ms[first], to_ms[last])

    def widened(self, before_ms: int, after_ms: int) -> Intervals:
        """The same with so much more at either end, joined again."""
        return Intervals.joined(self.bike, self.from_ms - before_ms, self.to_ms + after_ms)

    def parts(self, size: int) -> Iterator[Intervals]:
        """The same, at most `size` at a time."""
        for at in range(0, self.bike.size, size):
            part = slice(at, at + size)
            yield Intervals(self.bike[part], self.from_ms[part], self.to_ms[part])

    def where(self, mask: NDArray[np.bool_]) -> Intervals:
        """The intervals that `mask` selects."""
        return Intervals(self.bike[mask], self.from_ms[mask], self.to_ms[mask])

    def contain(self, bike: NDArray[np.int32], at_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which instants of bikes lie in an interval; columns of one length."""
        starts, ends = self._edges()
        if not starts.size:
            return np.zeros(bike.size, dtype=bool)
        key = keys(bike, at_ms)
        # The interval that began last at or before an instant is the only one that can hold it;
        # before the first there is none, and the end of the last is not before its start.
        candidate = np.searchsorted(starts, key, side="right") - 1
        held: NDArray[np.bool_] = (candidate >= 0) & (key < ends[candidate])
        return held

    def rows_among(self, sorted_keys: NDArray[np.int64]) -> NDArray[np.intp]:
        """Positions, among keys in rising order, of the instants that the intervals hold."""
        low, high = (np.searchsorted(sorted_keys, edge) for edge in self._edges())
        return positions(low, high)

    def _edges(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        starts, ends = (np.clip(edge, 0, _LAST_MS) for edge in (self.from_ms, self.to_ms))
        return keys(self.bike, starts), keys(self.bike, ends)


def keys(bike: NDArray[np.int32], at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers that sort by bike, then time, shape (n,); times from the epoch to the year 2109."""
    packed: NDArray[np.int64] = (bike.astype(np.int64) << TIME_BITS) | at_ms
    return packed


def positions(low: NDArray[np.intp], high: NDArray[np.intp]) -> NDArray[np.intp]:
    """All positions of some slices [low, high), of shape (k,), one slice after the other."""
    count = np.maximum(high - low, 0)
    ordinal = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    found: NDArray[np.intp] = np.repeat(low, count) + ordinal
    return found
