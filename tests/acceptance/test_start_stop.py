"""A start reads what a crash has left in seconds; a stop leaves nothing to read."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bikes import topics
from ingest.log import Messages, SqliteLog
from ingest.worker import ARCHIVE, COVERAGE, READERS
from tests import commands
from tests.broker import Broker
from tests.stations import Station, new_station

MESSAGES = 1_000_000
BIKES = 200
ENTRY = 5_000
INTERVAL_MS = 5_000


def rides(messages: int) -> Iterator[Messages]:
    """Telemetry of 200 bikes that has just come in, as the log holds it: ends now."""
    rng = np.random.default_rng(7)
    rows = messages // BIKES
    heading = np.cumsum(rng.normal(0, 0.25, (rows, BIKES)), axis=0) + rng.uniform(0, 6.3, BIKES)
    step_m = rng.uniform(2.5, 5.0, BIKES) * INTERVAL_MS / 1000
    # There and back over the district, as a triangle wave.
    east, north = (
        np.abs((rng.uniform(0, 8_000, BIKES) + np.cumsum(step_m * part, axis=0)) % 8_000 - 4_000)
        for part in (np.cos(heading), np.sin(heading))
    )
    lat, lng = 36.29 + north / 111_320, 120.37 + east / 89_700
    ends_ms = time.time_ns() // 1_000_000 - 10_000
    offset_ms = rng.integers(0, INTERVAL_MS, BIKES)
    names = [topics.telemetry("hello", f"SIM{bike:04d}") for bike in range(BIKES)]
    form = (
        b'{"device_id":"SIM%04d","timestamp":%d,"location":{"lat":%.7f,"lng":%.7f,"speed":3.5,'
        b'"heading":90.0,"horizontal_accuracy":4.5},"battery_percent":80}'
    )
    at_once = ENTRY // BIKES
    for first in range(0, rows, at_once):
        payloads = []
        for row in range(first, first + at_once):
            at_ms = ends_ms - (rows - row) * INTERVAL_MS
            columns = (range(BIKES), (at_ms + offset_ms).tolist(), lat[row], lng[row])
            payloads += [form % fix for fix in zip(*columns, strict=True)]
        yield Messages(at_ms + INTERVAL_MS, names * at_once, payloads)


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a station that died before it had read any of a million messages."""
    folder = tmp_path_factory.mktemp("crashed")
    log = SqliteLog(folder / "log.sqlite", READERS)
    for messages in rides(MESSAGES):
        log.append(messages)
    assert log.head == MESSAGES
    log.close()
    return folder


def station_of(folder: Path, broker: Broker) -> Station:
    """A station that takes telemetry of any bike; not started."""
    station = new_station(folder, broker.url)
    text = station.config.read_text("utf-8")
    station.config.write_text(re.sub(r"bikes = \[[^]]*\]", 'bikes = "any"', text), "utf-8")
    return station


def ready_s(station: Station) -> float:
    """How long a start takes, less what other programs took from it [s]."""
    began = time.monotonic()
    station.start()
    station.wait(station.ready)
    return time.monotonic() - began - commands.kept_waiting_s(station.pid)


def received(station: Station) -> int:
    """Items that a station has ever read."""
    return round(station.metric("zhixun_received_total"))


def reopened(station: Station) -> SqliteLog:
    """The log of a station that has stopped."""
    return SqliteLog(station.config.parent / "data" / "log.sqlite", READERS)


@pytest.mark.alone
@pytest.mark.timeout(180)
def test_a_million_messages_after_a_crash(tmp_path: Path, broker: Broker, crashed: Path) -> None:
    """Ready in under 10 s without a snapshot, and sooner with the one that was taken meanwhile."""
    station = station_of(tmp_path / "station", broker)
    shutil.copytree(crashed, station.config.parent / "data")
    try:
        without_s = ready_s(station)
        assert received(station) == MESSAGES
        station.kill()

        with_s = ready_s(station)
        assert received(station) == MESSAGES
        code = station.stop()
    finally:
        station.kill()
    assert without_s < 10
    assert with_s < 10
    assert code == 0
    # Rows for the archive may stay in the log when they are many; coverage is never read again.
    log = reopened(station)
    assert log.head == log.cursor(COVERAGE) == MESSAGES
    log.close()


@pytest.mark.alone
@pytest.mark.timeout(180)
def test_sigterm_while_the_log_is_read(tmp_path: Path, broker: Broker, crashed: Path) -> None:
    """It does not read on for longer than a stop may take; the next start goes on from there."""
    station = station_of(tmp_path / "station", broker)
    shutil.copytree(crashed, station.config.parent / "data")

    def reading() -> bool:
        parts = {part["name"]: part for part in (station.get("/readyz") or {}).get("parts", ())}
        return bool(parts) and not parts["coverage"]["ok"]

    try:
        station.start()
        station.wait(reading)
        code, took_s = station.timed_stop()
        assert code == 0
        assert took_s < 5
        log = reopened(station)
        left = log.cursor(COVERAGE)
        log.close()
        assert 0 < left < MESSAGES
        station.start()
        station.wait(station.ready, 60)
        assert received(station) == MESSAGES
    finally:
        station.kill()


@pytest.mark.alone
@pytest.mark.timeout(120)
def test_sigterm_under_load(tmp_path: Path, broker: Broker) -> None:
    """It stops in under 5 s; what it had acknowledged is computed, and never read again."""
    station = station_of(tmp_path / "station", broker)
    stopped = threading.Event()

    def publish() -> None:
        for entry in rides(MESSAGES):
            if stopped.is_set():
                return
            broker.publish(zip(entry.topics, entry.payloads, strict=True))

    publishing = threading.Thread(target=publish)
    try:
        station.start()
        station.wait(station.ready)
        publishing.start()
        station.wait(lambda: received(station) > 20_000)
        assert publishing.is_alive()
        code, took_s = station.timed_stop()
    finally:
        stopped.set()
        station.kill()
        if publishing.ident is not None:
            publishing.join()
    assert code == 0
    assert took_s < 5

    log = reopened(station)
    head = log.head
    assert head > 20_000
    assert log.cursor(COVERAGE) == log.cursor(ARCHIVE) == head
    assert log.read(0, 1) == []
    log.close()

    station.log.write_text("")
    try:
        station.start()
        station.wait(lambda: "up to date with the log" in station.said())
        assert f"read={head}" in station.said()
    finally:
        station.kill()
