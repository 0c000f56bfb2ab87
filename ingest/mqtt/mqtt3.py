"""MQTT 3.1.1, read into and written from the packets of :mod:`mqtt5`, the codec of MQTT 5.

Here is what differs: packets of 3.1.1 have no properties and fewer reasons. Those that say nothing
but a packet id, or nothing at all, are the same in both versions.
"""

from __future__ import annotations

import mqtt5

from ingest.mqtt.connection import QOS_2

PUBLISH = 0x30
NOT_UTF_8 = "(topic is not UTF-8)"
_REFUSALS = {
    0: mqtt5.ConnAckReasonCode.SUCCESS,
    1: mqtt5.ConnAckReasonCode.UNSUPPORTED_PROTOCOL_VERSION,
    2: mqtt5.ConnAckReasonCode.CLIENT_ID_NOT_VALID,
    3: mqtt5.ConnAckReasonCode.SERVER_UNAVAILABLE,
    4: mqtt5.ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD,
    5: mqtt5.ConnAckReasonCode.NOT_AUTHORIZED,
}


def frame(data: bytes | memoryview, start: int = 0) -> tuple[int, int]:
    """Where the body of the packet at `start` begins and ends, in either version.

    IndexError: its length is not there yet. ValueError: its length does not end.
    """
    size = 0
    for at in range(start + 1, start + 5):
        size |= (data[at] & 0x7F) << 7 * (at - start - 1)
        if data[at] < 0x80:
            return at + 1, at + 1 + size
    raise ValueError("a length of more than four bytes")


def messages(
    view: memoryview, topics: list[str], payloads: list[bytes], packet_ids: list[int | None]
) -> int:
    """Read the messages at the beginning, append them, and return their size [B].

    The packet id of one of QoS 2 has `QOS_2` added. ValueError: one is malformed.
    """
    data, start = bytes(view), 0
    try:
        while (head := data[start]) & 0xF0 == PUBLISH:
            size, begin = data[start + 1], start + 3
            if size >= 0x80 > data[begin - 1]:  # as most have: 0.8 µs a message, and not 1.2
                stop = begin + (size - 0x80 | data[begin - 1] << 7)
            else:
                begin, stop = frame(data, start)
            if stop > len(data):
                break
            body = topic_end = begin + 2 + (data[begin] << 8 | data[begin + 1])
            packet_id = None
            if qos := head & 0x06:
                packet_id = data[body] << 8 | data[body + 1]
                body += 2
                if qos > 0x02:
                    packet_id += QOS_2
            if body > stop or qos == 0x06:
                raise ValueError("a message whose topic does not fit, or of QoS 3")
            try:
                topics.append(data[begin + 2 : topic_end].decode())
            except UnicodeDecodeError:  # kept and rejected, or the broker would send it for ever
                topics.append(NOT_UTF_8)
            payloads.append(data[body:stop])
            packet_ids.append(packet_id)
            start = stop
    except IndexError:  # there are no more, or the length of the last is not there yet
        pass
    return start


def read(view: memoryview) -> tuple[mqtt5.Packet, int]:
    """Read what is not a message, as :func:`mqtt5.read`; IndexError at a message too.

    A refusal in the words of MQTT 5, of a broker that speaks nothing else, is read as well.
    """
    begin, stop = frame(view)
    body = bytes(view[begin:stop])
    if view[0] & 0xF0 == PUBLISH or len(body) < stop - begin:
        raise IndexError("a packet that is not complete")
    packet: mqtt5.Packet
    match view[0], len(body):
        case 0x20, 2:
            code = _REFUSALS.get(body[1], mqtt5.ConnAckReasonCode.UNSPECIFIED_ERROR)
            packet = mqtt5.ConnAckPacket(session_present=bool(body[0]), reason_code=code)
        case 0x90, size if size > 2:
            codes = [mqtt5.SubAckReasonCode(code) for code in body[2:]]
            packet = mqtt5.SubAckPacket(int.from_bytes(body[:2]), codes)
        case 0xB0, 2:
            packet = mqtt5.UnsubAckPacket(int.from_bytes(body), [])
        case _:
            return mqtt5.read(view)
    return packet, stop


def write(packet: mqtt5.Packet) -> bytes:
    """Write a packet of a client that only subscribes."""
    match packet:
        case mqtt5.ConnectPacket():
            said = [packet.client_id.encode()]
            flags = 0x02 if packet.clean_start else 0
            if packet.username is not None:  # 3.1.1 takes no password without one
                said.append(packet.username.encode())
                flags |= 0x80
                if packet.password is not None:
                    said.append(packet.password)
                    flags |= 0x40
            begin = _text(b"MQTT") + bytes([4, flags]) + packet.keep_alive.to_bytes(2)
            return _framed(0x10, begin + b"".join(map(_text, said)))
        case mqtt5.SubscribePacket():
            wanted = (
                _text(one.pattern.encode()) + bytes([int(one.max_qos)])
                for one in packet.topic_filters
            )
            return _framed(0x82, packet.packet_id.to_bytes(2) + b"".join(wanted))
        case mqtt5.UnsubscribePacket():
            gone = (_text(pattern.encode()) for pattern in packet.patterns)
            return _framed(0xA2, packet.packet_id.to_bytes(2) + b"".join(gone))
        case _:
            return packet.write()


def _text(text: bytes) -> bytes:
    return len(text).to_bytes(2) + text


def _framed(head: int, body: bytes) -> bytes:
    length, left = bytearray(), len(body)
    while left > 0x7F:
        length.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([head, *length, left]) + body
