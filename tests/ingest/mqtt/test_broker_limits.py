"""Brokers that grant less than is asked for: it works without, or is said in one clear line."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
from pathlib import Path

import mqtt5
import pytest
from structlog.testing import capture_logs

from ingest.errors import BrokerRefused, BrokerUnavailable
from ingest.mqtt.connection import MqttOptions
from ingest.mqtt.publisher import Publisher
from ingest.mqtt.wire import Wire
from tests.broker import Broker
from tests.ingest.mqtt.test_wire import feed
from tests.inlets import FILTERS, Kept, Protocol, publish, run, running, until_phase
from tests.patience import PATIENCE_S, until

MANY = tuple(f"fleet/{number}/+" for number in range(19))
OPTIONS = MqttOptions("broker", filters=FILTERS)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("retain_available false", "the broker keeps no retained messages: coverage and alerts"),
        ("max_qos 0", "the broker takes QoS 0 only"),
    ],
)
def test_what_a_broker_does_not_take_is_left_out(
    tmp_path: Path, protocol: Protocol, extra: str, said: str
) -> None:
    """MQTT 5 brokers say so; others close the connection, until it is tried without."""
    with Broker(tmp_path, extra=extra) as broker, capture_logs() as lines:
        publisher = Publisher(MqttOptions(broker.host, broker.port, protocol=protocol))
        publisher.start()
        promises = [publisher.publish("state", b"1", retain=True), publisher.publish("event", b"2")]
        assert [promise.result(PATIENCE_S) for promise in promises] == [True, True]
        until(lambda: publisher.state.connected)
        assert said in publisher.state.reason
        publisher.close(0.0)
        connections = broker.said().count("New client connected")
    assert connections == 1 or protocol == "3.1.1"
    warned = [line["limits"] for line in lines if line["log_level"] == "warning"]
    assert len(warned) == 1 or protocol == "3.1.1"
    assert said in warned[-1]


def test_a_broker_gets_no_more_than_it_can_take_at_once(tmp_path: Path) -> None:
    """Receive Maximum 1: the next message goes when the one before was acknowledged."""
    with Broker(tmp_path, max_inflight=1) as broker:
        publisher = Publisher(MqttOptions(broker.host, broker.port))
        publisher.start()
        promises = [publisher.publish("a", b"%d" % number) for number in range(200)]
        assert all(promise.result(PATIENCE_S) for promise in promises)
        publisher.close(0.0)
        assert broker.said().count("New client connected") == 1


def test_a_message_that_is_too_large_for_the_broker_is_counted_and_told(tmp_path: Path) -> None:
    with Broker(tmp_path, extra="max_packet_size 200") as broker, capture_logs() as lines:
        publisher = Publisher(MqttOptions(broker.host, broker.port))
        publisher.start()
        until(lambda: publisher.state.connected)
        assert publisher.publish("a", b"." * 300).result(PATIENCE_S) is False
        state = publisher.state
        assert publisher.publish("a", b"." * 30).result(PATIENCE_S) is True
        assert publisher.state.reason == ""
        publisher.close(0.0)
    assert (state.outcomes["refused"], state.outcomes["dropped"]) == (1, 0)
    assert "did not take a message to a: 317 bytes, more than 200" in state.reason
    assert [line["refused"] for line in lines if "refused" in line] == [1]


def test_a_message_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    """MQTT 5 brokers say which; the future is false, so that it is sent again by who needs it.

    For a while nothing more goes there: mosquitto 2.0.11 closes the connection over it.
    """
    rules = tmp_path / "acl"
    rules.write_text("topic write right\n")
    rules.chmod(0o600)
    with Broker(tmp_path / "broker", extra=f"acl_file {rules}") as broker:
        publisher = Publisher(MqttOptions(broker.host, broker.port))
        publisher.start()
        assert publisher.publish("wrong", b"1").result(PATIENCE_S) is False
        assert publisher.publish("right", b"1").result(PATIENCE_S) is True
        assert publisher.publish("wrong", b"1").result(PATIENCE_S) is False
        assert broker.said().count("Denied PUBLISH") == 1
        assert "did not take a message to wrong: not authorized" in publisher.state.reason
        publisher.close(0.0)


def test_more_filters_than_fit_in_one_question(broker: Broker, options: MqttOptions) -> None:
    async def test() -> None:
        kept = Kept()
        many = dataclasses.replace(options, filters=(*FILTERS, *MANY))
        async with running(many, kept) as inlet:
            await until_phase(inlet, "connected")
            for number in range(19):
                await publish(broker, b"1", topic=f"fleet/{number}/B1")
            await kept.have(19)
        assert inlet.state.reason == ""

    run(test())


def test_a_broker_that_delivers_at_qos_0_is_told_of(tmp_path: Path, protocol: Protocol) -> None:
    async def test() -> None:
        with Broker(tmp_path, extra="max_qos 0") as broker:
            kept = Kept()
            options = MqttOptions(broker.host, broker.port, protocol=protocol, filters=FILTERS)
            async with running(options, kept) as inlet:
                await until_phase(inlet, "connected")
                assert inlet.state.reason.startswith("the broker delivers at QoS 0: ")
                await publish(broker, b"1", qos=0)
                await kept.have(1)

    run(test())


def test_a_session_that_the_broker_has_forgotten_is_told_of(
    tmp_path: Path, protocol: Protocol
) -> None:
    async def test() -> None:
        with Broker(tmp_path, persistence=False) as broker:
            options = MqttOptions(broker.host, broker.port, protocol=protocol, filters=FILTERS)
            with capture_logs() as lines:
                async with running(options, Kept()) as inlet:
                    await until_phase(inlet, "connected")
                    broker.stop()
                    await until_phase(inlet, "waiting")
                    broker.start()
                    await until_phase(inlet, "connected")
        said = [line["event"] for line in lines if line["log_level"] == "warning"]
        assert said[-1] == "the broker has forgotten us: what it kept for us is lost"

    run(test())


def test_the_topics_of_a_shared_subscription_come_without_its_name(
    broker: Broker, options: MqttOptions
) -> None:
    async def test() -> None:
        kept = Kept()
        shared = dataclasses.replace(options, filters=("$share/stations/fleet/+",))
        async with running(shared, kept) as inlet:
            await until_phase(inlet, "connected")
            await publish(broker, b"1", topic="fleet/B1")
            await kept.have(1)
        assert kept.batches[0].topics == ["fleet/B1"]

    run(test())


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (0, "closed the connection before it answered; does it speak MQTT"),
        (1, f"closed the connection when asked for {', '.join(FILTERS)}; may we read all"),
    ],
)
def test_a_connection_that_is_closed_says_over_what(
    protocol: Protocol, answers: int, said: str
) -> None:
    """Cloud brokers close it without a word over what a policy does not allow."""
    connack = b"\x20\x03\x00\x00\x00" if protocol == "5" else b"\x20\x02\x00\x00"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(answers):
            await reader.read(4096)
            writer.write(connack)
        await reader.read(4096)
        writer.close()

    async def test() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        options = MqttOptions("127.0.0.1", port, protocol=protocol, filters=FILTERS)
        async with running(options, Kept()) as inlet:
            await until_phase(inlet, "waiting")
            assert said in inlet.state.reason
        server.close()

    run(test())


LESS = {
    "a session of an hour": (
        mqtt5.ConnAckPacket(session_expiry_interval=3600),
        ("$share/g/a", "a/+"),
        "the broker keeps messages for 3600 s only: what bikes send in a longer absence is lost",
    ),
    "another client id": (
        mqtt5.ConnAckPacket(assigned_client_id="auto-7"),
        ("a/+",),
        "the broker calls us 'auto-7', not 'zhixun': it keeps nothing while the station is away",
    ),
    "no wildcards": (
        mqtt5.ConnAckPacket(wildcard_subscription_available=False),
        ("a/+", "b/#", "fleet"),
        "the broker mqtt://broker:1883 takes no wildcards, so nothing comes on a/+, b/#",
    ),
    "no shared subscriptions": (
        mqtt5.ConnAckPacket(shared_subscription_available=False),
        ("$share/g/a", "a/+"),
        "the broker mqtt://broker:1883 takes no shared subscriptions, so nothing comes on "
        "$share/g/a",
    ),
    "nothing that matters": (
        mqtt5.ConnAckPacket(
            subscription_id_available=False,
            topic_alias_max=0,
            receive_max=1,
            max_packet_size=1000,
            session_expiry_interval=7 * 86_400,
        ),
        ("a/+",),
        "",
    ),
}


@pytest.mark.parametrize(("accepted", "filters", "said"), LESS.values(), ids=LESS)
def test_what_a_broker_grants_less_is_in_words(
    accepted: mqtt5.ConnAckPacket, filters: tuple[str, ...], said: str
) -> None:
    """The station subscribes to what is left, and says what it does without."""
    wire = Wire(dataclasses.replace(OPTIONS, filters=filters))
    asked, _ = mqtt5.read(memoryview(feed(wire, accepted.write())))
    assert isinstance(asked, mqtt5.SubscribePacket)
    left = [one.pattern for one in asked.topic_filters]
    lost = said.partition("comes on ")[2].split(", ")
    assert left == [pattern for pattern in filters if pattern not in lost]
    codes = [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE] * len(left)
    assert feed(wire, mqtt5.SubAckPacket(asked.packet_id, codes).write()) == b""
    assert wire.phase == "ready"
    assert "; ".join(wire.notes) == said


def test_a_broker_without_wildcards_is_of_no_use_for_the_topics_of_the_contract() -> None:
    canary = "patrol/v1/canary/zhixun"
    wire = Wire(dataclasses.replace(OPTIONS, filters=(*FILTERS, canary)))
    accepted = mqtt5.ConnAckPacket(wildcard_subscription_available=False)
    with pytest.raises(BrokerRefused, match=r"takes no wildcards, .* needs a broker that does"):
        feed(wire, accepted.write())


def _codes(of: object) -> list[object]:
    return [code for name, code in vars(of).items() if name.isupper() and int(code) >= 0x80]


@pytest.mark.parametrize("code", _codes(mqtt5.ConnAckReasonCode), ids=str)
def test_every_refusal_of_a_connection_is_in_words(code: mqtt5.ConnAckReasonCode) -> None:
    with pytest.raises(BrokerRefused) as caught:
        feed(
            Wire(OPTIONS),
            mqtt5.ConnAckPacket(
                reason_code=code, server_reference="other.example", reason_str="because"
            ).write(),
        )
    assert "refused the connection: " in str(caught.value)
    assert "(because, other.example)" in str(caught.value)
    assert "_" not in code.name or code.name not in str(caught.value).upper()


@pytest.mark.parametrize("code", _codes(mqtt5.DisconnectReasonCode), ids=str)
def test_every_goodbye_is_in_words(code: mqtt5.DisconnectReasonCode) -> None:
    wire = Wire(OPTIONS)
    feed(wire, mqtt5.ConnAckPacket().write())
    with pytest.raises(BrokerUnavailable, match=r"ended the connection: [a-z0-9 ]+") as caught:
        feed(wire, mqtt5.DisconnectPacket(reason_code=code).write())
    assert "unavailable" not in str(caught.value)


def test_a_broker_of_mqtt_3_1_1_only_is_named() -> None:
    with pytest.raises(BrokerRefused, match=r'set protocol in \[mqtt\] to "3\.1\.1"'):
        feed(Wire(OPTIONS), b"\x20\x02\x00\x01")


def certificate(folder: Path, name: str, *extra: str) -> tuple[str, str]:
    """Make a key and a certificate for 127.0.0.1; return their paths."""
    key, crt = folder / f"{name}.key", folder / f"{name}.crt"
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        f" -subj /CN={name} -addext subjectAltName=IP:127.0.0.1"
        f" -keyout {key} -out {crt}".split()
        + list(extra),
        check=True,
        capture_output=True,
    )
    return str(crt), str(key)


def test_a_broker_that_asks_for_a_certificate_gets_it(tmp_path: Path, protocol: Protocol) -> None:
    """Without one the reason says so; both connections, in and out, show it."""
    server, client = certificate(tmp_path, "server"), certificate(tmp_path, "station")
    extra = (
        f"certfile {server[0]}\nkeyfile {server[1]}\ncafile {client[0]}\n"
        "require_certificate true\nuse_identity_as_username true"
    )

    async def test() -> None:
        with Broker(tmp_path / "broker", extra=extra) as broker:
            options = MqttOptions(
                broker.host,
                broker.port,
                tls=True,
                protocol=protocol,
                filters=FILTERS,
                ca_file=server[0],
                certificate=client[0],
                key=client[1],
            )
            async with running(options, Kept()) as inlet:
                await until_phase(inlet, "connected")
            publisher = Publisher(options)
            publisher.start()
            assert publisher.publish("a", b"1").result(PATIENCE_S) is True
            publisher.close(0.0)
            for wrong, said in (
                ({"certificate": None, "key": None}, "certificate"),
                ({"key": server[1]}, "station.crt with its key"),
            ):
                async with running(dataclasses.replace(options, **wrong), Kept()) as inlet:
                    await until_phase(inlet, "waiting")
                    assert said in inlet.state.reason

    run(test())
