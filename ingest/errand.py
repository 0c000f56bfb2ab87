"""A thread that does blocking work for an event loop, and that can be left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class Stopping(Exception):
    """It is time to leave: what was being done is left undone."""


class Errands:
    """Runs functions one after the other in a thread of its own.

    asyncio waits for its worker threads when the program ends; a request that hangs would hold
    it up. This thread is a daemon: who does not want to wait any longer goes.

    Parameters
    ----------
    name : str
        Of the thread.
    after : Errands, optional
        Others that were told to end; nothing is done here before they have.
    """

    def __init__(self, name: str, after: Errands | None = None) -> None:
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._after = after
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, function: Callable[[], T]) -> T:
        """What `function` returns or raises; it goes on when the caller is cancelled."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)  # type: ignore[arg-type]
            else:
                future.set_exception(error)

        def work() -> None:
            result, error = None, None
            try:
                result = function()
            except BaseException as exc:  # noqa: BLE001 - the caller is who handles it
                error = exc
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, result, error)

        self._queue.put(work)
        return await future

    def end(self, last: Callable[[], None] | None = None) -> None:
        """Let the thread end when it has done what it was given, and this; nobody waits."""
        if last is not None:
            self._queue.put(last)
        self._queue.put(None)

    def _work(self) -> None:
        if self._after is not None:
            self._after._thread.join()
            self._after = None
        while (work := self._queue.get()) is not None:
            work()
