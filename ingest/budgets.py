"""The budget of one vendor: how much it may cost before its messages are refused unread.

Allowances are counted by the time of receipt, which is in the log: reading it again refuses the
same, but for the time in which a process begins. What is worth something costs a vendor
nothing: an allowance to be wrong grows by every accepted item, and the numbers of messages and
bytes are limited only where the configuration says so. See docs/decisions/0022.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bikes.errors import DecodeError
from words.times import HOUR_MS, MINUTE_MS

TOLD, TOLD_SPAN_MS = 200, 6_000
"""Refusals of a vendor that are told and kept at once; the others are counted. Telling that many
takes some 40 ms."""

WRONG, WRONG_SPAN_MS = 500, 5_000
"""Wrong items of a vendor, beside as many as it has right ones, that are explained: some 10 ms of
work."""

ITEM_BYTES = 1_024
"""A message that takes long to be found wrong counts as one item for each of these."""


@dataclass(frozen=True, slots=True)
class VendorLimits:
    """Limits that the configuration sets: of bikes that are on no list, of messages, and of the
    bytes of their payloads. None is no limit."""

    max_bikes: int = 10_000
    new_bikes_per_hour: int = 5_000
    messages_per_hour: int | None = None
    bytes_per_hour: int | None = None


class Allowance:
    """So many at once, and as many more in each span of time [ms], evenly; None is no limit."""

    def __init__(self, limit: int | None, span_ms: int) -> None:
        self._limit, self._span_ms = limit or 1 << 62, span_ms
        self._left, self._at_ms = 0.0, 0

    def left(self, at_ms: int) -> int:
        """How many are left at an instant [ms]; a clock that is set back earns nothing."""
        if at_ms != self._at_ms:
            earned = max(at_ms - self._at_ms, 0) * self._limit / self._span_ms
            self._left = min(self._left + earned, self._limit)
            self._at_ms = at_ms
        return max(int(self._left), 0)

    def take(self, count: int, at_ms: int) -> bool:
        """Use some up, maybe more than there is; False, and nothing is used, when none was left.

        A negative number adds to what is left at this instant, also beyond the limit.
        """
        had = self.left(at_ms) > 0
        if had or count < 0:
            self._left -= count
        return had


class Budget:
    """What is left to one vendor: refusals to tell, and to tell that it is over its budget; wrong
    items to explain, to which accepted ones add."""

    def __init__(self, vendor: str, limits: VendorLimits) -> None:
        self.told, self.over = Allowance(TOLD, TOLD_SPAN_MS), Allowance(1, MINUTE_MS)
        self.wrong = Allowance(WRONG, WRONG_SPAN_MS)
        self._vendor, self._limits = vendor, limits
        self._bikes = Allowance(limits.new_bikes_per_hour, HOUR_MS)
        self._messages = Allowance(limits.messages_per_hour, HOUR_MS)
        self._bytes = Allowance(limits.bytes_per_hour, HOUR_MS)

    def within(self, sizes: NDArray[np.int64], at_ms: int) -> int:
        """How many messages, from the first on, there is room for.

        `sizes`, of shape (messages,), are those of their payloads [bytes].
        """
        if self._limits.messages_per_hour is self._limits.bytes_per_hour is None:
            return sizes.size
        upto = np.cumsum(sizes)
        kept = int(np.searchsorted(upto, self._bytes.left(at_ms), side="right"))
        kept = min(kept, self._messages.left(at_ms))
        if kept:
            self._messages.take(kept, at_ms)
            self._bytes.take(int(upto[kept - 1]), at_ms)
        return kept

    def admit(self, bikes: int, at_ms: int) -> None:
        """Let a new bike in beside those that the vendor has.

        DecodeError: ``over_budget``: it has as many as it may have, or too many are new.
        """
        limits = self._limits
        if bikes >= limits.max_bikes or not self._bikes.take(1, at_ms):
            most = (
                f"max_bikes = {limits.max_bikes}, new_bikes_per_hour = {limits.new_bikes_per_hour}"
            )
            raise DecodeError("over_budget", f"one more bike than [vendors.{self._vendor}] {most}")
