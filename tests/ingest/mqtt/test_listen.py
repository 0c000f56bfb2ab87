"""Listening for a moment below a vendor's prefix finds the topics that nobody reads."""

from __future__ import annotations

import threading
import time

import pytest

from bikes.topics import TopicPattern
from ingest.errors import BrokerUnavailable
from ingest.mqtt.connection import MqttOptions
from ingest.mqtt.listen import listen, prefixes
from tests.broker import Broker

OWN = [TopicPattern("fleet/bike-{bike}/gps"), TopicPattern("{bike}/gps"), TopicPattern("all")]


def test_prefixes_are_the_vendors_alone() -> None:
    """A topic that begins with the bike has none; a shared subscription counts by its topic."""
    assert prefixes("v", OWN) == ["patrol/v1/v/#", "fleet/#"]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_nobody_reads(broker: Broker, protocol: str) -> None:
    """Topics of the contract, own ones and what the station publishes are left out."""
    to = MqttOptions("127.0.0.1", broker.port, protocol=protocol, client_id="s")  # type: ignore[arg-type]
    over = threading.Event()

    def publish() -> None:
        while not over.wait(0.1):
            some = ("v/B1/telemetry", "v/B1/rejected", "v/B1/gps", "v/telemetry", "w/B1/gps")
            messages = [(f"patrol/v1/{topic}", b"one") for topic in some]
            broker.publish([*messages, ("fleet/bike-B1/gps", b"x"), ("fleet/B1", b"y" * 600)])

    publishing = threading.Thread(target=publish)
    publishing.start()
    try:
        found = {each.topic: each for each in listen(to, prefixes("v", OWN), OWN, 2.0)}
    finally:
        over.set()
        publishing.join()
    assert set(found) == {"patrol/v1/v/B1/gps", "patrol/v1/v/telemetry", "fleet/B1"}
    assert found["patrol/v1/v/B1/gps"].messages > 1
    assert (len(found["fleet/B1"].payload), found["fleet/B1"].payload_bytes) == (512, 600)


def test_without_a_broker() -> None:
    """It says so, at once."""
    began = time.monotonic()
    with pytest.raises(BrokerUnavailable, match="no broker listens"):
        listen(MqttOptions("127.0.0.1", 1), ["a/#"], [], 5.0)
    assert time.monotonic() - began < 5
