"""Users and their names, and the one-time link of the first administrator.

Every function that takes a connection runs in the caller's transaction.
"""

from __future__ import annotations

import re
import sqlite3
from typing import NamedTuple, cast

from dashboards.access.roles import AccessRefused, Role
from words.times import DAY_MS

_USER = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?")

RESERVED = frozenset({"system", "console", "anonymous", "nobody", "cli", "token", "file", "setup"})
"""Names that records use for actors who are not users."""


def username(text: str) -> str:
    """A user's name as it is kept: small letters, so that Li and li are one person.

    AccessRefused: `invalid_username`.
    """
    name = text.strip().lower()
    if not _USER.fullmatch(name):
        raise AccessRefused(
            "invalid_username",
            "a user name is 1 to 32 of the characters a-z 0-9 . _ - and begins and ends with a "
            "letter or digit",
        )
    if name in RESERVED:
        raise AccessRefused("invalid_username", f"{name!r} is reserved; choose another name")
    return name


class User(NamedTuple):
    """A user, without the hash of the password."""

    name: str
    role: Role
    disabled: bool
    created_ms: int
    password_ms: int
    signed_in_ms: int | None


_SELECT = "SELECT name, role, disabled, created_ms, password_ms, signed_in_ms FROM user"


def everyone(db: sqlite3.Connection) -> list[User]:
    """All users by name, disabled ones too."""
    return [_user(row) for row in db.execute(_SELECT + " ORDER BY name")]


def find(db: sqlite3.Connection, name: str) -> User | None:
    """The user of a name as :func:`username` has it; None for nobody's."""
    row = db.execute(_SELECT + " WHERE name = ?", (name,)).fetchone()
    return _user(row) if row else None


def known(db: sqlite3.Connection, name: str) -> User:
    """A user. AccessRefused: `unknown_user`."""
    user = find(db, name)
    if user is None:
        names = ", ".join(user.name for user in everyone(db)[:10]) or "nobody yet"
        raise AccessRefused("unknown_user", f"there is no user {name!r}; there is {names}")
    return user


def password_of(db: sqlite3.Connection, name: str) -> str | None:
    """The hash of a user's password; None for nobody and for the disabled."""
    row = db.execute("SELECT password FROM user WHERE name = ? AND NOT disabled", (name,))
    found = row.fetchone()
    return str(found[0]) if found else None


def add(db: sqlite3.Connection, name: str, role: Role, password: str, now_ms: int) -> None:
    """Add a user with the hash of a password.

    AccessRefused: `username_taken`; also by a disabled user, whose record must stay theirs.
    """
    if find(db, name) is not None:
        raise AccessRefused("username_taken", f"there is a user {name!r} already")
    db.execute(
        "INSERT INTO user (name, role, password, created_ms, password_ms) VALUES (?, ?, ?, ?, ?)",
        (name, role, password, now_ms, now_ms),
    )


def set_password(db: sqlite3.Connection, name: str, password: str, now_ms: int) -> None:
    """Replace the hash of a known user's password."""
    db.execute(
        "UPDATE user SET password = ?, password_ms = ? WHERE name = ?", (password, now_ms, name)
    )


def change(db: sqlite3.Connection, name: str, role: Role, disabled: bool) -> None:
    """Set role and whether the user may sign in.

    AccessRefused: `last_admin`; nobody would be left to undo it.
    """
    had_admin = _has_admin(db)
    db.execute("UPDATE user SET role = ?, disabled = ? WHERE name = ?", (role, disabled, name))
    if had_admin and not _has_admin(db):
        raise AccessRefused(
            "last_admin", f"{name!r} is the last administrator; make another one first"
        )


def _has_admin(db: sqlite3.Connection) -> bool:
    return any(user.role == "admin" and not user.disabled for user in everyone(db))


def _user(row: tuple[object, ...]) -> User:
    name, role, disabled, *times = row
    return User(cast(str, name), cast(Role, role), bool(disabled), *cast(list[int], times))


INVITATION_MS = DAY_MS
"""How long the one-time link lasts [ms]. Its secret stands behind the # of the link, which browsers
do not send, so it is in no server's or proxy's log."""


def invite(db: sqlite3.Connection, digest: bytes, now_ms: int) -> None:
    """Store the digest of a new one-time link; a link printed before becomes invalid."""
    db.execute("DELETE FROM invitation")
    db.execute("INSERT INTO invitation VALUES (?, ?)", (digest, now_ms + INVITATION_MS))


def take_invitation(db: sqlite3.Connection, digest: bytes, now_ms: int) -> None:
    """Use the one-time link up. AccessRefused: `invitation_wrong` or `invitation_over`."""
    row = db.execute("SELECT expires_ms FROM invitation WHERE digest = ?", (digest,)).fetchone()
    if row is None:
        raise AccessRefused(
            "invitation_wrong",
            "this link has been used or replaced; the newest one is in the output of patrol run",
        )
    if now_ms >= row[0]:
        raise AccessRefused(
            "invitation_over", "this link is too old; start patrol run again for a new one"
        )
    db.execute("DELETE FROM invitation")
