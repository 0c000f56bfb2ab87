"""The port of the web: what it costs at most that anybody can connect to it.

uvicorn gives a connection all the time, and a body all the memory, that it asks for. Here

    connections   are counted, in total and per address; at the limit the eldest that is not
                  being answered gives way to a new one
    phases        of a connection have a time limit each, but for an answer, which may be a
                  stream: that has to be read
    requests      that are too large, or not of HTTP, are refused before anything is made of them

Each refusal is counted by its reason; the log has one line a minute with the counts.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import math
import resource
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, Literal

import h11
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

from dashboards.access.throttle import network
from dashboards.api.problems import ProblemAnswer
from patrol.config.sections import Http

log = structlog.get_logger(__name__)

HEAD_BYTES: Final = 64 << 10
BODY_BYTES: Final = 1 << 20
"""The outline of a zone with 20,000 corners."""

LOG_EVERY_S: Final = 60.0
DESCRIPTORS: Final = 65_536
NO_SPARE_S: Final = 0.01
"""Pause before a connection is looked at again that cannot be accepted or turned away [s]."""
NO_DESCRIPTOR: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

Phase = Literal["head", "body", "answer", "unread", "refused"]
"""What a connection waits for: the head of a request (from the first, TLS included, or the last
answer on), its body, its answer, that the other end takes more of an answer, or a refusal."""

PATIENCE_S: Final[Mapping[Phase, float]] = {
    "head": 15.0,
    "body": 30.0,
    "answer": math.inf,
    "unread": 30.0,
    "refused": 2.0,
}


class Connection(socket.socket):
    """A connection that was accepted, and the phase that it is in."""

    def __init__(self, accepted: socket.socket, port: Port, origin: str) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self.transport: asyncio.Transport | None = None
        self.origin = origin
        self._port, self._number = port, self.fileno()
        port.open[self._number] = self
        self._begin("head")

    def enter(self, phase: Phase) -> None:
        """Begin a phase; nothing changes for one that is in it already."""
        if phase != self.phase:
            self._begin(phase)

    def late(self, now_s: float) -> bool:
        """Whether the phase is over time; it begins anew for who has taken more of an answer."""
        if now_s < self._until_s:
            return False
        if 0 < self._unread() < self._unread_before:
            self._begin(self.phase)
            return False
        return True

    def end(self) -> None:
        """End it at once, whatever is on its way."""
        self._forget()
        with suppress(OSError):  # the kernel would keep sending what nobody reads
            self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if self.transport is not None:
            self.transport.abort()
        with suppress(OSError):  # before TLS is up nobody but the socket can be told
            self.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket, as its transport does in the end."""
        self._forget()
        super().close()

    def _begin(self, phase: Phase) -> None:
        self.phase = phase
        self._until_s = time.monotonic() + self._port.patience_s[phase]
        self._unread_before = self._unread()

    def _unread(self) -> int:
        return 0 if self.transport is None else self.transport.get_write_buffer_size()

    def _forget(self) -> None:
        if self._port.open.get(self._number) is self:
            del self._port.open[self._number]


class Port(socket.socket):
    """The socket that listens, with the connections that it has accepted, the eldest first.

    `patience_s` is how long each phase of one may last without more of an answer being read [s].

    OSError: one cannot listen at this address.
    """

    def __init__(
        self, host: str, port: int, http: Http, patience_s: Mapping[Phase, float] = PATIENCE_S
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Of a socket whose protocol is not named asyncio does not know that it is TCP, and leaves
        # Nagle's algorithm on: the body of an answer waits 40 ms for the acknowledgement of its
        # head, on every connection that is kept.
        super().__init__(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.family == socket.AF_INET6:
            self.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            self.bind((host, port))
        except OSError:
            self.close()
            raise
        self.patience_s = patience_s
        # Many come through a proxy: only the total limits it.
        self._proxies = [ipaddress.ip_network(each) for each in http.trusted_proxies]
        # Files need descriptors too; and one address must not have all connections.
        self._total = min(http.connections, _descriptors() // 2)
        self._per_address = min(http.connections_per_address, self._total * 3 // 4)
        self.open: dict[int, Connection] = {}
        self.refused: Counter[str] = Counter()
        self._told: Counter[str] = Counter()
        self._tell_at_s = 0.0
        self._spare = socket.socket()

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection; BlockingIOError when there is none, or it was refused."""
        try:
            accepted, peer = super().accept()
        except OSError as exc:
            if exc.errno not in NO_DESCRIPTOR:
                raise
            # asyncio would log it without end, and come back for this connection until it is gone.
            if not self._make_room("no_descriptor", self.open.values()):
                self._turn_away()
            raise BlockingIOError from exc
        origin, room = network(peer[0]), True
        held = Counter(connection.origin for connection in self.open.values())
        if held[origin] >= self._per_address and not self._is_proxy(peer[0]):
            own = (each for each in self.open.values() if each.origin == origin)
            room = self._make_room("connections_per_address", own)
        elif len(self.open) >= self._total:
            by_share = sorted(self.open.values(), key=lambda each: -held[each.origin])
            room = self._make_room("connections", by_share)
        if not room:
            accepted.close()
            raise BlockingIOError
        return Connection(accepted, self, origin), peer

    def sweep(self) -> None:
        """End the connections that are over time, and tell once a minute what was refused."""
        now_s = time.monotonic()
        for connection in list(self.open.values()):
            if connection.late(now_s):
                if connection.phase != "refused":
                    self.refused[f"slow_{connection.phase}"] += 1
                connection.end()
        if self.refused != self._told and now_s >= self._tell_at_s:
            log.warning("the port refused connections and requests", **(self.refused - self._told))
            self._told, self._tell_at_s = self.refused.copy(), now_s + LOG_EVERY_S

    def _make_room(self, reason: str, connections: Iterable[Connection]) -> bool:
        """End the first of some connections that is not being answered."""
        self.refused[reason] += 1
        for connection in connections:
            if connection.phase != "answer":
                connection.end()
                return True
        return False

    def _turn_away(self) -> None:
        """Close the connection that waits, by the descriptor that is kept for this."""
        self._spare.close()
        try:
            super().accept()[0].close()
            self._spare = socket.socket()
        except OSError:
            # Another thread was faster to take the descriptor: nobody can be turned away until
            # one is free, and asking for that without end would take a core.
            time.sleep(NO_SPARE_S)

    def _is_proxy(self, address: str) -> bool:
        found = ipaddress.ip_address(address.partition("%")[0])
        return any(found in proxies for proxies in self._proxies)


def _descriptors() -> int:
    """Let this process have as many files and connections as it may, and return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, min(hard, DESCRIPTORS))
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


class Conversation(H11Protocol):
    """uvicorn's protocol, whose steps are phases, and which refuses what is too large."""

    def __init__(self, port: Port, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self._port = port
        self._body_bytes = 0
        self._over = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        found = self._port.open.get(transport.get_extra_info("socket").fileno())
        if found is None:  # it gave way to another meanwhile
            self._over = True
            transport.abort()
        else:
            self._connection = found
            found.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        super().data_received(data)
        self._body_bytes += len(data)
        if self.conn.their_state is not h11.SEND_BODY:
            self._body_bytes = 0
        elif self._body_bytes > BODY_BYTES:
            detail = f"the body of a request has {BODY_BYTES} bytes at most"
            self._refuse(413, "body_too_large", detail)
        self._follow()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._follow()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._follow()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._follow()

    def send_400_response(self, msg: str) -> None:
        """Refuse what h11 refuses: a head of more than `HEAD_BYTES`, two hosts, and so on."""
        self._refuse(400, "malformed_request", "this is no request of HTTP/1.1, or it is too large")

    def _follow(self) -> None:
        """Enter the phase that the conversation is in."""
        if self._over:
            return
        if self.conn.their_state is h11.SEND_BODY:
            self._connection.enter("body")
        elif self.flow.write_paused:
            self._connection.enter("unread")
        elif self.conn.our_state in (h11.SEND_RESPONSE, h11.SEND_BODY):
            self._connection.enter("answer")
        else:
            self._connection.enter("head")

    def _refuse(self, status: int, reason: str, detail: str) -> None:
        """Answer with a problem, take nothing more, and end the connection a moment later."""
        self._over = True
        self._port.refused[reason] += 1
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self._connection.end()  # an answer has begun
            return
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        answer = ProblemAnswer(status, reason, detail, {"Connection": "close"})
        headers = (*self.server_state.default_headers, *answer.raw_headers)
        lines = [b"%b: %b\r\n" % header for header in headers]
        head = b"HTTP/1.1 %d \r\n%b\r\n" % (status, b"".join(lines))
        self.transport.write(head + bytes(answer.body))
        self.flow.pause_reading()
        self._connection.enter("refused")
