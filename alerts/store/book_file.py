"""The SQLite file of the alert book: its tables.

Alerts, transitions, bulletins and orders can only be appended.
"""

from __future__ import annotations

from alerts.errors import BookUnavailable, BookUnreadable
from files.sqlite_file import Format, SqliteFile

_FIRST = """
CREATE TABLE alert (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL, severity TEXT NOT NULL, zone_id TEXT, bike TEXT,
    window_from_ms INTEGER, window_to_ms INTEGER
);
CREATE INDEX alert_key ON alert (rule, zone_id, window_from_ms);
CREATE TABLE transition (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    number INTEGER NOT NULL REFERENCES alert,
    event TEXT NOT NULL, from_state TEXT NOT NULL, to_state TEXT NOT NULL,
    actor TEXT NOT NULL, at_ms INTEGER NOT NULL, reason TEXT NOT NULL, evidence TEXT NOT NULL,
    until_ms INTEGER, assigned_to TEXT
);
CREATE INDEX transition_alert ON transition (number, seq);
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    seq INTEGER NOT NULL REFERENCES transition,
    channel TEXT NOT NULL, lane TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, next_at_ms INTEGER NOT NULL DEFAULT 0,
    delivered_at_ms INTEGER, error TEXT
);
CREATE INDEX outbox_open ON outbox (channel, lane, id) WHERE delivered_at_ms IS NULL;
CREATE TABLE progress (name TEXT PRIMARY KEY, at_ms INTEGER NOT NULL);
"""
# Alerts about vendors, and bulletins, whose outbox rows are about no transition.
_BULLETINS = """
ALTER TABLE alert ADD COLUMN vendor TEXT;
CREATE TABLE bulletin (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient TEXT NOT NULL, kind TEXT NOT NULL, period TEXT NOT NULL,
    made_at_ms INTEGER NOT NULL, verdict TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (recipient, kind, period)
);
ALTER TABLE outbox RENAME TO outbox_before;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    seq INTEGER REFERENCES transition, bulletin INTEGER REFERENCES bulletin,
    channel TEXT NOT NULL, lane TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, next_at_ms INTEGER NOT NULL DEFAULT 0,
    delivered_at_ms INTEGER, error TEXT,
    CHECK ((seq IS NULL) <> (bulletin IS NULL))
);
INSERT INTO outbox (id, seq, channel, lane, attempts, next_at_ms, delivered_at_ms, error)
    SELECT id, seq, channel, lane, attempts, next_at_ms, delivered_at_ms, error
    FROM outbox_before;
DROP TABLE outbox_before;
CREATE INDEX outbox_open ON outbox (channel, lane, id) WHERE delivered_at_ms IS NULL
"""
# Pauses and campaigns that people order while the station runs, and those ended early.
_ORDERS = """
CREATE TABLE patrol_order (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL, kind TEXT NOT NULL, zones TEXT NOT NULL,
    from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, keys TEXT NOT NULL,
    reason TEXT NOT NULL, actor TEXT NOT NULL, at_ms INTEGER NOT NULL
);
CREATE TABLE order_end (
    number INTEGER PRIMARY KEY REFERENCES patrol_order,
    actor TEXT NOT NULL, at_ms INTEGER NOT NULL, reason TEXT NOT NULL
)
"""


class BookFile(SqliteFile):
    """An open book file. Raises `BookUnavailable` and `BookUnreadable`; see `SqliteFile`."""

    name = "the alert book"
    remedy = "restore it from a backup, or move it away to start a new one"
    formats = (
        Format(_FIRST, append_only=("alert", "transition")),
        Format(_BULLETINS, append_only=("bulletin",)),
        Format(_ORDERS, append_only=("patrol_order", "order_end")),
    )
    unavailable = BookUnavailable
    unreadable = BookUnreadable
