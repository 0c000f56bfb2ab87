"""What every inlet does with its sink: those of both versions of MQTT, and that of tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ingest.errors import StoreUnavailable
from ingest.log import Messages
from ingest.mqtt.inlet import MqttInlet, MqttOptions, make_inlet
from patrol.clock import Clock
from tests.broker import Broker
from tests.inlets import FILTERS, TOPIC, Kept, MemoryInlet, publish, until, until_phase


class Line(NamedTuple):
    """An inlet, and the way to send it a message."""

    inlet: MqttInlet | MemoryInlet
    send: Callable[[bytes], Awaitable[None]]


@pytest.fixture(params=["memory", "5", "3.1.1"])
def line(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Line]]:
    """Makes the line, inside the event loop of the test."""
    if request.param == "memory":

        def from_memory() -> Line:
            inlet = MemoryInlet()

            async def send(payload: bytes) -> None:
                inlet.send(Messages(0, [TOPIC], [payload]))

            return Line(inlet, send)

        yield from_memory
        return
    with Broker(tmp_path) as broker:
        options = MqttOptions(broker.host, broker.port, protocol=request.param, filters=FILTERS)
        yield lambda: Line(
            make_inlet(options, Clock().now_ms), lambda payload: publish(broker, payload)
        )


def test_messages_are_counted_once_kept(line: Callable[[], Line]) -> None:
    """In order; a stop hands over what is there, and the inlet says that it has stopped."""

    async def test() -> None:
        inlet, send = line()
        kept = Kept()
        running = asyncio.create_task(inlet.run(kept))
        await until_phase(inlet, "connected")
        for number in range(3):
            await send(b"%d" % number)
        await until(lambda: inlet.received == 3)
        await inlet.stop()
        await running
        assert kept.payloads == [b"0", b"1", b"2"]
        assert inlet.state.phase == "stopped"

    asyncio.run(test())


def test_a_sink_that_cannot_keep_is_asked_again(line: Callable[[], Line]) -> None:
    """Meanwhile the inlet holds and says why; the batch is kept once when it can be."""

    async def test() -> None:
        inlet, send = line()
        kept, room = Kept(), asyncio.Event()

        async def full(messages: Messages) -> None:
            if not room.is_set():
                raise StoreUnavailable("the disk is full")
            await kept(messages)

        running = asyncio.create_task(inlet.run(full))
        await until_phase(inlet, "connected")
        await send(b"1")
        await until_phase(inlet, "holding")
        assert inlet.state.reason == "the disk is full"
        assert inlet.received == 0
        room.set()
        await until_phase(inlet, "connected")
        await inlet.stop()
        await running
        assert kept.payloads == [b"1"]

    asyncio.run(test())


def test_any_other_error_of_the_sink_ends_the_inlet(line: Callable[[], Line]) -> None:
    """It is raised to whoever runs the inlet."""

    async def test() -> None:
        inlet, send = line()

        async def broken(_: Messages) -> None:
            raise RuntimeError("our own mistake")

        running = asyncio.create_task(inlet.run(broken))
        await until_phase(inlet, "connected")
        await send(b"1")
        with pytest.raises(RuntimeError, match="our own mistake"):
            await running
        assert inlet.state.phase == "stopped"

    asyncio.run(test())
