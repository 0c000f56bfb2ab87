"""The broker as it is shipped, and a client that asks it for everything."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import mqtt5
import psutil

from tests.broker import PROGRAM, Packets
from tests.commands import listening
from tests.patience import PATIENCE_S
from tests.servers import REPOSITORY, Server, free_port

RENAMED = {
    "mqtt_server_certificate": "mqtt_server.pem",  # as docker-compose.yml calls it
}


def make_secrets(folder: Path, *arguments: str, path: str | None = None) -> str:
    """Run docker/secrets.sh for secrets in `folder`; returns everything that it said."""
    done = subprocess.run(
        [str(REPOSITORY / "docker" / "secrets.sh"), *arguments],
        env={
            "PATH": path or os.environ["PATH"],
            "ZHIXUN_SECRETS": str(folder / "secrets"),
            "ZHIXUN_ENV_FILE": str(folder / ".env"),
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def clone(folder: Path) -> Path:
    """What of the checkout the stack and its scripts read; returns the folder."""
    for name in ("docker", "dashboards/grafana/generated", "samples"):
        shutil.copytree(REPOSITORY / name, folder / name)
    shutil.copy(REPOSITORY / "docker-compose.yml", folder)
    return folder


class ShippedBroker(Server):
    """mosquitto with the shipped configuration; only paths and ports are others.

    Parameters
    ----------
    folder : Path
        Where `make_secrets` has put its files; the rest is put there too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, conf = folder, folder / "mosquitto.conf"
        port, self.tls_port = free_port(), free_port()
        super().__init__([PROGRAM, "-c", conf], folder / "log", port, self.tls_port)
        (folder / "data").mkdir(exist_ok=True)
        acl = (REPOSITORY / "docker/mosquitto/acl.conf").read_text("utf-8")
        (folder / "acl.conf").write_text(acl, "utf-8")
        text = (REPOSITORY / "docker/mosquitto/mosquitto.conf").read_text("utf-8")
        for name in re.findall(r"/run/secrets/(\w+)", text):
            here = folder / "secrets" / RENAMED.get(name, name.replace("_key", ".key"))
            text = text.replace(f"/run/secrets/{name}\n", f"{here}\n")
        # Debian's mosquitto is 2.0, which has no plugin that keeps the queue.
        text, plugin = re.subn(r"global_plugin .*\n(plugin_opt_.*\n)+", "persistence true\n", text)
        assert plugin == 1
        text = text.replace("/mosquitto/config/", f"{folder}/")
        text = text.replace("/mosquitto/data/", f"{folder}/data/")
        text = text.replace("listener 1883\n", f"listener {port} {self.host}\n")
        text = text.replace("listener 8883\n", f"listener {self.tls_port} {self.host}\n")
        if os.geteuid() == 0:
            text += "\nuser root\n"
        conf.write_text(text, "utf-8")

    def password(self, user: str) -> str:
        """What secrets.sh made for a user."""
        return (self.folder / "secrets" / f"mqtt_{user}").read_text()

    def reload(self) -> None:
        """Read passwords and ACL again, as `docker compose kill --signal HUP` does."""
        self.send(signal.SIGHUP)

    @property
    def listens(self) -> set[int]:
        """The ports that it has open."""
        return listening([psutil.Process(self.pid)])

    def connect(self, user: str | None, **options: object) -> Client:
        """A client of a user, with its right password."""
        password = None if user is None else self.password(user)
        return Client(self, user, password, **options)  # type: ignore[arg-type]


def _will(topic: str, payload: bytes) -> mqtt5.Will:
    return mqtt5.Will(topic=topic, payload=payload, qos=mqtt5.QoS(1), retain=True)


class Refused(Exception):
    """The broker did not let the client in; the argument is its reason."""


class Client:
    """A connection that waits for the answer to everything it says."""

    def __init__(
        self,
        broker: ShippedBroker,
        user: str | None,
        password: str | None,
        *,
        name: str | None = None,
        keep: bool = False,
        will: tuple[str, bytes] | None = None,
        tls: ssl.SSLContext | None = None,
        host: str = "localhost",
    ) -> None:
        port = broker.port if tls is None else broker.tls_port
        raw = socket.create_connection((broker.host, port), timeout=PATIENCE_S)
        self._socket = raw if tls is None else tls.wrap_socket(raw, server_hostname=host)
        self._packets = Packets(self._socket)
        self._held: list[mqtt5.PublishPacket] = []
        hello = mqtt5.ConnectPacket(
            name or f"test-{time.monotonic_ns()}",
            username=user,
            password=None if password is None else password.encode(),
            clean_start=not keep,
            session_expiry_interval=3600 if keep else 0,
            will=None if will is None else _will(*will),
        )
        answer = self._ask(hello)
        assert isinstance(answer, mqtt5.ConnAckPacket)
        if answer.reason_code != 0:
            self.vanish()
            raise Refused(answer.reason_code.name)
        self.session_present = answer.session_present

    def publish(self, topic: str, payload: bytes = b"{}", *, retain: bool = False) -> str:
        """Publish at QoS 1; the broker's reason code."""
        packet = mqtt5.PublishPacket(topic, payload, qos=mqtt5.QoS(1), retain=retain, packet_id=1)
        answer = self._ask(packet)
        assert isinstance(answer, mqtt5.PubAckPacket)
        return answer.reason_code.name

    def subscribe(self, *filters: str) -> None:
        """Subscribe at QoS 1."""
        wanted = [mqtt5.TopicFilter(text, max_qos=mqtt5.QoS(1)) for text in filters]
        self._ask(mqtt5.SubscribePacket(2, wanted))

    def until(self, topic: str) -> list[tuple[str, bytes]]:
        """Everything that is delivered, up to the first message with this topic."""
        got = []
        while True:
            packet = self._held.pop(0) if self._held else self._next()
            if isinstance(packet, mqtt5.PublishPacket):
                got.append((packet.topic, bytes(packet.payload or b"")))
                if packet.packet_id is not None:
                    self._socket.sendall(mqtt5.PubAckPacket(packet.packet_id).write())
                if packet.topic == topic:
                    return got

    def leave(self) -> None:
        """Say goodbye."""
        self._socket.sendall(mqtt5.DisconnectPacket().write())
        self.vanish()

    def vanish(self) -> None:
        """Break the connection."""
        self._socket.close()

    def _ask(self, packet: mqtt5.Packet) -> mqtt5.Packet:
        self._socket.sendall(packet.write())
        while isinstance(answer := self._next(), mqtt5.PublishPacket):
            self._held.append(answer)
        return answer

    def _next(self) -> mqtt5.Packet:
        try:
            return self._packets.next()
        except ConnectionError as exc:
            raise Refused("connection closed") from exc
