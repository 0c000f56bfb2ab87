"""The publisher delivers in the background, and says what it could not deliver."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion
from structlog.testing import capture_logs

from files.secret import Secret
from ingest.mqtt.connection import MqttOptions
from ingest.mqtt.outgoing import Outgoing, OutgoingQueue
from ingest.mqtt.publisher import Publisher
from tests.broker import Broker
from tests.commands import Watch
from tests.patience import PATIENCE_S, until
from tests.servers import free_port


@contextlib.contextmanager
def listening(broker: Broker) -> Iterator[queue.Queue[tuple[str, bytes, bool]]]:
    """Everything that arrives at a subscriber of all topics."""
    heard: queue.Queue[tuple[str, bytes, bool]] = queue.Queue()
    subscribed = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _c, _d, m: heard.put((m.topic, bytes(m.payload), m.retain))
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect(broker.host, broker.port)
    client.loop_start()
    client.subscribe("#", 1)
    assert subscribed.wait(PATIENCE_S)
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


@contextlib.contextmanager
def publishing(port: int, **options: int) -> Iterator[Publisher]:
    publisher = Publisher(MqttOptions("127.0.0.1", port), **options)
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.close(0.0)


def test_a_message_is_delivered_and_the_promise_kept(broker: Broker) -> None:
    with listening(broker) as heard, publishing(broker.port) as publisher:
        done = publisher.publish("a", b"1")
        assert done.result(PATIENCE_S) is True
        assert heard.get(timeout=PATIENCE_S) == ("a", b"1", False)
        assert publisher.state.outcomes["published"] == 1
        assert publisher.state.connected


def test_a_message_leaves_at_once_when_connected(broker: Broker) -> None:
    """No loop has to come round first: a hundred deliveries, one after the other, take no time."""
    with publishing(broker.port) as publisher:
        publisher.publish("a", b"").result(PATIENCE_S)
        watch = Watch()
        for _ in range(100):
            assert publisher.publish("a", b"1").result(PATIENCE_S)
        assert watch.took_s() < 5.0


def test_a_retained_message_is_retained(broker: Broker) -> None:
    with publishing(broker.port) as publisher:
        publisher.publish("a", b"1", retain=True).result(PATIENCE_S)
    with listening(broker) as heard:
        assert heard.get(timeout=PATIENCE_S) == ("a", b"1", True)


def test_many_messages_arrive_in_order(broker: Broker) -> None:
    """More than may be under way at once."""
    with listening(broker) as heard, publishing(broker.port) as publisher:
        for number in range(3_000):
            publisher.publish("a", b"%d" % number)
        assert [int(heard.get(timeout=PATIENCE_S)[1]) for _ in range(3_000)] == list(range(3_000))


def test_qos_0_is_done_when_it_was_sent(broker: Broker) -> None:
    with publishing(broker.port) as publisher:
        assert publisher.publish("a", b"1", qos=0).result(PATIENCE_S) is True


def test_what_was_published_without_a_broker_goes_out_when_it_comes(tmp_path: Path) -> None:
    """`publish` does not wait; of a retained topic only the newest goes out."""
    broker = Broker(tmp_path, port=free_port())
    with publishing(broker.port) as publisher:
        until(lambda: "no broker listens" in publisher.state.reason)
        watch = Watch()
        event = publisher.publish("event", b"1")
        old = publisher.publish("state", b"old", retain=True)
        new = publisher.publish("state", b"new", retain=True)
        assert watch.took_s() < 1.0
        assert old.result(0) is False
        state = publisher.state
        assert (state.connected, state.queued, state.outcomes["replaced"]) == (False, 2, 1)
        with broker:
            assert new.result(PATIENCE_S) is True
            assert event.result(PATIENCE_S) is True
            with listening(broker) as heard:
                assert heard.get(timeout=PATIENCE_S) == ("state", b"new", True)


def test_beyond_the_limit_the_oldest_is_dropped_and_counted() -> None:
    with capture_logs() as lines, publishing(free_port(), max_queued=3) as publisher:
        first = publisher.publish("a", b"0")
        for number in range(1, 5):
            publisher.publish("a", b"%d" % number)
        assert first.result(0) is False
        assert (publisher.state.queued, publisher.state.outcomes["dropped"]) == (3, 2)
    dropped = [line for line in lines if "dropped" in line["event"]]
    assert len(dropped) == 1
    assert dropped[0]["topic"] == "a"


def test_nothing_is_lost_when_the_broker_crashes(broker: Broker) -> None:
    """What was under way is sent again: perhaps twice, never not at all."""
    with publishing(broker.port) as publisher:
        publisher.publish("a", b"").result(PATIENCE_S)
        promises = [publisher.publish("a", b"%d" % n) for n in range(2_000)]
        broker.kill()
        until(lambda: not publisher.state.connected)
        broker.start()
        assert all(promise.result(PATIENCE_S) for promise in promises)
        assert publisher.state.queued == 0


def test_nobody_who_stops_waiting_stops_the_publisher(broker: Broker) -> None:
    """A promise that could be cancelled might be while it is kept, which is an error."""
    with publishing(broker.port) as publisher:
        promise = publisher.publish("a", b"1")
        assert not promise.cancel()
        assert promise.result(PATIENCE_S) is True


def test_a_message_that_cannot_be_sent_does_not_stop_the_others(broker: Broker) -> None:
    """Whatever goes wrong in its thread: it says so, connects again and goes on."""
    with capture_logs() as lines, publishing(broker.port) as publisher:
        publisher.publish("a", b"").result(PATIENCE_S)
        bad = publisher.publish("a", object())  # type: ignore[arg-type]
        good = publisher.publish("a", b"1")
        assert bad.result(PATIENCE_S) is False
        assert good.result(PATIENCE_S) is True
        assert publisher.state.connected
    assert "publishing failed, connecting again" in [line["event"] for line in lines]


def test_close_sends_what_is_queued(broker: Broker) -> None:
    with listening(broker) as heard:
        publisher = Publisher(MqttOptions(broker.host, broker.port))
        publisher.start()
        until(lambda: publisher.state.connected)
        promises = [publisher.publish("a", b"%d" % n) for n in range(500)]
        assert publisher.close(PATIENCE_S) == 0
        assert all(promise.result(0) for promise in promises)
        assert [int(heard.get(timeout=PATIENCE_S)[1]) for _ in range(500)] == list(range(500))


def test_close_without_a_broker_is_quick_and_says_what_was_not_sent() -> None:
    publisher = Publisher(MqttOptions("127.0.0.1", free_port()))
    publisher.start()
    promises = [publisher.publish("a", b"1"), publisher.publish("b", b"2", retain=True)]
    watch = Watch()
    with capture_logs() as lines:
        assert publisher.close(5.0) == 2
    assert watch.took_s() < 2.0
    assert [promise.result(0) for promise in promises] == [False, False]
    assert [line["count"] for line in lines if line["log_level"] == "warning"] == [2]
    assert publisher.publish("a", b"3").result(0) is False


def test_close_before_start_is_harmless() -> None:
    assert Publisher(MqttOptions("127.0.0.1", free_port())).close() == 0


def test_a_wrong_password_is_named(tmp_path: Path) -> None:
    with Broker(tmp_path, users={"patrol": "right"}) as broker:
        options = MqttOptions(broker.host, broker.port, username="patrol", password=Secret("wrong"))
        publisher = Publisher(options)
        publisher.start()
        until(lambda: "not authorized" in publisher.state.reason)
        publisher.close(0.0)


@pytest.mark.parametrize("topic", ["", "a/#", "a/+/b", "x" * 70_000])
def test_a_topic_that_cannot_be_published_to_is_refused_at_once(topic: str) -> None:
    with pytest.raises(ValueError, match="nothing can be published"):
        Publisher(MqttOptions("127.0.0.1", 1)).publish(topic, b"")


Messages = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30)


@given(messages=Messages, limit=st.integers(1, 8), taken=st.integers(0, 8))
def test_every_message_is_sent_or_given_up_and_the_newest_state_wins(
    messages: list[tuple[str, bool]], limit: int, taken: int
) -> None:
    """Some are taken half-way and put back, as when a connection breaks."""
    waiting = OutgoingQueue(limit)
    all_messages = [Outgoing(topic, b"%d" % n, keep) for n, (topic, keep) in enumerate(messages)]
    half = len(all_messages) // 2
    given_up: list[Outgoing] = []
    for message in all_messages[:half]:
        given_up += [m for m, _ in waiting.put(message)]
    under_way = [waiting.take() for _ in range(min(taken, len(waiting)))]
    for message in all_messages[half:]:
        given_up += [m for m, _ in waiting.put(message)]
        assert len(waiting) <= limit
    given_up += [m for m, _ in waiting.put_back(under_way)]
    sent = [waiting.take() for _ in range(len(waiting))]

    def numbers(some: list[Outgoing]) -> list[int]:
        return [int(m.payload) for m in some]

    assert sorted(numbers(sent) + numbers(given_up)) == list(range(len(all_messages)))
    others = [m for m in sent if not m.retain]
    assert numbers(others) == sorted(numbers(others))
    retained = [m for m in sent if m.retain]
    assert len({m.topic for m in retained}) == len(retained)
    for message in retained:
        newer = [m for m in all_messages if m.retain and m.topic == message.topic]
        dropped_newer = [
            m for m in newer if m in given_up and newer.index(m) > newer.index(message)
        ]
        assert message is newer[-1] or dropped_newer
    assert sent == retained + others
