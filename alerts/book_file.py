"""The SQLite file of the alert book: its tables, and one connection that all share.

WAL with ``synchronous=FULL``: what a transaction has committed survives a crash of the
process and of the machine. Alerts, transitions, bulletins and orders can only be appended;
triggers see to it. A file of an older format is brought up to date when it is opened.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alerts.errors import BookUnavailable, BookUnreadable

_FIRST = """
CREATE TABLE alert (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL, severity TEXT NOT NULL, zone_id TEXT, bike TEXT,
    window_from_ms INTEGER, window_to_ms INTEGER
);
CREATE INDEX alert_key ON alert (rule, zone_id, window_from_ms);
CREATE TABLE transition (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    number INTEGER NOT NULL REFERENCES alert,
    event TEXT NOT NULL, from_state TEXT NOT NULL, to_state TEXT NOT NULL,
    actor TEXT NOT NULL, at_ms INTEGER NOT NULL, reason TEXT NOT NULL, evidence TEXT NOT NULL,
    until_ms INTEGER, assigned_to TEXT
);
CREATE INDEX transition_alert ON transition (number, seq);
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    seq INTEGER NOT NULL REFERENCES transition,
    channel TEXT NOT NULL, lane TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, next_at_ms INTEGER NOT NULL DEFAULT 0,
    delivered_at_ms INTEGER, error TEXT
);
CREATE INDEX outbox_open ON outbox (channel, lane, id) WHERE delivered_at_ms IS NULL;
CREATE TABLE progress (name TEXT PRIMARY KEY, at_ms INTEGER NOT NULL);
"""
# Alerts about vendors, and bulletins, whose outbox rows are about no transition.
_BULLETINS = """
ALTER TABLE alert ADD COLUMN vendor TEXT;
CREATE TABLE bulletin (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient TEXT NOT NULL, kind TEXT NOT NULL, period TEXT NOT NULL,
    made_at_ms INTEGER NOT NULL, verdict TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (recipient, kind, period)
);
ALTER TABLE outbox RENAME TO outbox_before;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    seq INTEGER REFERENCES transition, bulletin INTEGER REFERENCES bulletin,
    channel TEXT NOT NULL, lane TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, next_at_ms INTEGER NOT NULL DEFAULT 0,
    delivered_at_ms INTEGER, error TEXT,
    CHECK ((seq IS NULL) <> (bulletin IS NULL))
);
INSERT INTO outbox (id, seq, channel, lane, attempts, next_at_ms, delivered_at_ms, error)
    SELECT id, seq, channel, lane, attempts, next_at_ms, delivered_at_ms, error
    FROM outbox_before;
DROP TABLE outbox_before;
CREATE INDEX outbox_open ON outbox (channel, lane, id) WHERE delivered_at_ms IS NULL
"""
# Pauses and campaigns that people order while the station runs, and those ended early.
_ORDERS = """
CREATE TABLE patrol_order (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL, kind TEXT NOT NULL, zones TEXT NOT NULL,
    from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, keys TEXT NOT NULL,
    reason TEXT NOT NULL, actor TEXT NOT NULL, at_ms INTEGER NOT NULL
);
CREATE TABLE order_end (
    number INTEGER PRIMARY KEY REFERENCES patrol_order,
    actor TEXT NOT NULL, at_ms INTEGER NOT NULL, reason TEXT NOT NULL
)
"""
_FORMATS = (
    (_FIRST, ("alert", "transition")),
    (_BULLETINS, ("bulletin",)),
    (_ORDERS, ("patrol_order", "order_end")),
)
"""Each format of the file: what it adds, and which of that can only be appended."""

VERSION = len(_FORMATS)

_APPEND_ONLY = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, 'the book is append-only: {table} rows never change'); END;
"""


class BookFile:
    """An open book file; safe to use from several threads, one transaction at a time.

    Parameters
    ----------
    path : Path or str
        The file; created when it is not there, with its folder. ``":memory:"`` for tests.

    Raises
    ------
    BookUnavailable
        It cannot be opened now.
    BookUnreadable
        It is not a book, is damaged, or was written by a newer version.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._lock = threading.RLock()
        try:
            if str(path) != ":memory:":
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=5
            )
        except (OSError, sqlite3.Error) as exc:
            raise BookUnavailable(f"cannot open the alert book {path}: {exc}") from exc
        try:
            with self._errors():
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.execute("PRAGMA foreign_keys=ON")
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        with self.transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise BookUnreadable(
                    f"the alert book {self._path} has format {version}, this program knows "
                    f"{VERSION}: use the program that wrote it, or a newer one"
                )
            for statements, append_only in _FORMATS[version:]:
                for statement in statements.split(";"):
                    db.execute(statement)
                for table in append_only:
                    for verb in ("UPDATE", "DELETE"):
                        db.execute(_APPEND_ONLY.format(table=table, verb=verb))
            if version < VERSION:
                db.execute(f"PRAGMA user_version={VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, on disk when the block is left; an error inside undoes it."""
        with self._lock, self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for queries."""
        with self._lock, self._errors():
            yield self._db

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.OperationalError, sqlite3.InterfaceError) as exc:
            raise BookUnavailable(f"the alert book {self._path}: {exc}") from exc
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as exc:
            raise BookUnreadable(
                f"the alert book {self._path} cannot be read ({exc}): "
                "restore it from a backup, or move it away to start a new one"
            ) from exc

    def close(self) -> None:
        """Close the file; everything is on disk already."""
        with self._lock:
            self._db.close()
