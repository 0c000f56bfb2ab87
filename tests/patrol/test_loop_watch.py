"""The event loop's own watch."""

from __future__ import annotations

import asyncio
import time

from patrol.loop_watch import LONGEST_S, LOOK_EVERY_S, loop_watch, watch


def test_what_holds_the_event_loop_is_noted() -> None:
    """A task that does not give way for a while makes the watch late by as much."""
    held, hold_s = loop_watch(), 2 * LONGEST_S

    async def hold() -> None:
        watching = asyncio.create_task(watch(held))
        await asyncio.sleep(0.1)
        time.sleep(hold_s)  # noqa: ASYNC251
        await asyncio.sleep(2 * LOOK_EVERY_S)
        watching.cancel()

    asyncio.run(hold())
    (metric,) = held.collect()
    late_s = next(sample.value for sample in metric.samples if sample.name.endswith("_sum"))
    assert late_s > LONGEST_S
