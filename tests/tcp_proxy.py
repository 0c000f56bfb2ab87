"""A wire between a client and a server that a test can cut, or leave open and dead."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

from tests.servers import HOST, free_port


class TcpProxy:
    """Listens on a loopback port of its own, and hands bytes on in both directions.

    Parameters
    ----------
    port : int
        The server's loopback port; while nobody listens there, connections are closed at once.
    """

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self._server = port
        self._flows = threading.Event()
        self._flows.set()
        self._ends: set[socket.socket] = set()

    def __enter__(self) -> Self:
        self._listening = socket.create_server((HOST, self.port))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        self.cut()

    def freeze(self) -> None:
        """Let nothing through; both ends believe that they are connected."""
        self._flows.clear()

    def cut(self) -> None:
        """End all connections; those that come later work."""
        for end in list(self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._flows.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((HOST, self._server))
            except OSError:
                client.close()
                continue
            self._ends |= {client, server}
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self._hand_on, args=ends, daemon=True).start()

    def _hand_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                self._flows.wait()
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            self._ends.discard(end)
