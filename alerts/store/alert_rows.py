"""Rows of alerts and transitions in the book's tables, read and written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any, NamedTuple

import msgspec

from alerts.alert import Alert, Notice, Transition, apply, as_of
from alerts.errors import UnknownAlert
from alerts.findings import Step
from alerts.lifecycle import State, next_state
from geofence.windows import Window
from words.times import held_ms

_ALERTS = (
    "SELECT number, rule, severity, zone_id, bike, vendor, window_from_ms, window_to_ms FROM alert"
)
_ROWS = (
    "SELECT t.seq, t.number, a.rule, a.severity, a.zone_id, a.bike, a.vendor, t.event, "
    "t.from_state, t.to_state, t.actor, t.at_ms, t.reason, t.evidence, t.until_ms, t.assigned_to "
    "FROM transition t JOIN alert a USING (number)"
)
_FIELDS = (
    *("seq", "number", "rule", "severity", "zone_id", "bike", "vendor", "event", "from_state"),
    *("to_state", "actor", "at_ms", "reason", "evidence", "until_ms", "assigned_to"),
)
LAST_STATE = (
    "(SELECT to_state FROM transition t WHERE t.number = alert.number ORDER BY seq DESC LIMIT 1)"
)
# What follows a closing in an alert's record can only be its undoing.
_LAST_CLOSINGS = (
    "SELECT a.rule, a.zone_id, a.number, MAX(t.at_ms) FROM transition t JOIN alert a "
    "USING (number) WHERE t.event = 'close' AND a.zone_id IS NOT NULL AND t.seq = "
    "(SELECT MAX(seq) FROM transition l WHERE l.number = t.number) GROUP BY a.rule, a.zone_id"
)

RAISED_RIGHTLY = (
    "SELECT 1 FROM alert JOIN transition t USING (number) WHERE rule = ? AND zone_id = ? "
    "AND window_from_ms IS ? AND t.event = 'raise' AND NOT EXISTS "
    "(SELECT 1 FROM transition l WHERE l.seq > t.seq AND l.at_ms < t.at_ms - ?)"
)


class Closing(NamedTuple):
    """The closing of an alert [ms]."""

    alert_id: str
    at_ms: int


class Opening(NamedTuple):
    """Rule, severity and subject of a new alert."""

    rule: str
    severity: str
    zone_id: str | None = None
    window: Window | None = None
    bike: str | None = None
    vendor: str | None = None


def insert_alert(db: sqlite3.Connection, opening: Opening) -> Alert:
    """Give a new alert its number."""
    window = opening.window or (None, None)
    subject = (opening.zone_id, opening.bike, opening.vendor)
    values = (opening.rule, opening.severity, *subject, *window)
    insert = (
        "INSERT INTO alert (rule, severity, zone_id, bike, vendor, window_from_ms, window_to_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)"
    )
    return _new_alert((db.execute(insert, values).lastrowid, *values))


def drafted(
    alert: Alert, step: Step, actor: str, at_ms: int, to_state: State | None = None, **more: Any
) -> Transition:
    """The row of a step, without its number; TransitionRefused when the step is not allowed.

    `to_state` is where it leads when the lifecycle's table does not say: of an undo.
    """
    return Transition(
        seq=0,
        **alert.about,
        event=step.event,
        from_state=alert.state,
        to_state=to_state or next_state(alert.state, step.event),
        actor=actor,
        at_ms=at_ms,
        reason=step.reason,
        evidence=step.evidence,
        **more,
    )


def insert_transition(db: sqlite3.Connection, row: Transition) -> Transition:
    """Append a transition; returns it with its number."""
    values = (
        *(number_of(row.alert_id), row.event, row.from_state, row.to_state, row.actor, row.at_ms),
        *(row.reason, msgspec.json.encode(row.evidence).decode(), row.until_ms, row.assigned_to),
    )
    insert = (
        "INSERT INTO transition (number, event, from_state, to_state, actor, at_ms, reason, "
        "evidence, until_ms, assigned_to) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    return msgspec.structs.replace(row, seq=db.execute(insert, values).lastrowid)


def load(db: sqlite3.Connection, where: str, values: Sequence[object] = ()) -> Iterator[Alert]:
    """Alerts with their history, as their rows have left them.

    `db` is free again on return; the alerts are made, one by one, from what was read.
    """
    identities = db.execute(f"{_ALERTS} {where}", values).fetchall()
    numbers = msgspec.json.encode([number for number, *_ in identities]).decode()
    histories: dict[int, list[Sequence[Any]]] = {}
    of_these = "WHERE t.number IN (SELECT value FROM json_each(?)) ORDER BY t.seq"
    for row in db.execute(f"{_ROWS} {of_these}", (numbers,)):
        histories.setdefault(row[1], []).append(row)
    return (
        reduce(apply, map(_transition, histories.get(identity[0], ())), _new_alert(identity))
        for identity in identities
    )


def transitions(db: sqlite3.Connection, after_seq: int, limit: int) -> list[Transition]:
    """Rows after a row, in order."""
    query = f"{_ROWS} WHERE t.seq > ? ORDER BY t.seq LIMIT ?"
    return [_transition(row) for row in db.execute(query, (after_seq, limit))]


def notice(db: sqlite3.Connection, seq: int) -> Notice:
    """The transition with a number, and its alert as that transition left it."""
    (number,) = db.execute("SELECT number FROM transition WHERE seq = ?", (seq,)).fetchone()
    (alert,) = load(db, "WHERE number = ?", (number,))
    return as_of(alert, seq)


def last_closings(db: sqlite3.Connection) -> dict[tuple[str, str], Closing]:
    """The last closing of each rule and zone that was not undone."""
    return {
        (rule, zone_id): Closing(id_of(number), at_ms)
        for rule, zone_id, number, at_ms in db.execute(_LAST_CLOSINGS)
    }


def id_of(number: int) -> str:
    """The id of the alert with this number."""
    return f"A{number:06d}"


def number_of(alert_id: str) -> int:
    """The number of an alert; UnknownAlert for what is no id."""
    if alert_id[:1] == "A" and alert_id[1:].isascii() and alert_id[1:].isdigit():
        return min(int(alert_id[1:]), (1 << 63) - 1)
    raise UnknownAlert(f"there is no alert {alert_id}")


def _new_alert(identity: Sequence[Any]) -> Alert:
    number, rule, severity, zone_id, bike, vendor, from_ms, to_ms = identity
    return Alert(
        alert_id=id_of(number),
        rule=rule,
        severity=severity,
        subject="bike" if bike else "vendor" if vendor else "zone",
        zone_id=zone_id,
        bike=bike,
        vendor=vendor,
        window_from_ms=from_ms,
        window_to_ms=to_ms,
    )


def _transition(row: Sequence[Any]) -> Transition:
    values = dict(zip(_FIELDS, row, strict=True))
    evidence = msgspec.json.decode(values.pop("evidence"), type=dict[str, object])
    if values["until_ms"] is not None:  # an older version kept instants that no calendar can show
        values["until_ms"] = held_ms(values["until_ms"])
    return Transition(alert_id=id_of(values.pop("number")), evidence=evidence, **values)
