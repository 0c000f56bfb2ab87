"""Run long work in a thread beside the event loop, one piece at a time, shared by all who ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


class Background:
    """A thread for the work of one application.

    One piece of work runs at a time: however much is asked, intake and live pages keep a core.
    """

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(1)

    async def run(self, work: Callable[[], T]) -> T:
        """Call `work` in the thread when its turn comes; return its result, or raise its error."""
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)


class Shared(Generic[T]):
    """Answers that are worked out once for all who ask within `keep_s` [s].

    At most `most` answers are kept; the oldest go.
    """

    def __init__(self, background: Background, *, keep_s: float, most: int) -> None:
        self._background = background
        self._keep_s = keep_s
        self._most = most
        self._known: dict[Hashable, asyncio.Task[tuple[float, T]]] = {}

    async def get(self, key: Hashable, work: Callable[[], T]) -> T:
        """Return the answer to the question `key`; run `work` for a new one when it is too old.

        An error of `work` is raised for all who wait for it, and not kept.
        """
        task = self._known.get(key)
        if task is None or self._over(task):
            self._known.pop(key, None)
            while len(self._known) >= self._most:
                self._known.pop(next(iter(self._known)))
            task = self._known[key] = asyncio.create_task(self._work(work))
        # The others still want it when the one who asked first has gone.
        return (await asyncio.shield(task))[1]

    async def _work(self, work: Callable[[], T]) -> tuple[float, T]:
        answer = await self._background.run(work)
        return time.monotonic(), answer

    def _over(self, task: asyncio.Task[tuple[float, T]]) -> bool:
        if not task.done():
            return False
        if task.cancelled() or task.exception() is not None:
            return True
        return time.monotonic() - task.result()[0] > self._keep_s
