"""An executor with one daemon thread, which does not hold up the end of the program."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class Stopping(Exception):
    """The program is stopping: leave the work undone."""


class DaemonExecutor:
    """Runs functions one after the other in a thread of its own.

    asyncio waits for its executor threads when the program ends, so a request that hangs would
    hold the end up. Nobody waits for this daemon thread.

    It starts when `after`, an executor that was told to end, has ended.
    """

    def __init__(self, name: str, after: DaemonExecutor | None = None) -> None:
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._after = after
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, function: Callable[[], T]) -> T:
        """Return the result of `function`; it runs on when the caller is cancelled."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # from now on it cannot be cancelled

        def work() -> None:
            try:
                future.set_result(function())
            except BaseException as exc:  # noqa: BLE001 - the caller is who handles it
                future.set_exception(exc)

        self._queue.put(work)
        return await asyncio.wrap_future(future)

    def end(self, last: Callable[[], None] | None = None) -> None:
        """Let the thread end after its work and `last`; return at once."""
        if last is not None:
            self._queue.put(last)
        self._queue.put(None)

    def _work(self) -> None:
        if self._after is not None:
            self._after._thread.join()
            self._after = None
        while (work := self._queue.get()) is not None:
            work()
