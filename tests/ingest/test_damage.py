"""One flipped bit anywhere in a file that is read back: a named error, or the same as before.

Bits are drawn with a seed, so that a failure can be seen again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from zoneinfo import ZoneInfo

from bikes.roster import Roster
from geofence.errors import ZonesError
from ingest import set_aside
from ingest.archive import Archive
from ingest.day_file import check_file
from ingest.errors import ArchiveDamaged, LogCorrupt, StoreUnavailable
from ingest.influx.file import InfluxFile
from ingest.log import NOWHERE, Messages, SqliteLog
from patrol.config.drawn_zones import NAME, digest_of, read_drawn, write_drawn
from tests.rides import START_MS, batch, two_drawn

BITS = 250


def damaged(file: Path, seed: int) -> Iterator[int]:
    """Flip one bit of a file at a time, and say which byte it is in."""
    content = file.read_bytes()
    for bit in random.Random(seed).sample(range(8 * len(content)), min(BITS, 8 * len(content))):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        yield bit // 8


def archived(folder: Path) -> Archive:
    """An archive with a ride of two bikes in one file."""
    kept = Archive(folder / "archive", Roster({"hello": ["HB0", "HB1"]}), "Asia/Shanghai")
    rides = [
        batch(list(range(40)), [3.0 * s for s in range(40)], [0.0] * 40, bike=b) for b in (0, 1)
    ]
    for number, ride in enumerate(rides, 1):
        kept.remember(number, ride)
    found = kept.begin_flush()
    assert found is not None
    kept.write(found)
    kept.end_flush(found)
    return kept


def test_the_archive(tmp_path: Path) -> None:
    """No value comes out that was not put in; a merge keeps none."""
    kept = archived(tmp_path)
    (file,) = kept.path.rglob("*.parquet")
    whole, refused = kept.read_file(file), 0
    assert check_file(file)
    for at in damaged(file, 1):
        try:
            found = kept.read_file(file)
        except ArchiveDamaged:
            refused += 1
        else:
            assert found.lat_deg.tobytes() == whole.lat_deg.tobytes(), at
            assert found.timestamp_ms.tobytes() == whole.timestamp_ms.tobytes(), at
    assert refused > 0.9 * BITS


def test_the_log(tmp_path: Path) -> None:
    """What is read is what was written; what is not read is told, or the log says what to do."""
    path = tmp_path / "log.sqlite"
    sent = [[b"%d-%d" % (entry, n) + bytes(400) for n in range(3)] for entry in range(30)]
    with closing(SqliteLog(path, ("coverage",))) as log:
        for payloads in sent:
            log.append(Messages(START_MS, ["a/b"] * 3, payloads))
    for at in damaged(path, 2):
        for old in (*tmp_path.glob("log.sqlite-*"), *tmp_path.glob(f"{set_aside.FOLDER}/*")):
            old.unlink()
        read: list[list[bytes]] = []
        try:
            with closing(SqliteLog(path, ("coverage",))) as log:
                log.find_lost(0, NOWHERE._replace(seq=90))
                seq = 0
                while found := log.read(seq, 20):
                    read += [entry.messages.payloads for entry in found if entry.messages.topics]
                    seq = found[-1].seq
        except (LogCorrupt, StoreUnavailable):
            continue
        assert seq == log.head == 90, at
        assert [payloads for payloads in sent if payloads in read] == read, at
        if len(read) < len(sent):
            assert set_aside.trouble(log.aside), at


def test_the_drawn_zones(tmp_path: Path) -> None:
    """An outline that has moved is not taken for one that was drawn."""
    zones = two_drawn()
    write_drawn(tmp_path / NAME, zones, digest_of(b"configured"), ZoneInfo("Asia/Shanghai"))
    whole = json.loads((tmp_path / NAME).read_bytes())["features"]
    for at in damaged(tmp_path / NAME, 3):
        try:
            found = read_drawn(tmp_path, b"configured", "zones.geojson")
            assert found is not None
            features = json.loads(found[1])["features"]
        except (ZonesError, ValueError, KeyError):
            continue  # the reader of zones says what is wrong with what is no GeoJSON
        assert features == whole, at


def test_the_file_of_the_influx_writer(tmp_path: Path) -> None:
    """No damage ends in an error without a name; SQLite cannot see a bit flipped in a value."""
    path = tmp_path / "influx.sqlite"
    with closing(InfluxFile(path)) as file:
        file.wait([("health", b"health lag_s=1 1\n" * 100)])
    for _ in damaged(path, 4):
        for old in tmp_path.glob("influx.sqlite-*"):
            old.unlink()
        with suppress(StoreUnavailable), closing(InfluxFile(path)) as file:
            file.waiting(0, 1000)
            file.bikes()
