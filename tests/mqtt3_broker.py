"""Packets of MQTT 3.1.1 that a broker sends, by the standard and not by the product's codec."""

from __future__ import annotations

import socket

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


def subscribed(server: socket.socket) -> tuple[socket.socket, int]:
    """The first client, once it has subscribed, and how many messages it may be sent at once."""
    client, _ = server.accept()
    client.recv(65_536)
    client.sendall(CONNACK)
    question = client.recv(65_536)
    at = 1
    while question[at] >= 128:
        at += 1
    at, filters = at + 3, 0
    while at < len(question):
        at, filters = at + int.from_bytes(question[at : at + 2], "big") + 3, filters + 1
    client.sendall(suback(*[1] * filters))
    return client, 20_000
