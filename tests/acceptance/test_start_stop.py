"""A start reads what a crash has left; a stop leaves nothing to read."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from benchmarks import restart
from benchmarks.restart import open_to_all
from ingest.log import SqliteLog
from ingest.worker import ARCHIVE, COVERAGE, READERS
from tests.broker import Broker
from tests.stations import Station

MESSAGES = 300_000
"""So many that a start is seen reading them; benchmarks/restart.py times a million."""


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a station that died before it had read any of many messages."""
    folder = tmp_path_factory.mktemp("crashed")
    restart.crashed(folder, MESSAGES)
    return folder


def received(station: Station) -> int:
    """Items that a station has ever read."""
    return round(station.metric("zhixun_received_total"))


def reopened(station: Station) -> SqliteLog:
    """The log of a station that has stopped."""
    return SqliteLog(station.config.parent / "data" / "log.sqlite", READERS)


@pytest.mark.timeout(180)
def test_many_messages_after_a_crash(tmp_path: Path, broker: Broker, crashed: Path) -> None:
    """All are read before it is ready, also from the snapshot that was taken meanwhile."""
    station = open_to_all(tmp_path / "station", broker)
    shutil.copytree(crashed, station.config.parent / "data")
    with station:
        station.wait(station.ready)
        assert received(station) == MESSAGES
        station.kill()

        station.start()
        station.wait(station.ready)
        assert received(station) == MESSAGES
        assert station.stop() == 0
    # Rows for the archive may stay in the log when they are many; coverage is never read again.
    log = reopened(station)
    assert log.head == log.cursor(COVERAGE) == MESSAGES
    log.close()


@pytest.mark.timeout(180)
def test_sigterm_while_the_log_is_read(tmp_path: Path, broker: Broker, crashed: Path) -> None:
    """It does not read on for longer than a stop may take; the next start goes on from there."""
    station = open_to_all(tmp_path / "station", broker)
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


@pytest.mark.timeout(120)
def test_sigterm_under_load(tmp_path: Path, broker: Broker) -> None:
    """It stops in under 5 s; what it had acknowledged is computed, and never read again."""
    station = open_to_all(tmp_path / "station", broker)
    stopped = threading.Event()

    def publish() -> None:
        for entry in restart.rides(MESSAGES):
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
