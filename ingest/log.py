"""The log: messages on disk, before anybody is told that they were received.

Messages are numbered 1, 2, 3 and so on for ever. An entry is a batch of them as it came. Every
reader has its own cursor, so one that is down stops nobody else; an entry is deleted only when
every reader has passed it. Entries that are damaged, and numbers that are missing, are set aside
(:mod:`ingest.set_aside`), and an entry without messages takes their place: readers go on.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TextIO
from zlib import crc32

import msgspec

from files.sqlite_file import Format, SqliteFile
from ingest import set_aside
from ingest.errors import LogCorrupt, StoreUnavailable


class Messages(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Messages that were received together, raw."""

    received_at_ms: int  # when [ms since the epoch]
    topics: list[str]
    payloads: list[bytes]  # as long as `topics`, in the same order


class LogEntry(NamedTuple):
    """One entry of the log; `seq` is the number of the last message in it."""

    seq: int
    messages: Messages


class Position(NamedTuple):
    """A message of the log, by its number, and when a file was written that knows it [ms]."""

    seq: int
    at_ms: int

    @classmethod
    def of(cls, file: Path, seq: int) -> Position:
        """The position that a file tells."""
        return cls(seq, int(file.stat().st_mtime * 1000))


NOWHERE = Position(0, 0)
PAGE_BYTES = 32 * 1024  # a large batch is then a short chain of pages: half the CPU of 4 KiB
WAL_BYTES = 8 * 1024 * 1024  # small: overwriting it is cheaper than growing it
TRIM_ENTRIES = 50  # in one transaction, so that an append never waits long for a trim

_FIRST = """
CREATE TABLE IF NOT EXISTS entry (
    seq   INTEGER PRIMARY KEY,  -- number of the last message in it
    count INTEGER NOT NULL,
    crc   INTEGER NOT NULL,     -- of body, then seq and count
    body  BLOB NOT NULL         -- msgpack of Messages
);
CREATE TABLE IF NOT EXISTS cursor (reader TEXT PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL        -- numbers up to here were given out, even if trimmed since
);
"""


_SECOND = """
CREATE TABLE decoding (
    after_seq INTEGER PRIMARY KEY,  -- messages after this number are decoded by
    settings  TEXT NOT NULL
);
"""


class LogFile(SqliteFile):
    """The file of a log. Raises `StoreUnavailable` and `LogCorrupt`; see `SqliteFile`."""

    name = "the log"
    remedy = (
        "save what can be read with  patrol log export --config PATROL.TOML > rest.ndjson , then "
        "move it away with its -wal and -shm: a new one begins where the snapshot ends"
    )
    formats = (Format(_FIRST), Format(_SECOND))
    unavailable = StoreUnavailable
    unreadable = LogCorrupt
    pragmas = (
        f"page_size={PAGE_BYTES}",
        "cache_size=-4096",  # [KiB], negative by SQLite's convention
        f"wal_autocheckpoint={WAL_BYTES // PAGE_BYTES}",
        f"journal_size_limit={2 * WAL_BYTES}",
    )


Row = tuple[int, int, int, bytes]

ENTRIES = """
SELECT seq, coalesce(CAST(count AS INTEGER), 0), coalesce(CAST(crc AS INTEGER), 0),
    coalesce(CAST(body AS BLOB), x'')
FROM entry WHERE seq > ? AND seq <= ? ORDER BY seq
"""
"""Entries after a number and up to one; a flipped bit may have changed the type of a column."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Messages).decode


def read_body(seq: int, count: int, crc: int, body: bytes, *, checked: bool = True) -> Messages:
    """The messages of an entry; LogCorrupt says what is wrong with them."""
    if checked:
        of_body = crc32(body)  # older versions took it alone
        if crc not in (_checksum(seq, count, of_body), of_body):
            raise LogCorrupt("fail their checksum")
    try:
        return _decode(body)
    except msgspec.DecodeError as exc:
        raise LogCorrupt(f"cannot be decoded ({exc})") from exc


def _checksum(seq: int, count: int, of_body: int) -> int:
    return crc32(b"%d %d" % (seq, count), of_body)


def lock(path: Path) -> TextIO:
    """Keep every other process from a log until the file that is returned is closed.

    StoreUnavailable: another process has it, or its folder cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        guard = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise StoreUnavailable(f"the log {path} cannot be opened: {exc}") from exc
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(guard)
        raise StoreUnavailable(
            f"the log {path} is in use; is the program running already?"
        ) from exc
    return os.fdopen(guard, "r+")


class SqliteLog:
    """The log in one SQLite file. All methods may be called from any thread.

    Write-ahead log with ``synchronous=FULL``: a commit is one fsync. One thread writes at a
    time; readers use connections of their own, which a write in progress does not hold up.

    The file and its folder are created when missing; a second process that opens it is turned away.
    A registered reader that never committed holds everything back from `trim`.

    StoreUnavailable: the file cannot be opened, or another process has it.
    LogCorrupt: the file is not a log.
    """

    def __init__(self, path: str | os.PathLike[str], readers: Sequence[str]) -> None:
        self._path = Path(path)
        self.aside = self._path.parent / set_aside.FOLDER
        self._cursors = dict.fromkeys(readers, 0)
        self._cursors_changed = False
        self._cursors_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._spare_readers: list[sqlite3.Connection] = []
        self._guard = lock(self._path)
        try:
            self._file = LogFile(self._path)
            self._load()
            # Not FULL: losing a cursor in a power cut only makes its reader read again.
            self._cursor_writer = self._file.connect()
            self._cursor_writer.execute("PRAGMA synchronous=NORMAL")
        except BaseException:
            self._guard.close()
            raise

    def _load(self) -> None:
        with self._file.reading() as db:
            (newest,) = db.execute("SELECT coalesce(max(seq), 0) FROM entry").fetchone()
            (trimmed,) = db.execute("SELECT coalesce(max(seq), 0) FROM head").fetchone()
            cursors = db.execute("SELECT reader, seq FROM cursor").fetchall()
            decodings = db.execute("SELECT * FROM decoding ORDER BY after_seq").fetchall()
        self.decodings: list[tuple[int, str]] = decodings
        self._head: int = max(newest, trimmed)
        for reader, seq in cursors:
            if reader in self._cursors:
                self._cursors[reader] = min(seq, self._head)

    @property
    def head(self) -> int:
        """Number of the newest message that is on disk; 0 when there was never one."""
        return self._head

    def append(self, messages: Messages) -> int:
        """Store a batch and return the number of its last message.

        On return it survives a power cut. An empty batch stores nothing and returns the head.

        StoreUnavailable: nothing was stored; the same batch can be appended again.
        ValueError: not as many topics as payloads.
        """
        count = len(messages.topics)
        if count != len(messages.payloads):
            raise ValueError(f"{count} topics but {len(messages.payloads)} payloads")
        if count == 0:
            return self._head
        body = _encode(messages)
        body_crc = crc32(body)
        with self._write_lock:
            seq = self._head + count
            row = (seq, count, _checksum(seq, count, body_crc), body)
            with self._file.transaction() as db:
                db.execute("INSERT INTO entry VALUES (?, ?, ?, ?)", row)
            self._head = seq
        self._save_cursors()
        return seq

    def decode_by(self, settings: str) -> None:
        """Keep the settings by which messages are decoded that come from now on.

        :attr:`decodings`, a list that is replaced and never changed, has all that some reader may
        still need, each with the number of the last message before its own.

        StoreUnavailable: nothing was changed.
        """
        with self._write_lock:
            kept = self.decodings
            if kept and kept[-1][1] == settings:
                return
            passed = min(self._cursors.values(), default=0)
            kept = [row for row, after in pairwise((*kept, (self._head, ""))) if after[0] > passed]
            kept.append((self._head if self.decodings else 0, settings))
            with self._file.transaction() as db:
                db.execute("DELETE FROM decoding")
                db.executemany("INSERT INTO decoding VALUES (?, ?)", kept)
            # Before the next message is appended.
            self.decodings = kept

    def read(self, after_seq: int, limit: int) -> list[LogEntry]:
        """Return whole entries in order, until they hold at least `limit` messages.

        The first is the one that holds message ``after_seq + 1``; at the head the list is empty.
        Nothing beyond `head` is returned, so that whatever was read can be committed. A damaged
        entry is set aside, and has no messages then.

        LogCorrupt: the file as a whole is damaged.
        StoreUnavailable: the store does not answer now.
        """
        rows: list[Row] = []
        found = 0
        # An append in progress may be in the file already, before `append` has moved the head.
        with (
            self._file.named_errors(),
            self._reader() as db,
            closing(db.execute(ENTRIES, (after_seq, self._head))) as cursor,
        ):
            for row in cursor:
                rows.append(row)
                found += row[1]
                if found >= limit:
                    break
        entries: list[LogEntry] = []
        for row in rows:
            try:
                entries.append(LogEntry(row[0], read_body(*row)))
            except LogCorrupt as exc:
                if entries:
                    break
                with self._write_lock, self._file.transaction() as db:
                    # Unless another reader has met it meanwhile: what it kept must stay.
                    if db.execute(ENTRIES, (row[0] - 1, row[0])).fetchone() == row:
                        self._set_aside(db, row, str(exc))
                return self.read(after_seq, limit)
        return entries

    def set_aside(self, seq: int, fault: str) -> Path:
        """Put the entry that ends with a number into a file, and one without messages in its place.

        LogCorrupt: there is no such entry.
        StoreUnavailable: it cannot be written now; nothing was changed.
        """
        with self._write_lock, self._file.transaction() as db:
            row = db.execute(ENTRIES, (seq - 1, seq)).fetchone()
            if row is None:
                raise LogCorrupt(f"no entry of the log ends with message {seq}")
            return self._set_aside(db, row, fault)

    def _set_aside(self, db: sqlite3.Connection, row: Row, fault: str) -> Path:
        seq, count, _, body = row
        query = "SELECT coalesce(max(seq), 0) FROM entry WHERE seq < ?"
        (before,) = db.execute(query, (seq,)).fetchone()
        first = min(max(seq - count, before) + 1, seq)  # the count may be what is damaged
        numbers = range(first, seq + 1)
        return self._pass(db, numbers, _times(db, numbers, 0), fault, body)

    def find_lost(self, after_seq: int, known: Position) -> list[tuple[int, int, int]]:
        """Set aside the numbers that were given out and that no entry holds.

        All after `after_seq` must be there, up to `known`, the furthest that is known from
        elsewhere. Numbers go on after it. Return the last number of each gap, and the times of
        receipt around it [ms]; 0 is unknown.
        """
        lost: list[tuple[int, int, int]] = []
        with self._write_lock, self._file.transaction() as db:
            head, at = max(known.seq, self._head, after_seq), after_seq
            query = "SELECT seq, CAST(count AS INTEGER) FROM entry WHERE seq > ? ORDER BY seq"
            for seq, count in (*db.execute(query, (after_seq,)).fetchall(), (head, 0)):
                if seq - count > at:
                    gap = range(at + 1, seq - count + 1)
                    between = _times(db, gap, known.at_ms)
                    self._pass(db, gap, between, "are not in the log: it was cut or replaced")
                    lost.append((gap[-1], *between))
                at = max(at, seq)
            if not lost and head > self._head:  # others have all of it
                _put_empty(db, range(self._head + 1, head + 1), known.at_ms)
            self._head = head
        return lost

    def _pass(
        self,
        db: sqlite3.Connection,
        numbers: range,
        between: tuple[int, int],
        fault: str,
        body: bytes = b"",
    ) -> Path:
        """Write down what is wrong with some messages, and let readers pass them."""
        first, last = numbers[0], numbers[-1]
        began, ended = map(_shown, between)
        times = f"received between {began} and {ended}"
        text = f"messages {first} to {last} of the log, {times}, {fault}"
        file = set_aside.keep(self.aside, f"log-{first:012}-{last:012}", text, body)
        _put_empty(db, numbers, between[0] or between[1])
        return file

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for reading; there are as many as threads that read at once."""
        try:
            db = self._spare_readers.pop()
        except IndexError:
            db = self._file.connect()
        try:
            yield db
        finally:
            self._spare_readers.append(db)

    def commit(self, reader: str, seq: int) -> None:
        """Declare that a registered reader never needs `seq` or anything before it again.

        It never waits for an append. A cursor never goes back. After a crash a reader may find
        its cursor at an earlier commit, and sees those entries again. ValueError: `seq` is ahead of
        the head.
        """
        with self._cursors_lock:
            if seq > self._head:
                raise ValueError(f"{reader} commits {seq}, but the log ends at {self._head}")
            if seq <= self._cursors[reader]:
                return
            self._cursors[reader] = seq
            self._cursors_changed = True
        self._save_cursors()

    def _save_cursors(self) -> None:
        """Write the cursors, unless another thread is writing: that one does it when it is done.

        A failure is not an error of the caller's: they are written the next time.
        """
        while self._cursors_changed and self._write_lock.acquire(blocking=False):
            try:
                with self._cursors_lock:
                    rows = list(self._cursors.items())
                    self._cursors_changed = False
                with self._file.named_errors(), self._cursor_writer as db:
                    db.execute("BEGIN IMMEDIATE")
                    db.executemany("INSERT OR REPLACE INTO cursor VALUES (?, ?)", rows)
            except StoreUnavailable:
                self._cursors_changed = True
                return
            finally:
                self._write_lock.release()

    def cursor(self, reader: str) -> int:
        """Return what `reader` committed last; 0 when it never did, KeyError if not registered."""
        return self._cursors[reader]

    def depth(self, reader: str) -> int:
        """Return how many messages `reader` has not passed; KeyError if it is not registered."""
        return self._head - self._cursors[reader]

    def trim(self) -> int:
        """Delete the entries that every registered reader has passed; return their messages.

        StoreUnavailable: some may be deleted; it can be called again.
        """
        with self._cursors_lock:
            cursors = list(self._cursors.items())
            passed = min(self._cursors.values(), default=0)
        trimmed = 0
        while True:
            with self._write_lock, self._file.transaction() as db:
                # With the cursors: after a crash none may be behind what is gone.
                db.executemany("INSERT OR REPLACE INTO cursor VALUES (?, ?)", cursors)
                some = self._trim_some(db, passed)
            if some == 0:
                return trimmed
            trimmed += some

    def _trim_some(self, db: sqlite3.Connection, passed: int) -> int:
        query = "SELECT seq, count FROM entry WHERE seq <= ? ORDER BY seq LIMIT ?"
        rows = db.execute(query, (passed, TRIM_ENTRIES)).fetchall()
        if rows:
            db.execute("INSERT OR REPLACE INTO head VALUES (1, ?)", (self._head,))
            db.execute("DELETE FROM entry WHERE seq <= ?", (rows[-1][0],))
        return sum(int(count) for _, count in rows)

    def close(self) -> None:
        """Save the cursors and close the file."""
        self._save_cursors()
        with self._write_lock:
            for db in (*self._spare_readers, self._cursor_writer):
                db.close()
            self._file.close()
            self._spare_readers.clear()
            self._guard.close()


def _times(db: sqlite3.Connection, numbers: range, known_ms: int) -> tuple[int, int]:
    """When the nearest entries before and after some messages were received [ms].

    0 is unknown; `known_ms` stands in for an entry that is not there yet.
    """
    query = "SELECT CAST(body AS BLOB) FROM entry WHERE seq"
    before = db.execute(f"{query} < ? ORDER BY seq DESC LIMIT 1", (numbers[0],)).fetchone()
    after = db.execute(f"{query} > ? ORDER BY seq LIMIT 1", (numbers[-1],)).fetchone()
    return _received_ms(before, 0), _received_ms(after, known_ms)


def _received_ms(row: tuple[bytes] | None, otherwise_ms: int) -> int:
    with suppress(LogCorrupt, TypeError):  # it is damaged, or there is none
        return read_body(0, 0, 0, row[0], checked=False).received_at_ms  # type: ignore[index]
    return otherwise_ms


def _put_empty(db: sqlite3.Connection, numbers: range, at_ms: int) -> None:
    """Put an entry without messages in the place of some that are damaged or lost."""
    body, seq, count = _encode(Messages(at_ms, [], [])), numbers[-1], len(numbers)
    row = (seq, count, _checksum(seq, count, crc32(body)), body)
    db.execute("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?)", row)


def _shown(at_ms: int) -> str:
    if not at_ms:
        return "?"
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
