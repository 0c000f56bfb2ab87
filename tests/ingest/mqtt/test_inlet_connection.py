"""How every inlet keeps its connection, and says what is wrong with it, against a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from files.secret import Secret
from ingest.log import Messages
from ingest.mqtt.inlet import MqttInlet, MqttOptions, make_inlet
from patrol.clock import Clock
from tests.broker import Broker
from tests.inlets import FILTERS, Kept, Protocol, publish, run, running, until, until_phase
from tests.servers import free_port


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
        inlet = make_inlet(options, Clock().now_ms)
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
                password=Secret("wrong-word"),
            )
            assert "wrong-word" not in repr(options)
            async with running(options, Kept()) as inlet:
                await until_phase(inlet, "waiting")
                assert "refused the connection: not authorized" in inlet.state.reason
                assert "'patrol'" in inlet.state.reason
                assert "wrong-word" not in inlet.state.reason
            right = dataclasses.replace(options, password=Secret("right-word"))
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


@asynccontextmanager
async def scripted(
    protocol: Protocol, granted: bytes, keep_alive_s: int = 30
) -> AsyncIterator[MqttOptions]:
    """A broker that accepts, grants a code to each of two filters, and says nothing any more."""
    connack, suback = {
        "5": (b"\x20\x03\x00\x00\x00", b"\x90\x05\x00\x01\x00" + granted),
        "3.1.1": (b"\x20\x02\x00\x00", b"\x90\x04\x00\x01" + granted),
    }[protocol]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            for answer in (connack, suback):
                await reader.read(4096)
                writer.write(answer)
            while await reader.read(4096):
                pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield MqttOptions(
        "127.0.0.1", port, protocol=protocol, filters=FILTERS, keep_alive_s=keep_alive_s
    )
    server.close()


def test_a_refused_subscription_is_named(protocol: Protocol) -> None:
    """The second filter is refused."""

    async def test() -> None:
        refused = b"\x01\x87" if protocol == "5" else b"\x01\x80"
        async with scripted(protocol, refused) as options, running(options, Kept()) as inlet:
            await until_phase(inlet, "waiting")
            assert "refused to subscribe us to patrol/v1/+/+/status (" in inlet.state.reason

    run(test())


def test_a_broker_that_does_not_answer_any_more_is_given_up(protocol: Protocol) -> None:
    """It accepts everything and then says nothing, not even to a ping."""

    async def test() -> None:
        silent = scripted(protocol, b"\x01\x01", keep_alive_s=1)
        async with silent as options, running(options, Kept()) as inlet:
            await until_phase(inlet, "connected")
            await until_phase(inlet, "waiting")
            assert "has not answered" in inlet.state.reason

    run(test())


def test_an_inlet_without_filters_is_refused(options: MqttOptions) -> None:
    with pytest.raises(ValueError, match="at least one vendor"):
        make_inlet(dataclasses.replace(options, filters=()), Clock().now_ms)


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
