"""The inlet: messages in from a broker, acknowledged only when the sink has kept them.

phase       means
stopped     not running
connecting  the first try is under way
connected   messages flow
waiting     no usable connection; `reason` says why; it is tried again for ever
holding     the sink cannot keep anything, so nothing is acknowledged; `reason` says why
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import structlog

from files.backoff import Backoff
from ingest.errors import BrokerUnavailable, StoreUnavailable
from ingest.log import Messages
from ingest.mqtt.batcher import Batch, Batcher
from ingest.mqtt.connection import STEADY_S, MqttOptions
from ingest.mqtt.inlet_connection import InletConnection

log = structlog.get_logger(__name__)

Sink = Callable[[Messages], Awaitable[None]]
"""Keeps a batch. When it returns, the messages are acknowledged; StoreUnavailable means later."""

Connect = Callable[[MqttOptions, Batcher], Awaitable[InletConnection]]
"""Makes one connection, or raises BrokerUnavailable."""

LAST_BATCHES_S = 1.2
"""Time for the sink to keep the last batches at `stop` [s]."""


@dataclass(frozen=True)
class InletState:
    """Phase of the inlet, and the reason when it is not receiving.

    While it is, what the broker grants less than was asked for.
    """

    phase: Literal["stopped", "connecting", "connected", "waiting", "holding"]
    reason: str = ""


def make_inlet(options: MqttOptions, now_ms: Callable[[], int]) -> MqttInlet:
    """Return an inlet for the broker of the options.

    ValueError: there is nothing to subscribe to.
    """
    if not options.filters:
        raise ValueError("the inlet has no topic filters: configure at least one vendor")
    return MqttInlet(options, InletConnection.made, now_ms)


class MqttInlet:
    """Received messages: connects to an MQTT broker and hands batches to a sink.

    `now_ms` is the clock that stamps received batches [ms since the epoch].
    """

    def __init__(self, options: MqttOptions, connect: Connect, now_ms: Callable[[], int]) -> None:
        self._options = options
        self._connect = connect
        self._now_ms = now_ms
        self._batcher = Batcher()
        self._link_state = InletState("stopped")
        self._holding = ""
        self._connection: InletConnection | None = None
        self._received = 0
        self._running = False
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()

    @property
    def state(self) -> InletState:
        """Phase and reason, by the table of the module."""
        if self._holding:
            return InletState("holding", self._holding)
        return self._link_state

    @property
    def received(self) -> int:
        """Messages handed to the sink and kept since the start; redelivered ones count again."""
        return self._received

    async def run(self, sink: Sink) -> None:
        """Connect, subscribe, gather, hand over; return only after `stop`. Twice: RuntimeError.

        `sink` is called with one batch at a time. A batch is acknowledged after the call
        returned. When it raises StoreUnavailable the batch is kept and tried again; any other
        exception ends `run` and is raised, and the broker will send the batch again.
        """
        if self._running:
            raise RuntimeError("this inlet has been run already; make another")
        self._running = True
        self._link_state = InletState("connecting")
        deliver = asyncio.create_task(self._deliver(sink))
        connect = asyncio.create_task(self._stay_connected())
        stopping = asyncio.create_task(self._stopping.wait())
        tasks: tuple[asyncio.Task[Any], ...] = (deliver, connect, stopping)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if stopping in done and deliver not in done:
                await self._finish(deliver)
            for task in (deliver, connect):
                if task.done() and not task.cancelled():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._connection is not None:
                await self._connection.close()
            self._link_state = InletState("stopped")
            self._stopped.set()

    async def stop(self) -> None:
        """Hand over what is there, say goodbye and make `run` return, in under two seconds."""
        self._stopping.set()
        if self._running:
            await self._stopped.wait()

    async def follow(self, filters: Sequence[str]) -> None:
        """Subscribe to these from now on: connects again, and nothing is missed meanwhile."""
        before, wanted = self._options, tuple(filters)
        if wanted == before.filters:
            return
        gone = {*before.gone, *before.filters}.difference(wanted)
        self._options = replace(before, filters=wanted, gone=tuple(sorted(gone)))
        if self._connection is not None:
            await self._connection.close()

    async def _finish(self, deliver: asyncio.Task[None]) -> None:
        if self._connection is not None:
            self._connection.pause()
        self._batcher.finish()
        done, _ = await asyncio.wait({deliver}, timeout=LAST_BATCHES_S)
        if not done:
            log.warning("stopped before the last batch was kept; the broker will send it again")

    async def _stay_connected(self) -> None:
        clock = asyncio.get_running_loop().time
        backoff = Backoff()
        shown = limits = ""
        known = False
        while True:
            await self._batcher.room()
            try:
                options = self._options
                connection = await self._connect(options, self._batcher)
            except BrokerUnavailable as exc:
                reason = str(exc)
            else:
                if options is not self._options:  # it has followed meanwhile
                    await connection.close()
                    continue
                self._connection = connection
                self._link_state = InletState("connected", "; ".join(connection.wire.notes))
                log.info("connected", broker=self._options.address)
                shown = ""
                if self._link_state.reason not in ("", limits):
                    limits = self._link_state.reason
                    log.warning("the broker grants less than was asked for", limits=limits)
                if known and not connection.wire.session_present:
                    log.warning("the broker has forgotten us: what it kept for us is lost")
                known = True
                since_s = clock()
                reason = await connection.ended()
                self._connection = None
                if options is not self._options:
                    continue
                if clock() - since_s > STEADY_S:
                    backoff.reset()
                else:
                    reason += (
                        "; if this repeats, another program may be using the client id "
                        f"{self._options.client_id!r}"
                    )
            self._link_state = InletState("waiting", reason)
            if reason != shown:  # once, not at every try
                log.warning("no connection to the broker, trying again for ever", reason=reason)
                shown = reason
            await asyncio.sleep(backoff.next_s())

    async def _deliver(self, sink: Sink) -> None:
        while (batch := await self._batcher.take()) is not None:
            if not await self._keep(batch, sink):
                return
            await batch.origin.acknowledge(batch.packet_ids)

    async def _keep(self, batch: Batch, sink: Sink) -> bool:
        """Give the batch to the sink until it has it; False when stopped before."""
        messages = Messages(self._now_ms(), batch.topics, batch.payloads)
        backoff = Backoff(first_s=0.1, limit_s=5.0)
        while True:
            try:
                await sink(messages)
            except StoreUnavailable as exc:
                if not self._holding:
                    log.error("nothing can be kept, so nothing is acknowledged", reason=str(exc))
                self._holding = str(exc)
            else:
                if self._holding:
                    log.info("messages are kept again")
                    self._holding = ""
                self._received += len(batch.topics)
                return True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(backoff.next_s()):
                    await self._stopping.wait()
            if self._stopping.is_set():
                return False
