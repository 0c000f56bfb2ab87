"""The SQLite file of users, sessions and tokens, and its record of every change.

`patrol user` may change it while the station runs. The file is its owner's only, and lies beside
the alert book. Rows of the record say who, when, from where, what; they are only appended.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

from dashboards.access.roles import AccessUnavailable, AccessUnreadable
from files.sqlite_file import Format, SqliteFile

_NEWEST = (1 << 63) - 1
_FIRST = """
CREATE TABLE user (
    name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL,
    password_ms INTEGER NOT NULL, signed_in_ms INTEGER
);
CREATE TABLE session (
    digest BLOB PRIMARY KEY, user TEXT NOT NULL REFERENCES user,
    created_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, address TEXT NOT NULL
);
CREATE INDEX session_user ON session (user);
CREATE TABLE token (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE, created_ms INTEGER NOT NULL, created_by TEXT NOT NULL,
    expires_ms INTEGER, revoked_ms INTEGER, used_ms INTEGER
);
CREATE TABLE invitation (digest BLOB NOT NULL, expires_ms INTEGER NOT NULL);
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, actor TEXT NOT NULL,
    address TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL
)
"""


class AccessFile(SqliteFile):
    """The open file. Raises `AccessUnavailable` and `AccessUnreadable`; see `SqliteFile`."""

    name = "the file of users"
    remedy = "restore it from a backup, or move it away to start with a new administrator"
    formats = (Format(_FIRST, append_only=("audit",)),)
    unavailable = AccessUnavailable
    unreadable = AccessUnreadable


class By(NamedTuple):
    """Who does something, from where, and when [ms].

    `actor` is an :attr:`dashboards.access.roles.Identity.name`, ``cli:NAME`` of who uses the
    machine's command line, or what somebody called themselves who could not sign in.
    """

    actor: str
    address: str
    at_ms: int


ACTIONS = (
    "login", "logout", "login_failed", "invitation_made", "user_added", "role_changed",
    "password_changed", "password_refused", "user_disabled", "user_enabled", "token_added",
    "token_revoked", "notification_tested",
)  # fmt: skip
"""What is recorded by a word; everything else by the method and path of its route."""


class Entry(NamedTuple):
    """One row.

    `action` is one of `ACTIONS`, or of a route the method and path; `subject` is whom or what it is
    about.
    """

    seq: int
    at_ms: int
    actor: str
    address: str
    action: str
    subject: str
    detail: dict[str, Any]


def append(
    db: sqlite3.Connection,
    by: By,
    action: str,
    subject: str = "",
    detail: Mapping[str, object] | None = None,
) -> None:
    """Append a row, in the transaction `db` of the change that it is about."""
    db.execute(
        "INSERT INTO audit (at_ms, actor, address, action, subject, detail) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (
            by.at_ms,
            by.actor[:100],
            by.address[:100],
            action,
            subject[:200],
            json.dumps(detail or {}, ensure_ascii=False),
        ),
    )


def actors(db: sqlite3.Connection) -> list[str]:
    """All who are on record, in their order."""
    return [actor for (actor,) in db.execute("SELECT DISTINCT actor FROM audit ORDER BY actor")]


def read(
    db: sqlite3.Connection, actor: str | None, action: str | None, before: int | None, limit: int
) -> list[Entry]:
    """Rows, the newest first: those of an actor or action, older than the row `before`."""
    found = db.execute(
        "SELECT seq, at_ms, actor, address, action, subject, detail FROM audit "
        "WHERE (?1 IS NULL OR actor = ?1) AND (?2 IS NULL OR action = ?2) AND seq < ?3 "
        "ORDER BY seq DESC LIMIT ?4",
        (actor, action, _NEWEST if before is None else before, limit),
    )
    return [Entry._make((*row[:-1], json.loads(row[-1]))) for row in found]
