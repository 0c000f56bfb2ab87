"""Batches of received messages, so that many share one fsync, and where they come from."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

BATCH_MESSAGES = 5_000
BATCH_BYTES = 16 * 1024 * 1024
LINGER_S = 0.020
"""Longest wait of a message for others [s]."""
QUIET_S = 0.002
"""Longest wait when no other comes and as many are there as before [s]: a broker sends so many, and
the next only after our answer."""
WAITING_BATCHES = 4
"""Full batches that may wait before the inlet pauses the broker."""


class Origin(Protocol):
    """What a batcher and the owner of a batch ask of the connection that messages came on."""

    async def acknowledge(self, packet_ids: Sequence[int | None]) -> None:
        """Tell the broker that these messages are kept."""

    def pause(self) -> None:
        """Take no more messages."""

    def resume(self) -> None:
        """Take messages again."""


@dataclass(slots=True)
class Batch:
    """Messages of one connection that belong together."""

    # The connection they came on, the only one on which they can be acknowledged.
    origin: Origin
    # In order of arrival; the packet id is None at QoS 0.
    topics: list[str]
    payloads: list[bytes]
    packet_ids: list[int | None]
    size_bytes: int
    # When the first and the last arrived, by the event loop's clock [s].
    first_at_s: float
    last_at_s: float

    @property
    def complete(self) -> bool:
        """Whether it waits for no more messages."""
        return len(self.topics) >= BATCH_MESSAGES or self.size_bytes >= BATCH_BYTES


class Batcher:
    """A connection puts messages in; the inlet takes batches out.

    A batch is due at 5,000 messages or 16 MiB, 20 ms after its first message, or when nothing has
    arrived for 2 ms and it has as many as the batch before; each fsync costs the same, whatever it
    keeps. When four full batches wait, the connection is paused until one is taken. Both sides run
    in one event loop.
    """

    def __init__(self) -> None:
        self._batches: deque[Batch] = deque()  # only the last may still grow
        self._messages = 0
        self._size_bytes = 0
        self._enough = 1  # messages that came at once lately; less when fewer come
        self._finished = False
        self._waiter: asyncio.Future[None] | None = None
        self._paused: Origin | None = None
        self._room = asyncio.Event()
        self._room.set()

    @property
    def full(self) -> bool:
        """Whether no more should be put before something was taken."""
        return (
            self._messages >= WAITING_BATCHES * BATCH_MESSAGES
            or self._size_bytes >= WAITING_BATCHES * BATCH_BYTES
        )

    def put(
        self,
        origin: Origin,
        topics: list[str],
        payloads: list[bytes],
        packet_ids: Sequence[int | None],
        size_bytes: int,
    ) -> None:
        """Add messages that have just arrived."""
        if self._finished or not topics:
            return
        now_s = asyncio.get_running_loop().time()
        self._messages += len(topics)
        self._size_bytes += size_bytes
        last = self._batches[-1] if self._batches else None
        if last is None or last.complete or last.origin is not origin:
            last = Batch(origin, topics, payloads, list(packet_ids), size_bytes, now_s, now_s)
            self._batches.append(last)
            self._wake()
        else:
            last.topics += topics
            last.payloads += payloads
            last.packet_ids += packet_ids
            last.size_bytes += size_bytes
            last.last_at_s = now_s
            if last.complete:
                self._wake()
        if self.full:
            self._room.clear()
            self._paused = origin
            origin.pause()

    async def room(self) -> None:
        """Wait until it is not full."""
        await self._room.wait()

    async def take(self) -> Batch | None:
        """Wait for a batch that is due; None when `finish` was called and nothing is left."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = None
            if self._batches:
                batch = self._batches[0]
                due_s = batch.first_at_s + LINGER_S
                if len(batch.topics) >= self._enough:
                    due_s = min(due_s, batch.last_at_s + QUIET_S)
                if (
                    self._finished
                    or batch.complete
                    or len(self._batches) > 1
                    or due_s <= loop.time()
                ):
                    self._taken(batch)
                    return batch
            elif self._finished:
                return None
            self._waiter = loop.create_future()
            timer = loop.call_at(due_s, self._wake) if due_s is not None else None
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()

    def _taken(self, batch: Batch) -> None:
        self._batches.popleft()
        self._messages -= len(batch.topics)
        self._size_bytes -= batch.size_bytes
        self._enough = max(len(batch.topics), self._enough // 2)
        if not self.full:
            self._room.set()
            if self._paused is not None and not self._finished:
                self._paused.resume()
            self._paused = None

    def finish(self) -> None:
        """Take no more in; what is there is due at once."""
        self._finished = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
