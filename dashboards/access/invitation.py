"""The one-time link by which the first administrator comes in.

There is at most one. Its secret stands behind the # of the link, which browsers do not send, so
it is in no server's or proxy's log; the page hands it over with the chosen password.
"""

from __future__ import annotations

import sqlite3

from dashboards.access.errors import AccessRefused

LIFETIME_MS = 24 * 3_600_000


def replace(db: sqlite3.Connection, digest: bytes, now_ms: int) -> None:
    """Make this the only one; a link that was printed before is worth nothing now."""
    db.execute("DELETE FROM invitation")
    db.execute("INSERT INTO invitation VALUES (?, ?)", (digest, now_ms + LIFETIME_MS))


def take(db: sqlite3.Connection, digest: bytes, now_ms: int) -> None:
    """Use it up.

    Raises
    ------
    AccessRefused
        `invitation_wrong` or `invitation_over`.
    """
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
