"""MQTT 3.1.1 on paho-mqtt: its thread collects, the event loop takes over many at once."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import paho.mqtt.client as paho
from paho.mqtt.reasoncodes import ReasonCode

from ingest.errors import BrokerUnavailable
from ingest.mqtt.batcher import Batcher, Connection
from ingest.mqtt.connection import QOS_2, SUBSCRIBE_FILTERS, MqttOptions, granted
from ingest.mqtt.paho_link import PahoLink

GOODBYE_S = 0.5
NOTHING = "zhixun/nothing"
"""Nobody subscribes to this; the broker answers to its unsubscription all the same."""
NOT_UTF_8 = "(topic is not UTF-8)"
FEW = 50
"""Up to this number, acknowledgements cost the event loop less than a change of threads."""


class PahoConnection(Connection):
    """A connection whose messages arrive in paho's thread."""

    def __init__(self, options: MqttOptions, batcher: Batcher) -> None:
        super().__init__(options, batcher)
        self._read = asyncio.Event()
        self._room = threading.Condition()  # guards all below
        self._paused = False
        self._over = False
        self._hand_over_due = False
        self._new_lists()
        self._link = PahoLink(
            options,
            options.client_id,
            clean_session=False,
            on_connected=self._subscribe,
            on_ended=self._link_ended,
        )
        # The event loop's threads may all be busy, with a service that does not answer.
        self._acknowledging = ThreadPoolExecutor(1, "acknowledge")
        self._codes: list[tuple[int, str]] = []
        self._link.client.on_message = self._received
        self._link.client.on_subscribe = self._subscribed
        self._link.client.on_unsubscribe = lambda *_: self._in_loop(self._read.set)

    def _new_lists(self) -> None:
        self._topics: list[str] = []
        self._payloads: list[bytes] = []
        self._packet_ids: list[int | None] = []
        self._size_bytes = 0

    # These run in paho's thread.

    def _subscribe(self) -> None:
        """Ask for the next filters."""
        self._link.phase = "subscribing"
        for pattern in () if self._codes else self._options.gone:
            self._link.client.unsubscribe(pattern)
        wanted = self._options.filters[len(self._codes) :][:SUBSCRIBE_FILTERS]
        self._link.client.subscribe([(pattern, 1) for pattern in wanted])

    def _subscribed(
        self, client: object, data: object, mid: int, codes: list[ReasonCode], properties: object
    ) -> None:
        asked = len(self._options.filters) - len(self._codes)
        self._codes += [(code.value, str(code)) for code in codes]
        if len(codes) < asked and len(codes) == SUBSCRIBE_FILTERS:
            self._subscribe()
            return
        try:
            self.notes = granted(self._options, self._options.filters, self._codes)
        except BrokerUnavailable as exc:
            self._end_in_loop(exc)
            return
        self._link.phase, self.session_present = "ready", self._link.session_present
        self._in_loop(self._set_ready)

    def _received(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = NOT_UTF_8  # kept and rejected, or the broker would send it for ever
        with self._room:
            # To hold up paho's thread is to read no more. If it lasts so long that the broker
            # gives us up for dead, it sends what we have not acknowledged again later.
            self._room.wait_for(lambda: self._over or not self._paused)
            if self._over:
                return
            self._topics.append(topic)
            self._payloads.append(bytes(message.payload))
            self._packet_ids.append(
                message.mid + (QOS_2 if message.qos == 2 else 0) if message.qos else None
            )
            self._size_bytes += len(message.payload)
            if self._hand_over_due:
                return
            self._hand_over_due = True
        self._in_loop(self._hand_over)

    def _link_ended(self, reason: str) -> None:
        self._in_loop(self._hand_over)
        self._end_in_loop(BrokerUnavailable(reason))

    def _end_in_loop(self, problem: BrokerUnavailable) -> None:
        self._in_loop(partial(self._end, problem))

    def _in_loop(self, call: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop is closed: nobody waits
            self._loop.call_soon_threadsafe(call)

    # These run in the event loop.

    def _hand_over(self) -> None:
        with self._room:
            taken = self._topics, self._payloads, self._packet_ids, self._size_bytes
            self._new_lists()
            self._hand_over_due = False
        self._batcher.put(self, *taken)

    def _free(self) -> None:
        self._free_thread()
        self._acknowledging.shutdown(wait=False)
        self._read.set()

    def _free_thread(self) -> None:
        with self._room:
            self._over = True
            self._room.notify_all()

    async def open(self) -> None:
        """Let paho's thread connect."""
        self._link.start()

    async def acknowledge(self, packet_ids: Sequence[int | None]) -> None:
        """Send the PUBACKs of a batch."""
        if self._problem is not None:
            return
        if len(packet_ids) <= FEW:
            self._acknowledge(packet_ids)
        else:
            await self._loop.run_in_executor(self._acknowledging, self._acknowledge, packet_ids)

    def _acknowledge(self, packet_ids: Sequence[int | None]) -> None:
        ack = self._link.client.ack
        for packet_id in packet_ids:
            if packet_id is not None:
                ack(packet_id % QOS_2, 1 if packet_id < QOS_2 else 2)

    def pause(self) -> None:
        """Hold up paho's thread at the next message."""
        with self._room:
            self._paused = True

    def resume(self) -> None:
        """Let paho's thread go on."""
        with self._room:
            self._paused = False
            self._room.notify_all()

    def abort(self) -> None:
        """Close without waiting."""
        self._free_thread()
        self._link.close()

    async def close(self) -> None:
        """Send DISCONNECT and close; what is not acknowledged stays in the broker's session.

        paho closes the socket behind DISCONNECT, and whoever then connects under our client id
        may be served before the broker has read our last acknowledgements. A broker answers in
        order, so its answer to a question after them says that it has.
        """
        self._free_thread()
        if self._problem is None:
            self._read.clear()
            self._link.client.unsubscribe(NOTHING)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await self._read.wait()
        self._link.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await self.ended()
