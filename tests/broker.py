"""A real mosquitto on a free loopback port, for the length of a test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import mqtt5

from tests.patience import PATIENCE_S, until
from tests.servers import Server, free_port

PROGRAM = "/usr/sbin/mosquitto"
NEVER_S = 86_400


class Broker(Server):
    """A mosquitto of one's own.

    Parameters
    ----------
    folder : Path
        For its configuration, log and persistence; made when missing.
    persistence : bool
        Whether sessions and queued messages survive `stop` and `start`; for `kill`, call
        `save` before.
    max_inflight : int
        Unacknowledged messages per client; 0 is no limit.
    users : dict, optional
        Passwords by user name. Without it everybody may connect.
    port : int, optional
        A free one when not given.
    extra : str
        More lines of mosquitto.conf.
    """

    def __init__(
        self,
        folder: Path,
        *,
        persistence: bool = True,
        max_inflight: int = 0,
        users: dict[str, str] | None = None,
        port: int | None = None,
        extra: str = "",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = port or free_port()
        conf = folder / "mosquitto.conf"
        super().__init__([PROGRAM, "-c", conf], folder / "mosquitto.log", port)
        self._saved = folder / "mosquitto.db"
        lines = [
            f"listener {port} {self.host}",
            f"allow_anonymous {'false' if users else 'true'}",
            f"max_inflight_messages {max_inflight}",
            "max_queued_messages 0",
            "max_queued_bytes 0",
            "set_tcp_nodelay true",
            f"persistence {'true' if persistence else 'false'}",
            f"persistence_location {folder}/",
            f"autosave_interval {NEVER_S}",
            "log_dest stderr",
            "log_type all",
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            lines.append("user root")
        if users:
            passwords = folder / "passwords"
            passwords.write_text("".join(f"{name}:{word}\n" for name, word in users.items()))
            subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
            lines.append(f"password_file {passwords}")
        conf.write_text("\n".join([*lines, extra, ""]))

    @property
    def url(self) -> str:
        return f"mqtt://{self.host}:{self.port}"

    def restart(self, *, crash: bool = False) -> None:
        """Stop (or crash) and start on the same port; sessions and the queue survive a stop."""
        if crash:
            self.kill()
        else:
            self.stop()
        self.start()

    def save(self) -> None:
        """Write what a crash should not lose to disk now."""
        before = self._stamp()
        self.send(signal.SIGUSR1)
        until(lambda: self._stamp() != before)

    def _stamp(self) -> tuple[int, int] | None:
        """Identity of the saved file, which mosquitto writes anew and renames."""
        try:
            stat = self._saved.stat()
        except FileNotFoundError:
            return None
        return stat.st_ino, stat.st_mtime_ns

    def publish(
        self,
        messages: Iterable[tuple[str, bytes]],
        *,
        qos: int = 1,
        retain: bool = False,
        user: tuple[str, str] | None = None,
    ) -> None:
        """Publish in order; at QoS 1 return when the broker has acknowledged all."""
        name, word = user or (None, None)
        hello = mqtt5.ConnectPacket(
            f"publisher-{os.getpid()}-{time.monotonic_ns()}",
            clean_start=True,
            username=name,
            password=None if word is None else word.encode(),
        )
        with socket.create_connection((self.host, self.port), timeout=PATIENCE_S) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            packets = Packets(sock)
            sock.sendall(hello.write())
            answer = packets.next()
            assert isinstance(answer, mqtt5.ConnAckPacket), answer
            assert answer.reason_code == 0, answer
            window = min(500, answer.receive_max)
            unanswered = 0
            out: list[bytes] = []
            for count, (topic, payload) in enumerate(messages):
                out.append(
                    mqtt5.PublishPacket(
                        topic,
                        payload,
                        qos=mqtt5.QoS(qos),
                        retain=retain,
                        packet_id=count % 60_000 + 1 if qos else None,
                    ).write()
                )
                unanswered += qos
                if len(out) == window or unanswered == window:
                    sock.sendall(b"".join(out))
                    out = []
                    while unanswered > window // 2:
                        assert isinstance(packets.next(), mqtt5.PubAckPacket)
                        unanswered -= 1
            sock.sendall(b"".join(out))
            while unanswered:
                assert isinstance(packets.next(), mqtt5.PubAckPacket)
                unanswered -= 1
            sock.sendall(mqtt5.DisconnectPacket().write())


class Packets:
    """The packets that arrive on a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = b""

    def next(self) -> mqtt5.Packet:
        while True:
            try:
                packet, size = mqtt5.read(memoryview(self._data))
            except IndexError:
                more = self._sock.recv(65_536)
                if not more:
                    raise ConnectionError("the broker closed the connection") from None
                self._data += more
            else:
                self._data = self._data[size:]
                return packet
