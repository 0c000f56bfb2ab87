"""Run long work in a thread beside the event loop, one piece at a time, shared by all who ask.

Those who ask take turns, so that one who asks much holds nobody else up, and only so many pieces
of each may wait. Work ends when it takes too long, when nobody wants it any more, and when the
program stops: those who wait are told at once, the work at its next
:func:`files.checkpoint.checkpoint`. Everything but the work itself happens on the event loop.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any, Final, Generic, TypeVar

from starlette.requests import Request

from dashboards.api import caller
from dashboards.api.problems import ProblemError
from files.checkpoint import ASK

T = TypeVar("T")

LIMIT_S: Final = 30.0
"""How long a piece of work may take [s]."""
WAITING: Final = 16
"""Pieces of work of one who asks that may wait."""


class Piece(Generic[T]):
    """A piece of work, its answer, how many want it, and when it ended [s, monotonic]."""

    def __init__(self, asker: str, work: Callable[[], T]) -> None:
        self.asker, self.work = asker, work
        self.answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.wanted = 0
        self.ended_s = 0.0

    def settle(self, result: Any = None, error: BaseException | None = None) -> None:
        """Tell those who wait; only the first result or error counts."""
        if self.answer.done():
            return
        self.ended_s = time.monotonic()
        if error is None:
            self.answer.set_result(result)
        else:
            self.answer.set_exception(error)
            self.answer.exception()  # asyncio need not tell, should all have gone

    def go_on(self) -> None:
        """Raise when the work is no longer wanted; in its thread, as :attr:`work`."""
        if self.answer.done():
            raise _ended()


class Background:
    """The thread for the work of one application.

    One piece of work runs at a time: however much is asked, intake and live pages keep a core.
    """

    def __init__(self, *, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._waiting: dict[str, deque[Piece[Any]]] = {}  # by who asks, in the order of turns
        self._running: Piece[Any] | None = None
        self._closed = False

    async def run(self, work: Callable[[], T], request: Request | None = None) -> T:
        """Call `work` in the thread when its turn comes, and return its result.

        Without a request the program itself asks. ProblemError: 429 `too_many_waiting`; 503
        `took_too_long` or `stopping`.
        """
        return await self.result(self.begin(work, request), request)

    def begin(self, work: Callable[[], T], request: Request | None) -> Piece[T]:
        """Let a piece of work wait for its turn. ProblemError: as :meth:`run`."""
        if self._closed:
            raise _stopping()
        piece = Piece("" if request is None else caller.asker(request), work)
        mine = self._waiting.setdefault(piece.asker, deque())
        if len(mine) >= WAITING:
            detail = f"{len(mine)} questions of yours wait for an answer; ask again later"
            raise ProblemError(429, "too_many_waiting", detail, headers={"Retry-After": "5"})
        mine.append(piece)
        if self._running is None:
            self._next()
        return piece

    async def result(self, piece: Piece[T], request: Request | None) -> T:
        """The result of a piece of work. The last one who goes ends it. ProblemError: as `run`."""
        gone = asyncio.ensure_future(_gone(request))
        either: set[asyncio.Future[Any]] = {piece.answer, gone}
        piece.wanted += 1
        try:
            if not piece.answer.done():
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if piece.answer.done():
                return piece.answer.result()
            raise _ended()
        finally:
            gone.cancel()
            piece.wanted -= 1
            if not piece.wanted:
                self._withdraw(piece)

    def close(self) -> None:
        """End what runs and what waits, and take nothing more."""
        self._closed = True
        for piece in (self._running, *(piece for mine in self._waiting.values() for piece in mine)):
            if piece is not None:
                piece.settle(error=_stopping())
        self._waiting.clear()

    def _withdraw(self, piece: Piece[Any]) -> None:
        piece.answer.cancel()
        mine = self._waiting.get(piece.asker, deque())
        if piece in mine:
            mine.remove(piece)
            if not mine:
                del self._waiting[piece.asker]

    def _next(self) -> None:
        """Begin the piece whose turn it is."""
        self._running = None
        if self._waiting:
            asker = next(iter(self._waiting))
            mine = self._waiting.pop(asker)
            piece = self._running = mine.popleft()
            if mine:
                self._waiting[asker] = mine  # behind all others
            detail = f"takes over {self._limit_s:g} s; ask for a shorter time, or for fewer at once"
            error = ProblemError(503, "took_too_long", detail)
            late = piece.answer.get_loop().call_later(self._limit_s, piece.settle, None, error)
            # What it holds on to goes with it.
            work, piece.work = piece.work, piece.go_on
            threading.Thread(target=self._run, args=(piece, work, late), daemon=True).start()

    def _run(self, piece: Piece[T], work: Callable[[], T], late: asyncio.TimerHandle) -> None:
        """Do a piece of work, in its thread."""
        result, error = None, None
        ASK.set(piece.go_on)
        try:
            result = work()
        except BaseException as exc:  # noqa: BLE001 - whoever asked handles it
            error = exc
        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            piece.answer.get_loop().call_soon_threadsafe(self._ended, piece, result, error, late)

    def _ended(
        self, piece: Piece[Any], result: Any, error: BaseException | None, late: asyncio.TimerHandle
    ) -> None:
        late.cancel()
        piece.settle(result, error)
        self._next()


class Shared(Generic[T]):
    """Answers that are worked out once for all who ask within `keep_s` [s].

    At most `most` answers are kept; the oldest go.
    """

    def __init__(self, background: Background, *, keep_s: float, most: int) -> None:
        self._background = background
        self._keep_s = keep_s
        self._most = most
        self._known: dict[Hashable, Piece[T]] = {}

    async def get(self, key: Hashable, work: Callable[[], T], request: Request | None = None) -> T:
        """Return the answer to the question `key`; run `work` for a new one when it is too old.

        ProblemError: as :meth:`Background.run`.
        """
        piece = self._known.get(key)
        if piece is None or self._over(piece):
            self._known.pop(key, None)
            while len(self._known) >= self._most:
                self._known.pop(next(iter(self._known)))
            piece = self._known[key] = self._background.begin(work, request)
        return await self._background.result(piece, request)

    def _over(self, piece: Piece[T]) -> bool:
        if not piece.answer.done():
            return False
        failed = piece.answer.cancelled() or piece.answer.exception() is not None
        return failed or time.monotonic() - piece.ended_s > self._keep_s


async def _gone(request: Request | None) -> None:
    """Return when the one who asks has gone."""
    if request is None:
        await asyncio.get_running_loop().create_future()
        return
    while (await request.receive())["type"] != "http.disconnect":
        pass  # the body, of which a question has none


def _ended() -> ProblemError:
    return ProblemError(503, "ended", "nobody waits for this answer any more")


def _stopping() -> ProblemError:
    return ProblemError(503, "stopping", "the station is stopping; ask again in a minute")
