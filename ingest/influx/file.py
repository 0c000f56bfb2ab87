"""What the writer keeps between lives, in one SQLite file of its own.

- ``waiting``: lines of coverage and health that no log holds, until InfluxDB has them;
- ``place``: how far the book of alerts was copied;
- ``bike``: the newest fix of each bike that was written, from which verdicts go on;
- ``rejected``: lines that InfluxDB does not take, with its reason, for a person to look at.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Literal, NamedTuple

from bikes.roster import BikeKey
from ingest.errors import StoreUnavailable
from ingest.influx.delivery import Rejected

Kind = Literal["health", "coverage"]
"""What waits; the first kind is the first to be given up when there is no more room."""

WAITING_BYTES = 64 * 1024 * 1024
"""Room for what waits [bytes of lines]: over a month for nine zones."""

REJECTED_LINES = 100_000
"""So many rejected lines are kept; then the oldest make room."""

BUSY_S = 5.0

SCHEMA = """
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


class InfluxFile:
    """The file. Methods may be called from any thread; each is one transaction, on disk after.

    Parameters
    ----------
    path : Path
        The file; made when missing.
    waiting_bytes, rejected_lines : int
        The room there is.

    Raises
    ------
    StoreUnavailable
        By every method: the disk is full or the file is damaged; nothing was changed.
    """

    def __init__(
        self,
        path: Path,
        *,
        waiting_bytes: int = WAITING_BYTES,
        rejected_lines: int = REJECTED_LINES,
    ) -> None:
        self._path = path
        self._waiting_bytes = waiting_bytes
        self._rejected_lines = rejected_lines
        self._lock = Lock()
        with self._named_errors():
            self._db = sqlite3.connect(
                path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(SCHEMA)
            size = "SELECT coalesce(sum(length(lines)), 0) FROM waiting"
            (self._bytes,) = self._db.execute(size).fetchone()

    # -- what waits -------------------------------------------------------------------

    def wait(self, items: Sequence[tuple[Kind, bytes]]) -> Counter[Kind]:
        """Keep lines until :meth:`gone`.

        Returns
        -------
        Counter
            Lines that were given up for want of room, by kind: the oldest of health, and when
            there are none, the oldest of coverage.
        """
        given_up: Counter[Kind] = Counter()
        with self._transaction() as db:
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
        with self._lock, self._named_errors():
            query = "SELECT seq, lines FROM waiting WHERE seq > ? ORDER BY seq"
            for seq, lines in self._db.execute(query, (after_seq,)):
                if taken and len(lines) > room:
                    break
                taken.append(lines)
                room -= len(lines)
                last = seq
        return Waiting(last, b"".join(taken)) if taken else None

    def gone(self, seq: int) -> None:
        """Let go of what has waited, up to a number."""
        with self._transaction() as db:
            size = "SELECT coalesce(sum(length(lines)), 0) FROM waiting WHERE seq <= ?"
            (freed,) = db.execute(size, (seq,)).fetchone()
            db.execute("DELETE FROM waiting WHERE seq <= ?", (seq,))
        self._bytes -= freed

    # -- how far ----------------------------------------------------------------------

    def place(self, name: str) -> int:
        """How far something was copied; 0 when it never was."""
        with self._lock, self._named_errors():
            row = self._db.execute("SELECT seq FROM place WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def move(self, name: str, seq: int) -> None:
        """Say how far something was copied."""
        with self._transaction() as db:
            db.execute("REPLACE INTO place VALUES (?, ?)", (name, seq))

    def newest_ms(self) -> dict[BikeKey, int]:
        """The newest fix of each bike that was written [ms]."""
        with self._lock, self._named_errors():
            rows = self._db.execute("SELECT vendor, bike_id, newest_ms FROM bike").fetchall()
        return {BikeKey(vendor, bike_id): at_ms for vendor, bike_id, at_ms in rows}

    def set_newest_ms(self, newest_ms: Iterable[tuple[BikeKey, int]]) -> None:
        """Say what the newest fix of some bikes is [ms]."""
        with self._transaction() as db:
            db.executemany(
                "REPLACE INTO bike VALUES (?, ?, ?)",
                ((key.vendor, key.bike_id, at_ms) for key, at_ms in newest_ms),
            )

    # -- what is not taken ------------------------------------------------------------

    def reject(self, rejected: Iterable[Rejected], at_ms: int) -> None:
        """Keep lines that InfluxDB does not take."""
        with self._transaction() as db:
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
        """When [ms], reason and line of the newest rejected ones, the newest first."""
        query = "SELECT at_ms, reason, line FROM rejected ORDER BY id DESC LIMIT ?"
        with self._lock, self._named_errors():
            return self._db.execute(query, (limit,)).fetchall()

    def close(self) -> None:
        """Close the file; everything is on disk already."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._named_errors(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError:
            raise  # our own mistake, such as a call after close
        except sqlite3.DatabaseError as exc:
            raise StoreUnavailable(f"{self._path} cannot be used now: {exc}") from exc
