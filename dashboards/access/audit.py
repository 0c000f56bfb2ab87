"""The record of every change: who, when, from where, what. Rows are only appended."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

_NEWEST = (1 << 63) - 1


class By(NamedTuple):
    """Who does something, from where, and when [ms].

    `actor` is an :attr:`Identity.name`, ``cli:NAME`` of who uses the machine's command line,
    or what somebody called themselves who could not sign in.
    """

    actor: str
    address: str
    at_ms: int


class Entry(NamedTuple):
    """One row.

    `action` is a word such as ``login``, ``login_failed``, ``user_added``, or of a route the
    method and path; `subject` is whom or what it is about.
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
    """Append a row, in the transaction of the change that it is about."""
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


def read(
    db: sqlite3.Connection,
    *,
    actor: str | None = None,
    action: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Entry]:
    """Rows, the newest first: those of an actor or action, older than the row `before`."""
    found = db.execute(
        "SELECT seq, at_ms, actor, address, action, subject, detail FROM audit "
        "WHERE (?1 IS NULL OR actor = ?1) AND (?2 IS NULL OR action = ?2) AND seq < ?3 "
        "ORDER BY seq DESC LIMIT ?4",
        (actor, action, _NEWEST if before is None else before, limit),
    )
    return [
        Entry(seq, at_ms, actor_, address, action_, subject, json.loads(detail))
        for seq, at_ms, actor_, address, action_, subject, detail in found
    ]
