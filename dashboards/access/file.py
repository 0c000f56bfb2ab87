"""The SQLite file of users, sessions, tokens and the audit record; beside the alert book.

WAL with ``synchronous=FULL``, so `patrol user` may change it while the station runs. The file
is its owner's only. Rows of the audit record can only be appended; triggers see to it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dashboards.access.errors import AccessUnavailable, AccessUnreadable

VERSION = 1

_SCHEMA = (
    """
    CREATE TABLE user (
        name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL,
        disabled INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL,
        password_ms INTEGER NOT NULL, signed_in_ms INTEGER
    )
    """,
    """
    CREATE TABLE session (
        digest BLOB PRIMARY KEY, user TEXT NOT NULL REFERENCES user,
        created_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, address TEXT NOT NULL
    )
    """,
    "CREATE INDEX session_user ON session (user)",
    """
    CREATE TABLE token (
        number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL,
        digest BLOB NOT NULL UNIQUE, created_ms INTEGER NOT NULL, created_by TEXT NOT NULL,
        expires_ms INTEGER, revoked_ms INTEGER, used_ms INTEGER
    )
    """,
    "CREATE TABLE invitation (digest BLOB NOT NULL, expires_ms INTEGER NOT NULL)",
    """
    CREATE TABLE audit (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, actor TEXT NOT NULL,
        address TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL
    )
    """,
    *(
        f"""
        CREATE TRIGGER audit_no_{verb} BEFORE {verb} ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END
        """
        for verb in ("UPDATE", "DELETE")
    ),
)


class AccessFile:
    """An open file; safe to use from several threads, one transaction at a time.

    Parameters
    ----------
    path : Path or str
        Created when it is not there, with its folder. ``":memory:"`` for tests.

    Raises
    ------
    AccessUnavailable
        It cannot be opened now.
    AccessUnreadable
        It is something else, is damaged, or was written by a newer version.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._lock = threading.RLock()
        try:
            if str(path) != ":memory:":
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                # Before SQLite makes it; its companions -wal and -shm get the same mode.
                Path(path).touch(mode=0o600)
            self._db = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=5
            )
        except (OSError, sqlite3.Error) as exc:
            raise AccessUnavailable(f"cannot open the file of users {path}: {exc}") from exc
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
                raise AccessUnreadable(
                    f"the file of users {self._path} has format {version}, this program knows "
                    f"{VERSION}: use the program that wrote it, or a newer one"
                )
            if version == 0:
                for statement in _SCHEMA:
                    db.execute(statement)
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
            raise AccessUnavailable(f"the file of users {self._path}: {exc}") from exc
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as exc:
            raise AccessUnreadable(
                f"the file of users {self._path} cannot be read ({exc}): restore it from a "
                "backup, or move it away to start with a new administrator"
            ) from exc

    def close(self) -> None:
        """Close the file; everything is on disk already."""
        with self._lock:
            self._db.close()
