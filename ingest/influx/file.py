"""The file of the InfluxDB writer: everything that must outlive a restart.

- ``waiting``: lines of coverage and health that no log holds, until InfluxDB has them;
- ``place``: how far the book of alerts was copied;
- ``bike``: the newest fix of each bike that was written, from which verdicts go on;
- ``rejected``: lines that InfluxDB does not take, with its reason, for a person to look at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from bikes.roster import BikeKey
from files.sqlite_file import Format, SqliteFile
from ingest.errors import StoreUnavailable
from ingest.influx.delivery import Rejected

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


class Waiting(NamedTuple):
    """Lines that wait; `seq` is the number of the last of them."""

    seq: int
    lines: bytes


class InfluxFile(SqliteFile):
    """The open file. Methods may be called from any thread; each is one transaction.

    StoreUnavailable: by every method: the disk is full or the file is damaged; nothing was changed.
    """

    name = "the file of the InfluxDB writer"
    remedy = "restore it from a backup, or move it away to start a new one"
    formats = (Format(_FIRST),)
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

    def wait(self, items: Sequence[tuple[Kind, bytes]]) -> Counter[Kind]:
        """Keep lines until :meth:`gone`; count those that were given up for want of room, by kind.

        The oldest of health go first, and when there are none, the oldest of coverage.
        """
        given_up: Counter[Kind] = Counter()
        with self.transaction() as db:
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

    def newest_ms(self) -> dict[BikeKey, int]:
        """Time of the newest fix of each bike that was written [ms]."""
        with self.reading() as db:
            rows = db.execute("SELECT vendor, bike_id, newest_ms FROM bike").fetchall()
        return {BikeKey(vendor, bike_id): at_ms for vendor, bike_id, at_ms in rows}

    def set_newest_ms(self, newest_ms: Iterable[tuple[BikeKey, int]]) -> None:
        """Say what the newest fix of some bikes is [ms]."""
        with self.transaction() as db:
            db.executemany(
                "REPLACE INTO bike VALUES (?, ?, ?)",
                ((key.vendor, key.bike_id, at_ms) for key, at_ms in newest_ms),
            )

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

    def rejected(self, limit: int = 100) -> list[tuple[int, str, str]]:
        """Time [ms], reason and line of the last rejected lines, the newest first."""
        query = "SELECT at_ms, reason, line FROM rejected ORDER BY id DESC LIMIT ?"
        with self.reading() as db:
            return db.execute(query, (limit,)).fetchall()
