"""A proxy before a server, that answers in its place when it is told to."""

from __future__ import annotations

import gzip
import http.client
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from tests.servers import Answer, Request, answering

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
        How long every answer takes [s]; none takes longer than the proxy is there.
    requests : list of int
        Lines of each write, in the order in which they came.
    answered : int
        Writes that got their answer.
    url : str
        Where it listens, once it does.
    """

    def __init__(self, host: str, port: int, fault: Fault = none, delay_s: float = 0.0) -> None:
        self.fault, self.delay_s = fault, delay_s
        self.requests: list[int] = []
        self.answered = 0
        self._hurried = threading.Event()
        self._host, self._port = host, port
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self.url = self._open.enter_context(answering(self._answer))
        return self

    def __exit__(self, *_: object) -> None:
        self.hurry()
        self._open.close()

    def hurry(self) -> None:
        """Give all answers at once, those too that are due later."""
        self._hurried.set()

    def _answer(self, asked: Request) -> Answer:
        gzipped = "gzip" in asked.headers["Content-Encoding"]
        lines = gzip.decompress(asked.body) if gzipped else asked.body
        self.requests.append(lines.count(b"\n"))
        self._hurried.wait(self.delay_s)
        answer = self.fault(len(self.requests), lines) or self._hand_on(asked)
        self.answered += 1
        return answer

    def _hand_on(self, asked: Request) -> Answer:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=30)
        try:
            connection.request("POST", asked.path, asked.body, dict(asked.headers))
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())
        except OSError as exc:
            return Answer(502, str(exc))
        finally:
            connection.close()
