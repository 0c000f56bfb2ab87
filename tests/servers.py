"""Programs that tests start and stop, and HTTP servers whose answers a test gives."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from tests.patience import LOOK_EVERY_S, PATIENCE_S, until

HOST = "127.0.0.1"
REPOSITORY = Path(__file__).parent.parent

LOWEST_PORT = 10_000
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")

ASK_EVERY_S = 0.05
"""How often a program is asked how it is [s]: answering is work too."""

_reserved: list[socket.socket] = []


def free_port() -> int:
    """Return a loopback port that nobody listens on, and that no other test will be given.

    Linux never chooses the port itself for a connection or for port 0, because it lies below
    the range for that. Other processes of tests see that it is taken by the name of a socket,
    which this process keeps until it ends.
    """
    below = int(EPHEMERAL.read_text().split()[0])
    while True:
        port = random.SystemRandom().randrange(LOWEST_PORT, below)
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0zhixun-tests-port-{port}")
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((HOST, port))
        except OSError:
            name.close()
        else:
            _reserved.append(name)
            return port


class Program:
    """A program in a process of its own; started, stopped and killed at will, by its process id.

    Parameters
    ----------
    command : sequence
        The program and its arguments.
    log : Path
        The file that gets its output; a start appends to it.
    environment : mapping, optional
        What to add to the environment of the tests.
    """

    def __init__(
        self,
        command: Sequence[object],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.command, self.log = [str(word) for word in command], log
        self.environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The id of its process, which runs."""
        assert self._process is not None, "it does not run"
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, and wait until it is `up`; fail with its output when it ends before."""
        assert not self.runs, "it runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdout=log, stderr=log, env=self.environment
            )
        try:
            self.wait(self.up, every_s=LOOK_EVERY_S)
        except BaseException:
            self.kill()
            raise

    def up(self) -> bool:
        """Whether it does its work; a program that nobody waits for does at once."""
        return True

    def wait(
        self,
        condition: Callable[[], object],
        timeout_s: float = PATIENCE_S,
        *,
        every_s: float = ASK_EVERY_S,
    ) -> None:
        """Wait until a condition is true; fail with the output when the program ends before."""

        def come_true() -> bool:
            if condition():
                return True
            assert self.runs, f"{self.command[0]} ended before {explain()}"
            return False

        def explain() -> str:
            return f"{condition}:\n{self.said()[-4000:]}"

        until(come_true, timeout_s, every_s=every_s, explain=explain)

    def send(self, sign: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None, "it does not run"
        self._process.send_signal(sign)

    def stop(self, timeout_s: float = PATIENCE_S) -> int:
        """Stop it in order, with SIGTERM; return its exit code."""
        self.send(signal.SIGTERM)
        return self._ended(timeout_s)

    def kill(self) -> None:
        """Stop it at once, as a crash would; it may have ended already."""
        if self._process is not None:
            self._process.kill()
            self._ended(PATIENCE_S)

    def _ended(self, timeout_s: float) -> int:
        assert self._process is not None
        code = self._process.wait(timeout_s)
        self._process = None
        return code

    def said(self) -> str:
        """Return its output so far, of all its starts."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""


class Server(Program):
    """A program that listens on loopback ports; a start waits until it answers on all.

    Parameters
    ----------
    ports : sequence of int
        Its ports; `port` is the first.
    """

    host = HOST

    def __init__(self, command: Sequence[object], log: Path, *ports: int) -> None:
        super().__init__(command, log)
        self.port = ports[0]
        self._ports = ports

    def up(self) -> bool:
        """Whether somebody takes connections on every port."""
        return all(map(takes_connections, self._ports))


def takes_connections(port: int) -> bool:
    """Whether somebody listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


@dataclass(frozen=True)
class Request:
    """What an HTTP server was asked; names of headers are read in any case."""

    method: str
    path: str
    headers: Message
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What an HTTP server says."""

    status: int = 200
    body: str | bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def answering(answer: Callable[[Request], Answer]) -> Iterator[str]:
    """Serve HTTP with the answers of a function, in threads of this process; give the URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            said = answer(Request(self.command, self.path, self.headers, body))
            text = said.body.encode() if isinstance(said.body, str) else said.body
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            if said.status != 204:
                self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = do  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer((HOST, 0), Handler)
    listening.daemon_threads = True
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://{HOST}:{listening.server_port}"
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
