"""The protocol of the MQTT 5 inlet, without sockets: bytes in, messages and answers out."""

from __future__ import annotations

import contextlib

import mqtt5
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from files.secret import Secret
from ingest.errors import BrokerRefused, BrokerUnavailable, MalformedPacket
from ingest.mqtt.connection import MAX_PACKET_BYTES, QOS_2, RECEIVE_MAX, MqttOptions
from ingest.mqtt.wire import BUFFER_BYTES, Wire, acknowledgements

OPTIONS = MqttOptions("broker", filters=("a/+", "b/+"), username="me", password=Secret("secret"))
CONNACK = mqtt5.ConnAckPacket().write()
SUBACK = mqtt5.SubAckPacket(1, [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE] * 2).write()


def message(number: int, qos: int = 1, size: int = 20) -> bytes:
    return mqtt5.PublishPacket(
        f"a/{number}",
        b"%d" % number + b"." * size,
        qos=mqtt5.QoS(qos),
        packet_id=number if qos else None,
        retain=number % 3 == 0,
        duplicate=bool(qos and number % 2),
    ).write()


def feed(wire: Wire, data: bytes) -> bytes:
    """Put bytes where the wire wants them, and return its answers."""
    answers = b""
    while data:
        space = wire.free()
        count = min(len(space), len(data))
        space[:count] = data[:count]
        answers += wire.received(count)
        data = data[count:]
    return answers


def ready() -> Wire:
    wire = Wire(OPTIONS)
    feed(wire, CONNACK + SUBACK)
    return wire


def test_it_connects_with_a_session_that_lasts() -> None:
    """The broker keeps messages while we are away, and may send many unacknowledged."""
    packet, _ = mqtt5.read(memoryview(Wire(OPTIONS).hello()))
    assert isinstance(packet, mqtt5.ConnectPacket)
    assert (packet.client_id, packet.username, packet.password) == ("zhixun", "me", b"secret")
    assert not packet.clean_start
    assert packet.session_expiry_interval == 7 * 86_400
    assert packet.receive_max == RECEIVE_MAX
    assert packet.keep_alive == 30


def test_it_subscribes_at_qos_1_once_it_was_accepted() -> None:
    wire = Wire(OPTIONS)
    answer, _ = mqtt5.read(memoryview(feed(wire, CONNACK)))
    assert isinstance(answer, mqtt5.SubscribePacket)
    assert [f.pattern for f in answer.topic_filters] == ["a/+", "b/+"]
    assert all(f.max_qos == 1 for f in answer.topic_filters)
    phases = [wire.phase]
    assert feed(wire, SUBACK) == b""
    assert [*phases, wire.phase] == ["subscribing", "ready"]


def test_messages_of_the_session_may_come_before_the_suback() -> None:
    wire = Wire(OPTIONS)
    feed(wire, CONNACK + message(1) + SUBACK + message(2))
    assert wire.take()[2] == [1, 2]
    assert wire.take() == ([], [], [])


def test_the_brokers_keep_alive_is_obeyed() -> None:
    wire = Wire(OPTIONS)
    feed(wire, mqtt5.ConnAckPacket(server_keep_alive=5).write())
    assert wire.keep_alive_s == 5


STREAM = (
    CONNACK
    + message(1)
    + SUBACK
    + message(2, qos=0)
    + mqtt5.PingRespPacket().write()
    + message(3, size=300)
    + message(4, size=0)
)
EXPECTED = (
    ["a/1", "a/2", "a/3", "a/4"],
    [b"1" + b"." * 20, b"2" + b"." * 20, b"3" + b"." * 300, b"4"],
    [1, None, 3, 4],
)


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_every_cut_in_two_gives_the_same_messages(cut: int) -> None:
    wire = Wire(OPTIONS)
    feed(wire, STREAM[:cut])
    feed(wire, STREAM[cut:])
    assert wire.take() == EXPECTED


def test_byte_by_byte_gives_the_same_messages() -> None:
    wire = Wire(OPTIONS)
    for at in range(len(STREAM)):
        feed(wire, STREAM[at : at + 1])
    assert wire.take() == EXPECTED


@given(st.lists(st.integers(0, len(STREAM))))
def test_any_split_gives_the_same_messages(cuts: list[int]) -> None:
    wire = Wire(OPTIONS)
    at = 0
    for cut in [*sorted(cuts), len(STREAM)]:
        feed(wire, STREAM[at:cut])
        at = cut
    assert wire.take() == EXPECTED


def test_more_than_the_buffer_holds_passes_through_it() -> None:
    """Packets straddle the end of the buffer; one is larger than all of it."""
    wire = ready()
    sizes = [100] * 3_000 + [3 * BUFFER_BYTES] + [100] * 3_000
    stream = b"".join(message(n, size=size) for n, size in enumerate(sizes, 1))
    for at in range(0, len(stream), 10_007):
        feed(wire, stream[at : at + 10_007])
    topics, payloads, packet_ids = wire.take()
    assert packet_ids == list(range(1, len(sizes) + 1))
    assert topics == [f"a/{number}" for number in packet_ids]
    assert [len(p) - len(str(n)) for n, p in enumerate(payloads, 1)] == sizes


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (mqtt5.ConnAckReasonCode.NOT_AUTHORIZED, "not authorized; it was given the user name 'me'"),
        (mqtt5.ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD, "bad user name or password; it was"),
        (mqtt5.ConnAckReasonCode.SERVER_BUSY, "server busy"),
    ],
)
def test_a_refused_connection_says_why(code: mqtt5.ConnAckReasonCode, said: str) -> None:
    with pytest.raises(BrokerRefused, match=said) as caught:
        feed(Wire(OPTIONS), mqtt5.ConnAckPacket(reason_code=code).write())
    assert "secret" not in str(caught.value)


def test_a_refused_subscription_says_which_and_why() -> None:
    wire = Wire(OPTIONS)
    feed(wire, CONNACK)
    codes = [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE]
    codes.append(mqtt5.SubAckReasonCode.TOPIC_FILTER_INVALID)
    with pytest.raises(BrokerRefused, match=r"subscribe us to b/\+ \(topic filter invalid\)$"):
        feed(wire, mqtt5.SubAckPacket(1, codes).write())


def test_the_brokers_goodbye_says_why() -> None:
    packet = mqtt5.DisconnectPacket(
        reason_code=mqtt5.DisconnectReasonCode.SERVER_SHUTTING_DOWN, reason_str="maintenance"
    )
    with pytest.raises(BrokerUnavailable, match=r"server shutting down \(maintenance\)"):
        feed(ready(), packet.write())


MALFORMED = {
    "no such packet": b"\x00\x00",
    "endless length": b"\x30\xff\xff\xff\xff\x01",
    "qos 3": b"\x36\x06\x00\x01a\x00\x01\x00",
    "topic longer than the packet": b"\x32\x05\x00\xffabc",
    "topic that is not UTF-8": b"\x30\x05\x00\x02\xff\xfe\x00",
    "packet over the limit": b"\x30" + b"\xff\xff\xff\x7f",
    "CONNACK a second time": CONNACK,
    "SUBACK a second time": SUBACK,
    "a packet that only clients send": mqtt5.PingReqPacket().write(),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the codec's
@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed_bytes_are_named_and_what_came_before_is_kept(data: bytes) -> None:
    wire = ready()
    with pytest.raises(MalformedPacket, match="sent what is not MQTT 5: "):
        feed(wire, message(1) + data)
    assert wire.take()[2] == [1]


def test_a_message_before_connack_is_malformed() -> None:
    with pytest.raises(MalformedPacket, match="before CONNACK"):
        feed(Wire(OPTIONS), message(1))


def test_a_suback_for_other_filters_is_malformed() -> None:
    wire = Wire(OPTIONS)
    feed(wire, CONNACK)
    packet = mqtt5.SubAckPacket(1, [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE])
    with pytest.raises(MalformedPacket, match="SUBACK for 1 of 2 filters"):
        feed(wire, packet.write())


def test_another_protocol_is_malformed_or_waits_for_more() -> None:
    """A web server on the port is not taken for a broker."""
    with pytest.raises(MalformedPacket):
        feed(Wire(OPTIONS), b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n" * 5)


@given(st.binary(max_size=300))
@example(b"\x20\x00")
def test_no_bytes_cause_any_other_error(data: bytes) -> None:
    """Whatever a broker sends, the wire digests it, waits for more or names it."""
    wire = ready()
    with contextlib.suppress(BrokerUnavailable):
        feed(wire, data)
    assert len(wire.topics) == len(wire.payloads) == len(wire.packet_ids)


def test_a_message_of_qos_2_is_taken_and_its_handshake_finished() -> None:
    """Nothing subscribes to QoS 2, but a session of an older program may still hold one."""
    wire = ready()
    assert feed(wire, message(7, qos=2)) == b""
    assert wire.take()[2] == [7 + QOS_2]
    pubrec, _ = mqtt5.read(memoryview(acknowledgements([7 + QOS_2])))
    assert isinstance(pubrec, mqtt5.PubRecPacket)
    assert pubrec.packet_id == 7
    pubcomp, _ = mqtt5.read(memoryview(feed(wire, mqtt5.PubRelPacket(7).write())))
    assert isinstance(pubcomp, mqtt5.PubCompPacket)
    assert pubcomp.packet_id == 7


@given(st.lists(st.none() | st.integers(1, 65_535) | st.integers(1 + QOS_2, 65_535 + QOS_2)))
@example([])
@example([None])
def test_acknowledgements_are_those_of_the_codec(packet_ids: list[int | None]) -> None:
    expected = b""
    for packet_id in packet_ids:
        if packet_id is not None and packet_id < QOS_2:
            expected += mqtt5.PubAckPacket(packet_id).write()
        elif packet_id is not None:
            expected += mqtt5.PubRecPacket(packet_id - QOS_2).write()
    assert acknowledgements(packet_ids) == expected


def test_the_limit_leaves_room_for_what_the_decoder_is_to_reject() -> None:
    """Payloads over 256 KiB are handed on, so that their sender hears about it."""
    assert MAX_PACKET_BYTES > 4 * 256 * 1024
