"""What bikes publish beside the topics of the contract: listened to for a moment, on demand.

The station subscribes to what it can read, so nobody hears who has mistaken a topic. Who looks for
a missing bike listens below the vendor's prefix, in a session that the broker forgets.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

from bikes import topics
from bikes.topics import TopicPattern
from ingest.errors import BrokerUnavailable
from ingest.mqtt.connection import CONNECT_TIMEOUT_S, MqttOptions, failure
from ingest.mqtt.paho_link import PahoLink
from ingest.rejects import excerpt

MOST_TOPICS = 200
OURS = ("rejected", "task", "suggestion", "answer")
"""Kinds of topics below a vendor's prefix that the station publishes, or reads otherwise."""


class Stray(NamedTuple):
    """A topic that no vendor has: messages while it was listened to, and the last payload."""

    topic: str
    messages: int
    payload: str
    payload_bytes: int


def prefixes(vendor: str, patterns: Sequence[TopicPattern]) -> list[str]:
    """The filters of everything below a vendor's topics, its own and those of the contract.

    Of one that begins with the bike there is no prefix that is the vendor's alone.
    """
    before = (each.topic.split("{bike}")[0].rpartition("/")[0] for each in patterns)
    return [f"{prefix}/#" for prefix in (f"{topics.PREFIX}/{vendor}", *filter(None, set(before)))]


def listen(
    to: MqttOptions, filters: Sequence[str], known: Sequence[TopicPattern], for_s: float
) -> list[Stray]:
    """The topics heard within a time [s] that are neither of the contract nor `known`.

    At most :data:`MOST_TOPICS`, in the order in which they came.

    BrokerUnavailable: there is no connection, or the broker refuses to be listened to.
    """
    heard: dict[str, Stray] = {}
    ready, over = threading.Event(), threading.Event()
    why: list[str] = []

    def received(client: object, data: object, message: Any) -> None:
        topic, payload = message.topic, message.payload
        own = topics.parse(topic) is not None or topic.rpartition("/")[2] in OURS
        if own or any(pattern.bike_id(topic) is not None for pattern in known):
            return
        before = heard.get(topic)
        if before is not None or len(heard) < MOST_TOPICS:
            count = before.messages if before is not None else 0
            heard[topic] = Stray(topic, count + 1, excerpt(payload), len(payload))

    def subscribed(client: object, data: object, mid: int, codes: Any, *_: object) -> None:
        if all(code.is_failure for code in codes):
            ended(f"the broker {to.address} refused to let us listen: {codes[0]}")
        ready.set()

    def ended(reason: str) -> None:
        why.append(reason)
        over.set()
        ready.set()

    def subscribe() -> None:
        link.client.subscribe([(each, 0) for each in filters])

    link = PahoLink(to, f"{to.client_id}-listen", on_connected=subscribe, on_ended=ended)
    link.client.on_message, link.client.on_subscribe = received, subscribed
    link.start()
    if not ready.wait(CONNECT_TIMEOUT_S):
        ended(failure(to, TimeoutError()))
    over.wait(for_s)
    failed = "; ".join(why)
    link.close()
    link.join(1.0)
    if failed:
        raise BrokerUnavailable(failed)
    return list(heard.values())
