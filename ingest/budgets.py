"""The budget of one vendor: how much it may cost before its messages are refused unread.

Allowances are counted by the time of receipt, which is in the log: reading it again refuses the
same, but for the time in which a process begins. What is worth something costs a vendor
nothing: an allowance to be wrong grows by every accepted item, and the numbers of messages and
bytes are limited only where the configuration says so. See docs/decisions/0022.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bikes.errors import DecodeError

SECOND_MS, MINUTE_MS, HOUR_MS = 1_000, 60_000, 3_600_000

TOLD = 2_000
"""Refusals of a vendor that are told and kept, in a minute; the others are counted."""

WRONG, WRONG_SPAN_MS = 2_000, 20 * SECOND_MS
"""Wrong items of a vendor, beside as many as it has right ones, that are explained: some 40 ms of
work."""

ITEM_BYTES = 512
"""A message that takes long to be found wrong counts as one item for each of these."""


@dataclass(frozen=True, slots=True)
class VendorLimits:
    """Limits of a vendor that the configuration sets; None for no limit.

    Attributes
    ----------
    max_bikes, new_bikes_per_hour : int
        Bikes that are on no list.
    messages_per_hour, bytes_per_hour : int, optional
        Messages and bytes of their payloads.
    """

    max_bikes: int = 10_000
    new_bikes_per_hour: int = 5_000
    messages_per_hour: int | None = None
    bytes_per_hour: int | None = None


@dataclass(slots=True)
class Allowance:
    """So many at once, and as many more in each span of time, evenly; None is without end."""

    limit: int | None
    span_ms: int
    _left: float = 0
    _at_ms: int = 0

    def left(self, at_ms: int) -> int:
        """How many are left at an instant [ms]; a clock that is set back earns nothing."""
        if self.limit is None:
            return 1 << 62
        if at_ms != self._at_ms:
            earned = max(at_ms - self._at_ms, 0) * self.limit / self.span_ms
            # What was added by `take` stays.
            self._left = max(self._left, min(self._left + earned, self.limit))
            self._at_ms = at_ms
        return max(int(self._left), 0)

    def take(self, count: int, at_ms: int) -> bool:
        """Use some up, maybe more than there is; False, and nothing is used, when none was left.

        A negative number adds to what is left.
        """
        had = self.left(at_ms) > 0
        if had or count < 0:
            self._left -= count
        return had


@dataclass(slots=True)
class Budget:
    """What is left to one vendor.

    Attributes
    ----------
    told : Allowance
        Refusals to tell.
    wrong : Allowance
        Wrong items to explain; accepted ones add to it.
    over : Allowance
        Refusals to tell that it is over its budget.
    bikes : Allowance
        New bikes.
    """

    vendor: str
    limits: VendorLimits = field(default_factory=VendorLimits)
    told: Allowance = field(default_factory=lambda: Allowance(TOLD, MINUTE_MS))
    wrong: Allowance = field(default_factory=lambda: Allowance(WRONG, WRONG_SPAN_MS))
    over: Allowance = field(default_factory=lambda: Allowance(1, MINUTE_MS))
    bikes: Allowance = field(init=False)
    _messages: Allowance = field(init=False)
    _bytes: Allowance = field(init=False)

    def __post_init__(self) -> None:
        self.bikes = Allowance(self.limits.new_bikes_per_hour, HOUR_MS)
        self._messages = Allowance(self.limits.messages_per_hour, HOUR_MS)
        self._bytes = Allowance(self.limits.bytes_per_hour, HOUR_MS)

    @property
    def counts_messages(self) -> bool:
        """Whether its messages or bytes are limited at all."""
        return not self._messages.limit is self._bytes.limit is None

    def within(self, sizes: NDArray[np.int64], at_ms: int) -> int:
        """How many messages, from the first on, the hour has room for.

        `sizes`, of shape (messages,), are those of their payloads [bytes].
        """
        upto = np.cumsum(sizes)
        kept = int(np.searchsorted(upto, self._bytes.left(at_ms), side="right"))
        kept = min(kept, self._messages.left(at_ms))
        self._messages.take(kept, at_ms)
        self._bytes.take(int(upto[kept - 1]) if kept else 0, at_ms)
        return kept

    def admit(self, bikes: int, at_ms: int) -> None:
        """Let a new bike in beside those that the vendor has.

        Raises
        ------
        DecodeError
            ``over_budget``: it has as many as it may have, or got too many within the hour.
        """
        key, most = "max_bikes", self.limits.max_bikes
        if bikes < most:
            key, most = "new_bikes_per_hour", self.limits.new_bikes_per_hour
            if self.bikes.take(1, at_ms):
                return
        raise DecodeError("over_budget", self._too_many(f"bikes than {key} = {most}"))

    def too_many_wrong(self) -> DecodeError:
        """The refusal of what is wrong and is not looked into."""
        said = "wrong items than right ones; for now the reason of further ones is not looked for"
        return DecodeError("over_budget", self._too_many(said))

    def too_many_messages(self) -> DecodeError:
        """The refusal of messages over the limits of the configuration."""
        said = "messages or bytes than messages_per_hour and bytes_per_hour allow"
        return DecodeError("over_budget", self._too_many(said))

    def _too_many(self, what: str) -> str:
        return f"[vendors.{self.vendor}] has more {what}"
