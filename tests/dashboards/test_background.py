"""Work in a thread: one at a time, shared, and not lost with the one who asked first."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.requests import Request

from dashboards.api.background import LIMIT_S, WAITING, Background, Shared
from dashboards.api.problems import ProblemError
from files.checkpoint import checkpoint
from tests.browser.console import ConsoleServer
from tests.dashboards.access.people import Clock, boss, new_access
from tests.dashboards.district import NINE_MS, District


class Work:
    """Counts how often it is done, and how often at once; waits for `go`."""

    def __init__(self) -> None:
        self.go, self.begun = threading.Event(), threading.Event()
        self.done = self.at_once = self._now = 0

    def __call__(self) -> int:
        self._now += 1
        self.at_once = max(self.at_once, self._now)
        self.begun.set()
        assert self.go.wait(10)
        self._now -= 1
        self.done += 1
        return self.done


def test_fifty_who_ask_at_once_cost_one() -> None:
    """They wait for the same work; who asks while it is fresh gets it at once."""
    work = Work()

    async def ask() -> list[int]:
        shared = Shared[int](Background(), keep_s=60, most=1)
        asking = [asyncio.create_task(shared.get("key", work)) for _ in range(50)]
        await asyncio.to_thread(work.begun.wait)
        work.go.set()
        answers = await asyncio.gather(*asking)
        return [*answers, await shared.get("key", work)]

    assert asyncio.run(ask()) == [1] * 51


def test_who_goes_does_not_take_the_answer_along() -> None:
    """The first one's connection ends; the second still gets what was begun."""
    work = Work()

    async def ask() -> int:
        shared = Shared[int](Background(), keep_s=60, most=1)
        first = asyncio.create_task(shared.get("key", work))
        await asyncio.to_thread(work.begun.wait)
        second = asyncio.create_task(shared.get("key", work))
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        work.go.set()
        return await second

    assert asyncio.run(ask()) == 1
    assert work.done == 1


def test_one_piece_of_work_runs_at_a_time() -> None:
    """Whatever is asked for."""
    work = Work()
    work.go.set()

    async def ask() -> list[int]:
        shared = Shared[int](Background(), keep_s=60, most=9)
        return await asyncio.gather(*(shared.get(key, work) for key in range(9)))

    assert sorted(asyncio.run(ask())) == list(range(1, 10))
    assert work.at_once == 1


def test_what_is_old_or_has_failed_is_done_again() -> None:
    """An error is told to those who waited, and remembered for nobody."""
    work = Work()
    work.go.set()

    def fail() -> int:
        raise OSError("disk")

    async def ask() -> list[int]:
        background = Background()
        shared = Shared[int](background, keep_s=60, most=2)
        with pytest.raises(OSError, match="disk"):
            await shared.get("key", fail)
        answers = [await shared.get("key", work) for _ in range(2)]
        old = Shared[int](background, keep_s=-1, most=2)
        return answers + [await old.get("key", work) for _ in range(2)]

    assert asyncio.run(ask()) == [1, 1, 2, 3]


def test_only_so_many_answers_are_kept() -> None:
    """The oldest goes."""
    work = Work()
    work.go.set()

    async def ask() -> list[int]:
        shared = Shared[int](Background(), keep_s=60, most=2)
        return [await shared.get(key, work) for key in ("a", "b", "c", "b", "a")]

    assert asyncio.run(ask()) == [1, 2, 3, 2, 4]


def asked_by(address: str, gone: asyncio.Event | None = None) -> Request:
    """A request from an address, whose client goes when `gone` is set."""

    async def receive() -> dict[str, object]:
        await (gone or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "client": (address, 1)}, receive)


class Endless:
    """Work without an end of its own, that can be ended between two pieces."""

    def __init__(self) -> None:
        self.begun, self.ended = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        try:
            while True:
                checkpoint()
                time.sleep(0.001)
        finally:
            self.ended.set()


async def reason_of(asking: object) -> tuple[int, str]:
    """The problem with which a question is answered."""
    with pytest.raises(ProblemError) as refused:
        await asking  # type: ignore[misc]
    return refused.value.answer.status_code, str(refused.value).partition(":")[0]


def test_work_that_takes_too_long_is_ended_and_the_next_is_done() -> None:
    """503 says what to narrow; also of work that looks at no clock, whose asker does."""
    work, deaf = Endless(), Work()

    async def ask() -> list[object]:
        background = Background(limit_s=0.2)
        first = await reason_of(background.run(work))
        found = [first, await background.run(lambda: 1), await reason_of(background.run(deaf))]
        deaf.go.set()
        return found

    assert asyncio.run(ask()) == [(503, "took_too_long"), 1, (503, "took_too_long")]
    assert work.ended.wait(10)


def test_the_last_who_goes_ends_the_work() -> None:
    """Not the first, while another still waits; and what has not begun is never done."""
    work, never = Endless(), Work()

    async def ask() -> None:
        background = Background()
        shared = Shared[None](background, keep_s=60, most=2)
        gone = [asyncio.Event() for _ in range(3)]
        asking = [
            asyncio.create_task(reason_of(shared.get("key", work, asked_by("a", gone[0])))),
            asyncio.create_task(reason_of(shared.get("key", work, asked_by("b", gone[1])))),
            asyncio.create_task(reason_of(background.run(never, asked_by("c", gone[2])))),
        ]
        await asyncio.to_thread(work.begun.wait)
        gone[2].set()
        gone[0].set()
        await asyncio.gather(asking[0], asking[2])
        assert not work.ended.is_set()
        gone[1].set()
        await asking[1]
        assert await background.run(lambda: 1) == 1

    asyncio.run(ask())
    assert work.ended.is_set()
    assert never.done == 0


def test_those_who_ask_take_turns() -> None:
    """One who asks much is told so, and holds another up by one piece at most."""
    first, order = Work(), list[str]()

    async def ask() -> None:
        background = Background()

        def put(who: str) -> asyncio.Task[object]:
            request = asked_by(who)
            return asyncio.create_task(background.run(lambda: order.append(who), request))

        running = asyncio.create_task(background.run(first, asked_by("much")))
        await asyncio.to_thread(first.begun.wait)
        asking = [put("much") for _ in range(WAITING)]
        await asyncio.sleep(0)
        refused = await reason_of(background.run(first, asked_by("much")))
        assert refused == (429, "too_many_waiting")
        asking.append(put("little"))
        await asyncio.sleep(0)
        first.go.set()
        await asyncio.gather(running, *asking)

    asyncio.run(ask())
    assert order.index("little") == 1
    assert len(order) == WAITING + 1


def test_a_stop_ends_what_runs_and_what_waits() -> None:
    """At once, and nothing more is taken."""
    work = Endless()

    async def ask() -> list[tuple[int, str]]:
        background = Background()
        asking = [asyncio.create_task(reason_of(background.run(work))) for _ in range(3)]
        await asyncio.to_thread(work.begun.wait)
        background.close()
        return [*await asyncio.gather(*asking), await reason_of(background.run(work))]

    assert asyncio.run(ask()) == [(503, "stopping")] * 4
    assert work.ended.wait(10)


def test_over_a_socket_a_closed_connection_or_a_stop_ends_the_work(
    district: District, tmp_path: Path
) -> None:
    """Through the server and the gate, as a browser's tab or a script goes away."""
    work = Endless()
    district.archive.last_believed = lambda *_: work()  # type: ignore[method-assign,assignment]
    access = new_access(tmp_path / "access.sqlite", Clock())
    _, token = access.add_token(boss(access), "script", "viewer")
    with ConsoleServer(district, access=access) as server:
        address = urlsplit(server.url)
        question = (
            f"GET /api/v1/tracks?from={NINE_MS - 60_000} HTTP/1.1\r\nHost: {address.netloc}\r\n"
            f"Authorization: Bearer {token}\r\n\r\n"
        ).encode()
        with socket.create_connection((address.hostname, address.port)) as asking:
            asking.sendall(question)
            assert work.begun.wait(10)
        assert work.ended.wait(LIMIT_S / 2)
        work.begun.clear()
        work.ended.clear()
        asking = socket.create_connection((address.hostname, address.port), 10)
        asking.sendall(question)
        assert work.begun.wait(10)
    assert work.ended.wait(10)
    with asking:
        assert asking.recv(100).startswith(b"HTTP/1.1 503 ")
