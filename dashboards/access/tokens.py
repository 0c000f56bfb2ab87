"""API tokens of programs: named, with a role, shown once and kept as a hash.

Two places have them: rows that administrators add and revoke, and an optional file for
installations that are configured by other programs. Each line of that file is

    NAME ROLE SHA256-OF-THE-TOKEN-IN-HEX
"""

from __future__ import annotations

import re
import sqlite3
from typing import NamedTuple, cast

from dashboards.access.roles import ROLES, AccessRefused, Refusal, Role
from words.times import held_ms

USED_EVERY_MS = 60_000
"""Use of a token is written at most this often [ms]: each time is a write to disk."""


class Token(NamedTuple):
    """A token, without its hash."""

    name: str
    role: Role
    created_ms: int
    created_by: str
    expires_ms: int | None
    revoked_ms: int | None
    used_ms: int | None


class StaticToken(NamedTuple):
    """A token of the tokens file."""

    name: str
    role: Role
    digest: bytes


_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SELECT = "SELECT name, role, created_ms, created_by, expires_ms, revoked_ms, used_ms FROM token"


def token_name(text: str) -> str:
    """A token's name as it is kept. AccessRefused: `invalid_token_name`."""
    name = text.strip()
    if not _NAME.fullmatch(name):
        raise AccessRefused(
            "invalid_token_name", "a token's name is 1 to 64 of the characters A-Z a-z 0-9 _ -"
        )
    return name


def verdict(token: Token | None, now_ms: int) -> Refusal | None:
    """Why a token is refused, or None; at exactly its expiry it is."""
    if token is None:
        return "token_unknown"
    if token.revoked_ms is not None:
        return "token_revoked"
    if token.expires_ms is not None and now_ms >= token.expires_ms:
        return "token_expired"
    return None


def everything(db: sqlite3.Connection) -> list[Token]:
    """All tokens by name, those that are over too."""
    return [_token(row) for row in db.execute(_SELECT + " ORDER BY name")]


def find(db: sqlite3.Connection, digest: bytes) -> Token | None:
    """The token of a secret's digest, over or not; None when there is none."""
    row = db.execute(_SELECT + " WHERE digest = ?", (digest,)).fetchone()
    return _token(row) if row else None


def known(db: sqlite3.Connection, name: str) -> Token:
    """A token by name. AccessRefused: `unknown_token`."""
    row = db.execute(_SELECT + " WHERE name = ?", (name,)).fetchone()
    if row is None:
        names = ", ".join(token.name for token in everything(db)[:10]) or "none yet"
        raise AccessRefused("unknown_token", f"there is no token {name!r}; there is {names}")
    return _token(row)


def add(db: sqlite3.Connection, token: Token, digest: bytes) -> None:
    """Add a token.

    AccessRefused: `token_name_taken`; also by a revoked one, whose record must stay its own.
    """
    if db.execute("SELECT 1 FROM token WHERE name = ?", (token.name,)).fetchone():
        raise AccessRefused(
            "token_name_taken", f"there is or was a token {token.name!r}; choose another name"
        )
    db.execute(
        "INSERT INTO token (name, role, digest, created_ms, created_by, expires_ms) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (token.name, token.role, digest, token.created_ms, token.created_by, token.expires_ms),
    )


class TokensFileError(Exception):
    """The tokens file has wrong lines; `problems` names each with its number."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def parse_tokens_file(text: str) -> tuple[StaticToken, ...]:
    """The tokens of a file; empty lines and those that begin with # say nothing.

    TokensFileError: With all wrong lines. A message never repeats what a line says, for somebody
    may have put the token itself there.
    """
    found: list[StaticToken] = []
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        token = _static(line.split())
        if isinstance(token, str):
            problems.append(f"line {number}: {token}")
        elif any(token.name == other.name for other in found):
            problems.append(f"line {number}: the name of this token is taken")
        else:
            found.append(token)
    if problems:
        raise TokensFileError(problems)
    return tuple(found)


def _static(words: list[str]) -> StaticToken | str:
    if len(words) != 3:
        return "write NAME ROLE SHA256, separated by spaces"
    name, role, digest = words
    if not _NAME.fullmatch(name):
        return "the name is not 1 to 64 of the characters A-Z a-z 0-9 _ -"
    if role not in ROLES:
        return f"the role is not one of {', '.join(ROLES)}"
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", digest):
        return "the third word is not a SHA-256 in 64 hexadecimal digits"
    return StaticToken(name, role, bytes.fromhex(digest))


def _token(row: tuple[object, ...]) -> Token:
    token = Token(*cast(tuple[str, Role, int, str, int | None, int | None, int | None], row))
    # An older version kept expiries that no calendar can show.
    return (
        token if token.expires_ms is None else token._replace(expires_ms=held_ms(token.expires_ms))
    )
