"""Clocks: the time of day, and a demo's."""

from __future__ import annotations

import asyncio
import time

import pytest

from patrol.clock import LEAP_MS, Clock, Doubt, FastClock

START_MS = 1_763_856_000_000


def test_the_wall_clock_is_the_time_of_day() -> None:
    """Milliseconds since the epoch, at the wall's speed."""
    clock = Clock()
    before, now, after = time.time() * 1000, clock.now_ms(), time.time() * 1000
    assert before - 1 <= now <= after + 1
    assert clock.speed == 1.0


def test_a_fast_clock_starts_where_it_is_told_and_runs_so_much_faster() -> None:
    """In the wall's second, `speed` of its seconds pass; it never goes back."""
    began_s = time.monotonic()
    clock = FastClock(START_MS, 600.0)
    ready_s = time.monotonic()
    seen = [clock.now_ms() for _ in range(1000)]
    passed_s = time.monotonic() - began_s
    assert START_MS <= seen[0] <= START_MS + 600_000 * passed_s
    assert seen == sorted(seen)
    while (waited_s := time.monotonic() - ready_s) < 0.02:
        pass
    assert clock.now_ms() >= START_MS + 600_000 * waited_s - 1
    clock.restart()
    assert clock.now_ms() - START_MS <= 600_000 * (time.monotonic() - ready_s)


@pytest.mark.parametrize("clock", [FastClock(START_MS, 6_000.0), Clock()])
def test_waiting_ends_at_the_instant_and_not_before(clock: Clock) -> None:
    """On either clock; an instant that has passed is not waited for."""

    async def main() -> int:
        at_ms = clock.now_ms() + round(20 * clock.speed)
        await clock.sleep_until(at_ms - 10_000_000)
        await clock.sleep_until(at_ms)
        return clock.now_ms() - at_ms

    # The event loop may wake a timer by its resolution too early.
    assert asyncio.run(main()) >= -2 * clock.speed


class Watched(Clock):
    """A clock that a test sets, and seconds that pass."""

    def __init__(self) -> None:
        self.ms, self.s = START_MS, 0.0

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.s

    def after(self, passed_s: float, ahead_s: float = 0.0) -> None:
        """Seconds pass, and the clock gains some more."""
        self.s += passed_s
        self.ms += round(1000 * (passed_s + ahead_s))


@pytest.mark.parametrize(("sign", "way"), [(1, "ahead"), (-1, "back")])
def test_a_clock_that_leaps_is_not_believed_for_a_minute(sign: int, way: str) -> None:
    """Nor longer, and at once when it leaps to where it would be; a pause of the program is none.

    What leaps on meanwhile is not right yet.
    """
    clock = Watched()
    doubt = Doubt(clock, clock.monotonic_s)
    assert doubt.why() == ""
    clock.after(3600.0, ahead_s=sign * 299.0)
    assert doubt.why() == ""
    clock.after(1.0, ahead_s=sign * 10_800.0)
    assert doubt.why() == f"the clock leapt {way}: nothing is judged for 60 s"
    clock.after(59.0)
    assert doubt.why() == f"the clock leapt {way}: nothing is judged for 1 s"
    clock.after(1.0)
    assert doubt.why() == ""
    clock.after(1.0, ahead_s=sign * 4e7)
    assert doubt.why()
    clock.after(10.0, ahead_s=-sign * 3e7)
    assert doubt.why() == f"the clock leapt {way}: nothing is judged for 60 s"
    clock.after(10.0, ahead_s=-sign * 1e7)
    assert doubt.why() == ""


def test_a_fast_clock_that_is_held_or_starts_again_has_not_leapt() -> None:
    """A demo's clock waits for what it judges: that is no reason not to judge."""
    clock = FastClock(START_MS, 1e6)
    while clock.now_ms() < START_MS + 2 * LEAP_MS:
        pass
    doubt = Doubt(clock)
    clock.restart()
    clock.hold_at(START_MS)
    assert clock.now_ms() < START_MS + LEAP_MS
    assert doubt.why() == ""
