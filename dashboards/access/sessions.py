"""Sessions of browsers: rows by the hash of a secret that only the cookie holds."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple, cast

from dashboards.access.roles import Refusal, Role
from words.times import DAY_MS, HOUR_MS, MINUTE_MS

SEEN = "UPDATE session SET seen_ms = ?1, created_ms = min(created_ms, ?1) WHERE digest = ?2"
"""Notes a use; a session of a clock that was ahead begins with it."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a session lasts: without use, and at most [ms]."""

    idle_ms: int = 12 * HOUR_MS
    max_ms: int = 7 * DAY_MS

    @property
    def seen_every_ms(self) -> int:
        """Use of a session is written at most this often [ms]: each time is a write to disk."""
        return min(MINUTE_MS, self.idle_ms // 10)


class Session(NamedTuple):
    """A session and its user as they are now."""

    user: str
    role: Role
    disabled: bool
    created_ms: int
    seen_ms: int


def verdict(session: Session | None, lifetime: Lifetime, now_ms: int) -> Refusal | None:
    """Why a session is not one, or None.

    At exactly the end of its life a session is over. One from the future, which a clock that
    was set back leaves behind, begins when it is used.
    """
    if session is None:
        return "session_over"
    if session.disabled:
        return "user_disabled"
    if now_ms - session.created_ms >= lifetime.max_ms:
        return "session_over"
    if now_ms - session.seen_ms >= lifetime.idle_ms:
        return "session_over"
    return None


def start(db: sqlite3.Connection, digest: bytes, user: str, address: str, now_ms: int) -> None:
    """Add a session, whose secret has this digest."""
    db.execute(
        "INSERT INTO session (digest, user, created_ms, seen_ms, address) VALUES (?, ?, ?, ?, ?)",
        (digest, user, now_ms, now_ms, address),
    )


def find(db: sqlite3.Connection, digest: bytes) -> Session | None:
    """The session of a secret's digest, over or not; None when there is none."""
    row = db.execute(
        "SELECT user, role, disabled, session.created_ms, seen_ms FROM session "
        "JOIN user ON user.name = session.user WHERE digest = ?",
        (digest,),
    ).fetchone()
    if row is None:
        return None
    user, role, disabled, created_ms, seen_ms = row
    return Session(user, cast(Role, role), bool(disabled), created_ms, seen_ms)


def end(db: sqlite3.Connection, digest: bytes) -> None:
    """Forget a session, if there is one."""
    db.execute("DELETE FROM session WHERE digest = ?", (digest,))


def end_all(db: sqlite3.Connection, user: str) -> int:
    """Forget all sessions of a user; returns how many there were."""
    return db.execute("DELETE FROM session WHERE user = ?", (user,)).rowcount


def sweep(db: sqlite3.Connection, lifetime: Lifetime, now_ms: int) -> None:
    """Forget the sessions that are over, and those that a clock far ahead has left behind."""
    db.execute(
        "DELETE FROM session WHERE created_ms <= ? OR seen_ms <= ? OR seen_ms > ?",
        (now_ms - lifetime.max_ms, now_ms - lifetime.idle_ms, now_ms + lifetime.idle_ms),
    )
