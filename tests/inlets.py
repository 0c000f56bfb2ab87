"""What tests of the inlets share: a sink that keeps, and waiting for what happens elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Literal

from ingest.errors import StoreUnavailable
from ingest.log import Messages
from ingest.mqtt.inlet import InletState, MqttInlet, MqttOptions, Sink, make_inlet
from patrol.clock import Clock
from tests.broker import Broker
from tests.patience import until_async as until

RETRY_S = 0.01
"""How long a :class:`MemoryInlet` waits for its sink to work again [s]."""

Protocol = Literal["5", "3.1.1"]


TOPIC = "patrol/v1/hello/bike-1/telemetry"


FILTERS = ("patrol/v1/+/+/telemetry", "patrol/v1/+/+/status")


class Kept:
    """A sink that keeps everything and lets a test wait for it."""

    def __init__(self) -> None:
        self.batches: list[Messages] = []
        self.payloads: list[bytes] = []

    async def __call__(self, messages: Messages) -> None:
        self.batches.append(messages)
        self.payloads += messages.payloads

    async def have(self, count: int) -> None:
        await until(lambda: len(self.payloads) >= count)


class MemoryInlet:
    """An :class:`ingest.mqtt.inlet.Inlet` whose broker is a queue."""

    def __init__(self, on_acknowledge: Callable[[Messages], None] = lambda batch: None) -> None:
        self.state = InletState("connected")
        self.received = 0
        self.acknowledged: list[Messages] = []
        self._on_acknowledge = on_acknowledge
        self._queue: asyncio.Queue[Messages | None] = asyncio.Queue()
        self._stopped = asyncio.Event()
        self._changed = asyncio.Event()

    def send(self, *batches: Messages) -> None:
        """Let the broker deliver."""
        for part in batches:
            self._queue.put_nowait(part)

    async def run(self, sink: Sink) -> None:
        """One batch at a time, acknowledged after it was kept, tried again when it was not."""
        try:
            while (part := await self._queue.get()) is not None:
                while True:
                    try:
                        await sink(part)
                    except StoreUnavailable as exc:
                        self.state = InletState("holding", str(exc))
                        self._changed.set()
                        await asyncio.sleep(RETRY_S)
                    else:
                        break
                self.state = InletState("connected")
                self.received += len(part.topics)
                self._on_acknowledge(part)
                self.acknowledged.append(part)
                self._changed.set()
        finally:
            self.state = InletState("stopped")
            self._stopped.set()

    async def stop(self) -> None:
        """Hand over what is there and make `run` return."""
        self._queue.put_nowait(None)
        await self._stopped.wait()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something about it holds."""
        while not holds():
            self._changed.clear()
            await self._changed.wait()

    async def all_acknowledged(self, count: int) -> None:
        """Wait until so many batches are."""
        await self.until(lambda: len(self.acknowledged) >= count)


async def until_phase(inlet: MqttInlet | MemoryInlet, phase: str) -> None:
    await until(lambda: inlet.state.phase == phase)


@contextlib.asynccontextmanager
async def running(options: MqttOptions, sink: Sink) -> AsyncIterator[MqttInlet]:
    """An inlet that runs; stopped at the end."""
    inlet = make_inlet(options, Clock().now_ms)
    task = asyncio.create_task(inlet.run(sink))
    try:
        yield inlet
        await inlet.stop()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def publish(broker: Broker, *payloads: bytes, topic: str = TOPIC, qos: int = 1) -> Awaitable[None]:
    return asyncio.to_thread(broker.publish, [(topic, payload) for payload in payloads], qos=qos)


def numbered(first: int, count: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, first + count)]


async def subscribe_once(options: MqttOptions) -> None:
    """Let the broker know the session."""
    async with running(options, Kept()) as inlet:
        await until_phase(inlet, "connected")
