"""The publisher of the system's own messages: coverage, alerts, rejects.

`publish` only puts a message into a queue, so nobody ever waits for a broker. One thread
connects, hands messages to paho-mqtt a few at a time and takes back those that were under way
when a connection ended: a message is sent again rather than lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import structlog
from paho.mqtt.reasoncodes import ReasonCode

from files.backoff import Backoff
from ingest.mqtt.connection import STEADY_S, MqttOptions, Terms, in_words
from ingest.mqtt.outgoing import GivenUp, Outcome, Outgoing, OutgoingQueue
from ingest.mqtt.paho_link import PahoLink

log = structlog.get_logger(__name__)

WINDOW = 100
"""Messages handed to paho and not yet acknowledged."""
END_S = 1.0
HEAD_BYTES = 16
"""Bytes of a message beside its topic and payload, at most."""

CONCESSIONS = (Terms(), Terms(retain=False), Terms(retain=False, max_qos=0))
"""What is done without, one after the other, when a broker closes connections and acknowledges
nothing: those of MQTT 3.1.1 cannot say what they do not take."""
FUTILE = 2
"""Connections in a row on which nothing was acknowledged, before something is done without."""

DENIED_S, MOST_DENIED = 600.0, 1_000
"""For how long nothing goes to a topic that the broker does not let us write to [s], and the number
of such topics that are remembered: mosquitto 2.0.11 closes the connection over each message."""


class Denial(NamedTuple):
    """What a broker said about a topic."""

    until_s: float  # when it is tried again, by the monotonic clock
    why: str


@dataclass(frozen=True)
class PublisherState:
    """State and counters of the publisher."""

    connected: bool = False
    reason: str = ""  # why not; while it is, what the broker does not take
    queued: int = 0  # messages that wait or are under way
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)  # of the others, since the start


class Publisher:
    """Publishes in the background.

    The client id gets ``-publisher`` appended; the filters of `options` are not used. When
    `max_queued` messages wait, the oldest is dropped, one that is not retained before one that is.

    Of a retained topic only the newest waiting message is sent: it replaces an older one.
    Methods may be called from any thread and do not block, but for `close`.
    """

    def __init__(self, options: MqttOptions, *, max_queued: int = 10_000) -> None:
        self._options = options
        self._changed = threading.Condition()  # guards all below; never held in a call of paho's
        self._queue = OutgoingQueue(max_queued)
        self._under_way: dict[int, Outgoing] = {}  # by paho's message id
        self._acknowledged: dict[int, str] = {}  # why the broker did not take it; empty when it did
        self._outcomes: dict[Outcome, int] = {
            "published": 0,
            "dropped": 0,
            "replaced": 0,
            "refused": 0,
        }
        self._conceded = self._futile = 0
        self._answered = False  # whether any was acknowledged on this connection
        self._terms = Terms()
        self._denied: dict[str, Denial] = {}  # by topic
        self._link: PahoLink | None = None
        self._connected = False
        self._ended = ""
        self._reason = "connecting"
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="mqtt publisher", daemon=True)

    def start(self) -> None:
        """Begin to connect; return at once."""
        self._thread.start()

    @property
    def state(self) -> PublisherState:
        """State and counters at the moment, for any thread."""
        with self._changed:
            return PublisherState(
                self._connected,
                self._limits() if self._connected else self._reason,
                len(self._queue) + len(self._under_way),
                self._outcomes.copy(),
            )

    def _limits(self) -> str:
        limits = []
        if not self._terms.retain:
            limits.append(
                "the broker keeps no retained messages: coverage and alerts reach those who "
                "listen when they change, and nobody who comes later"
            )
        if self._terms.max_qos < 1:
            limits.append("the broker takes QoS 0 only: what is published may be lost")
        limits += [denial.why for denial in [*self._denied.values()][-1:]]
        return "; ".join(limits)

    def publish(
        self, topic: str, payload: bytes, retain: bool = False, qos: int = 1
    ) -> Future[bool]:
        """Queue a message and return at once.

        The future is True when the broker has acknowledged it (at QoS 0: when it was sent); False
        when it was dropped, replaced by a newer one, or the publisher was closed before.

        ValueError: nothing can be published to such a topic.
        """
        if not topic or "+" in topic or "#" in topic or len(topic.encode()) > 65_535:
            raise ValueError(f"nothing can be published to the topic {topic!r}")
        message = Outgoing(topic, payload, retain, qos)
        with self._changed:
            closing = self._closing
            given_up = [] if closing else self._queue.put(message)
            self._changed.notify_all()
        if closing:
            message.settle(False)
        self._give_up(given_up)
        return message.done

    def close(self, flush_s: float = 2.0) -> int:
        """Send what is queued, for at most so long [s]; return how many were not sent."""
        with self._changed:
            self._closing = True
            self._changed.wait_for(
                lambda: not self._connected or not (self._queue or self._under_way), flush_s
            )
            link = self._link
            self._ended = self._ended or "closed"
            self._changed.notify_all()
        if link is not None:
            link.close()
            link.join(END_S)
        if self._thread.ident is not None:
            self._thread.join(END_S)
        left = []
        with self._changed:
            while self._queue:
                left.append(self._queue.take())
        for message in left:
            message.settle(False)
        if left:
            log.warning("outgoing messages were not sent", count=len(left), reason=self._reason)
        return len(left)

    def _give_up(self, given_up: Iterable[tuple[Outgoing, GivenUp]]) -> None:
        """Count and settle; not under the lock, because a future runs its callbacks here."""
        for message, why in given_up:
            with self._changed:
                self._outcomes[why] += 1
                count = self._outcomes[why]
            if why != "replaced" and (count == 1 or count % 1000 == 0):
                log.warning(
                    "outgoing messages are dropped, the oldest first"
                    if why == "dropped"
                    else "the broker does not take outgoing messages",
                    **{why: count},
                    topic=message.topic,
                    reason=self._reason if why == "dropped" else self._denied[message.topic].why,
                )
            message.settle(False)

    # The publisher's thread.

    def _run(self) -> None:
        backoff = Backoff()
        shown = ""
        while not self._closing:
            try:
                connected_s, reason = self._one_connection()
            except Exception as exc:  # the outermost loop of this thread
                log.exception("publishing failed, connecting again")
                connected_s, reason = 0.0, f"{type(exc).__name__}: {exc}"
            if connected_s > 0:
                shown = ""
            if connected_s > STEADY_S:
                backoff.reset()
            with self._changed:
                self._reason = reason
                if self._closing:
                    return
                if reason != shown:  # the inlet warns; /readyz tells them apart
                    log.debug("cannot publish, trying again for ever", reason=reason)
                    shown = reason
                self._changed.wait_for(lambda: self._closing, backoff.next_s())

    def _one_connection(self) -> tuple[float, str]:
        """Connect and publish until it ends; return how long it was connected [s], and why."""
        link = PahoLink(
            self._options,
            f"{self._options.client_id}-publisher",
            on_connected=self._note_connected,
            on_ended=self._note_ended,
        )
        link.client.on_publish = self._note_acknowledged
        link.client.max_inflight_messages_set(WINDOW)
        with self._changed:
            if self._closing:
                return 0.0, "closed"
            self._link = link
            self._ended = ""
            self._answered = False
            self._acknowledged.clear()
            link.start()  # under the lock: who sees a link may join it
        try:
            lasted_s, reason = self._publish_on(link)
            return lasted_s, reason + self._concede(lasted_s)
        except Exception:
            link.close()
            link.join(END_S)
            raise
        finally:
            with self._changed:
                self._connected = False
                self._link = None
                given_up = self._queue.put_back(list(self._under_way.values()))
                self._under_way.clear()
                self._changed.notify_all()
            self._give_up(given_up)

    def _concede(self, lasted_s: float) -> str:
        """Do without something, if the broker has closed the connection over messages again.

        Return what is said beside the reason.
        """
        with self._changed:
            unanswered = [message for message in self._under_way.values() if message.qos]
            if self._closing or self._answered or not unanswered or lasted_s > STEADY_S:
                self._futile = 0
                return ""
            self._futile += 1
            if self._futile >= FUTILE and self._conceded + 1 < len(CONCESSIONS):
                self._conceded, self._futile = self._conceded + 1, 0
        last = unanswered[0]
        kept = "retained, " if last.retain and self._terms.retain else ""
        return f"; it had not acknowledged a message to {last.topic} ({kept}QoS {last.qos})"

    def _publish_on(self, link: PahoLink) -> tuple[float, str]:
        """Publish until a connection ends; as :meth:`_one_connection`."""
        connected_at_s = 0.0
        while True:
            with self._changed:
                self._changed.wait_for(self._something_to_do)
                if self._connected and not connected_at_s:
                    connected_at_s = time.monotonic()
                ended = self._ended
            self._settle_acknowledged()
            if ended:
                return (time.monotonic() - connected_at_s if connected_at_s else 0.0), ended
            self._hand_over(link)

    def _something_to_do(self) -> bool:
        return (
            bool(self._ended)
            or (self._connected and bool(self._queue) and self._room() > 0)
            or not self._acknowledged.keys().isdisjoint(self._under_way)
        )

    def _room(self) -> int:
        return min(WINDOW, self._terms.receive_max) - len(self._under_way)

    def _hand_over(self, link: PahoLink) -> None:
        while True:
            with self._changed:
                if not self._connected or not self._queue or self._room() <= 0:
                    return
                message, terms = self._queue.take(), self._terms
            qos, retain = min(message.qos, terms.max_qos), message.retain and terms.retain
            try:
                size = HEAD_BYTES + len(message.topic.encode()) + len(message.payload)
                if size > terms.max_packet_bytes:
                    self._refuse(message, f"{size} bytes, more than {terms.max_packet_bytes}")
                    continue
                denial = self._denied.get(message.topic)
                if denial is not None and denial.until_s > time.monotonic():
                    self._give_up([(message, "refused")])
                    continue
                info = link.client.publish(message.topic, message.payload, qos, retain)
            except Exception:
                message.settle(False)  # or it would be the first again on the next connection
                raise
            with self._changed:
                self._under_way[info.mid] = message

    def _settle_acknowledged(self) -> None:
        with self._changed:
            settled = {
                mid: self._acknowledged.pop(mid)
                for mid in self._acknowledged.keys() & self._under_way.keys()
            }
            messages = [(self._under_way.pop(mid), why) for mid, why in settled.items()]
            self._outcomes["published"] += sum(not why for _, why in messages)
            self._answered |= any(message.qos for message, _ in messages)
            for message, why in messages:
                if not why:
                    self._denied.pop(message.topic, None)
            self._changed.notify_all()
        for message, why in messages:
            if why:
                self._refuse(message, why, DENIED_S)
            else:
                message.settle(True)

    def _refuse(self, message: Outgoing, why: str, again_s: float = 0.0) -> None:
        """Give up a message that the broker does not take; try its topic again in a while [s]."""
        why = f"the broker did not take a message to {message.topic}: {why}"
        with self._changed:
            if len(self._denied) >= MOST_DENIED:
                self._denied.clear()
            self._denied[message.topic] = Denial(time.monotonic() + again_s, why)
        self._give_up([(message, "refused")])

    # Called in the link's thread, where paho may hold locks of its own.

    def _note_connected(self) -> None:
        with self._changed:
            assert self._link is not None
            told, conceded, before = self._link.terms, CONCESSIONS[self._conceded], self._limits()
            retain, max_qos = told.retain and conceded.retain, min(told.max_qos, conceded.max_qos)
            self._terms = replace(told, retain=retain, max_qos=max_qos)
            self._connected = True
            self._changed.notify_all()
            limits = self._limits()
        if limits not in ("", before):
            log.warning("the broker takes less than was asked for", limits=limits)

    def _note_ended(self, reason: str) -> None:
        with self._changed:
            self._ended = reason
            self._changed.notify_all()

    def _note_acknowledged(
        self, client: object, data: object, mid: int, code: ReasonCode, properties: object
    ) -> None:
        with self._changed:
            self._acknowledged[mid] = in_words(self._options, str(code)) if code.is_failure else ""
            self._changed.notify_all()
