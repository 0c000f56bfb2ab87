"""A backup that is made while messages flow is a whole station of one moment."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.broker import Broker
from tests.stations import Station, new_station

BEGAN_MS = int(time.time() * 1000) - 7_200_000
BIKES = [f"HB{number:03}" for number in range(1, 9)]


def ride(step: int) -> list[tuple[str, bytes]]:
    """A fix of each bike, so many steps of 3 s after the beginning; each in a street of its own."""
    fixes = []
    for nth, bike in enumerate(BIKES):
        location = {"lat": 36.30 + 0.0012 * nth, "lng": 120.385 + 0.00012 * step}
        fix = {"timestamp": BEGAN_MS + 3_000 * step, "location": location}
        fixes.append((f"patrol/v1/hello/{bike}/telemetry", json.dumps(fix).encode()))
    return fixes


@contextmanager
def riding(broker: Broker, steps: range) -> Iterator[None]:
    """Publish in a thread of its own all the while, and then the rest."""
    enough = threading.Event()

    def publish() -> None:
        for step in steps:
            broker.publish(ride(step))
            enough.wait(0.005)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def patrol(station: Station, command: str, *args: object) -> str:
    """A command on a station's configuration; what it says, and it must do it."""
    said = subprocess.run(
        [sys.executable, "-m", "patrol", command, *map(str, args), "--config", station.config],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    return said.stdout + said.stderr


def act(station: Station, path: str, body: dict[str, object]) -> None:
    """Something that a person does."""
    request = station.request(path, data=json.dumps(body).encode(), method="POST")
    request.add_header("Content-Type", "application/json")
    urllib.request.urlopen(request, timeout=10).close()


def seen(station: Station) -> dict[str, Any]:
    """Everything that people see and that does not move with the clock."""
    day = f"from={BEGAN_MS}&to={BEGAN_MS + 3_600_000}"
    coverage = station.get("/api/v1/coverage")["zones"]
    return {
        "tracks": {b: station.get(f"/api/v1/bikes/{b}/track?{day}")["geometry"] for b in BIKES},
        "cells": {zone["zone_id"]: zone["cells_covered"] for zone in coverage},
        "orders": station.get("/api/v1/campaigns")["campaigns"],
        "book": station.get("/api/v1/alerts?limit=100")["alerts"],
        "stored": station.accounts()["hello"]["stored"],
        "users": station.get("/api/v1/users"),
    }


def test_a_backup_while_messages_flow(tmp_path: Path, broker: Broker) -> None:
    """What is restored has lost nothing up to its moment and invents nothing; given the rest, it
    shows the same coverage, book, orders, users and tracks as the station that went on."""
    steps = 240
    with new_station(tmp_path / "first", broker.url) as station:
        station.wait(station.ready)
        act(
            station, "/api/v1/zones/cy-04/pause", {"reason": "typhoon", "until": "2099-01-01T08:00"}
        )
        act(
            station,
            "/api/v1/users",
            {"username": "ada", "role": "viewer", "password": "a long pass phrase"},
        )
        file = tmp_path / "backup.tar"
        with riding(broker, range(steps)):
            station.wait(lambda: station.metric("zhixun_stored_total") > 100)
            for _ in range(3):
                patrol(station, "backup", file)
        station.wait(lambda: station.metric("zhixun_stored_total") == steps * len(BIKES))
        expected = seen(station)
        station.stop()
    assert file.stat().st_mode & 0o077 == 0

    other = new_station(tmp_path / "second", broker.url, **{"zhixun-chengyang": "zhixun-restored"})
    said = patrol(other, "restore", file)
    assert re.search(r"files are restored, as of \d{4}-\d\d-\d\d \d\d:\d\d ", said), said
    assert "0 damaged" in patrol(other, "verify")
    with other:
        other.wait(other.ready)
        here = other.accounts()["hello"]
        assert 100 < here["stored"] <= steps * len(BIKES)
        assert here == here | {"received": here["stored"], "rejected": 0, "duplicate": 0}
        parts = {part["name"]: part for part in other.get("/readyz")["parts"]}
        assert parts["data"]["reason"] == ""
        some = seen(other)
        for bike, track in some["tracks"].items():
            points = track["coordinates"]
            assert points == expected["tracks"][bike]["coordinates"][: len(points)]
        with riding(broker, range(steps)):
            pass
        other.wait(lambda: other.accounts()["hello"]["stored"] == steps * len(BIKES))
        other.wait(lambda: seen(other)["cells"] == expected["cells"])
        assert seen(other) == expected


def test_a_backup_that_is_cut_or_damaged_changes_nothing(tmp_path: Path) -> None:
    """Each is told, and the folder stays as it was; a good one sets aside what was there."""
    station = new_station(tmp_path / "first", "mqtt://127.0.0.1:1")
    folder = station.config.parent / "data"
    patrol(station, "user", "list")
    file = tmp_path / "backup.tar"
    patrol(station, "backup", file)
    whole = file.read_bytes()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    at = whole.index(b"SQLite format 3")
    for wrong, why in (
        (whole[: len(whole) // 2], "is damaged or was cut"),
        (whole[:at] + b"X" + whole[at + 1 :], "is damaged or missing"),
        (b"", "is damaged or was cut"),
    ):
        file.write_bytes(wrong)
        with pytest.raises(AssertionError, match=why):
            patrol(station, "restore", file)
        assert {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix != ".lock"} == before
    file.write_bytes(whole)
    assert "what was there is in" in patrol(station, "restore", file)
    assert (folder / "access.sqlite").is_file()
    assert len(list(folder.glob("replaced-*/access.sqlite"))) == 1


def test_no_restore_under_a_running_station(tmp_path: Path) -> None:
    """It is refused, and says why."""
    with new_station(tmp_path / "first", "mqtt://127.0.0.1:1") as station:
        station.wait(lambda: station.get("/healthz"))
        patrol(station, "backup", tmp_path / "backup.tar")
        with pytest.raises(AssertionError, match="is the program running already"):
            patrol(station, "restore", tmp_path / "backup.tar")
