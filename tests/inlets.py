"""What tests of the inlets share: a sink that keeps, and waiting for what happens elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Coroutine
from typing import Any, Literal

from ingest.log import Messages
from ingest.mqtt.inlet import MqttInlet, MqttOptions, Sink, make_inlet
from tests.broker import Broker
from tests.patience import until_async as until

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


async def until_phase(inlet: MqttInlet, phase: str) -> None:
    await until(lambda: inlet.state.phase == phase)


@contextlib.asynccontextmanager
async def running(options: MqttOptions, sink: Sink) -> AsyncIterator[MqttInlet]:
    """An inlet that runs; stopped at the end."""
    inlet = make_inlet(options)
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
