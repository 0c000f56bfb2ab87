"""One MQTT 5 connection of a subscriber as a protocol, without I/O.

Bytes go in, messages and the bytes to send back come out:

    phase        on                    to           sends
    connecting   CONNACK, accepted     subscribing  SUBSCRIBE
    connecting   CONNACK, refused      (BrokerRefused)
    subscribing  SUBACK, all granted   ready
    subscribing  SUBACK, one refused   (BrokerRefused)
    any          PUBLISH               same         (the caller acknowledges)
    any          PUBREL                same         PUBCOMP
    any          DISCONNECT            (BrokerUnavailable)
    any          bytes that are wrong  (MalformedPacket)

Messages can come before the SUBACK: those the broker kept in the session while we were away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import mqtt5
import numpy as np

from ingest.errors import BrokerRefused, BrokerUnavailable, MalformedPacket
from ingest.mqtt.connection import (
    MAX_PACKET_BYTES,
    QOS_2,
    RECEIVE_MAX,
    MqttOptions,
    refusal,
    refused_filters,
)

BUFFER_BYTES = 256 * 1024
MIN_FREE_BYTES = 64 * 1024

PUBLISH = 0x30
PUBLISH_MASK = 0xF4  # packet type, and the bit of the QoS that only QoS 2 (and the invalid 3) has

PUBACK_HEAD = 0x4002  # PUBACK, two bytes follow
PUBREC_HEAD = 0x5002

PINGREQ = mqtt5.PingReqPacket().write()
DISCONNECT = mqtt5.DisconnectPacket().write()


class Wire:
    """The client's side of one connection.

    `topics`, `payloads` and `packet_ids` are of messages received and not yet taken; the packet id
    is None at QoS 0. `keep_alive_s` is the broker's wish if it has one, else ours [s].
    """

    def __init__(self, options: MqttOptions) -> None:
        self._options = options
        self._data = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._data)
        self._end = 0  # bytes received and not understood yet are data[:end]
        self.phase: Literal["connecting", "subscribing", "ready"] = "connecting"
        self.keep_alive_s = options.keep_alive_s
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
        return mqtt5.ConnectPacket(
            options.client_id,
            username=options.username,
            password=None if password is None else password.get_secret_value().encode(),
            clean_start=False,
            keep_alive=options.keep_alive_s,
            session_expiry_interval=options.session_expiry_s,
            receive_max=RECEIVE_MAX,
            max_packet_size=MAX_PACKET_BYTES,
        ).write()

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
        topics, payloads, packet_ids = self.topics, self.payloads, self.packet_ids
        read = mqtt5.read
        answers: list[bytes] = []
        try:
            while start < end:
                packet, size = read(view[start:end])
                if data[start] & PUBLISH_MASK == PUBLISH:
                    topics.append(packet.topic)  # type: ignore[union-attr]
                    payloads.append(packet.payload)  # type: ignore[union-attr]
                    packet_ids.append(packet.packet_id)  # type: ignore[union-attr]
                else:
                    answers.append(self._control(packet))
                start += size
        except IndexError:  # the codec's word for a packet that is not complete yet
            self._check_size(start, end)
        except ValueError as exc:
            raise self._malformed(str(exc)) from exc
        except BaseException as exc:
            # The codec panics on a string that is not UTF-8, by an exception outside Exception.
            if type(exc).__name__ != "PanicException":
                raise
            raise self._malformed("the codec cannot read a packet") from exc
        if start:
            self._end = end - start
            data[: self._end] = data[start:end]
        if self.phase == "connecting" and topics:
            raise self._malformed("a message before CONNACK")
        return b"".join(answers)

    def _malformed(self, what: str) -> MalformedPacket:
        return MalformedPacket(f"{self._options.address} sent what is not MQTT 5: {what}")

    def _check_size(self, start: int, end: int) -> None:
        """Refuse a packet that would never fit, or that is complete and yet cannot be read."""
        size = 0
        for shift, position in enumerate(range(start + 1, min(start + 5, end))):
            size |= (self._data[position] & 0x7F) << (7 * shift)
            if self._data[position] < 0x80:
                size += position + 1 - start
                break
        else:
            return
        if size > MAX_PACKET_BYTES:
            raise self._malformed(f"a packet of {size} bytes, more than {MAX_PACKET_BYTES}")
        if size <= end - start:
            raise self._malformed("a packet whose parts do not fit its length")

    def _control(self, packet: mqtt5.Packet) -> bytes:
        """Act on a packet that is not a plain message; return the answer."""
        match packet:
            case mqtt5.PublishPacket():  # nothing we subscribe to is QoS 2; an old session may be
                self.topics.append(packet.topic)
                self.payloads.append(packet.payload)
                self.packet_ids.append((packet.packet_id or 0) + QOS_2)
                return b""
            case mqtt5.PubRelPacket():
                return mqtt5.PubCompPacket(packet.packet_id).write()
            case mqtt5.PingRespPacket():
                return b""
            case mqtt5.ConnAckPacket() if self.phase == "connecting":
                return self._accepted(packet)
            case mqtt5.SubAckPacket() if self.phase == "subscribing":
                self._granted(packet)
                return b""
            case mqtt5.DisconnectPacket():
                code = packet.reason_code
                words = code.name.lower().replace("_", " ")
                note = f" ({packet.reason_str})" if packet.reason_str else ""
                raise BrokerUnavailable(
                    f"{self._options.address} ended the connection: {words}{note}"
                )
            case _:
                raise self._malformed(f"{type(packet).__name__} while {self.phase}")

    def _accepted(self, packet: mqtt5.ConnAckPacket) -> bytes:
        if packet.reason_code != mqtt5.ConnAckReasonCode.SUCCESS:
            raise BrokerRefused(refusal(self._options, packet.reason_code.name))
        if packet.server_keep_alive is not None:
            self.keep_alive_s = packet.server_keep_alive
        self.phase = "subscribing"
        filters = [
            mqtt5.TopicFilter(
                pattern,
                max_qos=mqtt5.QoS.AT_LEAST_ONCE,
                # What is retained was seen when the subscription was made; its changes since
                # then are in the session.
                retain_handling=mqtt5.RetainHandling.SEND_IF_SUBSCRIPTION_NOT_EXISTS,
            )
            for pattern in self._options.filters
        ]
        return mqtt5.SubscribePacket(1, filters).write()

    def _granted(self, packet: mqtt5.SubAckPacket) -> None:
        filters = self._options.filters
        if len(packet.reason_codes) != len(filters):
            raise self._malformed(
                f"SUBACK for {len(packet.reason_codes)} of {len(filters)} filters"
            )
        refused = refused_filters(
            self._options,
            (code.name if int(code) >= 0x80 else None for code in packet.reason_codes),
        )
        if refused:
            raise BrokerRefused(refused)
        self.phase = "ready"


def acknowledgements(packet_ids: Sequence[int | None]) -> bytes:
    """Encode the acknowledgements of messages, four bytes each; none for QoS 0."""
    ids = np.array([i for i in packet_ids if i is not None], dtype=np.int64)
    head = np.where(ids < QOS_2, PUBACK_HEAD, PUBREC_HEAD)
    return ((head << 16) | (ids & 0xFFFF)).astype(">u4").tobytes()
