"""One SQLite file: its formats, its transactions, and its errors.

WAL with ``synchronous=FULL``: a committed transaction survives a crash of the process and of the
machine, and costs one fsync. Tables that are a record can only be appended; triggers see to it.
A file of an older format is brought up to date when it is opened.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, NamedTuple
from urllib.parse import quote

import msgspec

BUSY_S = 5.0
"""Longest wait for another process that writes [s]."""

UNDECODABLE = (UnicodeDecodeError, json.JSONDecodeError, msgspec.DecodeError)
"""Errors about a value that is not what was written."""

CHECKED_BYTES = 256 * 1024 * 1024
"""Size up to which a file is checked whenever it is opened: a second for so many [bytes]."""

_APPEND_ONLY = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{name} is append-only: {table} rows never change'); END;
"""


def fault_of(db: sqlite3.Connection) -> str:
    """What is wrong with the structure of a file; empty when it is whole.

    SQLite has no checksums: a bit that is flipped inside a value is not seen.
    """
    try:
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as exc:
        return str(exc)
    return "" if found == "ok" else str(found)


class Format(NamedTuple):
    """Additions of one format of a file to the one before."""

    statements: str
    """SQL, separated by semicolons."""
    append_only: tuple[str, ...] = ()
    """Its tables whose rows never change and never go."""


class SqliteFile:
    """An open file; safe to use from several threads, one transaction at a time.

    A kind of file is a subclass with a name, formats, and errors of its own. It is created when it
    is not there, with its folder; ``":memory:"`` is for tests.

    unavailable: the file cannot be opened or used now; by every method too.
    unreadable: the file is something else, is damaged, or was written by a newer version; by every
    method too when the damage is met.
    """

    name: ClassVar[str]
    """Name for people, such as "the alert book"."""
    remedy: ClassVar[str]
    """Advice to people when the file is damaged."""
    formats: ClassVar[tuple[Format, ...]]
    unavailable: ClassVar[type[Exception]]
    unreadable: ClassVar[type[Exception]]
    pragmas: ClassVar[tuple[str, ...]] = ()
    """Pragmas of a new connection; ``page_size`` counts only while the file is empty."""

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            if str(path) != ":memory:":
                Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                # Before SQLite makes it; its companions -wal and -shm get the same mode.
                Path(path).touch(mode=0o600)
        except OSError as exc:
            raise self.unavailable(f"{self.name} {path} cannot be opened: {exc}") from exc
        self._db = self.connect()
        try:
            with self.named_errors():
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.execute("PRAGMA foreign_keys=ON")
            self._check()
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _check(self) -> None:
        with self.reading() as db:
            query = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            (size,) = db.execute(query).fetchone()
            fault = fault_of(db) if size <= CHECKED_BYTES else ""
        if fault:
            raise self.unreadable(f"{self.name} {self.path} is damaged ({fault}): {self.remedy}")

    @classmethod
    def read_only(cls, path: Path) -> sqlite3.Connection:
        """Open a file that is there for reading, beside whoever writes it; the caller closes it."""
        address = f"file:{quote(str(path.absolute()))}?mode=ro"
        try:
            return sqlite3.connect(address, uri=True, timeout=BUSY_S)
        except sqlite3.OperationalError as exc:
            raise cls.unavailable(f"{cls.name} {path} cannot be opened: {exc}") from exc

    def connect(self) -> sqlite3.Connection:
        """Open a further connection; the caller closes it."""
        with self.named_errors():
            db = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False, timeout=BUSY_S
            )
            for pragma in self.pragmas:
                db.execute(f"PRAGMA {pragma}")
            return db

    def _prepare(self) -> None:
        newest = len(self.formats)
        with self.transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > newest:
                raise self.unreadable(
                    f"{self.name} {self.path} has format {version}, this program knows "
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
        with self._lock, self.named_errors():
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
        """The connection, for queries; other threads wait until the block is left."""
        with self._lock, self.named_errors():
            yield self._db

    @contextmanager
    def named_errors(self) -> Iterator[None]:
        """Turn errors of SQLite into `unavailable` and `unreadable` of the kind of file."""
        try:
            yield
        except (sqlite3.OperationalError, sqlite3.InterfaceError) as exc:
            raise self.unavailable(f"{self.name} {self.path} cannot be used now: {exc}") from exc
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise  # a rule of the tables, or our own mistake such as a call after close
        except (sqlite3.DatabaseError, *UNDECODABLE) as exc:
            raise self.unreadable(
                f"{self.name} {self.path} is damaged ({exc}): {self.remedy}"
            ) from exc

    def close(self) -> None:
        """Close the file; everything is on disk already."""
        with self._lock:
            self._db.close()
