"""The outbox in the book's file: rows of notices and bulletins that are still to be sent.

Rows enter in the transaction of the transition or bulletin that they are about, so a crash loses
neither or both. Within a lane (channel, zone, rule) rows are due in order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple, Protocol

import msgspec

from alerts.alert import AHEAD_MS, Notice
from alerts.bulletin import Bulletin, Case
from alerts.periods import Kind, Period
from alerts.store import alert_rows
from alerts.store.book_file import BookFile

FIRST_RETRY_MS: Final = 1_000
LAST_RETRY_MS: Final = 300_000

_DUE = (
    "SELECT o.id, o.seq, o.bulletin, o.channel, o.attempts, "
    "a.rule || ' ' || a.severity || ' ' || nullif(t.event, 'undo') FROM outbox o "
    "LEFT JOIN transition t USING (seq) LEFT JOIN alert a USING (number) "
    "WHERE delivered_at_ms IS NULL AND channel = ? "
    # Further ahead than any retry is only what was written before the clock was set back.
    "AND (next_at_ms <= ? OR next_at_ms > ?) AND NOT EXISTS ("
    "SELECT 1 FROM outbox p WHERE p.delivered_at_ms IS NULL "
    "AND p.channel = o.channel AND p.lane = o.lane AND p.id < o.id) ORDER BY o.id LIMIT ?"
)
_NEXT = (
    "SELECT MIN(next_at_ms) FROM outbox "
    "WHERE delivered_at_ms IS NULL AND channel = ? AND next_at_ms > 0"
)
_GIVE_UP = (
    "UPDATE outbox SET delivered_at_ms = 0, error = 'the channel is no longer configured' "
    "WHERE delivered_at_ms IS NULL AND channel = ?"
)
_RAISED = (
    "SELECT alert.number, rule, severity, zone_id, bike, vendor, "
    "(SELECT to_state FROM transition t WHERE t.number = alert.number ORDER BY seq DESC LIMIT 1) "
    "FROM alert JOIN transition raised ON raised.number = alert.number "
    "WHERE raised.event = 'activate' AND raised.at_ms >= ? AND raised.at_ms < ? "
    "ORDER BY alert.number"
)

_BEFORE = (
    "SELECT COUNT(*) FROM bulletin WHERE recipient = ?1 AND kind = ?2 "
    "AND substr(period || '~', 1, length(?3) + 1) = ?3 || '~'"
)


class Channel(Protocol):
    """A recipient of notices.

    `wants` is called inside the book's transaction, so it only looks at its argument.
    """

    @property
    def name(self) -> str:
        """The name in the configuration, stable: the outbox keeps it."""

    def wants(self, notice: Notice) -> bool:
        """Whether to tell them of a notice."""


class Waiting(NamedTuple):
    """A row that is still to be delivered: about a transition or a bulletin."""

    id: int
    seq: int | None
    bulletin: int | None
    channel: str
    attempts: int  # under way or over
    group: str | None  # rule, severity and transition; None: alone, as bulletins and undos are


def enqueue(db: sqlite3.Connection, notice: Notice, channels: Iterable[Channel]) -> None:
    """Add a notice for each channel that wants it; the caller's transaction commits it."""
    for channel in channels:
        if channel.wants(notice):
            db.execute(
                "INSERT INTO outbox (seq, channel, lane) VALUES (?, ?, ?)",
                (notice.transition.seq, channel.name, notice.lane),
            )


def retry_after_ms(attempts: int) -> int:
    """How long to wait after so many failed attempts: doubling, up to five minutes [ms]."""
    return min(LAST_RETRY_MS, FIRST_RETRY_MS << min(max(attempts - 1, 0), 30))


class OutboxRows:
    """The rows of the outbox, for the worker that delivers them.

    Every method may raise BookUnavailable.
    """

    def __init__(self, file: BookFile) -> None:
        self._file = file

    def pending(self) -> dict[str, int]:
        """How many rows wait, by channel; one without any is left out."""
        query = "SELECT channel, COUNT(*) FROM outbox WHERE delivered_at_ms IS NULL GROUP BY 1"
        with self._file.reading() as db:
            return dict(db.execute(query).fetchall())

    def give_up_all_but(self, channels: Collection[str]) -> list[str]:
        """Deliver nothing more to other channels; returns which these were."""
        gone = sorted(self.pending().keys() - set(channels))
        with self._file.transaction() as db:
            db.executemany(_GIVE_UP, [(channel,) for channel in gone])
        return gone

    def due(self, channel: str, now_ms: int, limit: int) -> list[Waiting]:
        """The first row of each lane of a channel whose time has come, in order."""
        values = (channel, now_ms, now_ms + LAST_RETRY_MS, limit)
        with self._file.reading() as db:
            return [Waiting(*row) for row in db.execute(_DUE, values)]

    def next_ms(self, channel: str) -> int | None:
        """When the next retry of a channel is due [ms]; None when none is."""
        with self._file.reading() as db:
            (next_ms,) = db.execute(_NEXT, (channel,)).fetchone()
        return int(next_ms) if next_ms is not None else None

    def notices(self, rows: Iterable[Waiting]) -> list[Notice]:
        """The notices that rows are about."""
        with self._file.reading() as db:
            return [alert_rows.notice(db, row.seq) for row in rows if row.seq is not None]

    def bulletin(self, number: int) -> Bulletin:
        """The bulletin that a row is about."""
        with self._file.reading() as db:
            (body,) = db.execute("SELECT body FROM bulletin WHERE id = ?", (number,)).fetchone()
        return msgspec.json.decode(body, type=Bulletin)

    def begin(self, rows: Iterable[Waiting]) -> None:
        """Write down that rows are about to be sent: what cannot be booked is not sent."""
        self._update("UPDATE outbox SET attempts = attempts + 1 WHERE id = ?", rows)

    def delivered(self, rows: Iterable[Waiting], now_ms: int) -> None:
        """Write down that rows have arrived."""
        update = "UPDATE outbox SET delivered_at_ms = ?, error = NULL WHERE id = ?"
        self._update(update, rows, now_ms)

    def failed(self, rows: Iterable[Waiting], next_at_ms: int, error: str) -> None:
        """Write down that an attempt failed, and when the next is due [ms]."""
        update = "UPDATE outbox SET next_at_ms = ?, error = ? WHERE id = ?"
        self._update(update, rows, next_at_ms, error)

    def _update(self, update: str, rows: Iterable[Waiting], *values: object) -> None:
        with self._file.transaction() as db:
            db.executemany(update, [(*values, row.id) for row in rows])


def raised_in(file: BookFile, period: Period) -> list[Case]:
    """Alerts that became active in a period, and where they are now, or BookUnavailable."""
    with file.reading() as db:
        rows = db.execute(_RAISED, (period.from_ms, period.to_ms)).fetchall()
    return [Case(alert_rows.id_of(number), *rest) for number, *rest in rows]


def settled_ms(file: BookFile, recipient: str, kind: Kind, now_ms: int) -> int:
    """The instant up to which a recipient's bulletins of a kind have been made [ms].

    A recipient who is new gets those that come due from now on; that is written down, so
    that one which comes due while nothing runs is not missed. A mark far in the future was made by
    a clock that was ahead, and is taken back to now: what comes due until then is made again.

    BookUnavailable: nothing was written down.
    """
    mark = _mark(recipient, kind)
    with file.transaction() as db:
        db.execute("INSERT OR IGNORE INTO progress VALUES (?, ?)", (mark, now_ms))
        ahead = "UPDATE progress SET at_ms = ? WHERE name = ? AND at_ms > ?"
        db.execute(ahead, (now_ms, mark, now_ms + AHEAD_MS))
        (at_ms,) = db.execute("SELECT at_ms FROM progress WHERE name = ?", (mark,)).fetchone()
    return int(at_ms)


def issue(file: BookFile, recipient: str, bulletin: Bulletin, due_ms: int) -> None:
    """Write a bulletin down, and into the outbox when it is to be sent: both or neither.

    It is the one that is due at `due_ms` [ms], after :func:`settled_ms`. When the recipient has had
    one of this period before, a clock that was ahead made that one, and it stays on record.

    BookUnavailable: neither was written down.
    """
    key = (recipient, bulletin.kind, bulletin.period)
    body = msgspec.json.encode(bulletin).decode()
    with file.transaction() as db:
        (before,) = db.execute(_BEFORE, key).fetchone()
        name = f"{bulletin.period}~{before}" if before else bulletin.period
        made = db.execute(
            "INSERT INTO bulletin (recipient, kind, period, made_at_ms, verdict, body) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (recipient, bulletin.kind, name, bulletin.made_at_ms, bulletin.verdict, body),
        )
        if bulletin.verdict == "sent":
            db.execute(
                "INSERT INTO outbox (bulletin, channel, lane) VALUES (?, ?, ?)",
                (made.lastrowid, recipient, f"bulletin/{bulletin.kind}"),
            )
        db.execute("REPLACE INTO progress VALUES (?, ?)", (_mark(recipient, bulletin.kind), due_ms))


def _mark(recipient: str, kind: Kind) -> str:
    return f"{kind} bulletin of {recipient}"
