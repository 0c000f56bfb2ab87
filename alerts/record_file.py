"""A SQLite file of records: its formats, and one connection that all its users share.

WAL with ``synchronous=FULL``: what a transaction has committed survives a crash of the process
and of the machine. Tables that are a record can only be appended; triggers see to it. A file
of an older format is brought up to date when it is opened.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, NamedTuple

_APPEND_ONLY = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{name} is append-only: {table} rows never change'); END;
"""


class Format(NamedTuple):
    """What one format of a file adds to the one before."""

    statements: str
    """SQL, separated by semicolons."""
    append_only: tuple[str, ...]
    """Those of its tables whose rows never change and never go."""


class RecordFile:
    """An open file; safe to use from several threads, one transaction at a time.

    A kind of file is a subclass, which says what it is called, its formats, and its errors.

    Parameters
    ----------
    path : Path or str
        The file; created when it is not there, with its folder. ``":memory:"`` for tests.

    Raises
    ------
    unavailable
        It cannot be opened or used now.
    unreadable
        It is something else, is damaged, or was written by a newer version.
    """

    name: ClassVar[str]
    """What people call it, such as "the alert book"."""
    remedy: ClassVar[str]
    """What to do when it is damaged."""
    formats: ClassVar[tuple[Format, ...]]
    unavailable: ClassVar[type[Exception]]
    unreadable: ClassVar[type[Exception]]
    mode: ClassVar[int] = 0o644
    """Who may read and write a file that is made, before the umask."""

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._lock = threading.RLock()
        try:
            if str(path) != ":memory:":
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                # Before SQLite makes it; its companions -wal and -shm get the same mode.
                Path(path).touch(mode=self.mode)
            self._db = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=5
            )
        except (OSError, sqlite3.Error) as exc:
            raise self.unavailable(f"cannot open {self.name} {path}: {exc}") from exc
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
        newest = len(self.formats)
        with self.transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > newest:
                raise self.unreadable(
                    f"{self.name} {self._path} has format {version}, this program knows "
                    f"{newest}: use the program that wrote it, or a newer one"
                )
            for statements, append_only in self.formats[version:]:
                for statement in statements.split(";"):
                    db.execute(statement)
                for table in append_only:
                    for verb in ("UPDATE", "DELETE"):
                        db.execute(_APPEND_ONLY.format(name=self.name, table=table, verb=verb))
            if version < newest:
                db.execute(f"PRAGMA user_version={newest}")

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
            raise self.unavailable(f"{self.name} {self._path}: {exc}") from exc
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as exc:
            raise self.unreadable(
                f"{self.name} {self._path} cannot be read ({exc}): {self.remedy}"
            ) from exc

    def close(self) -> None:
        """Close the file; everything is on disk already."""
        with self._lock:
            self._db.close()
