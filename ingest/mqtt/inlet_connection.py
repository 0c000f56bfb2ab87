"""One connection of the inlet on asyncio: its socket and its clocks.

What is said on the connection is decided in :mod:`ingest.mqtt.wire`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from functools import partial
from typing import Self

from ingest.daemon_executor import DaemonExecutor
from ingest.errors import BrokerUnavailable
from ingest.mqtt.batcher import Batcher
from ingest.mqtt.connection import CONNECT_TIMEOUT_S, MqttOptions, closed, failure
from ingest.mqtt.wire import DISCONNECT, PINGREQ, Wire, acknowledgements

GOODBYE_S = 0.5


class InletConnection(asyncio.BufferedProtocol):
    """A connection that puts what it receives into a batcher. It ends once; then make another.

    `wire` knows what the broker grants, and whether it has kept what it holds for us.
    """

    def __init__(self, options: MqttOptions, batcher: Batcher) -> None:
        self._loop = asyncio.get_running_loop()
        self._options = options
        self._batcher = batcher
        self.wire = Wire(options)
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[str] = self._loop.create_future()
        self._released = asyncio.Event()
        self._problem: BrokerUnavailable | None = None
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._unhanded_bytes = 0
        self._heard_at_s = self._loop.time()
        self._ping_timer: asyncio.TimerHandle | None = None

    @classmethod
    async def made(cls, options: MqttOptions, batcher: Batcher) -> Self:
        """Connect and subscribe; from then on messages go to `batcher`.

        BrokerRefused: the broker said no.
        BrokerUnavailable: there is no broker, or it does not answer, or not in this version of
        MQTT.
        """
        link = cls(options, batcher)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await link.open()
                await link._ready
            if link._problem is not None:
                raise link._problem
        except BaseException as exc:
            link.abort()
            if isinstance(exc, OSError | UnicodeError):  # the latter: no name server takes the name
                raise BrokerUnavailable(failure(options, exc)) from exc
            raise
        return link

    async def ended(self) -> str:
        """Wait until the connection has ended, by whatever cause, and return the reason."""
        return await asyncio.shield(self._ended)

    # The event loop calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self.wire.hello())

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.wire.free()

    def buffer_updated(self, nbytes: int) -> None:
        self._heard_at_s = self._loop.time()
        self._unhanded_bytes += nbytes
        try:
            answer = self.wire.received(nbytes)
        except BrokerUnavailable as exc:
            self._hand_on()
            self._end(exc)
            return
        self._hand_on()
        if answer and self._transport is not None:
            self._transport.write(answer)
        if self.wire.phase == "ready" and not self._ready.done():
            self._ready.set_result(None)
            self._ping_later()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(BrokerUnavailable(closed(self._options, self.wire.phase, exc or "")))
        self._released.set()

    def _hand_on(self) -> None:
        if self.wire.topics:
            self._batcher.put(self, *self.wire.take(), self._unhanded_bytes)
            self._unhanded_bytes = 0

    def _end(self, problem: BrokerUnavailable) -> None:
        """Remember the first reason, let everybody know, and free what the connection held."""
        if self._problem is not None:
            return
        self._problem = problem
        if not self._ready.done():
            self._ready.set_result(None)
        self._ended.set_result(str(problem))
        if self._ping_timer is not None:
            self._ping_timer.cancel()
        self.abort()

    def _ping(self) -> None:
        """Probe the connection twice per keep-alive; give it up when nothing comes back.

        While we read nothing, the answers wait unread: silence then says nothing.
        """
        keep_alive_s = self.wire.keep_alive_s
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
        if self.wire.keep_alive_s > 0:
            self._ping_timer = self._loop.call_later(self.wire.keep_alive_s / 2, self._ping)

    # The inlet calls these.

    async def open(self) -> None:
        """Connect to the first address of the broker that takes us.

        OSError when none does; BrokerUnavailable when `ca_file` cannot be used.
        """
        tls = self._options.tls_context()
        # Not by the event loop's threads: at the end of the program it waits for them, and a name
        # server that does not answer keeps one for long. Nor does this wait while all are busy.
        resolver = DaemonExecutor("mqtt resolver")
        host, port = self._options.host, self._options.port
        try:
            found = await resolver.run(
                partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
            )
        finally:
            resolver.end()
        problem: OSError | None = None
        for *_, address in found:
            try:
                await self._loop.create_connection(
                    lambda: self,
                    str(address[0]),
                    port,
                    ssl=tls,
                    server_hostname=host if tls is not None else None,
                )
            except OSError as exc:
                problem = exc
            else:
                return
        raise problem or OSError("its name has no address")

    async def acknowledge(self, packet_ids: Sequence[int | None]) -> None:
        """Send the PUBACKs of a batch in one go.

        On a connection that has ended it does nothing: the broker sends the messages again.
        """
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
