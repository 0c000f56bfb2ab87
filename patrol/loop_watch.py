"""How long the event loop is held: everybody who waits on it waits as long."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import Histogram

LOOK_EVERY_S = 0.025
"""How often the watch wakes [s]; shorter holds may be missed."""

LONGEST_S = 0.1
"""Nothing on the event loop may take longer [s]: it belongs into a thread, or in parts."""


def loop_watch() -> Histogram:
    """The metric that :func:`watch` fills: how late the event loop was."""
    return Histogram(
        "zhixun_loop_held_seconds",
        "How late the event loop came to something that was due",
        registry=None,
        buckets=(0.005, 0.01, 0.025, 0.05, LONGEST_S, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0),
    )


async def watch(held: Histogram) -> None:
    """Note how late this task is woken, until it is cancelled."""
    while True:
        due_s = time.monotonic() + LOOK_EVERY_S
        await asyncio.sleep(LOOK_EVERY_S)
        held.observe(max(0.0, time.monotonic() - due_s))
