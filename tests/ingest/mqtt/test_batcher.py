"""Messages wait for others, but not for long, and not without limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from ingest.mqtt.batcher import BATCH_MESSAGES, LINGER_S, QUIET_S, WAITING_BATCHES, Batcher


class Line:
    """A connection that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def acknowledge(self, packet_ids: Sequence[int | None]) -> None: ...

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")

    async def ended(self) -> str:
        return ""

    async def close(self) -> None: ...


def put(batcher: Batcher, line: Line, count: int, size_bytes: int = 100) -> None:
    batcher.put(line, ["t"] * count, [b""] * count, [1] * count, size_bytes)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def test_a_full_batch_is_due_at_once() -> None:
    """It is returned without waiting at all."""

    async def test() -> None:
        batcher, line = Batcher(), Line()
        put(batcher, line, BATCH_MESSAGES)
        with pytest.raises(StopIteration) as returned:
            batcher.take().send(None)
        assert len(returned.value.value.topics) == BATCH_MESSAGES

    run(test)


def test_a_batch_is_due_when_nothing_has_come_for_a_moment() -> None:
    async def test() -> None:
        batcher, line = Batcher(), Line()
        put(batcher, line, 1)
        put(batcher, line, 2)
        batch = await batcher.take()
        assert batch is not None
        waited_s = asyncio.get_running_loop().time() - batch.last_at_s
        assert len(batch.topics) == 3
        assert waited_s >= QUIET_S

    run(test)


def test_a_steady_trickle_does_not_hold_a_batch_up() -> None:
    """Messages closer together than the quiet time: the linger time ends it."""

    async def test() -> None:
        batcher, line = Batcher(), Line()
        loop = asyncio.get_running_loop()

        over = False

        def trickle() -> None:
            put(batcher, line, 1)
            if not over:
                loop.call_later(QUIET_S / 4, trickle)

        loop.call_soon(trickle)
        batch = await asyncio.wait_for(batcher.take(), 10)
        over = True
        assert batch is not None
        assert loop.time() - batch.first_at_s >= QUIET_S

    run(test)


def test_few_wait_for_as_many_as_came_before() -> None:
    """Each fsync costs the same: they share it with those that come within the linger time."""

    async def test() -> None:
        batcher, line = Batcher(), Line()
        put(batcher, line, 20)
        assert await batcher.take() is not None
        put(batcher, line, 1)
        few = await batcher.take()
        assert few is not None
        assert asyncio.get_running_loop().time() >= few.first_at_s + LINGER_S

    run(test)


def test_messages_of_two_connections_are_never_in_one_batch() -> None:
    async def test() -> None:
        batcher, old, new = Batcher(), Line(), Line()
        put(batcher, old, 3)
        put(batcher, new, 2)
        first, second = await batcher.take(), await batcher.take()
        assert first is not None
        assert second is not None
        assert (first.origin, len(first.topics)) == (old, 3)
        assert (second.origin, len(second.topics)) == (new, 2)

    run(test)


def test_when_it_is_full_the_connection_pauses_until_a_batch_was_taken() -> None:
    async def test() -> None:
        batcher, line = Batcher(), Line()
        for _ in range(WAITING_BATCHES - 1):
            put(batcher, line, BATCH_MESSAGES)
        assert line.told == []
        put(batcher, line, BATCH_MESSAGES)
        assert batcher.full
        assert line.told == ["pause"]
        await batcher.take()
        assert not batcher.full
        assert line.told == ["pause", "resume"]
        await asyncio.wait_for(batcher.room(), 1)

    run(test)


def test_few_large_messages_fill_it_too() -> None:
    async def test() -> None:
        batcher, line = Batcher(), Line()
        put(batcher, line, 1, size_bytes=100 * 1024 * 1024)
        assert batcher.full
        batch = await batcher.take()
        assert batch is not None
        assert not batcher.full

    run(test)


def test_after_finish_the_rest_is_due_at_once_and_then_there_is_no_more() -> None:
    async def test() -> None:
        batcher, line = Batcher(), Line()
        put(batcher, line, 1)
        batcher.finish()
        put(batcher, line, 5)
        batch = await batcher.take()
        assert batch is not None
        assert len(batch.topics) == 1
        assert await batcher.take() is None

    run(test)


def test_finish_ends_a_take_that_waits() -> None:
    async def test() -> None:
        batcher = Batcher()
        taking = asyncio.ensure_future(batcher.take())
        await asyncio.sleep(0)
        batcher.finish()
        assert await taking is None

    run(test)
