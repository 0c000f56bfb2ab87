"""Nobody waits for the worker: its steps hold up no acknowledgement, no request, no evaluation."""

from __future__ import annotations

import asyncio
import socket
import threading
import urllib.request
from dataclasses import replace
from pathlib import Path

import mqtt5
import numpy as np
from numpy.typing import NDArray

from ingest.mqtt.connection import MqttOptions
from patrol.assembly import district_of
from patrol.clock import FastClock
from patrol.config.settings import load_with_zones
from patrol.station import Station
from tests.patience import PATIENCE_S
from tests.recorded import CONFIG, START_MS, fleet
from tests.servers import free_port


class Line:
    """The broker's end of the inlet's connection."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(PATIENCE_S)
        self.port: int = self._server.getsockname()[1]
        self._sent = 0

    def accept(self) -> None:
        """Let the inlet connect and subscribe."""
        self._client, _ = self._server.accept()
        self._client.settimeout(PATIENCE_S)
        self._read()
        self._client.sendall(mqtt5.ConnAckPacket().write())
        subscribe = self._read()
        assert isinstance(subscribe, mqtt5.SubscribePacket)
        granted = [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE] * len(subscribe.topic_filters)
        self._client.sendall(mqtt5.SubAckPacket(subscribe.packet_id, granted).write())

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a message, and wait for its PUBACK."""
        self._sent += 1
        at_least_once = mqtt5.QoS.AT_LEAST_ONCE
        packet = mqtt5.PublishPacket(topic, payload, qos=at_least_once, packet_id=self._sent)
        self._client.sendall(packet.write())
        answer = self._read()
        assert isinstance(answer, mqtt5.PubAckPacket)
        assert answer.packet_id == self._sent

    def close(self) -> None:
        self._client.close()
        self._server.close()

    def _read(self) -> object:
        packet, _ = mqtt5.read(memoryview(self._client.recv(65_536)))
        return packet


def test_a_long_step_holds_nobody_up(tmp_path: Path) -> None:
    """While a step is under way, PUBACKs are sent, requests answered and zones evaluated."""
    stepping, released = threading.Event(), threading.Event()

    def on_shift(at_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Duty hours, which the worker asks for in the middle of a step; they take a while."""
        stepping.set()
        assert released.wait(PATIENCE_S)
        return np.ones(at_ms.size, np.bool_)

    line, port = Line(), free_port()
    settings, zones = load_with_zones(CONFIG)
    district = district_of(settings, zones, START_MS)
    station = Station(
        replace(district, judge=replace(district.judge, on_shift=on_shift)),
        tmp_path,
        MqttOptions("127.0.0.1", line.port, filters=("#",)),
        MqttOptions("127.0.0.1", 1, protocol="3.1.1", client_id="nobody"),
        port=port,
        clock=FastClock(START_MS, 1.0),
    )
    first, second, *_ = fleet(2, 0.1)

    def look() -> None:
        line.accept()
        line.publish(first.topic, first.payload)
        assert stepping.wait(PATIENCE_S)
        evaluated = station.judging.statuses
        line.publish(second.topic, second.payload)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_S):
            pass
        while station.judging.statuses is evaluated:  # each evaluation makes them anew
            released.wait(0.01)
        assert not released.is_set()
        assert (station.log.head, station.worker.view.seq) == (2, 0)

    async def scenario() -> None:
        running = asyncio.create_task(station.run())
        try:
            await asyncio.to_thread(look)
        finally:
            released.set()
            station.stop()
            await running

    try:
        asyncio.run(asyncio.wait_for(scenario(), 2 * PATIENCE_S))
    finally:
        line.close()
    assert station.worker.view.seq == 2
