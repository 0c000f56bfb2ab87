"""A proxy before a server, that answers in its place when it is told to."""

from __future__ import annotations

import gzip
import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Answer:
    """What the proxy says by itself."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


Fault = Callable[[int, bytes], Answer | None]
"""Given the number of a request and its lines: what to answer, or None to hand it on."""


def none(number: int, lines: bytes) -> None:
    """No fault."""


class FaultProxy:
    """Listens on a loopback port of its own, and hands requests on.

    Parameters
    ----------
    host, port : str, int
        Whom to hand them to.

    Attributes
    ----------
    fault : Fault
        May be replaced at any time.
    delay_s : float
        How long every answer takes [s].
    requests : list of int
        Lines of each write, in the order in which they came.
    """

    def __init__(self, host: str, port: int, fault: Fault = none, delay_s: float = 0.0) -> None:
        self.fault, self.delay_s = fault, delay_s
        self.requests: list[int] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = proxy.answer(body, gzipped="gzip" in self.headers["Content-Encoding"])
                if answer is None:
                    answer = self._hand_on(body)
                text = answer.body.encode()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.status != 204:
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if answer.status != 204:
                    self.wfile.write(text)

            def _hand_on(self, body: bytes) -> Answer:
                connection = http.client.HTTPConnection(host, port, timeout=30)
                try:
                    connection.request("POST", self.path, body, dict(self.headers))
                    answer = connection.getresponse()
                    return Answer(answer.status, answer.read().decode())
                except OSError as exc:
                    return Answer(502, str(exc))
                finally:
                    connection.close()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, body: bytes, *, gzipped: bool) -> Answer | None:
        lines = gzip.decompress(body) if gzipped else body
        self.requests.append(lines.count(b"\n"))
        if self.delay_s:
            time.sleep(self.delay_s)
        return self.fault(len(self.requests), lines)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
