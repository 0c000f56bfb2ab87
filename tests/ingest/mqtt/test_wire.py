"""The protocol of the inlet in both versions of MQTT, without sockets: bytes in, answers out."""

from __future__ import annotations

import contextlib
import dataclasses

import mqtt5
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from files.secret import Secret
from ingest.errors import BrokerRefused, BrokerUnavailable, MalformedPacket
from ingest.mqtt.connection import MAX_PACKET_BYTES, QOS_2, RECEIVE_MAX, MqttOptions
from ingest.mqtt.mqtt3 import NOT_UTF_8
from ingest.mqtt.wire import BUFFER_BYTES, Wire, acknowledgements
from tests import mqtt3_broker
from tests.inlets import Protocol

OPTIONS = MqttOptions("broker", filters=("a/+", "b/+"), username="me", password=Secret("secret"))
CONNACK = mqtt5.ConnAckPacket().write()
SUBACK = mqtt5.SubAckPacket(1, [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE] * 2).write()
ACCEPTED = {"5": CONNACK, "3.1.1": mqtt3_broker.CONNACK}
GRANTED = {"5": SUBACK, "3.1.1": mqtt3_broker.suback(1, 1)}
both_versions = pytest.mark.parametrize("protocol", ["5", "3.1.1"])


def message(number: int, qos: int = 1, size: int = 20, protocol: Protocol = "5") -> bytes:
    topic, payload = f"a/{number}", b"%d" % number + b"." * size
    retain, duplicate = number % 3 == 0, bool(qos and number % 2)
    if protocol == "3.1.1":
        return mqtt3_broker.publish(
            topic.encode(), payload, qos=qos, packet_id=number, retain=retain, duplicate=duplicate
        )
    return mqtt5.PublishPacket(
        topic,
        payload,
        qos=mqtt5.QoS(qos),
        packet_id=number if qos else None,
        retain=retain,
        duplicate=duplicate,
    ).write()


def feed(wire: Wire, data: bytes) -> bytes:
    """Put bytes where the wire wants them, and return its answers."""
    answers, rest = b"", memoryview(data)
    while rest:
        space = wire.free()
        count = min(len(space), len(rest))
        space[:count] = rest[:count]
        answers += wire.received(count)
        rest = rest[count:]
    return answers


def new(protocol: Protocol = "5") -> Wire:
    return Wire(dataclasses.replace(OPTIONS, protocol=protocol))


def ready(protocol: Protocol = "5") -> Wire:
    wire = new(protocol)
    feed(wire, ACCEPTED[protocol] + GRANTED[protocol])
    return wire


def test_it_connects_with_a_session_that_lasts() -> None:
    """The broker keeps messages while we are away, and may send many unacknowledged."""
    packet, _ = mqtt5.read(memoryview(new().hello()))
    assert isinstance(packet, mqtt5.ConnectPacket)
    assert (packet.client_id, packet.username, packet.password) == ("zhixun", "me", b"secret")
    assert not packet.clean_start
    assert packet.session_expiry_interval == 7 * 86_400
    assert packet.receive_max == RECEIVE_MAX
    assert packet.keep_alive == 30


@pytest.mark.parametrize(
    ("username", "password", "flags", "said"),
    [
        ("me", "secret", 0xC0, b"\0\2me\0\6secret"),
        ("me", None, 0x80, b"\0\2me"),
        (None, "secret", 0, b""),
        (None, None, 0, b""),
    ],
)
def test_it_connects_in_3_1_1_too(
    username: str | None, password: str | None, flags: int, said: bytes
) -> None:
    """Clean session is false. A password goes with a user name only, as the standard has it."""
    secret = None if password is None else Secret(password)
    options = MqttOptions(
        "broker", protocol="3.1.1", filters=("a",), username=username, password=secret
    )
    body = b"\0\4MQTT\4" + bytes([flags]) + b"\0\x1e\0\6zhixun" + said
    assert Wire(options).hello() == bytes([0x10, len(body)]) + body


def test_it_subscribes_at_qos_1_once_it_was_accepted() -> None:
    wire = new()
    answer, _ = mqtt5.read(memoryview(feed(wire, CONNACK)))
    assert isinstance(answer, mqtt5.SubscribePacket)
    assert [f.pattern for f in answer.topic_filters] == ["a/+", "b/+"]
    assert all(f.max_qos == 1 for f in answer.topic_filters)
    phases = [wire.phase]
    assert feed(wire, SUBACK) == b""
    assert [*phases, wire.phase] == ["subscribing", "ready"]


def test_it_subscribes_in_3_1_1_too() -> None:
    """What it does not want any more is taken back before; many filters are a long packet."""
    filters = (f"a/{'x' * 120}/+", "b/+")
    wire = Wire(MqttOptions("broker", protocol="3.1.1", filters=filters, gone=("c/+",)))
    unsubscribe = b"\xa2\7\xff\xff\0\3c/+"
    subscribe = b"\x82\x87\1\0\1\0\x7c" + filters[0].encode() + b"\1\0\3b/+\1"
    assert feed(wire, b"\x20\2\1\0") == unsubscribe + subscribe
    assert wire.session_present
    assert feed(wire, b"\xb0\2\xff\xff" + mqtt3_broker.suback(1, 1)) == b""
    assert wire.phase == "ready"


@both_versions
def test_messages_of_the_session_may_come_before_the_suback(protocol: Protocol) -> None:
    wire = new(protocol)
    feed(wire, ACCEPTED[protocol] + message(1, protocol=protocol))
    feed(wire, GRANTED[protocol] + message(2, protocol=protocol))
    assert wire.take()[2] == [1, 2]
    assert wire.take() == ([], [], [])


def test_the_brokers_keep_alive_is_obeyed() -> None:
    wire = new()
    feed(wire, mqtt5.ConnAckPacket(server_keep_alive=5).write())
    assert wire.keep_alive_s == 5


STREAM: dict[str, bytes] = {
    protocol: ACCEPTED[protocol]
    + message(1, protocol=protocol)
    + GRANTED[protocol]
    + message(2, qos=0, protocol=protocol)
    + mqtt3_broker.PINGRESP
    + message(3, size=300, protocol=protocol)
    + message(4, size=0, protocol=protocol)
    for protocol in ("5", "3.1.1")
}
EXPECTED = (
    ["a/1", "a/2", "a/3", "a/4"],
    [b"1" + b"." * 20, b"2" + b"." * 20, b"3" + b"." * 300, b"4"],
    [1, None, 3, 4],
)


@both_versions
def test_every_cut_in_two_gives_the_same_messages(protocol: Protocol) -> None:
    stream = STREAM[protocol]
    for cut in range(len(stream) + 1):
        wire = new(protocol)
        feed(wire, stream[:cut])
        feed(wire, stream[cut:])
        assert wire.take() == EXPECTED, cut


@both_versions
def test_byte_by_byte_gives_the_same_messages(protocol: Protocol) -> None:
    wire = new(protocol)
    for at in range(len(STREAM[protocol])):
        feed(wire, STREAM[protocol][at : at + 1])
    assert wire.take() == EXPECTED


MESSAGES = st.tuples(
    st.text("a/-9é车\U0001f6b2", min_size=1, max_size=40),
    st.binary(max_size=40) | st.sampled_from([b"x" * size for size in (120, 127, 300, 20_000)]),
    st.integers(0, 2),
    st.integers(1, 65_535),
    st.booleans(),
)


@given(st.lists(MESSAGES, max_size=8), st.lists(st.integers(0, 30_000), max_size=4))
def test_both_versions_read_the_same_of_the_same_messages_however_they_are_cut(
    sent: list[tuple[str, bytes, int, int, bool]], cuts: list[int]
) -> None:
    """One reads by its codec, the other by a loop of our own; both give what was sent."""
    streams = {"5": b"", "3.1.1": b""}
    for topic, payload, qos, number, retain in sent:
        packet_id = number if qos else None
        streams["5"] += mqtt5.PublishPacket(
            topic, payload, qos=mqtt5.QoS(qos), packet_id=packet_id, retain=retain
        ).write()
        streams["3.1.1"] += mqtt3_broker.publish(
            topic.encode(), payload, qos=qos, packet_id=number, retain=retain
        )
    ids = [number + (QOS_2 if qos == 2 else 0) if qos else None for _, _, qos, number, _ in sent]
    expected = [topic for topic, *_ in sent], [payload for _, payload, *_ in sent], ids
    for protocol, stream in streams.items():
        wire, at = ready(protocol), 0  # type: ignore[arg-type]
        for cut in [*sorted(cuts), len(stream)]:
            feed(wire, stream[at:cut])
            at = cut
        assert wire.take() == expected, protocol


PACKETS = {
    **{
        f"{name}, {protocol}": (protocol, packet)
        for protocol in ("5", "3.1.1")
        for name, packet in {
            "CONNACK": ACCEPTED[protocol],
            "SUBACK": GRANTED[protocol],
            "PINGRESP": mqtt3_broker.PINGRESP,
            "PUBREL": b"\x62\2\0\7",
            **{
                f"PUBLISH of {size} bytes at QoS {qos}": message(7, qos, size, protocol)
                for qos in (0, 1, 2)
                for size in (0, 300, 20_000)
            },
        }.items()
    },
    "UNSUBACK, 3.1.1": ("3.1.1", b"\xb0\2\xff\xff"),
    "UNSUBACK, 5": ("5", mqtt5.UnsubAckPacket(7, [mqtt5.UnsubAckReasonCode.SUCCESS]).write()),
    "CONNACK with all that it can say": (
        "5",
        mqtt5.ConnAckPacket(
            session_present=True,
            session_expiry_interval=60,
            assigned_client_id="x",
            server_keep_alive=5,
            reason_str="because",
            max_packet_size=300,
            user_properties=[("a", "b")],
        ).write(),
    ),
    "PUBLISH with all that it can say": (
        "5",
        mqtt5.PublishPacket(
            "a/1",
            b"1",
            qos=mqtt5.QoS(1),
            packet_id=7,
            content_type="x",
            subscription_ids=[1, 300],
            user_properties=[("a", "b")],
        ).write(),
    ),
}


@pytest.mark.parametrize(("protocol", "packet"), PACKETS.values(), ids=PACKETS)
def test_of_every_packet_no_beginning_says_anything(protocol: Protocol, packet: bytes) -> None:
    """Any of them waits for the rest, and then all is as if it had come at once."""

    def begun() -> Wire:
        if packet[0] == 0x20:
            return new(protocol)
        if packet[0] != 0x90:
            return ready(protocol)
        wire = new(protocol)
        feed(wire, ACCEPTED[protocol])
        return wire

    whole = begun()
    answers, taken = feed(whole, packet), whole.take()
    for cut in [*range(1, min(len(packet), 400)), len(packet) - 1]:
        wire = begun()
        phase = wire.phase
        assert (feed(wire, packet[:cut]), wire.phase, wire.take()) == (b"", phase, ([], [], []))
        assert (feed(wire, packet[cut:]), wire.phase, wire.take()) == (answers, whole.phase, taken)


@both_versions
def test_more_than_the_buffer_holds_passes_through_it(protocol: Protocol) -> None:
    """Packets straddle the end of the buffer; one is larger than all of it."""
    wire = ready(protocol)
    sizes = [100] * 3_000 + [3 * BUFFER_BYTES] + [100] * 3_000
    stream = b"".join(message(n, size=size, protocol=protocol) for n, size in enumerate(sizes, 1))
    for at in range(0, len(stream), 10_007):
        feed(wire, stream[at : at + 10_007])
    topics, payloads, packet_ids = wire.take()
    assert packet_ids == list(range(1, len(sizes) + 1))
    assert topics == [f"a/{number}" for number in packet_ids]
    assert [len(p) - len(str(n)) for n, p in enumerate(payloads, 1)] == sizes
    assert len(wire.free()) == BUFFER_BYTES


def test_a_message_of_any_size_is_taken_in_3_1_1() -> None:
    """Such a broker cannot be told a limit, and would send it for ever; the decoder refuses it."""
    wire = ready("3.1.1")
    feed(wire, message(1, size=MAX_PACKET_BYTES, protocol="3.1.1"))
    assert [len(payload) for payload in wire.take()[1]] == [MAX_PACKET_BYTES + 1]


def test_a_topic_that_is_not_utf_8_is_taken_in_3_1_1() -> None:
    wire = ready("3.1.1")
    feed(wire, mqtt3_broker.publish(b"a/\xff", b"1") + message(2, protocol="3.1.1"))
    assert wire.take() == ([NOT_UTF_8, "a/2"], [b"1", b"2" + b"." * 20], [1, 2])


NOT_AUTHORIZED = "not authorized; it was given the user name 'me'"
BAD_PASSWORD = "bad user name or password; it was"


@pytest.mark.parametrize(
    ("protocol", "packet", "said"),
    [
        ("5", b"\x20\3\0\x87\0", NOT_AUTHORIZED),
        ("5", b"\x20\3\0\x86\0", BAD_PASSWORD),
        ("5", b"\x20\3\0\x89\0", "server busy"),
        ("5", b"\x20\2\0\1", r'version; set protocol in \[mqtt\] to "3\.1\.1"'),
        ("3.1.1", b"\x20\2\0\1", r'version; set protocol in \[mqtt\] to "5"'),
        ("3.1.1", b"\x20\3\0\x84\0", r'version; set protocol in \[mqtt\] to "5"'),
        ("3.1.1", b"\x20\2\0\2", r"client id not valid; set another client_id in \[mqtt\]"),
        ("3.1.1", b"\x20\2\0\3", "server unavailable$"),
        ("3.1.1", b"\x20\2\0\4", BAD_PASSWORD),
        ("3.1.1", b"\x20\2\0\5", NOT_AUTHORIZED),
        ("3.1.1", b"\x20\2\0\x09", "unspecified error$"),
    ],
)
def test_a_refused_connection_says_why(protocol: Protocol, packet: bytes, said: str) -> None:
    with pytest.raises(BrokerRefused, match=said) as caught:
        feed(new(protocol), packet)
    assert "secret" not in str(caught.value)


def test_a_refused_subscription_says_which_and_why() -> None:
    wire = new()
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
    "endless length of another": b"\xd0\xff\xff\xff\xff\x01",
    "qos 3": b"\x36\x06\x00\x01a\x00\x01\x00",
    "topic longer than the packet": b"\x32\x05\x00\xffabc",
    "topic longer by what follows": b"\x30\x04\x00\x06ab\xd0\x00\xd0\x00",
    "message without a topic's length": b"\x30\x01\x00",
    "message without its packet id": b"\x32\x03\x00\x01a",
    "SUBACK with a code that is none": b"\x90\x04\x00\x01\x05\x01",
    "a packet that only clients send": mqtt5.PingReqPacket().write(),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the codec's
@both_versions
@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed_bytes_are_named_and_what_came_before_is_kept(
    protocol: Protocol, data: bytes
) -> None:
    wire = ready(protocol)
    with pytest.raises(MalformedPacket, match=f"sent what is not MQTT {protocol}: "):
        feed(wire, message(1, protocol=protocol) + data)
    assert wire.take()[2] == [1]


@both_versions
def test_an_answer_that_nobody_asked_for_is_malformed(protocol: Protocol) -> None:
    for answer in (ACCEPTED[protocol], GRANTED[protocol]):
        with pytest.raises(MalformedPacket, match="Packet while ready"):
            feed(ready(protocol), answer)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the codec's
@pytest.mark.parametrize("data", [b"\x30\x05\x00\x02\xff\xfe\x00", b"\x30\xff\xff\xff\x7f"])
def test_what_an_mqtt_5_broker_must_not_send_is_malformed(data: bytes) -> None:
    """A topic that is not UTF-8, and a packet over the limit that it was told."""
    with pytest.raises(MalformedPacket):
        feed(ready(), data)


@both_versions
def test_a_message_before_connack_is_malformed(protocol: Protocol) -> None:
    with pytest.raises(MalformedPacket, match="before CONNACK"):
        feed(new(protocol), message(1, protocol=protocol))


@both_versions
def test_a_suback_for_other_filters_is_malformed(protocol: Protocol) -> None:
    wire = new(protocol)
    feed(wire, ACCEPTED[protocol])
    packet = mqtt5.SubAckPacket(1, [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE])
    with pytest.raises(MalformedPacket, match="SUBACK for 1 of 2 filters"):
        feed(wire, packet.write() if protocol == "5" else mqtt3_broker.suback(1))


@both_versions
def test_another_protocol_is_malformed_or_waits_for_more(protocol: Protocol) -> None:
    """A web server on the port is not taken for a broker."""
    with pytest.raises(MalformedPacket):
        feed(new(protocol), b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n" * 5)


@both_versions
@given(data=st.binary(max_size=300))
@example(data=b"\x20\x00")
def test_no_bytes_cause_any_other_error(protocol: Protocol, data: bytes) -> None:
    """Whatever a broker sends, the wire digests it, waits for more or names it."""
    wire = ready(protocol)
    with contextlib.suppress(BrokerUnavailable):
        feed(wire, data)
    assert len(wire.topics) == len(wire.payloads) == len(wire.packet_ids)


@both_versions
def test_a_message_of_qos_2_is_taken_and_its_handshake_finished(protocol: Protocol) -> None:
    """Nothing subscribes to QoS 2, but a session of an older program may still hold one."""
    wire = ready(protocol)
    assert feed(wire, message(7, qos=2, protocol=protocol)) == b""
    assert wire.take()[2] == [7 + QOS_2]
    pubrec, _ = mqtt5.read(memoryview(acknowledgements([7 + QOS_2])))
    assert isinstance(pubrec, mqtt5.PubRecPacket)
    assert pubrec.packet_id == 7
    assert feed(wire, b"\x62\2\0\7") == b"\x70\2\0\7"  # PUBREL, PUBCOMP


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
