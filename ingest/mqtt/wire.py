"""One connection of a subscriber as a protocol, in either version of MQTT, without I/O.

Bytes go in, messages and the bytes to send back come out:

    phase        on                    to           sends
    connecting   CONNACK, accepted     subscribing  SUBSCRIBE, the first filters
    connecting   CONNACK, refused      (BrokerRefused)
    subscribing  SUBACK, all granted   same         SUBSCRIBE, the next
    subscribing  SUBACK, no more       ready
    subscribing  SUBACK, one refused   (BrokerRefused)
    any          PUBLISH               same         (the caller acknowledges)
    any          PUBREL                same         PUBCOMP
    any          DISCONNECT            (BrokerUnavailable)
    any          bytes that are wrong  (MalformedPacket)

Messages can come before the SUBACK: those the broker kept in the session while we were away.
"""

from __future__ import annotations

from collections.abc import Sequence

import mqtt5
import numpy as np

from bikes.topics import CANARIES, SHARED
from ingest.errors import BrokerRefused, BrokerUnavailable, MalformedPacket
from ingest.mqtt import mqtt3
from ingest.mqtt.connection import (
    MAX_PACKET_BYTES,
    QOS_2,
    RECEIVE_MAX,
    SUBSCRIBE_FILTERS,
    MqttOptions,
    Phase,
    dismissal,
    granted,
    refusal,
)

BUFFER_BYTES = 256 * 1024
MIN_FREE_BYTES = 64 * 1024

PUBLISH = 0x30
PUBLISH_MASK = 0xF4  # packet type, and the bit of the QoS that only QoS 2 (and the invalid 3) has

PUBACK_HEAD = 0x4002  # PUBACK, two bytes follow
PUBREC_HEAD = 0x5002

OLD_REFUSAL = b"\x20\x02\x00\x01"
"""CONNACK of a broker that speaks MQTT 3.1.1 only."""

UNSUBSCRIBE_ID = 0xFFFF
"""The packet id of the first UNSUBSCRIBE of a connection; the next are below."""

PINGREQ = mqtt5.PingReqPacket().write()
DISCONNECT = mqtt5.DisconnectPacket().write()


class Wire:
    """The client's side of one connection.

    `topics`, `payloads` and `packet_ids` are of messages received and not yet taken; the packet id
    is None at QoS 0. `keep_alive_s` is the broker's wish if it has one, else ours [s]. `notes` say
    in words what the broker grants less than was asked for, `session_present` that it has kept
    what it holds for us.
    """

    def __init__(self, options: MqttOptions) -> None:
        self._options = options
        self._data = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._data)
        self._end = 0  # bytes received and not understood yet are data[:end]
        self._wanted = 0  # and understood are none before they are so many
        # Packets of 3.1.1 have no properties, and a codec of their own with the same types.
        self._mqtt_5 = options.protocol == "5"
        self._messages = _messages if self._mqtt_5 else mqtt3.messages
        self._read = mqtt5.read if self._mqtt_5 else mqtt3.read
        self.phase: Phase = "connecting"
        self.keep_alive_s = options.keep_alive_s
        self.notes: list[str] = []
        self.session_present = False
        self._filters: Sequence[str] = options.filters
        self._codes: list[mqtt5.SubAckReasonCode] = []
        self._new_lists()

    def _new_lists(self) -> None:
        self.topics: list[str] = []
        self.payloads: list[bytes] = []
        self.packet_ids: list[int | None] = []

    def take(self) -> tuple[list[str], list[bytes], list[int | None]]:
        """Return topics, payloads and packet ids received since the last call."""
        taken = self.topics, self.payloads, self.packet_ids
        self._new_lists()
        return taken

    def hello(self) -> bytes:
        """Return the first bytes to send."""
        options, password = self._options, self._options.password
        hello = mqtt5.ConnectPacket(
            options.client_id,
            username=options.username,
            password=None if password is None else password.get_secret_value().encode(),
            clean_start=False,
            keep_alive=options.keep_alive_s,
            session_expiry_interval=options.session_expiry_s,
            receive_max=RECEIVE_MAX,
            max_packet_size=MAX_PACKET_BYTES,
        )
        return self._write(hello)

    def _write(self, packet: mqtt5.Packet) -> bytes:
        return packet.write() if self._mqtt_5 else mqtt3.write(packet)

    def free(self) -> memoryview:
        """Return where the next received bytes are to be put; then call `received`."""
        if len(self._data) - self._end < MIN_FREE_BYTES:
            grown = bytearray(2 * len(self._data))
            grown[: self._end] = self._view[: self._end]
            self._data, self._view = grown, memoryview(grown)
        return self._view[self._end :]

    def received(self, count: int) -> bytes:
        """Digest the `count` bytes [B] that were put into `free`; return the bytes to send back.

        Messages are appended to the three lists. On an error those before it are there too.

        BrokerRefused, MalformedPacket, BrokerUnavailable: the connection is over; the text says
        why.
        """
        data, view = self._data, self._view
        start, end = 0, self._end + count
        self._end = end
        if end < self._wanted:
            return b""
        self._wanted = 0
        answers: list[bytes] = []
        try:
            while start < end:
                rest = view[start:end]
                start += self._messages(rest, self.topics, self.payloads, self.packet_ids)
                if start < end:
                    packet, size = self._read(view[start:end])
                    answers.append(self._control(packet))
                    start += size
        except IndexError:  # the codec's word for a packet that is not complete yet
            self._check_size(view[start:end])
        except ValueError as exc:
            if self.phase == "connecting" and data.startswith(OLD_REFUSAL):
                code = "unsupported protocol version"
                raise BrokerRefused(refusal(self._options, code)) from exc
            raise self._malformed(str(exc)) from exc
        except BaseException as exc:
            # The codec panics on a string that is not UTF-8, by an exception outside Exception.
            if type(exc).__name__ != "PanicException":
                raise
            raise self._malformed("the codec cannot read a packet") from exc
        if start:
            self._end = end - start
            data[: self._end] = data[start:end]
            if len(data) > BUFFER_BYTES and not self._end:
                self._data = bytearray(BUFFER_BYTES)
                self._view = memoryview(self._data)
        if self.phase == "connecting" and self.topics:
            raise self._malformed("a message before CONNACK")
        return b"".join(answers)

    def _malformed(self, what: str) -> MalformedPacket:
        version = f"MQTT {self._options.protocol}"
        return MalformedPacket(f"{self._options.address} sent what is not {version}: {what}")

    def _check_size(self, rest: memoryview) -> None:
        """Refuse a packet that would never fit, or that is complete and yet cannot be read."""
        try:
            _, size = mqtt3.frame(rest)
        except IndexError:
            return
        if size > MAX_PACKET_BYTES and self._mqtt_5:
            raise self._malformed(f"a packet of {size} bytes, more than {MAX_PACKET_BYTES}")
        if size <= len(rest):
            raise self._malformed("a packet whose parts do not fit its length")
        self._wanted = size

    def _control(self, packet: mqtt5.Packet) -> bytes:
        """Act on a packet that is not a plain message; return the answer."""
        match packet:
            case mqtt5.PublishPacket():  # nothing we subscribe to is QoS 2; an old session may be
                self.topics.append(packet.topic)
                self.payloads.append(packet.payload)
                self.packet_ids.append((packet.packet_id or 0) + QOS_2)
                return b""
            case mqtt5.PubRelPacket():
                return self._write(mqtt5.PubCompPacket(packet.packet_id))
            case mqtt5.PingRespPacket() | mqtt5.UnsubAckPacket():
                return b""
            case mqtt5.ConnAckPacket() if self.phase == "connecting":
                return self._accepted(packet)
            case mqtt5.SubAckPacket() if self.phase == "subscribing":
                return self._granted(packet)
            case mqtt5.DisconnectPacket():
                said = packet.reason_str, packet.server_reference
                raise BrokerUnavailable(dismissal(self._options, packet.reason_code.name, *said))
            case _:
                raise self._malformed(f"{type(packet).__name__} while {self.phase}")

    def _accepted(self, packet: mqtt5.ConnAckPacket) -> bytes:
        options = self._options
        if packet.reason_code != mqtt5.ConnAckReasonCode.SUCCESS:
            said = packet.reason_str, packet.server_reference
            raise BrokerRefused(refusal(options, packet.reason_code.name, *said))
        if packet.server_keep_alive is not None:
            self.keep_alive_s = packet.server_keep_alive
        self.session_present = packet.session_present
        kept_s = packet.session_expiry_interval
        if kept_s is not None and kept_s < options.session_expiry_s:
            kept = f"keeps messages for {kept_s} s only"
            self.notes.append(f"the broker {kept}: what bikes send in a longer absence is lost")
        if packet.assigned_client_id not in (None, options.client_id):
            named = f"calls us {packet.assigned_client_id!r}, not {options.client_id!r}"
            self.notes.append(f"the broker {named}: it keeps nothing while the station is away")
        if not packet.wildcard_subscription_available:
            self._do_without("wildcards", [f for f in self._filters if "+" in f or "#" in f])
        if not packet.shared_subscription_available:
            self._do_without("shared subscriptions", list(filter(SHARED.match, self._filters)))
        self.phase = "subscribing"
        gone = [
            self._write(mqtt5.UnsubscribePacket(UNSUBSCRIBE_ID - number, [pattern]))
            for number, pattern in enumerate(options.gone)
        ]
        return b"".join((*gone, self._subscribe()))

    def _do_without(self, what: str, lost: Sequence[str]) -> None:
        """Leave out filters that the broker does not take. BrokerRefused: nothing is left."""
        self._filters = [pattern for pattern in self._filters if pattern not in lost]
        text = f"the broker {self._options.address} takes no {what}, so nothing comes on "
        text += ", ".join(lost)
        if all(pattern.startswith(CANARIES) for pattern in self._filters):
            raise BrokerRefused(f"{text}; the station needs a broker that does")
        if lost:
            self.notes.append(text)

    def _subscribe(self) -> bytes:
        """Return what asks for the next filters."""
        filters = [
            mqtt5.TopicFilter(
                pattern,
                max_qos=mqtt5.QoS.AT_LEAST_ONCE,
                # What is retained was seen when the subscription was made; its changes since
                # then are in the session.
                retain_handling=mqtt5.RetainHandling.SEND_IF_SUBSCRIPTION_NOT_EXISTS,
            )
            for pattern in self._filters[len(self._codes) :][:SUBSCRIBE_FILTERS]
        ]
        return self._write(mqtt5.SubscribePacket(1 + len(self._codes), filters))

    def _granted(self, packet: mqtt5.SubAckPacket) -> bytes:
        answers, asked = len(packet.reason_codes), len(self._filters) - len(self._codes)
        if answers != min(asked, SUBSCRIBE_FILTERS):
            raise self._malformed(f"SUBACK for {answers} of {asked} filters")
        self._codes += packet.reason_codes
        if answers < asked:
            return self._subscribe()
        codes = [(int(code), code.name) for code in self._codes]
        self.notes += granted(self._options, self._filters, codes)
        self.phase = "ready"
        return b""


def _messages(
    view: memoryview, topics: list[str], payloads: list[bytes], packet_ids: list[int | None]
) -> int:
    """Read the messages of QoS 0 and 1 at the beginning, append them, return their size [B]."""
    start, read = 0, mqtt5.read
    try:
        while view[start] & PUBLISH_MASK == PUBLISH:
            packet, size = read(view[start:])
            topics.append(packet.topic)  # type: ignore[union-attr]
            payloads.append(packet.payload)  # type: ignore[union-attr]
            packet_ids.append(packet.packet_id)  # type: ignore[union-attr]
            start += size
    except IndexError:  # there are no more, or the last is not complete yet
        pass
    return start


def acknowledgements(packet_ids: Sequence[int | None]) -> bytes:
    """Encode the acknowledgements of messages, four bytes each; none for QoS 0."""
    ids = np.array([i for i in packet_ids if i is not None], dtype=np.int64)
    head = np.where(ids < QOS_2, PUBACK_HEAD, PUBREC_HEAD)
    return ((head << 16) | (ids & 0xFFFF)).astype(">u4").tobytes()
