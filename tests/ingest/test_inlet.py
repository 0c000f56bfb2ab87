"""What every inlet does, whichever version of MQTT it speaks, against a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pytest
from structlog.testing import capture_logs

from ingest.errors import StoreUnavailable
from ingest.inlet import MqttInlet, MqttOptions, Sink, make_inlet
from ingest.messages import Messages
from tests.broker import Broker, free_port
from tests.patience import PATIENCE_S

Protocol = Literal["5", "3.1.1"]
TOPIC = "patrol/v1/hello/bike-1/telemetry"
FILTERS = ("patrol/v1/+/+/telemetry", "patrol/v1/+/+/status")


@pytest.fixture(params=["5", "3.1.1"])
def protocol(request: pytest.FixtureRequest) -> Protocol:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def options(broker: Broker, protocol: Protocol) -> MqttOptions:
    return MqttOptions(broker.host, broker.port, protocol=protocol, filters=FILTERS)


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


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something that happens elsewhere has happened."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.005)


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

        dying = make_inlet(options)
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


def test_it_goes_on_after_the_broker_was_restarted(broker: Broker, options: MqttOptions) -> None:
    """Messages that the broker had kept over the restart arrive, and new ones."""

    async def test() -> None:
        kept = Kept()
        async with running(options, kept) as inlet:
            await until_phase(inlet, "connected")
            await publish(broker, b"1")
            await kept.have(1)
            await asyncio.to_thread(broker.stop)
            await until_phase(inlet, "waiting")
            assert inlet.state.reason
            await asyncio.to_thread(broker.start)
            await publish(broker, b"2")
            await until_phase(inlet, "connected")
            await publish(broker, b"3")
            await kept.have(3)
        assert kept.payloads == [b"1", b"2", b"3"]

    run(test())


def test_it_goes_on_after_the_broker_crashed(broker: Broker, options: MqttOptions) -> None:
    """What the sink had not kept when the connection broke comes again: twice, never lost."""

    async def test() -> None:
        kept = Kept()
        release, at_work = asyncio.Event(), asyncio.Event()

        async def slow(messages: Messages) -> None:
            at_work.set()
            await release.wait()
            await kept(messages)

        async with running(options, slow) as inlet:
            await until_phase(inlet, "connected")
            await publish(broker, b"1", b"2")
            await at_work.wait()
            await asyncio.to_thread(broker.save)
            await asyncio.to_thread(broker.kill)
            await until_phase(inlet, "waiting")
            release.set()
            await kept.have(2)
            await asyncio.to_thread(broker.start)
            await until_phase(inlet, "connected")
            await publish(broker, b"3")
            await until(lambda: b"3" in kept.payloads)
        assert kept.payloads == [b"1", b"2", b"1", b"2", b"3"]

    run(test())


def test_a_broker_that_is_not_there_gives_one_line_and_is_found_when_it_comes(
    tmp_path: Path, protocol: Protocol
) -> None:
    async def test() -> None:
        broker = Broker(tmp_path, port=free_port())
        options = MqttOptions(broker.host, broker.port, protocol=protocol, filters=FILTERS)
        inlet = make_inlet(options)
        tries = 0
        connect = inlet._connect

        async def counted(*args: Any) -> Any:
            nonlocal tries
            tries += 1
            return await connect(*args)

        inlet = MqttInlet(options, counted, lambda: 0)
        kept = Kept()
        with capture_logs() as lines:
            task = asyncio.create_task(inlet.run(kept))
            await until(lambda: tries >= 3)
            assert inlet.state.phase == "waiting"
            assert inlet.state.reason == f"no broker listens at {broker.url}"
        assert [line["log_level"] for line in lines] == ["warning"]
        assert lines[0]["reason"] == inlet.state.reason
        try:
            await asyncio.to_thread(broker.start)
            await until_phase(inlet, "connected")
            assert inlet.state.reason == ""
            await publish(broker, b"1")
            await kept.have(1)
            await inlet.stop()
            await task
        finally:
            broker.kill()

    run(test())


def test_a_wrong_password_is_named_and_never_shown(tmp_path: Path, protocol: Protocol) -> None:
    async def test() -> None:
        with Broker(tmp_path, users={"patrol": "right-word"}) as broker:
            options = MqttOptions(
                broker.host,
                broker.port,
                protocol=protocol,
                filters=FILTERS,
                username="patrol",
                password="wrong-word",
            )
            assert "wrong-word" not in repr(options)
            async with running(options, Kept()) as inlet:
                await until_phase(inlet, "waiting")
                assert "refused the connection: not authorized" in inlet.state.reason
                assert "'patrol'" in inlet.state.reason
                assert "wrong-word" not in inlet.state.reason
            right = dataclasses.replace(options, password="right-word")
            async with running(right, Kept()) as inlet:
                await until_phase(inlet, "connected")

    run(test())


@pytest.mark.parametrize("name", ["broker.invalid", "broker..invalid"])
def test_a_name_that_cannot_be_resolved_is_named(protocol: Protocol, name: str) -> None:
    async def test() -> None:
        options = MqttOptions(name, protocol=protocol, filters=FILTERS)
        async with running(options, Kept()) as inlet:
            await until_phase(inlet, "waiting")
            assert f"mqtt://{name}:1883 cannot be resolved" in inlet.state.reason

    run(test())


def test_a_refused_subscription_is_named(protocol: Protocol) -> None:
    """The second filter is refused."""
    connack, suback = {
        "5": (b"\x20\x03\x00\x00\x00", b"\x90\x05\x00\x01\x00\x01\x87"),
        "3.1.1": (b"\x20\x02\x00\x00", b"\x90\x04\x00\x01\x01\x80"),
    }[protocol]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            for answer in (connack, suback):
                await reader.read(4096)
                writer.write(answer)
            await reader.read()
        writer.close()

    async def test() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        options = MqttOptions("127.0.0.1", port, protocol=protocol, filters=FILTERS)
        async with running(options, Kept()) as inlet:
            await until_phase(inlet, "waiting")
            assert "refused to subscribe us to patrol/v1/+/+/status (" in inlet.state.reason
        server.close()

    run(test())


def test_a_broker_that_does_not_answer_any_more_is_given_up(protocol: Protocol) -> None:
    """It accepts everything and then says nothing, not even to a ping."""
    connack, suback = {
        "5": (b"\x20\x03\x00\x00\x00", b"\x90\x05\x00\x01\x00\x01\x01"),
        "3.1.1": (b"\x20\x02\x00\x00", b"\x90\x04\x00\x01\x01\x01"),
    }[protocol]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            for answer in (connack, suback):
                await reader.read(4096)
                writer.write(answer)
            while await reader.read(4096):
                pass
        writer.close()

    async def test() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        options = MqttOptions("127.0.0.1", port, protocol=protocol, filters=FILTERS, keep_alive_s=1)
        async with running(options, Kept()) as inlet:
            await until_phase(inlet, "connected")
            await until_phase(inlet, "waiting")
            assert "has not answered" in inlet.state.reason
        server.close()

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

        inlet = make_inlet(options)
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
        inlet = make_inlet(to)
        task = asyncio.create_task(inlet.run(hang)) if situation != "never run" else None
        if situation == "no broker":
            await until_phase(inlet, "waiting")
        elif situation != "never run":
            await until_phase(inlet, "connected")
        if situation == "sink hangs":
            await publish(broker, b"1")
        began = time.monotonic()
        await inlet.stop()
        if task is not None:
            await task
        assert time.monotonic() - began < 2.0

    run(test())


def test_an_inlet_without_filters_is_refused(options: MqttOptions) -> None:
    with pytest.raises(ValueError, match="at least one vendor"):
        make_inlet(dataclasses.replace(options, filters=()))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key and a certificate for 127.0.0.1 that is its own authority."""
    folder = tmp_path_factory.mktemp("tls")
    key, crt = folder / "key.pem", folder / "crt.pem"
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        f" -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
        f" -keyout {key} -out {crt}".split(),
        check=True,
        capture_output=True,
    )
    return key, crt


def test_tls_checks_the_certificate(
    tmp_path: Path, protocol: Protocol, certificate: tuple[Path, Path]
) -> None:
    """With its authority it is accepted; else the reason says what is wrong."""
    key, crt = certificate

    async def test() -> None:
        extra = f"certfile {crt}\nkeyfile {key}"
        with Broker(tmp_path, extra=extra) as broker:
            options = MqttOptions(
                broker.host,
                broker.port,
                tls=True,
                protocol=protocol,
                filters=FILTERS,
                ca_file=str(crt),
            )
            async with running(options, Kept()) as inlet:
                await until_phase(inlet, "connected")
            for ca_file, reason in ((None, "is not accepted"), ("/none", "/none cannot be used")):
                wrong = dataclasses.replace(options, ca_file=ca_file)
                async with running(wrong, Kept()) as inlet:
                    await until_phase(inlet, "waiting")
                    assert reason in inlet.state.reason

    run(test())


def test_another_program_with_the_same_client_id_is_suspected(
    broker: Broker, options: MqttOptions
) -> None:
    """Two of them throw each other out for ever, and mosquitto does not say why."""

    async def test() -> None:
        async with running(options, Kept()) as first:
            await until_phase(first, "connected")
            async with running(options, Kept()):
                await until(lambda: "using the client id 'zhixun'" in first.state.reason)

    run(test())


def test_malformed_bytes_end_the_connection_with_a_reason() -> None:
    """The inlet connects again, and what came before the bad bytes is kept."""
    connections = 0
    message = b"\x30\x06\x00\x01a\x00hi"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with contextlib.suppress(ConnectionError):
            await reader.read(4096)
            writer.write(b"\x20\x03\x00\x00\x00")
            await reader.read(4096)
            writer.write(b"\x90\x05\x00\x01\x00\x01\x01" + message)
            if connections == 1:
                writer.write(b"\x00\x00")
            await reader.read()
        writer.close()

    async def test() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        kept = Kept()
        options = MqttOptions("127.0.0.1", port, filters=FILTERS)
        with capture_logs() as lines:
            async with running(options, kept):
                await kept.have(2)
        server.close()
        assert kept.payloads == [b"hi", b"hi"]
        reasons = [line["reason"] for line in lines if "reason" in line]
        assert len(reasons) == 1
        assert "sent what is not MQTT 5: Invalid PacketType" in reasons[0]

    run(test())
