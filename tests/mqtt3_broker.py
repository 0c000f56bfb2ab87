"""Packets of MQTT 3.1.1 that a broker sends, by the standard and not by the product's codec."""

from __future__ import annotations

CONNACK = b"\x20\x02\x00\x00"
PINGRESP = b"\xd0\x00"


def framed(head: int, body: bytes) -> bytes:
    """A packet: its first byte, its length in up to four bytes, its body."""
    length, left = b"", len(body)
    while left >= 128:
        length += bytes([left % 128 + 128])
        left //= 128
    return bytes([head]) + length + bytes([left]) + body


def suback(*codes: int) -> bytes:
    """The answer to the first SUBSCRIBE."""
    return framed(0x90, b"\x00\x01" + bytes(codes))


def publish(
    topic: bytes,
    payload: bytes,
    *,
    qos: int = 1,
    packet_id: int = 1,
    retain: bool = False,
    duplicate: bool = False,
) -> bytes:
    """A message; its packet id is not sent at QoS 0."""
    head = 0x30 | duplicate << 3 | qos << 1 | retain
    name = len(topic).to_bytes(2, "big") + topic
    return framed(head, name + (packet_id.to_bytes(2, "big") if qos else b"") + payload)
