"""The tasks of a station, by name: started again when they fail, and ended together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

T = TypeVar("T")

log = structlog.get_logger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
STEADY_S = 60.0


@dataclass
class Supervisor:
    """Runs named tasks, and knows which of them have failed.

    Unforeseen errors are caught only here: the error is logged, it becomes the task's failure,
    and the task is started again after a waiting time that doubles.
    """

    first_wait_s: float = FIRST_WAIT_S
    steady_s: float = STEADY_S
    """A task that ran for so long was well: the next waiting time is the first again [s]."""
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _failures: dict[str, str] = field(default_factory=dict)

    def failure(self, name: str) -> str:
        """Why a task is not running at the moment; empty when it is."""
        return self._failures.get(name, "")

    def start(self, name: str, run: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Start a task, and start it again whenever it fails, until it returns.

        Like all methods, on the event loop; a name is used once.
        """
        return self.start_once(name, self._restarted(name, run))

    def start_once(self, name: str, run: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task whose error is the caller's to handle."""
        self.tasks[name] = asyncio.create_task(run, name=name)
        return self.tasks[name]

    async def end(self, *, within_s: float) -> None:
        """Wait for all tasks, and cancel those still running after `within_s` [s]."""
        tasks = self.tasks.values()
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _restarted(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        wait_s = self.first_wait_s
        while True:
            began_s = time.monotonic()
            try:
                await run()
                return
            except Exception as exc:
                if time.monotonic() - began_s >= self.steady_s:
                    wait_s = self.first_wait_s
                log.exception("part failed, starting it again", part=name, in_s=wait_s)
                self._failures[name] = f"{type(exc).__name__}: {exc}"
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            del self._failures[name]


@asynccontextmanager
async def background_task(
    coroutine: Coroutine[Any, Any, T],
) -> AsyncIterator[asyncio.Task[T]]:
    """Run a coroutine while the context lasts; its own error, if any, is raised at the end."""
    task = asyncio.create_task(coroutine)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
