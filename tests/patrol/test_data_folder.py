"""A data folder of a station: damage in it is found and named, and the station starts."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ingest import set_aside
from ingest.log import Messages, SqliteLog
from ingest.worker import READERS
from patrol.data_folder import keep_private
from tests import commands
from tests.servers import free_port
from tests.stations import configuration, new_station

WRONG_INPUT = 1


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose data folder holds nothing yet, and whose broker is not there."""
    url = f"mqtt://127.0.0.1:{free_port()}"
    return configuration(tmp_path / "district", broker_url=url, port=free_port())


def flip(file: Path, at: int, bit: int = 0) -> None:
    """Flip one bit of a file."""
    content = bytearray(file.read_bytes())
    content[at] ^= 1 << bit
    file.write_bytes(content)


def three_entries(path: Path) -> None:
    """A log with messages 1 to 6, of which 3 and 4 are damaged."""
    with closing(SqliteLog(path, READERS)) as log:
        for first in (1, 3, 5):
            topics = [f"patrol/v1/hello/HB{n}/telemetry" for n in (first, first + 1)]
            payloads = [b'{"timestamp":%d,"location":{"lat":36.3,"lng":120.4}}' % n for n in (1, 2)]
            log.append(Messages(1_763_859_600_000 + first, topics, payloads))
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE entry SET crc = crc + 1 WHERE seq = 4")
        db.commit()


def test_a_station_goes_on_without_a_damaged_entry(tmp_path: Path) -> None:
    """It is told on /readyz until its file is removed; the commands show it, and bring it back."""
    station = new_station(tmp_path, f"mqtt://127.0.0.1:{free_port()}")
    data = station.config.parent / "data"
    three_entries(data / "log.sqlite")

    def part() -> dict[str, object]:
        parts = {part["name"]: part for part in (station.get("/readyz") or {"parts": []})["parts"]}
        return parts.get("data", {})

    try:
        station.start()
        station.wait(lambda: part().get("ok") is False)
        assert "messages 3 to 4 of the log, received between 2025-11-23" in part()["reason"]
        assert "fail their checksum" in part()["reason"]
        assert not part()["required"]
        found = commands.run("verify", "--config", station.config, "--json")
        assert found.returncode == WRONG_INPUT
        (damage,) = json.loads(found.stdout.splitlines()[-1])["damaged"]
        assert "messages 3 to 4" in damage["fault"]
        listed = commands.run("log", "list", "--config", station.config).stdout
        assert "set aside: messages 3 to 4" in listed
        assert "messages 5 to 6, " in listed
        (body,) = (data / set_aside.FOLDER).glob("*.body")
        lines = commands.run("log", "export", body, "--config", station.config).stdout.splitlines()
        assert [json.loads(line)["device_id"] for line in lines] == ["HB3", "HB4"]
        body.with_suffix(".txt").unlink()
        station.wait(lambda: part().get("ok") is True)
        assert station.stop() == 0
    finally:
        station.kill()
    assert not [path for path in (data, *data.rglob("*")) if path.stat().st_mode & 0o077]


def test_an_entry_is_set_aside_by_hand(config: Path) -> None:
    """No reader sees it any more; what there is not cannot be set aside."""
    path = config.parent / "data" / "log.sqlite"
    three_entries(path)
    done = commands.run("log", "skip", 2, "--config", config)
    assert done.returncode == 0
    assert "log-000000000001-000000000002.txt" in done.stdout
    (text,) = set_aside.findings(path.parent / set_aside.FOLDER)
    assert "messages 1 to 2" in text
    done = commands.run("log", "skip", 7, "--config", config)
    assert done.returncode == WRONG_INPUT
    assert done.stderr == "no entry of the log ends with message 7\n"
    exported = commands.run("log", "export", "--config", config)
    assert [json.loads(line)["seq"] for line in exported.stdout.splitlines()] == [5, 6]
    assert "messages 3 to 4 fail their checksum" in exported.stderr
    replayed = config.parent / "rest.ndjson"
    replayed.write_text(exported.stdout.replace('"HB5"', '"HB001"').replace('"HB6"', '"HB001"'))
    done = commands.run("replay", replayed, "--config", config, "--json")
    assert "too_old" in done.stderr  # it was read, and its times are those of the test


def test_files_of_an_older_version_become_private(tmp_path: Path) -> None:
    """What is ours is its owner's only; what others keep there is theirs."""
    os.umask(0o022)
    for name in ("log.sqlite", "archive/hello/2025-11-23.parquet", "district.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    keep_private(tmp_path)
    modes = {str(p.relative_to(tmp_path)): p.stat().st_mode & 0o777 for p in tmp_path.rglob("*")}
    assert modes.pop("district.toml") == 0o644
    assert set(modes.values()) == {0o600, 0o700}
    keep_private(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
