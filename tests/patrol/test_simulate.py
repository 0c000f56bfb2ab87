"""A simulated fleet's clocks, and what it knows of what it has sent."""

from __future__ import annotations

import asyncio
import time

import pytest

from patrol.clock import CatchUpClock, Clock, FastClock

START_MS = 1_763_856_000_000


def test_a_clock_that_is_held_stands_still_and_goes_on_from_there() -> None:
    """What passes meanwhile is lost, so that nothing is skipped; it never goes back."""
    clock = FastClock(START_MS, 600.0)
    clock.hold_at(START_MS + 1_000)
    while clock.now_ms() < START_MS + 1_000:
        pass
    time.sleep(0.02)  # twelve of its seconds
    assert clock.now_ms() == START_MS + 1_000
    clock.hold_at(START_MS)
    assert clock.now_ms() == START_MS + 1_000
    clock.hold_at(None)
    began_s = time.monotonic()
    assert clock.now_ms() - START_MS - 1_000 <= 600_000 * (time.monotonic() - began_s) + 600
    clock.restart()
    clock.hold_at(START_MS + 100)
    clock.restart()
    while clock.now_ms() <= START_MS + 100:
        pass


def test_who_waits_for_a_clock_that_is_held_waits_longer() -> None:
    """And is woken once it goes on."""

    async def main() -> int:
        clock = FastClock(START_MS, 100.0)
        clock.hold_at(START_MS + 500)
        waiting = asyncio.create_task(clock.sleep_until(START_MS + 1_000))
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        assert not done
        clock.hold_at(None)
        await asyncio.wait_for(waiting, 5)
        return clock.now_ms()

    assert asyncio.run(main()) >= START_MS + 1_000


@pytest.mark.parametrize("behind_ms", [2_000, 0])
def test_a_clock_that_catches_up_becomes_the_time_of_day(behind_ms: int) -> None:
    """It starts in the past, runs fast, and is never ahead of the wall."""
    wall = Clock()
    clock = CatchUpClock(wall.now_ms() - behind_ms, 50.0)

    async def main() -> None:
        target_ms = wall.now_ms() + 100
        await clock.sleep_until(target_ms)
        before_ms, now_ms, after_ms = wall.now_ms(), clock.now_ms(), wall.now_ms()
        assert target_ms <= before_ms <= now_ms <= after_ms

    asyncio.run(main())
