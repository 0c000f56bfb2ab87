"""Run long work in a thread beside the event loop, one piece at a time, shared by all who ask.

Those who ask take turns, so that one who asks much holds nobody else up, and only so many pieces
of each may wait. Work ends when it takes too long, when nobody wants it any more, and when the
program stops: those who wait are told at once, the work at its next
:func:`files.checkpoint.checkpoint`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
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
_IDLE_S = 5.0
_LOOK_S = 0.5


class Piece(Generic[T]):
    """A piece of work, how many want it, and when it began and ended [s, monotonic]."""

    def __init__(self, work: Callable[[], T], limit_s: float) -> None:
        self._work, self._limit_s = work, limit_s
        self._settling = threading.Lock()
        self.future: Future[T] = Future()
        self.future.set_running_or_notify_cancel()  # one who goes does not take it along
        self.wanted = 0
        self.begun_s = self.ended_s = 0.0

    def settle(self, result: Any = None, error: BaseException | None = None) -> None:
        """Tell those who wait; only the first result or error counts."""
        with self._settling:
            if self.future.done():
                return
            self.ended_s = time.monotonic()
            if error is None:
                self.future.set_result(result)
            else:
                self.future.set_exception(error)

    def end_if_late(self) -> None:
        """Settle it with 503 `took_too_long` when it has taken longer than it may."""
        if self.begun_s and time.monotonic() - self.begun_s > self._limit_s:
            detail = f"takes over {self._limit_s:g} s; ask for a shorter time, or for fewer at once"
            self.settle(error=ProblemError(503, "took_too_long", detail))

    def run(self) -> None:
        """Do the work in this thread, unless it is settled."""

        def go_on() -> None:
            self.end_if_late()
            if self.future.done():
                raise _ended()

        self.begun_s = time.monotonic()
        ASK.set(go_on)
        # What it holds on to goes with it.
        work, self._work = self._work, go_on  # type: ignore[assignment]
        try:
            go_on()
            self.settle(work())
        except BaseException as exc:  # noqa: BLE001 - whoever asked handles it
            self.settle(error=exc)


class Background:
    """A thread for the work of one application.

    One piece of work runs at a time: however much is asked, intake and live pages keep a core.
    """

    def __init__(self, *, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[Piece[Any]]] = {}  # by who asks, in the order of turns
        self._running: Piece[Any] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    async def run(self, work: Callable[[], T], request: Request | None = None) -> T:
        """Call `work` in the thread when its turn comes, and return its result.

        Without a request the program itself asks. ProblemError: 429 `too_many_waiting`; 503
        `took_too_long` or `stopping`.
        """
        return await self.result(self.begin(work, request), request)

    def begin(self, work: Callable[[], T], request: Request | None) -> Piece[T]:
        """Let a piece of work wait for its turn. ProblemError: as :meth:`run`."""
        piece = Piece(work, self._limit_s)
        asker = "" if request is None else caller.asker(request)
        with self._changed:
            if self._closed:
                raise _stopping()
            mine = self._waiting.setdefault(asker, deque())
            if len(mine) >= WAITING:
                detail = f"{len(mine)} questions of yours wait for an answer; ask again later"
                raise ProblemError(429, "too_many_waiting", detail, headers={"Retry-After": "5"})
            mine.append(piece)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="background", daemon=True)
                self._thread.start()
            self._changed.notify()
        return piece

    async def result(self, piece: Piece[T], request: Request | None) -> T:
        """The result of a piece of work. The last one who goes ends it. ProblemError: as `run`."""
        answer = asyncio.wrap_future(piece.future)
        gone = asyncio.ensure_future(_gone(request))
        either: set[asyncio.Future[Any]] = {answer, gone}
        piece.wanted += 1
        try:
            while not (answer.done() or gone.done()):
                await asyncio.wait(either, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                piece.end_if_late()
            if answer.done():
                return answer.result()
            raise _ended()
        finally:
            gone.cancel()
            answer.cancel()
            piece.wanted -= 1
            if not piece.wanted:
                self._withdraw(piece)

    def close(self) -> None:
        """End what runs and what waits, and take nothing more."""
        with self._changed:
            self._closed = True
            ended = [piece for mine in self._waiting.values() for piece in mine]
            self._waiting.clear()
        for piece in (*ended, self._running):
            if piece is not None:
                piece.settle(error=_stopping())

    def _withdraw(self, piece: Piece[Any]) -> None:
        piece.settle(error=_ended())
        with self._changed:
            for asker, mine in list(self._waiting.items()):
                if piece in mine:
                    mine.remove(piece)
                    if not mine:
                        del self._waiting[asker]

    def _work(self) -> None:
        while (piece := self._next()) is not None:
            piece.run()

    def _next(self) -> Piece[Any] | None:
        """The piece whose turn it is; None, and the thread ends, when nothing came for a while."""
        with self._changed:
            self._running = None
            if not self._changed.wait_for(lambda: self._waiting, _IDLE_S):
                self._thread = None
                return None
            asker = next(iter(self._waiting))
            mine = self._waiting.pop(asker)
            self._running = mine.popleft()
            if mine:
                self._waiting[asker] = mine  # behind all others
            return self._running


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
        if not piece.future.done():
            return False
        if piece.future.exception() is not None:
            return True
        return time.monotonic() - piece.ended_s > self._keep_s


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
