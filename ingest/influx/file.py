"""The file of the InfluxDB writer: everything that must outlive a restart.

- ``waiting``: lines of coverage and health that no log holds, until InfluxDB has them;
- ``outgoing``: lines of telemetry, decided for good, until InfluxDB has them;
- ``place``: how far the book of alerts was copied, and the log was decided on;
- ``bike``: the newest fix of each bike that was decided on, and up to where its verdicts were;
- ``undecided``: fixes whose verdicts were not, by their entry of the log;
- ``repeated``: which fixes of an entry of the log were there before it;
- ``window``: what was said of each window;
- ``rejected``: lines that InfluxDB does not take, with its reason, for a person to look at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from bikes.roster import BikeKey
from files.sqlite_file import Format, SqliteFile
from ingest.errors import StoreUnavailable
from ingest.influx.delivery import Rejected
from ingest.verdict_stream import Bike
from words.times import DAY_MS

Kind = Literal["health", "coverage"]
"""Kind of waiting lines; the first is given up first when there is no more room."""

WAITING_BYTES = 64 * 1024 * 1024
"""Room for what waits [bytes of lines]: over a month for nine zones."""

REJECTED_LINES = 100_000
"""Rejected lines that are kept; then the oldest make room."""

_FIRST = """
CREATE TABLE IF NOT EXISTS waiting (
    seq   INTEGER PRIMARY KEY AUTOINCREMENT,
    kind  TEXT NOT NULL,
    lines BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS place (name TEXT PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS bike (
    vendor    TEXT NOT NULL,
    bike_id   TEXT NOT NULL,
    newest_ms INTEGER NOT NULL,
    PRIMARY KEY (vendor, bike_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rejected (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms  INTEGER NOT NULL,  -- when it was rejected
    reason TEXT NOT NULL,
    line   TEXT NOT NULL
);
"""

_DECIDED = """
CREATE TABLE outgoing (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    seq   INTEGER NOT NULL,  -- of the log, up to which they say everything
    lines BLOB NOT NULL
);
ALTER TABLE bike ADD COLUMN decided_ms INTEGER NOT NULL DEFAULT 0;
CREATE TABLE undecided (
    seq   INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,  -- when they were received
    fixes BLOB NOT NULL
);
CREATE TABLE repeated (seq INTEGER PRIMARY KEY, size INTEGER NOT NULL, rows BLOB NOT NULL);
CREATE TABLE window (
    zone_id TEXT NOT NULL,
    to_ms   INTEGER NOT NULL,
    line    BLOB NOT NULL,
    PRIMARY KEY (zone_id, to_ms)
) WITHOUT ROWID
"""


class Waiting(NamedTuple):
    """Lines that wait; `seq` is the number of the last of them."""

    seq: int
    lines: bytes


Windows = dict[tuple[str, int], bytes]
"""What was said of windows: a line, by zone and end [ms]."""

WINDOWS_KEPT_MS = 30 * DAY_MS
"""Length of time for which it is known what was said of a window [ms]."""


class Outgoing(NamedTuple):
    """Lines of telemetry that were decided on together."""

    last_id: int  # of the requests
    seq: int  # of the log, up to which they say everything
    requests: list[bytes]


Times = dict[BikeKey, NDArray[np.int64]]
"""Times of fixes, by bike, shape (n,) [ms]."""


class InfluxFile(SqliteFile):
    """The open file. Methods may be called from any thread; each is one transaction.

    StoreUnavailable: by every method: the disk is full or the file is damaged; nothing was changed.
    """

    name = "the file of the InfluxDB writer"
    remedy = "restore it from a backup, or move it away to start a new one"
    formats = (Format(_FIRST), Format(_DECIDED))
    unavailable = StoreUnavailable
    unreadable = StoreUnavailable

    def __init__(
        self,
        path: Path,
        *,
        waiting_bytes: int = WAITING_BYTES,
        rejected_lines: int = REJECTED_LINES,
    ) -> None:
        self._waiting_bytes = waiting_bytes
        self._rejected_lines = rejected_lines
        super().__init__(path)
        size = "SELECT coalesce(sum(length(lines)), 0) FROM waiting"
        with self.reading() as db:
            (self._bytes,) = db.execute(size).fetchone()

    # -- waiting lines ----------------------------------------------------------------

    def wait(
        self, items: Sequence[tuple[Kind, bytes]], windows: Windows | None = None
    ) -> Counter[Kind]:
        """Keep lines until :meth:`gone`; count those that were given up for want of room, by kind.

        The oldest of health go first, and when there are none, the oldest of coverage. `windows`
        are those that the lines say something of.
        """
        given_up: Counter[Kind] = Counter()
        with self.transaction() as db:
            if windows:
                rows = ((*key, line) for key, line in windows.items())
                db.executemany("REPLACE INTO window VALUES (?, ?, ?)", rows)
                query = "DELETE FROM window WHERE to_ms < (SELECT max(to_ms) FROM window) - ?"
                db.execute(query, (WINDOWS_KEPT_MS,))
            db.executemany("INSERT INTO waiting (kind, lines) VALUES (?, ?)", items)
            held = self._bytes + sum(len(lines) for _, lines in items)
            while held > self._waiting_bytes:
                row = db.execute(
                    "SELECT seq, kind, lines FROM waiting ORDER BY kind != 'health', seq LIMIT 1"
                ).fetchone()
                if row is None:
                    break
                db.execute("DELETE FROM waiting WHERE seq = ?", row[:1])
                given_up[row[1]] += row[2].count(b"\n")
                held -= len(row[2])
        self._bytes = held
        return given_up

    def windows(self) -> Windows:
        """What was said last of each window."""
        with self.reading() as db:
            rows = db.execute("SELECT zone_id, to_ms, line FROM window").fetchall()
        return {(zone_id, to_ms): line for zone_id, to_ms, line in rows}

    def waiting(self, after_seq: int, limit_bytes: int) -> Waiting | None:
        """The lines that wait after a number, about so many bytes of them; None for nothing."""
        taken: list[bytes] = []
        room = limit_bytes
        last = 0
        with self.reading() as db:
            query = "SELECT seq, lines FROM waiting WHERE seq > ? ORDER BY seq"
            for seq, lines in db.execute(query, (after_seq,)):
                if taken and len(lines) > room:
                    break
                taken.append(lines)
                room -= len(lines)
                last = seq
        return Waiting(last, b"".join(taken)) if taken else None

    def gone(self, seq: int) -> None:
        """Let go of what has waited, up to a number."""
        with self.transaction() as db:
            size = "SELECT coalesce(sum(length(lines)), 0) FROM waiting WHERE seq <= ?"
            (freed,) = db.execute(size, (seq,)).fetchone()
            db.execute("DELETE FROM waiting WHERE seq <= ?", (seq,))
        self._bytes -= freed

    # -- places -----------------------------------------------------------------------

    def place(self, name: str) -> int:
        """Number of the last record that was copied; 0 before the first."""
        with self.reading() as db:
            row = db.execute("SELECT seq FROM place WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def move(self, name: str, seq: int) -> None:
        """Set the number of the last record that was copied."""
        with self.transaction() as db:
            db.execute("REPLACE INTO place VALUES (?, ?)", (name, seq))

    # -- telemetry --------------------------------------------------------------------

    def decide(
        self,
        requests: Sequence[bytes],
        places: Mapping[str, int],
        bikes: Iterable[Bike],
        undecided: tuple[int, int, Times],
        until_ms: int,
    ) -> Outgoing:
        """Keep what was decided on, up to a place in the log, until it is gone.

        `undecided` are fixes without a verdict, after the number of their entry and the time of
        its receipt [ms]. Those that were received before `until_ms` [ms] have theirs.
        """
        seq, at_ms, times = undecided
        packed = [(key.vendor, key.bike_id, rows.tobytes()) for key, rows in times.items()]
        with self.transaction() as db:
            for lines in requests:
                db.execute("INSERT INTO outgoing (seq, lines) VALUES (?, ?)", (seq, lines))
            (last_id,) = db.execute("SELECT coalesce(max(id), 0) FROM outgoing").fetchone()
            db.executemany("REPLACE INTO place VALUES (?, ?)", places.items())
            rows = ((*each.key, *each[1:]) for each in bikes)
            db.executemany("REPLACE INTO bike VALUES (?, ?, ?, ?)", rows)
            db.execute("DELETE FROM undecided WHERE at_ms < ?", (until_ms,))
            if packed:
                row = seq, at_ms, msgspec.msgpack.encode(packed)
                db.execute("INSERT INTO undecided VALUES (?, ?, ?)", row)
            db.execute("DELETE FROM repeated WHERE seq <= ?", (seq,))
        return Outgoing(last_id, seq, list(requests))

    def outgoing(self, after_id: int) -> Outgoing | None:
        """The oldest lines of telemetry after a number that were decided on together, if any."""
        query = """SELECT id, seq, lines FROM outgoing WHERE id > ? AND seq = (
            SELECT seq FROM outgoing WHERE id > ? ORDER BY id LIMIT 1) ORDER BY id"""
        with self.reading() as db:
            rows = db.execute(query, (after_id, after_id)).fetchall()
        return Outgoing(rows[-1][0], rows[-1][1], [row[2] for row in rows]) if rows else None

    def sent(self, last_id: int) -> None:
        """Let go of lines of telemetry, up to a number."""
        with self.transaction() as db:
            db.execute("DELETE FROM outgoing WHERE id <= ?", (last_id,))

    def bikes(self) -> list[Bike]:
        """How far each bike was decided on."""
        with self.reading() as db:
            rows = db.execute("SELECT vendor, bike_id, newest_ms, decided_ms FROM bike").fetchall()
        return [Bike(BikeKey(vendor, bike_id), *times) for vendor, bike_id, *times in rows]

    def undecided(self) -> Iterator[tuple[int, Times]]:
        """Fixes that may have no verdict yet, after the time at which they were received [ms]."""
        with self.reading() as db:
            rows = db.execute("SELECT at_ms, fixes FROM undecided ORDER BY seq").fetchall()
        for at_ms, packed in rows:
            found = msgspec.msgpack.decode(packed, type=list[tuple[str, str, bytes]])
            yield at_ms, {BikeKey(*key): np.frombuffer(part, np.int64) for *key, part in found}

    def repeat(self, entries: Iterable[tuple[int, NDArray[np.bool_]]]) -> None:
        """Keep which fixes of some entries of the log, shape (n,), were there before them."""
        with self.transaction() as db:
            db.executemany(
                "REPLACE INTO repeated VALUES (?, ?, ?)",
                ((seq, rows.size, np.packbits(rows).tobytes()) for seq, rows in entries),
            )

    def repeated(self, after_seq: int, upto_seq: int) -> dict[int, NDArray[np.bool_]]:
        """The same, of entries of the log after a number, by theirs."""
        query = "SELECT seq, size, rows FROM repeated WHERE seq > ? AND seq <= ?"
        with self.reading() as db:
            found = db.execute(query, (after_seq, upto_seq)).fetchall()
        return {
            seq: np.unpackbits(np.frombuffer(rows, np.uint8), count=size).astype(bool)
            for seq, size, rows in found
        }

    # -- rejected lines ---------------------------------------------------------------

    def reject(self, rejected: Iterable[Rejected], at_ms: int) -> None:
        """Keep lines that InfluxDB does not take."""
        with self.transaction() as db:
            db.executemany(
                "INSERT INTO rejected (at_ms, reason, line) VALUES (?, ?, ?)",
                (
                    (at_ms, item.reason, line.decode(errors="replace").rstrip("\n"))
                    for item in rejected
                    for line in item.lines
                ),
            )
            db.execute(
                "DELETE FROM rejected WHERE id <= (SELECT max(id) FROM rejected) - ?",
                (self._rejected_lines,),
            )
