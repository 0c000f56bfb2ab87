"""Bulletins in the book's file: what was made for whom, and what the outbox still has to send."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from alerts.book_file import BookFile
from alerts.book_rows import id_of
from alerts.bulletin import Bulletin, Case
from alerts.periods import Kind, Period

_RAISED = (
    "SELECT alert.number, rule, severity, zone_id, bike, vendor, raised.at_ms, "
    "(SELECT to_state FROM transition t WHERE t.number = alert.number ORDER BY seq DESC LIMIT 1) "
    "FROM alert JOIN transition raised ON raised.number = alert.number "
    "WHERE raised.event = 'activate' AND raised.at_ms >= ? AND raised.at_ms < ? "
    "ORDER BY alert.number"
)


def raised_in(file: BookFile, period: Period) -> list[Case]:
    """Alerts that became active in a period, and where they are now."""
    with file.reading() as db:
        rows = db.execute(_RAISED, (period.from_ms, period.to_ms)).fetchall()
    return [Case(id_of(number), *rest) for number, *rest in rows]


def settled_ms(file: BookFile, recipient: str, kind: Kind, now_ms: int) -> int:
    """Up to when a recipient's bulletins of a kind have been made.

    A recipient who is new gets those that come due from now on; that is written down, so
    that one which comes due while nothing runs is not missed. A mark in the future was made by a
    clock that was ahead, and is taken back to now; what was made by it is not made again.
    """
    mark = _mark(recipient, kind)
    with file.transaction() as db:
        db.execute("INSERT OR IGNORE INTO progress VALUES (?, ?)", (mark, now_ms))
        ahead = "UPDATE progress SET at_ms = ? WHERE name = ? AND at_ms > ?"
        db.execute(ahead, (now_ms, mark, now_ms))
        (at_ms,) = db.execute("SELECT at_ms FROM progress WHERE name = ?", (mark,)).fetchone()
    return int(at_ms)


def issue(file: BookFile, recipient: str, bulletin: Bulletin, due_ms: int) -> bool:
    """Write a bulletin down, and into the outbox when it is to be sent: both or neither.

    Returns
    -------
    bool
        False when the recipient has had this one before; then nothing happens.
    """
    key = (recipient, bulletin.kind, bulletin.period)
    body = msgspec.json.encode(bulletin).decode()
    with file.transaction() as db:
        made = db.execute(
            "INSERT OR IGNORE INTO bulletin (recipient, kind, period, made_at_ms, verdict, body) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (*key, bulletin.made_at_ms, bulletin.verdict, body),
        )
        new = made.rowcount == 1
        if new and bulletin.verdict == "sent":
            db.execute(
                "INSERT INTO outbox (bulletin, channel, lane) VALUES (?, ?, ?)",
                (made.lastrowid, recipient, f"bulletin/{bulletin.kind}"),
            )
        db.execute("REPLACE INTO progress VALUES (?, ?)", (_mark(recipient, bulletin.kind), due_ms))
    return new


def read(file: BookFile, number: int) -> Bulletin:
    """The bulletin with a number."""
    with file.reading() as db:
        (body,) = db.execute("SELECT body FROM bulletin WHERE id = ?", (number,)).fetchone()
    return msgspec.json.decode(body, type=Bulletin)


def issued(file: BookFile, recipient: str | None = None) -> Iterator[tuple[str, Bulletin]]:
    """All bulletins, or those for one recipient, in the order in which they were made."""
    with file.reading() as db:
        rows = db.execute("SELECT recipient, body FROM bulletin ORDER BY id").fetchall()
    for name, body in rows:
        if recipient in (None, name):
            yield name, msgspec.json.decode(body, type=Bulletin)


def _mark(recipient: str, kind: Kind) -> str:
    return f"{kind} bulletin of {recipient}"
