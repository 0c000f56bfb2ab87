"""Strangers at the port: what they hold, send and do not read is bounded; others are served."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse

from dashboards.api.problems import install
from patrol.config.sections import Http
from patrol.port import BODY_BYTES, HEAD_BYTES, PATIENCE_S, Phase, Port
from patrol.web import WebServer
from tests.patience import until
from tests.servers import HOST, free_port

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; ",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), ",
}
SHORT = PATIENCE_S | {"head": 0.3, "body": 0.3, "unread": 0.3, "refused": 0.1}


class Served(SimpleNamespace):
    """A server of this process, and what its application has seen."""

    web: WebServer
    port: int
    bodies: list[int]

    @property
    def guard(self) -> Port:
        """The socket that it listens on."""
        assert self.web.socket is not None
        return self.web.socket

    def connect(self, sent: bytes = b"") -> socket.socket:
        """A connection on which something was sent."""
        conn = socket.create_connection((HOST, self.port), timeout=20)
        conn.sendall(sent)
        return conn

    def ask(self, path: str = "/", method: str = "GET", **options: Any) -> HTTPResponse:
        """The answer to a whole request on a connection of its own."""
        client = HTTPConnection(HOST, self.port, timeout=20)
        client.request(method, path, headers={"Connection": "close"}, **options)
        return client.getresponse()

    def half_a_head(self) -> socket.socket:
        """A connection of somebody who never ends a request."""
        return self.connect(b"GET / HTTP/1.1\r\nHost: 127")

    def stream(self) -> HTTPResponse:
        """An answer that goes on; its first piece has come."""
        answer = self.ask("/stream")
        assert answer.read(2) == b"go"
        return answer


@contextmanager
def serving(
    http: Http | None = None,
    patience_s: Mapping[Phase, float] = PATIENCE_S,
    tile_url: str | None = None,
) -> Iterator[Served]:
    """An application of a word, a stream, a large answer, a reader of bodies and a crash."""
    app = FastAPI(openapi_url=None)
    install(app)
    over, bodies = threading.Event(), list[int]()

    @app.get("/")
    async def word() -> Response:
        return Response("word")

    @app.get("/stream")
    async def stream() -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            while not over.is_set():
                yield b"go"
                await asyncio.sleep(0.05)

        return StreamingResponse(pieces())

    @app.get("/large")
    async def large() -> Response:
        return Response(b"x" * 30_000_000)

    @app.post("/body")
    async def body(request: Request) -> Response:
        bodies.append(0)
        with suppress(ClientDisconnect):
            async for piece in request.stream():
                bodies[-1] += len(piece)
        return Response("read")

    @app.get("/crash")
    async def crash() -> Response:
        raise RuntimeError("on purpose")

    port = free_port()
    web = WebServer(app, HOST, port, http or Http(), tile_url, patience_s)
    thread = threading.Thread(target=lambda: asyncio.run(web.run_until_told()))
    thread.start()
    try:
        until(lambda: web.started)
        yield Served(web=web, port=port, bodies=bodies)
    finally:
        over.set()
        web.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def plain() -> Iterator[Served]:
    """A server with the usual limits."""
    with serving(tile_url="https://{s}.tiles.example/{z}/{x}/{y}.png") as served:
        yield served


def closed(conn: socket.socket) -> bool:
    """Whether the other end has ended a connection, after whatever it still said."""
    try:
        while conn.recv(65_536):
            pass
    except ConnectionError:
        pass
    return True


def said(conn: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer on a connection."""
    answer = HTTPResponse(conn)
    answer.begin()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: 127", "slow_head"),
        (b"", "slow_head"),
        (b"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n1234", "slow_body"),
        (b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n", "slow_unread"),
    ],
)
def test_who_takes_too_long_is_ended(sent: bytes, reason: str) -> None:
    """With a head, a body, or reading an answer; the reason is counted."""
    with serving(patience_s=SHORT) as served, served.connect() as conn:
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        conn.sendall(sent)
        until(lambda: served.guard.refused[reason] == 1)
        assert closed(conn)
        assert not served.guard.open
        assert served.ask().read() == b"word"


def test_who_reads_slowly_but_reads_gets_everything() -> None:
    """The time for reading begins anew whenever something was read."""
    with serving(patience_s=SHORT) as served, served.connect() as conn:
        conn.sendall(b"GET /large HTTP/1.0\r\nHost: h\r\n\r\n")
        got = 0
        while piece := conn.recv(100_000):
            got += len(piece)
            if got < 12_000_000:
                threading.Event().wait(0.01)  # slower than the server can write
        assert got > 30_000_000


def test_a_stream_may_go_on_for_longer_than_anything_else() -> None:
    """As long as it is read."""
    with serving(patience_s=SHORT) as served, served.half_a_head() as other:
        stream = served.stream()
        assert closed(other)
        assert stream.read(40) == b"go" * 20  # a second
        assert served.guard.refused == {"slow_head": 1}


def test_half_heads_of_an_address_give_way_to_requests_and_never_to_streams() -> None:
    """Whoever shares the address with a stranger is answered all the same."""
    with serving(Http(connections_per_address=10)) as served, ExitStack() as held:
        streams = [served.stream() for _ in range(8)]
        for _ in range(50):
            held.enter_context(served.half_a_head())
        assert served.ask().read() == b"word"
        assert len(served.guard.open) <= 10
        assert [stream.read(2) for stream in streams] == [b"go"] * 8
        assert served.guard.refused.keys() == {"connections_per_address"}


def test_when_all_are_being_answered_another_is_turned_away() -> None:
    """The limit holds, and nobody who is served pays for it."""
    with serving(Http(connections=10)) as served:
        # One address may have three quarters.
        streams = [served.stream() for _ in range(7)]
        with served.half_a_head() as turned_away:
            assert closed(turned_away)
        assert [stream.read(2) for stream in streams] == [b"go"] * 7


def test_only_the_total_limits_a_proxy_that_is_trusted() -> None:
    """Everybody comes through it."""
    http = Http(connections=20, connections_per_address=10, trusted_proxies=("127.0.0.0/8",))
    with serving(http) as served:
        streams = [served.stream() for _ in range(20)]
        with served.half_a_head() as turned_away:
            assert closed(turned_away)
        assert [stream.read(2) for stream in streams] == [b"go"] * 20
        assert served.guard.refused == {"connections": 1}


def test_a_control_room_and_a_team_behind_one_address(plain: Served) -> None:
    """160 open pages of one address, and as many requests beside their streams."""
    streams = [plain.stream() for _ in range(160)]
    for stream in streams:
        assert plain.ask().read() == b"word"
        assert stream.read(2) == b"go"
        stream.close()
    assert "connections_per_address" not in plain.guard.refused


def test_no_answer_waits_for_the_acknowledgement_of_its_head(plain: Served) -> None:
    """A connection that is kept sends small pieces at once, on which the others build."""
    stream = plain.stream()
    (connection,) = plain.guard.open.values()
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    stream.close()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_is_taken_up_to_its_limit(chunked: bool) -> None:
    """413 as soon as there is more; what was not taken costs no memory."""
    piece = b"x" * 65_536
    how = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 300000000"
    with serving() as served:
        full = served.ask("/body", "POST", body=b"x" * BODY_BYTES)
        assert (full.status, served.bodies) == (200, [BODY_BYTES])
        with served.connect(b"POST /body HTTP/1.1\r\nHost: h\r\n" + how + b"\r\n\r\n") as conn:
            for _ in range(17):
                conn.sendall(b"10000\r\n%b\r\n" % piece if chunked else piece)
            status, headers, body = said(conn)
        assert (status, json.loads(body)["reason"]) == (413, "body_too_large")
        assert headers["content-type"] == "application/problem+json"
        assert served.bodies[1] <= BODY_BYTES


def test_a_body_after_its_answer_is_limited_too() -> None:
    """A route that reads none answers at once; the rest is taken, and at the limit no more."""
    head = b"POST /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 300000000\r\n\r\n"
    with serving() as served, served.connect(head) as conn:
        assert conn.recv(12) == b"HTTP/1.1 404"
        with pytest.raises(ConnectionError):
            conn.sendall(b"x" * 300_000_000)
        assert served.guard.refused == {"body_too_large": 1}


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: h\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 5 * HEAD_BYTES + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n" + b"a: b\r\n" * HEAD_BYTES,
        b"GET /" + b"a" * 2 * HEAD_BYTES,
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        b"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        b"POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"F" * 21
        + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xab" * 500,
    ],
)
def test_what_is_no_request_is_refused(
    plain: Served, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """400 with the usual headers, and no word in the log for each."""
    before = plain.guard.refused["malformed_request"]
    with plain.connect(request_) as conn:
        status, headers, body = said(conn)
    assert (status, json.loads(body)["reason"]) == (400, "malformed_request")
    assert headers["connection"] == "close"
    assert all(headers[name].startswith(value) for name, value in HEADERS.items())
    assert plain.guard.refused["malformed_request"] == before + 1
    assert caplog.records == []


def test_many_requests_at_once_are_answered_one_after_the_other() -> None:
    """10,000 requests in one piece are not 10,000 answers under way."""
    with serving() as served:
        with served.connect(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" * 10_000) as conn:
            answer = b""
            while answer.count(b"word") < 100:
                answer += conn.recv(65_536)
                assert len(served.web.server_state.tasks) < 10
        assert served.ask().read() == b"word"


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/nothing", 404), ("/crash", 500)])
def test_every_answer_has_the_usual_headers(plain: Served, path: str, status: int) -> None:
    """Those of errors too, and even of what nobody has expected."""
    answer = plain.ask(path)
    assert answer.status == status
    for name, value in HEADERS.items():
        assert (answer.getheader(name) or "").startswith(value)
    assert answer.getheader("server") is None
    policy = answer.getheader("content-security-policy") or ""
    assert "unsafe" not in policy
    assert "img-src 'self' data: blob: https://*.tiles.example;" in policy


def test_without_a_descriptor_who_comes_is_turned_away_and_later_served(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """asyncio would try a hundred times, and log each, as long as it lasts."""
    with serving() as served, ExitStack() as held:
        streams = [served.stream() for _ in range(3)]
        clients = [held.enter_context(socket.socket()) for _ in range(20)]
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            # The spare one, too, must lie below: tests before this one may keep hundreds open.
            highest = max(int(file.name) for file in Path("/proc/self/fd").iterdir())
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 20, before[1]))
            with suppress(OSError):
                while True:
                    held.enter_context(socket.socket())
            for client in clients:
                client.settimeout(20)
                client.connect((HOST, served.port))
                assert closed(client)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert served.guard.refused["no_descriptor"] >= 20
        assert served.ask().read() == b"word"
        assert [stream.read(2) for stream in streams] == [b"go"] * 3
    assert "accept" not in caplog.text


def test_the_log_has_one_line_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    """However many are refused."""
    with Port(HOST, 0, Http()) as port:
        port.sweep()
        assert capsys.readouterr().out == ""
        port.refused.update(slow_head=300, malformed_request=2)
        port.sweep()
        assert "slow_head=300" in capsys.readouterr().out
        port.refused["slow_head"] += 1
        port.sweep()
        assert capsys.readouterr().out == ""
