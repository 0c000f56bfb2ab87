"""What every inlet does with messages, in both versions of MQTT, against a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import subprocess
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ingest.errors import StoreUnavailable
from ingest.log import Messages
from ingest.mqtt.inlet import MqttOptions, make_inlet
from patrol.clock import Clock
from tests.broker import Broker
from tests.commands import Watch
from tests.inlets import (
    FILTERS,
    TOPIC,
    Kept,
    Protocol,
    numbered,
    publish,
    run,
    running,
    subscribe_once,
    until,
    until_phase,
)
from tests.patience import PATIENCE_S
from tests.servers import free_port


def test_a_message_arrives_as_it_was_sent(broker: Broker, options: MqttOptions) -> None:
    """Topic and payload are untouched; the batch carries the time of the inlet's clock."""

    async def test() -> None:
        kept = Kept()
        inlet = make_inlet(options, now_ms=lambda: 1_234)
        task = asyncio.create_task(inlet.run(kept))
        await until_phase(inlet, "connected")
        await publish(broker, b"\x00\xff{}", b"")
        await kept.have(2)
        await inlet.stop()
        await task
        assert kept.payloads == [b"\x00\xff{}", b""]
        assert kept.batches[0].topics[0] == TOPIC
        assert kept.batches[0].received_at_ms == 1_234
        assert inlet.received == 2
        assert inlet.state.phase == "stopped"

    run(test())


def test_messages_of_qos_0_are_taken_too(broker: Broker, options: MqttOptions) -> None:
    async def test() -> None:
        kept = Kept()
        async with running(options, kept) as inlet:
            await until_phase(inlet, "connected")
            await publish(broker, b"0", qos=0)
            await publish(broker, b"1", qos=1)
            await kept.have(2)

    run(test())


def test_what_the_sink_has_not_kept_is_not_acknowledged(
    broker: Broker, options: MqttOptions
) -> None:
    """The inlet dies while the sink is at work: the broker sends the messages again."""

    async def test() -> None:
        at_work = asyncio.Event()

        async def never(messages: Messages) -> None:
            at_work.set()
            await asyncio.Event().wait()

        dying = make_inlet(options, Clock().now_ms)
        task = asyncio.create_task(dying.run(never))
        await until_phase(dying, "connected")
        await publish(broker, b"1", b"2")
        await asyncio.wait_for(at_work.wait(), PATIENCE_S)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

        kept = Kept()
        async with running(options, kept):
            await kept.have(2)
        assert kept.payloads == [b"1", b"2"]

    run(test())


def test_what_the_sink_has_kept_is_acknowledged(broker: Broker, options: MqttOptions) -> None:
    """After a stop the broker has nothing left to send again."""

    async def test() -> None:
        first, second = Kept(), Kept()
        async with running(options, first) as inlet:
            await until_phase(inlet, "connected")
            await publish(broker, *numbered(0, 500))
            await first.have(500)
            # Counted once the sink has returned; the acknowledgement follows at once.
            await until(lambda: inlet.received == 500)
        async with running(options, second) as inlet:
            await until_phase(inlet, "connected")
            await publish(broker, b"new")
            await second.have(1)
        assert second.payloads == [b"new"]

    run(test())


def test_threads_that_others_keep_busy_hold_nothing_up(
    broker: Broker, options: MqttOptions
) -> None:
    """A service that does not take our notifications occupies all threads of the event loop."""

    async def test() -> None:
        loop, free = asyncio.get_running_loop(), threading.Event()
        loop.set_default_executor(ThreadPoolExecutor(1))
        busy = loop.run_in_executor(None, free.wait)
        kept = Kept()
        named = dataclasses.replace(options, host="localhost")
        try:
            with ThreadPoolExecutor(1) as ours:
                async with running(named, kept) as inlet:
                    await until_phase(inlet, "connected")
                    for first in (0, 500):
                        messages = [(TOPIC, payload) for payload in numbered(first, 500)]
                        await loop.run_in_executor(ours, broker.publish, messages)
                        await kept.have(first + 500)
                        await until(lambda first=first: inlet.received == first + 500)
        finally:
            free.set()
            await busy
        assert kept.payloads == numbered(0, 1000)

    run(test())


def test_messages_sent_while_the_inlet_is_down_arrive_when_it_is_back(
    broker: Broker, options: MqttOptions
) -> None:
    """Also more of them than the inlet holds at once before it is even subscribed."""

    async def test() -> None:
        await subscribe_once(options)
        await publish(broker, *numbered(0, 30_000))
        kept = Kept()
        async with running(options, kept):
            await kept.have(30_000)
        assert kept.payloads == numbered(0, 30_000)

    run(test())


def test_a_burst_arrives_complete_and_in_order_per_topic(
    broker: Broker, options: MqttOptions
) -> None:
    """20,000 messages of 50 bikes, acknowledged in batches."""

    async def test() -> None:
        kept = Kept()
        messages = [
            (f"patrol/v1/hello/bike-{number % 50}/telemetry", b"%d" % number)
            for number in range(20_000)
        ]
        async with running(options, kept) as inlet:
            await until_phase(inlet, "connected")
            await asyncio.to_thread(broker.publish, messages)
            await kept.have(20_000)
        by_topic: defaultdict[str, list[int]] = defaultdict(list)
        for batch in kept.batches:
            for topic, payload in zip(batch.topics, batch.payloads, strict=True):
                by_topic[topic].append(int(payload))
        assert len(by_topic) == 50
        assert all(seen == sorted(seen) for seen in by_topic.values())
        assert sum(map(len, by_topic.values())) == 20_000
        assert len(kept.batches) < 2_000

    run(test())


def test_a_broker_that_sends_few_at_a_time_is_answered_soon(
    tmp_path: Path, protocol: Protocol
) -> None:
    """With 20 messages in flight, 1,000 need 50 rounds; none waits for the 20 ms to pass."""

    async def test() -> None:
        with Broker(tmp_path, max_inflight=20) as broker:
            options = MqttOptions(broker.host, broker.port, protocol=protocol, filters=FILTERS)
            await subscribe_once(options)
            await publish(broker, *numbered(0, 1_000))
            kept = Kept()
            async with running(options, kept):
                await kept.have(1_000)
            assert kept.payloads == numbered(0, 1_000)

    run(test())


def test_what_an_older_program_wanted_at_qos_2_is_taken_and_acknowledged(
    broker: Broker, options: MqttOptions
) -> None:
    """Its session holds them; the broker waits for another answer, and sends none of them again."""
    at = ["-h", broker.host, "-p", str(broker.port), "-q", "2", "-t"]

    async def test() -> None:
        subscribe = ["mosquitto_sub", "-i", options.client_id, "-c", "-E", *at, FILTERS[0]]
        await asyncio.to_thread(subprocess.run, subscribe, check=True)
        for word in ("1", "2"):
            sent = ["mosquitto_pub", "-m", word, *at, TOPIC]
            await asyncio.to_thread(subprocess.run, sent, check=True)
        first, second = Kept(), Kept()
        async with running(options, first):
            await first.have(2)
        assert first.payloads == [b"1", b"2"]
        async with running(options, second) as inlet:
            await until_phase(inlet, "connected")
            await publish(broker, b"new")
            await second.have(1)
        assert second.payloads == [b"new"]

    run(test())


def test_a_large_payload_is_handed_on(broker: Broker, options: MqttOptions) -> None:
    """300 KiB is too much for telemetry, but it is for the decoder to say so."""

    async def test() -> None:
        kept = Kept()
        large = bytes(range(256)) * 1_200
        async with running(options, kept) as inlet:
            await until_phase(inlet, "connected")
            await publish(broker, b"before", large, b"after")
            await kept.have(3)
        assert kept.payloads == [b"before", large, b"after"]

    run(test())


def test_while_the_store_is_unavailable_nothing_is_lost(
    broker: Broker, options: MqttOptions
) -> None:
    """The batch is kept and tried again; the state says why nothing moves."""

    async def test() -> None:
        kept = Kept()
        failures = 3
        phases: list[str] = []

        async def sink(messages: Messages) -> None:
            nonlocal failures
            if failures:
                failures -= 1
                phases.append(inlet.state.phase)
                raise StoreUnavailable("the disk is full")
            assert inlet.state.phase == "holding"
            assert inlet.state.reason == "the disk is full"
            await kept(messages)

        with capture_logs() as lines:
            async with running(options, sink) as inlet:
                await until_phase(inlet, "connected")
                await publish(broker, b"1")
                await kept.have(1)
                await until_phase(inlet, "connected")
        assert kept.payloads == [b"1"]
        assert phases == ["connected", "holding", "holding"]
        assert [line["event"] for line in lines if line["log_level"] == "error"] == [
            "nothing can be kept, so nothing is acknowledged"
        ]

    run(test())


def test_stopping_while_the_store_is_unavailable_leaves_the_messages_with_the_broker(
    broker: Broker, options: MqttOptions
) -> None:
    async def test() -> None:
        async def full(messages: Messages) -> None:
            raise StoreUnavailable("the disk is full")

        async with running(options, full) as inlet:
            await until_phase(inlet, "connected")
            await publish(broker, b"1")
            await until_phase(inlet, "holding")
        kept = Kept()
        async with running(options, kept):
            await kept.have(1)
        assert kept.payloads == [b"1"]

    run(test())


def test_any_other_error_of_the_sink_ends_run(broker: Broker, options: MqttOptions) -> None:
    async def test() -> None:
        async def broken(messages: Messages) -> None:
            raise ZeroDivisionError

        inlet = make_inlet(options, Clock().now_ms)
        task = asyncio.create_task(inlet.run(broken))
        await until_phase(inlet, "connected")
        await publish(broker, b"1")
        with pytest.raises(ZeroDivisionError):
            await task
        assert inlet.state.phase == "stopped"

    run(test())


def test_the_sink_is_called_with_one_batch_at_a_time(broker: Broker, options: MqttOptions) -> None:
    """What arrives while the sink is at work waits and comes as one batch."""

    async def test() -> None:
        kept = Kept()
        at_work = 0
        first = asyncio.Event()

        async def sink(messages: Messages) -> None:
            nonlocal at_work
            at_work += 1
            assert at_work == 1
            await first.wait()
            await kept(messages)
            at_work -= 1

        async with running(options, sink) as inlet:
            await until_phase(inlet, "connected")
            await publish(broker, b"0")
            await until(lambda: at_work == 1)
            await publish(broker, *numbered(1, 2_000))
            first.set()
            await kept.have(2_001)
        assert kept.payloads == numbered(0, 2_001)
        assert len(kept.batches[1].topics) > 100

    run(test())


@pytest.mark.parametrize("situation", ["idle", "no broker", "sink hangs", "never run"])
def test_stop_takes_under_two_seconds(broker: Broker, options: MqttOptions, situation: str) -> None:
    async def test() -> None:
        async def hang(messages: Messages) -> None:
            await asyncio.Event().wait()

        to = dataclasses.replace(options, port=free_port()) if situation == "no broker" else options
        inlet = make_inlet(to, Clock().now_ms)
        task = asyncio.create_task(inlet.run(hang)) if situation != "never run" else None
        if situation == "no broker":
            await until_phase(inlet, "waiting")
        elif situation != "never run":
            await until_phase(inlet, "connected")
        if situation == "sink hangs":
            await publish(broker, b"1")
        watch = Watch()
        await inlet.stop()
        if task is not None:
            await task
        assert watch.took_s() < 2.0

    run(test())
