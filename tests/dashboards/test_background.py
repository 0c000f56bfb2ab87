"""Work in a thread: one at a time, shared, and not lost with the one who asked first."""

from __future__ import annotations

import asyncio
import threading

import pytest

from dashboards.api.background import Background, Shared


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
