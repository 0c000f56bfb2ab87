"""A broker for one client: it hands out messages that were made beforehand, as fast as they are
acknowledged, and so costs its machine little beside the client that is measured."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection

import mqtt5

PACKET_IDS = 20_000
"""Messages are numbered up to here, and then from 1 again."""


def packet(number: int, topic: str, payload: bytes) -> bytes:
    """The PUBLISH at QoS 1 of a message; `number` counts the messages from 0."""
    packet_id = number % PACKET_IDS + 1
    qos = mqtt5.QoS.AT_LEAST_ONCE
    return mqtt5.PublishPacket(topic, payload, qos=qos, packet_id=packet_id).write()


def subscribed(server: socket.socket) -> tuple[socket.socket, int]:
    """The first client that speaks MQTT 5, once it has subscribed, and its receive maximum.

    A station also publishes, in 3.1.1; that connection is closed, and may wait.
    """
    while True:
        client, _ = server.accept()
        try:
            connect, _ = mqtt5.read(memoryview(client.recv(65_536)))
        except ValueError:
            client.close()
            continue
        break
    assert isinstance(connect, mqtt5.ConnectPacket)
    client.sendall(mqtt5.ConnAckPacket().write())
    subscribe, _ = mqtt5.read(memoryview(client.recv(65_536)))
    assert isinstance(subscribe, mqtt5.SubscribePacket)
    granted = [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE] * len(subscribe.topic_filters)
    client.sendall(mqtt5.SubAckPacket(subscribe.packet_id, granted).write())
    return client, min(connect.receive_max, PACKET_IDS)


def stream(
    packets: Iterable[bytes],
    pipe: Connection,
    accepted: Callable[[socket.socket], tuple[socket.socket, int]] = subscribed,
) -> None:
    """Send all of the packets to one client, with no more unacknowledged than it allows.

    The pipe is told the port and the mean size of a packet [bytes]; whatever comes out of it then
    starts the stream. It is told when the first byte was sent and the last acknowledgement came
    [s, of :func:`time.perf_counter`], and what comes out of it after that ends the connection.
    """
    encoded = list(packets)
    messages = len(encoded)
    server = socket.create_server(("127.0.0.1", 0))
    pipe.send((server.getsockname()[1], sum(map(len, encoded)) / messages))
    client, window = accepted(server)
    pipe.recv()
    began = time.perf_counter()
    sent, acked_bytes = 0, 0
    while acked_bytes < 4 * messages:
        while sent < messages and sent - acked_bytes // 4 < window:
            upto = min(sent + 1_000, messages, acked_bytes // 4 + window)
            client.sendall(b"".join(encoded[sent:upto]))
            sent = upto
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                acked_bytes += len(client.recv(1 << 20))
            client.setblocking(True)
        acked_bytes += len(client.recv(1 << 20))
    pipe.send((began, time.perf_counter()))
    pipe.recv()
    client.close()
