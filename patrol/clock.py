"""The one clock that everything which decides is given."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

HELD_S = 0.01
"""Interval between two looks at a clock that stands still [s]."""


class Clock:
    """The time of day; its subclasses tell a time of their own."""

    speed = 1.0
    """Seconds of this clock in one second of the wall's."""

    may_leap = True
    """Whether somebody may set it to another time while it is read."""

    def now_ms(self) -> int:
        """The time [ms since the epoch]."""
        return time.time_ns() // 1_000_000

    async def sleep_until(self, at_ms: int) -> None:
        """Return at `at_ms`, or at once when that has passed."""
        await asyncio.sleep(max(0.0, (at_ms - self.now_ms()) / 1000))


LEAP_MS = 300_000
"""A clock that gains or loses so much at once has leapt [ms]."""
DOUBT_S = 60.0
"""A clock that has leapt is not believed for so long: often it is soon set right again [s]."""


class Doubt:
    """Whether a clock is to be believed, by looking at it again and again; for one thread."""

    def __init__(self, clock: Clock, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._last = clock.now_ms(), monotonic_s()
        self._until_s = -math.inf
        self._off_ms = 0.0  # what it has gained since it was believed last

    def why(self) -> str:
        """Why nothing should be judged by the clock now; empty when it is believed.

        One that leaps back to where it would be is believed at once.
        """
        if not self._clock.may_leap:
            return ""
        now_ms, now_s = self._clock.now_ms(), self._monotonic_s()
        last_ms, last_s = self._last
        self._last = now_ms, now_s
        gained_ms = now_ms - last_ms - (now_s - last_s) * 1000
        if now_s >= self._until_s:
            self._off_ms = 0.0
        if abs(gained_ms) > LEAP_MS:
            self._off_ms += gained_ms
            self._until_s = now_s + DOUBT_S if abs(self._off_ms) > LEAP_MS else -math.inf
        left_s = self._until_s - now_s
        way = "ahead" if self._off_ms > 0 else "back"
        return f"the clock leapt {way}: nothing is judged for {left_s:.0f} s" if left_s > 0 else ""


@dataclass
class FastClock(Clock):
    """A clock that starts at an instant of its own and runs faster than the wall's.

    Nobody sets it; that it is held is no leap.
    """

    may_leap = False

    start_ms: int  # what it shows when it is made
    speed: float

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Show `start_ms` again now."""
        self._began_ns = time.monotonic_ns()
        self._held_ms = 0
        self._limit_ms: int | None = None

    def hold_at(self, at_ms: int | None) -> None:
        """Stand still from `at_ms` on, until told otherwise; None runs on from where it stands.

        It never goes back: when `at_ms` has passed, it stands still now.
        """
        now_ms = self.now_ms()
        self._limit_ms = None if at_ms is None else max(at_ms, now_ms)

    def now_ms(self) -> int:
        passed_ns = time.monotonic_ns() - self._began_ns
        now_ms = self.start_ms + int(passed_ns * self.speed) // 1_000_000 - self._held_ms
        if self._limit_ms is not None and now_ms > self._limit_ms:
            self._held_ms += now_ms - self._limit_ms
            now_ms = self._limit_ms
        return now_ms

    async def sleep_until(self, at_ms: int) -> None:
        await asyncio.sleep(max(0.0, (at_ms - self.now_ms()) / 1000 / self.speed))
        while (left_ms := at_ms - self.now_ms()) > 0:
            # It was held meanwhile; nobody tells when it goes on.
            wait_s = left_ms / 1000 / self.speed
            await asyncio.sleep(max(HELD_S, wait_s))


class CatchUpClock(FastClock):
    """A clock that starts in the past, runs fast until it shows the time of day, and then is it."""

    def now_ms(self) -> int:
        return min(super().now_ms(), Clock().now_ms())

    async def sleep_until(self, at_ms: int) -> None:
        await asyncio.sleep(0)
        while (left_ms := at_ms - self.now_ms()) > 0:
            caught_up = super().now_ms() >= Clock().now_ms()
            await asyncio.sleep(left_ms / 1000 / (1 if caught_up else self.speed))
