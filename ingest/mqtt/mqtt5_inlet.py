"""MQTT 5 on asyncio: one connection, its socket and its clocks.

What is said on the connection is decided in :mod:`ingest.mqtt.mqtt5_wire`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Sequence
from functools import partial

from ingest.daemon_executor import DaemonExecutor
from ingest.errors import BrokerUnavailable
from ingest.mqtt.batcher import Batcher
from ingest.mqtt.connection import CONNECT_TIMEOUT_S, Connection, MqttOptions, failure
from ingest.mqtt.mqtt5_wire import DISCONNECT, PINGREQ, Wire, acknowledgements

GOODBYE_S = 0.5


async def connect(options: MqttOptions, batcher: Batcher) -> Connection:
    """Connect and subscribe; from then on messages go to `batcher`.

    Raises
    ------
    BrokerRefused
        The broker said no.
    BrokerUnavailable
        There is no broker, or it does not answer, or not in MQTT 5.
    """
    tls = options.tls_context()
    link: Mqtt5Connection | None = None
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            link = await _connected(options, batcher, tls)
            await link.ready()
    except BaseException as exc:
        if link is not None:
            link.abort()
        if isinstance(exc, OSError | UnicodeError):  # the latter: such a name cannot even be asked
            raise BrokerUnavailable(failure(options, exc)) from exc
        raise
    return link


async def _connected(
    options: MqttOptions, batcher: Batcher, tls: ssl.SSLContext | None
) -> Mqtt5Connection:
    """A connection to the first address of the broker that takes one."""
    # Not by the event loop's threads: at the end of the program it waits for them, and a name
    # server that does not answer keeps one for long. Nor does this wait while all are busy.
    resolver = DaemonExecutor("mqtt resolver")
    resolve = partial(socket.getaddrinfo, options.host, options.port, type=socket.SOCK_STREAM)
    try:
        found = await resolver.run(resolve)
    finally:
        resolver.end()
    problem: OSError | None = None
    for *_, address in found:
        try:
            _, link = await asyncio.get_running_loop().create_connection(
                lambda: Mqtt5Connection(options, batcher),
                str(address[0]),
                options.port,
                ssl=tls,
                server_hostname=options.host if tls is not None else None,
            )
        except OSError as exc:
            problem = exc
        else:
            return link
    raise problem or OSError("its name has no address")


class Mqtt5Connection(asyncio.BufferedProtocol):
    """A :class:`Connection` that the event loop fills with received bytes."""

    def __init__(self, options: MqttOptions, batcher: Batcher) -> None:
        self._loop = asyncio.get_running_loop()
        self._options = options
        self._batcher = batcher
        self._wire = Wire(options)
        self._transport: asyncio.Transport | None = None
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[str] = self._loop.create_future()
        self._released = asyncio.Event()
        self._problem: BrokerUnavailable | None = None
        self._paused = False
        self._heard_at_s = self._loop.time()
        self._ping_timer: asyncio.TimerHandle | None = None

    # The event loop calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._wire.hello())

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._wire.free()

    def buffer_updated(self, nbytes: int) -> None:
        self._heard_at_s = self._loop.time()
        try:
            answer = self._wire.received(nbytes)
        except BrokerUnavailable as exc:
            self._hand_on(nbytes)
            self._end(exc)
            return
        self._hand_on(nbytes)
        if answer and self._transport is not None:
            self._transport.write(answer)
        if self._wire.phase == "ready" and not self._ready.done():
            self._ready.set_result(None)
            self._ping_later()

    def connection_lost(self, exc: Exception | None) -> None:
        why = f": {exc}" if exc is not None else ""
        self._end(BrokerUnavailable(f"{self._options.address} closed the connection{why}"))
        self._released.set()

    def _hand_on(self, nbytes: int) -> None:
        if self._wire.topics:
            self._batcher.put(self, *self._wire.take(), nbytes)

    def _end(self, problem: BrokerUnavailable) -> None:
        """Remember the first reason and let everybody know."""
        if self._problem is not None:
            return
        self._problem = problem
        if self._ping_timer is not None:
            self._ping_timer.cancel()
        if not self._ready.done():
            self._ready.set_result(None)
        self._ended.set_result(str(problem))
        self.abort()

    def _ping(self) -> None:
        """Probe the connection twice per keep-alive; give it up when nothing comes back.

        While we read nothing, the answers wait unread: silence then says nothing.
        """
        keep_alive_s = self._wire.keep_alive_s
        if self._transport is None or self._problem is not None:
            return
        silent_s = self._loop.time() - self._heard_at_s
        if silent_s > 1.5 * keep_alive_s and not self._paused:
            address = self._options.address
            self._end(BrokerUnavailable(f"{address} has not answered for {silent_s:.0f} s"))
            return
        self._transport.write(PINGREQ)
        self._ping_later()

    def _ping_later(self) -> None:
        if self._wire.keep_alive_s > 0:
            self._ping_timer = self._loop.call_later(self._wire.keep_alive_s / 2, self._ping)

    # The inlet calls these.

    async def ready(self) -> None:
        """Wait until the broker has accepted connection and subscriptions."""
        await self._ready
        if self._problem is not None:
            raise self._problem

    async def acknowledge(self, packet_ids: Sequence[int | None]) -> None:
        """Send the PUBACKs of a batch in one go."""
        if self._problem is None and self._transport is not None:
            self._transport.write(acknowledgements(packet_ids))

    def pause(self) -> None:
        """Stop reading from the socket."""
        if not self._paused and self._transport is not None and self._problem is None:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read from the socket again."""
        if self._paused and self._transport is not None and self._problem is None:
            self._paused = False
            self._heard_at_s = self._loop.time()
            self._transport.resume_reading()

    async def ended(self) -> str:
        """Wait for the end of the connection and return its reason."""
        return await asyncio.shield(self._ended)

    async def close(self) -> None:
        """Send DISCONNECT and close; what is not acknowledged stays in the broker's session.

        The broker closes its side once it has read DISCONNECT, and so our last acknowledgements.
        To close first is to let whoever then connects under our client id be served before that.
        """
        if self._problem is None and self._transport is not None:
            self._transport.write(DISCONNECT)
            self.resume()  # the end is noticed by reading only
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await self._released.wait()
            self.abort()

    def abort(self) -> None:
        """Close without a word."""
        if self._transport is not None:
            self._transport.abort()
