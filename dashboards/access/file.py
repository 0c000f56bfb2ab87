"""The SQLite file of users, sessions, tokens and the audit record; beside the alert book.

`patrol user` may change it while the station runs. The file is its owner's only. Rows of the
audit record can only be appended.
"""

from __future__ import annotations

from dashboards.access.errors import AccessUnavailable, AccessUnreadable
from files.sqlite_file import Format, SqliteFile

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
    mode = 0o600
