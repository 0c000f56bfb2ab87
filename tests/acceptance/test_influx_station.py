"""`patrol run` with [influx]: what a fleet operator gets, and what InfluxDB cannot do to it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.influx.tracks import READER
from ingest.log import SqliteLog
from ingest.worker import READERS
from tests.broker import Broker
from tests.fault_proxy import FaultProxy
from tests.influx_line import Line, caught_up, ride, run_until
from tests.influx_servers import VictoriaMetrics, visible
from tests.patience import PATIENCE_S
from tests.servers import free_port
from tests.stations import Station, new_station

TELEMETRY = "patrol/v1/hello/{bike}/telemetry"
MESSAGES = 20_000
BIKES = [f"HB{number:03d}" for number in range(1, 29)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[VictoriaMetrics]:
    """Not started yet."""
    store = VictoriaMetrics(tmp_path / "store", dedup=True)
    yield store
    store.kill()


def station_with(folder: Path, broker: Broker, url: str) -> Station:
    """A station that writes to an InfluxDB."""
    station = new_station(folder, broker.url)
    text = station.config.read_text("utf-8")
    text += f'\n[influx]\nurl = "{url}"\norg = "o"\nbucket = "patrol"\ntoken_file = "token"\n'
    station.config.write_text(text, "utf-8")
    (folder / "token").write_text("secret", "utf-8")
    (folder / "token").chmod(0o600)
    return station


def messages(from_ms: int, count: int) -> list[tuple[str, bytes]]:
    """Fixes of all bikes, 5 s apart, up to `from_ms`."""
    found = []
    rounds = -(-count // len(BIKES))
    for number in range(count):
        at_ms = from_ms - (rounds - number // len(BIKES)) * 1_000
        payload = b'{"timestamp":%d,"location":{"lat":36.3068,"lng":%.6f}}' % (
            at_ms,
            120.38 + number // len(BIKES) % 600 * 5e-5,  # 4.5 m a second
        )
        found.append((TELEMETRY.format(bike=BIKES[number % len(BIKES)]), payload))
    return found


def keys(store: VictoriaMetrics) -> list[tuple[str, int]]:
    return [(tags["bike_id"], at_ms) for tags, at_ms, _ in store.export("bike_telemetry_lat")]


def test_influxdb_away_is_missed_by_nobody(
    broker: Broker, store: VictoriaMetrics, tmp_path: Path
) -> None:
    """Ready without it; with it, everything comes, over a SIGKILL of ours and a slow store too."""
    store.start()
    store.stop()
    with FaultProxy(store.host, store.port, delay_s=0.05) as proxy:
        station = station_with(tmp_path / "station", broker, proxy.url)
        try:
            station.start()
            station.wait(station.ready)
            now_ms = time.time_ns() // 1_000_000
            broker.publish(messages(now_ms, MESSAGES))

            def stored() -> bool:
                return station.metric("zhixun_stored_total") == MESSAGES

            def degraded() -> bool:
                parts = {part["name"]: part for part in station.get("/readyz")["parts"]}
                return not parts["influx"]["ok"] and "502" in parts["influx"]["reason"]

            station.wait(stored)
            station.wait(degraded)
            assert station.ready(), "it is a copy"

            def covered() -> bool:
                zones = station.get("/api/v1/coverage")["zones"]
                return any(zone["cells_covered"] for zone in zones)

            station.wait(covered)
            store.start()
            requests = len(proxy.requests)

            def draining() -> bool:
                return sum(proxy.requests[requests:]) > 3_000

            station.wait(draining)
            station.kill()
            station.start()

            def written() -> bool:
                return len(set(keys(store))) == MESSAGES

            station.wait(written)
            names = store.get("/api/v1/label/__name__/values").decode()
            for name in (
                "zone_coverage_covered_ratio",
                "zone_coverage_bikes_inside",
                "ingest_health_stored",
                "part_state_ok",
            ):
                assert f'"{name}"' in names
            proxy.delay_s = PATIENCE_S
            broker.publish(messages(now_ms + 1_000, 28))
            requests = len(proxy.requests)

            def slow() -> bool:
                return len(proxy.requests) > requests

            station.wait(slow)
            answered = proxy.answered
            assert station.stop() == 0
            assert proxy.answered == answered, "it does not wait for InfluxDB"
        finally:
            station.kill()


def test_a_copy_that_is_configured_later_or_removed(tmp_path: Path) -> None:
    """Without [influx] its cursor holds nothing back; with it, it goes on with what is left."""
    with VictoriaMetrics(tmp_path / "store", dedup=True) as store:
        line = Line(tmp_path / "line", store.url)
        line.writer.settle_s = 0.0
        first = line.take(ride(1, bikes=50, fixes=40))
        run_until(line, lambda: caught_up(line))
        line.close()

        line = Line(tmp_path / "line", store.url)
        line.take(ride(2, bikes=50, fixes=40, from_s=1_000))
        header, arrays = line.worker.begin_save()
        line.worker.write_snapshot(header, arrays)
        flush = line.worker.archive.begin_flush()
        assert flush is not None
        line.worker.write_archive(flush)
        assert line.log.trim() <= 2_000, "InfluxDB has yet to read the rest"
        line.close()

        log = SqliteLog(tmp_path / "line" / "log.sqlite", READERS)
        log.trim()
        assert log.read(0, 1) == [], "nobody waits for it"
        log.close()

        line = Line(tmp_path / "line", store.url)
        assert line.log.cursor(READER) <= 2_000
        third = line.take(ride(3, bikes=50, fixes=40, from_s=2_000))
        run_until(line, lambda: caught_up(line))
        line.close()
        wanted = first | third
        assert visible(lambda: set(keys(store)), lambda found: found == wanted) == wanted


def test_the_operator_can_read_what_was_rejected(tmp_path: Path) -> None:
    """As docs/influxdb.md says, with any SQLite tool."""
    line = Line(tmp_path / "line", "http://127.0.0.1:1")
    line.close()
    with sqlite3.connect(tmp_path / "line" / "influx.sqlite") as db:
        assert db.execute("SELECT at_ms, reason, line FROM rejected").fetchall() == []


def test_a_wrong_address_is_said_and_harms_nothing(broker: Broker, tmp_path: Path) -> None:
    """The part says what is wrong and where; everything else works."""
    station = station_with(tmp_path / "station", broker, f"http://127.0.0.1:{free_port()}")
    try:
        station.start()
        station.wait(station.ready)

        def said() -> bool:
            parts = {part["name"]: part for part in station.get("/readyz")["parts"]}
            return "Connection refused" in parts["influx"]["reason"]

        station.wait(said)
        assert station.stop() == 0
    finally:
        station.kill()
