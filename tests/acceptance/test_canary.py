"""What the station sends to itself comes back through the whole line, or people are told."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Literal

import pytest

from bikes import topics
from ingest.mqtt.connection import MqttOptions
from patrol.assembly import district_of, filters_of
from patrol.clock import Clock
from patrol.config.settings import load_with_zones
from patrol.station import Station
from tests.broker import Broker
from tests.patience import until_async
from tests.recorded import CONFIG
from tests.servers import free_port

EVERY_S = 1.0
"""Duration of a round in these tests; the evaluation comes once a second."""

ALL = "topic readwrite #\n"
LOST = """topic readwrite patrol/v1/+/+/+
topic readwrite patrol/v1/coverage/+
topic write patrol/v1/canary/+
"""


@contextmanager
def systemd(folder: Path) -> Iterator[socket.socket]:
    """The socket on which systemd is told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(folder / "notify"))
        listening.setblocking(False)
        yield listening


def heard(listening: socket.socket) -> set[str]:
    """What systemd was told since the last time."""
    found = set()
    while True:
        try:
            found.add(listening.recv(1000).decode())
        except BlockingIOError:
            return found


@asynccontextmanager
async def running(station: Station):
    """A station while it runs."""
    life = asyncio.create_task(station.run())
    try:
        yield
    finally:
        station.stop()
        await life


def station_at(broker: Broker, folder: Path, protocol: Literal["5", "3.1.1"]) -> Station:
    """A station of the sample district with short rounds."""
    settings, zones = load_with_zones(CONFIG)
    options = MqttOptions(
        broker.host, broker.port, protocol=protocol, client_id="mine", filters=filters_of(settings)
    )
    return Station(
        district_of(settings, zones, Clock().now_ms()),
        folder,
        options,
        options,
        port=free_port(),
        canary_every_s=EVERY_S,
    )


def sample(station: Station, name: str) -> float:
    """A sample of the canary's metrics."""
    samples = [one for m in station.canary.meters for kind in m.collect() for one in kind.samples]
    return next(one.value for one in samples if one.name == name)


def part(station: Station) -> tuple[bool, str]:
    """Whether the canary's part is well, and why not."""
    return next((p.ok, p.reason) for p in station.health().parts if p.name == "canary")


def test_a_broken_line_is_told_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that drops them: /readyz, an alert, no watchdog; all is over when one comes back."""
    acl = tmp_path / "acl"
    acl.write_text(ALL)
    acl.chmod(0o600)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "900000")

    def allow(broker: Broker, rules: str) -> None:
        acl.write_text(rules)
        broker.send(signal.SIGHUP)

    async def life(broker: Broker, notified: socket.socket) -> None:
        station = station_at(broker, tmp_path / "data", "5")
        count = "zhixun_canary_round_trip_seconds_count"
        async with running(station):
            await until_async(lambda: sample(station, count) >= 2)
            assert part(station) == (True, "")
            assert {"READY=1", "WATCHDOG=1"} <= heard(notified)

            allow(broker, LOST)
            await until_async(lambda: station.book.find(rule="line_broken"))
            (alert,) = station.book.find(rule="line_broken")
            assert (alert.vendor, alert.state, alert.reason) == ("hello", "active", "canary_lost")
            ok, why = part(station)
            assert not ok
            assert "patrol/v1/canary/mine" in why
            assert sample(station, "zhixun_canary_failures_total") >= 3
            await until_async(lambda: any("STATUS=" in text for text in heard(notified)))

            allow(broker, ALL)
            await until_async(lambda: station.book.find(rule="line_broken")[0].state == "returned")
            assert part(station) == (True, "")
            await until_async(lambda: "WATCHDOG=1" in heard(notified))

            broker.publish([("patrol/v1/canary/another", b"x")])
            before = sample(station, count)
            await until_async(lambda: sample(station, count) > before)
            entries = station.log.read(0, 1_000)
            seen = {topic for entry in entries for topic in entry.messages.topics}
            assert seen == {topics.canary("mine")}
            view = station.worker.view
            assert view.total.received == 0
            assert not station.rejects.last()
            assert station.worker.unsaved == 0
            heard(notified)  # so that there is room
        assert "STOPPING=1" in heard(notified)

    with (
        systemd(tmp_path) as notified,
        Broker(tmp_path / "broker", extra=f"acl_file {acl}") as broker,
    ):
        asyncio.run(life(broker, notified))


def test_a_broker_that_is_away_is_told_once(tmp_path: Path) -> None:
    """The inlet says that there is no connection; the canary has nothing to add. MQTT 3.1.1."""

    async def life(broker: Broker) -> None:
        station = station_at(broker, tmp_path / "data", "3.1.1")
        async with running(station):
            await until_async(lambda: station.canary.came)
            broker.stop()
            await until_async(lambda: station.canary.lost_s is None)
            wrong = {p.name for p in station.health().parts if not p.ok}
            assert wrong == {"inlet", "publisher"}
            rounds = asyncio.get_running_loop().time() + 4 * EVERY_S
            await until_async(lambda: asyncio.get_running_loop().time() > rounds)
            assert part(station) == (True, "")
            assert station.book.find(rule="line_broken") == []
            broker.start()
            await until_async(lambda: station.canary.lost_s == 0.0)

    with Broker(tmp_path / "broker") as broker:
        asyncio.run(life(broker))
