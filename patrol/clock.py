"""The one clock that everything which decides is given."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Tells the time, and waits for one."""

    speed: float
    """How many of its seconds pass in one second of the wall's."""

    def now_ms(self) -> int:
        """The time [ms since the epoch]."""
        ...

    async def sleep_until(self, at_ms: int) -> None:
        """Return at `at_ms`, or at once when that has passed."""
        ...


class WallClock:
    """The time of day."""

    speed = 1.0

    def now_ms(self) -> int:
        """The time [ms since the epoch]."""
        return time.time_ns() // 1_000_000

    async def sleep_until(self, at_ms: int) -> None:
        """Return at `at_ms`, or at once when that has passed."""
        await asyncio.sleep(max(0.0, (at_ms - self.now_ms()) / 1000))


@dataclass
class FastClock:
    """A clock that starts at an instant of its own and runs faster than the wall's.

    Parameters
    ----------
    start_ms : int
        What it shows when it is made [ms since the epoch].
    speed : float
        How many of its seconds pass in one of the wall's.
    """

    start_ms: int
    speed: float

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Show `start_ms` again now."""
        self._began_ns = time.monotonic_ns()

    def now_ms(self) -> int:
        """The time [ms since the epoch]."""
        passed_ns = time.monotonic_ns() - self._began_ns
        return self.start_ms + int(passed_ns * self.speed) // 1_000_000

    async def sleep_until(self, at_ms: int) -> None:
        """Return at `at_ms`, or at once when that has passed."""
        await asyncio.sleep(max(0.0, (at_ms - self.now_ms()) / 1000 / self.speed))
