"""The durable book of alerts: every transition is a row, and rows are only appended.

Open alerts, and the last closing of each zone and rule, are kept in memory as well, derived from
their rows. Memory changes only after the rows are on disk, together with the outbox rows of the
notifications that they cause.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import RLock
from typing import Any, Final, NamedTuple

from alerts.alert import AHEAD_MS, SYSTEM, Alert, Key, Notice, Transition, apply, undoing
from alerts.errors import UnknownAlert
from alerts.findings import Step
from alerts.lifecycle import FINAL, STATES, TABLE, refused
from alerts.store import alert_rows as rows
from alerts.store.alert_rows import Closing, Opening
from alerts.store.book_file import BookFile
from alerts.store.outbox import Channel, enqueue

OPEN: Final = "open"
"""Asks for alerts in any state that is not the last."""


class Change(NamedTuple):
    """Transitions to record for one alert: its id, or what a new one is about."""

    alert: str | Opening
    steps: tuple[Step, ...]


class AlertBook:
    """The alerts, their history, and the way for people to change them.

    Rows for channels that want to be told, which may change, enter the outbox with the transition.
    Methods may be called from any thread; what is changed is on disk when they return.

    BookUnavailable, BookUnreadable: see :class:`alerts.store.book_file.BookFile`; by every method
    that reads or writes the file, and then nothing was changed.
    UnknownAlert: by all that take the id of an alert: there is none.
    TransitionRefused: by all that people do to an alert: not in its state, or not so, with the
    named reason.
    """

    def __init__(self, path: Path | str, channels: Sequence[Channel] = ()) -> None:
        self.file = BookFile(path)
        self._channels = channels
        self._lock = RLock()
        self._listeners: list[Callable[[list[Transition]], None]] = []
        self._open: dict[str, Alert] = {}
        self._judged_ms: int | None = None
        self._closings: dict[tuple[str, str], Closing] | None = None
        with self.file.reading() as db:
            final = ", ".join(f"'{state}'" for state in sorted(FINAL))
            for alert in rows.load(db, f"WHERE {rows.LAST_STATE} NOT IN ({final})"):
                self._open[alert.alert_id] = alert
            row = db.execute("SELECT at_ms FROM progress WHERE name = 'judged'").fetchone()
            self._judged_ms = row[0] if row else None

    def current(self) -> list[Alert]:
        """Open alerts, pending ones included, in the order in which they were raised."""
        with self._lock:
            return list(self._open.values())

    def get(self, alert_id: str) -> Alert:
        """An alert with its history; UnknownAlert when there is none."""
        with self._lock:
            found = self._open.get(alert_id)
        if found is not None:
            return found
        with self.file.reading() as db:
            for alert in rows.load(db, "WHERE number = ?", (rows.number_of(alert_id),)):
                return alert
        raise UnknownAlert(f"there is no alert {alert_id}")

    def find(
        self,
        *,
        state: str | None = None,
        zone_id: str | None = None,
        rule: str | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> list[Alert]:
        """Alerts of a state (None: any but dropped), zone and rule, newest first; in any thread.

        "open" is any state that is not final. `before` is the cursor of a page: only alerts older
        than this id. ValueError: no such state.
        """
        number = rows.number_of(before) if before is not None else None
        if state == OPEN:
            found = [
                alert
                for alert in reversed(self.current())
                if zone_id in (None, alert.zone_id)
                and rule in (None, alert.rule)
                and (number is None or rows.number_of(alert.alert_id) < number)
            ]
            return found[:limit]
        if state is not None and state not in STATES:
            raise ValueError(f"{state!r} is not a state; one of {', '.join(STATES)}")
        where = f"{rows.LAST_STATE} {'=' if state else '!='} ?"
        values: list[object] = [state or "dropped"]
        for clause, value in (("zone_id = ?", zone_id), ("rule = ?", rule), ("number < ?", number)):
            if value is not None:
                where += f" AND {clause}"
                values.append(value)
        clause = f"WHERE {where} ORDER BY number DESC LIMIT ?"
        with self.file.reading() as db:
            loaded = rows.load(db, clause, (*values, limit))
        return list(loaded)

    def transitions(self, after_seq: int = 0, limit: int = 1000) -> list[Transition]:
        """Rows after a row, in order, at most `limit`: for those who copy the book elsewhere."""
        with self.file.reading() as db:
            return rows.transitions(db, after_seq, limit)

    def notice(self, seq: int) -> Notice:
        """The transition of a number, which there must be, and its alert as that left it."""
        with self.file.reading() as db:
            return rows.notice(db, seq)

    def latest_open(self, zone_id: str, rule: str) -> Notice | None:
        """The newest alert of a zone and rule that is not over and was heard of; else None."""
        with self._lock:
            for alert in reversed(self._open.values()):
                if (alert.zone_id, alert.rule) == (zone_id, rule) and alert.state != "pending":
                    return Notice(alert, alert.history[-1])
        return None

    def has(self, key: Key) -> bool:
        """Whether there is or ever was an alert of this zone, rule and window.

        One that was raised while the clock was ahead, which later rows show, is none.
        """
        with self.file.reading() as db:
            return db.execute(rows.RAISED_RIGHTLY, (*key, AHEAD_MS)).fetchone() is not None

    def last_closing(self, rule: str, zone_id: str) -> Closing | None:
        """The last closing of an alert of this rule in the zone that was not undone; else None."""
        with self._lock:
            if self._closings is None:
                with self.file.reading() as db:
                    self._closings = rows.last_closings(db)
            return self._closings.get((rule, zone_id))

    @property
    def judged_ms(self) -> int | None:
        """All windows that ended up to here have been judged; None in a new book."""
        return self._judged_ms

    def listen(self, listener: Callable[[list[Transition]], None]) -> None:
        """Call `listener` with new rows after they are on disk, in the thread that wrote.

        It must neither block nor raise an error.
        """
        self._listeners.append(listener)

    def record(
        self, changes: Iterable[Change], at_ms: int, *, judged_ms: int | None = None
    ) -> list[Transition]:
        """Record transitions that happen by themselves, in one transaction.

        A step that the lifecycle no longer allows, because a person was faster, is left
        out: the next evaluation sees the new state.
        """
        pending = list(changes)
        if not pending and judged_ms is None:
            return []
        with self._lock:
            changed: dict[str, Alert] = {}
            made: list[Transition] = []
            with self.file.transaction() as db:
                for change in pending:
                    if isinstance(change.alert, str):
                        # There may be two changes of one alert: the second goes on from the first.
                        alert = changed.get(change.alert) or self._open.get(change.alert)
                    else:
                        alert = rows.insert_alert(db, change.alert)
                    for step in change.steps:
                        if alert is None or (alert.state, step.event) not in TABLE:
                            break
                        row = rows.drafted(alert, step, SYSTEM, at_ms, until_ms=step.until_ms)
                        alert, row = self._append(db, alert, row)
                        changed[alert.alert_id] = alert
                        made.append(row)
                if judged_ms is not None:
                    db.execute("REPLACE INTO progress VALUES ('judged', ?)", (judged_ms,))
            self._adopt(changed.values())
            if judged_ms is not None:
                self._judged_ms = judged_ms
        self._tell(made)
        return made

    def acknowledge(self, alert_id: str, actor: str, now_ms: int, reason: str = "") -> Alert:
        """Acknowledge an alert; TransitionRefused unless it is active."""
        return self._by_person(alert_id, Step("acknowledge", reason, {}), actor, now_ms)

    def assign(self, alert_id: str, actor: str, now_ms: int, *, to: str, reason: str = "") -> Alert:
        """Assign an alert to somebody who goes there."""
        return self._by_person(alert_id, Step("assign", reason, {}), actor, now_ms, assigned_to=to)

    def shelve(
        self, alert_id: str, actor: str, now_ms: int, *, until_ms: int, reason: str
    ) -> Alert:
        """Shelve an alert; at `until_ms` it follows its condition again.

        TransitionRefused also when that is not after `now_ms`: ``until_in_past``.
        """
        if until_ms <= now_ms:
            raise refused("until_in_past")
        step = Step("shelve", reason, {})
        return self._by_person(alert_id, step, actor, now_ms, until_ms=until_ms)

    def unshelve(self, alert_id: str, actor: str, now_ms: int, reason: str = "") -> Alert:
        """Unshelve an alert before its time; the next evaluation returns it after a patrol."""
        was = self.get(alert_id).shelved_from
        event = Step("unshelve_returned" if was == "returned" else "unshelve", reason, {})
        return self._by_person(alert_id, event, actor, now_ms)

    def note(self, alert_id: str, actor: str, now_ms: int, *, reason: str) -> Alert:
        """Write a remark into the history."""
        return self._by_person(alert_id, Step("note", reason, {}), actor, now_ms)

    def close(self, alert_id: str, actor: str, now_ms: int, reason: str = "") -> Alert:
        """Close a verified alert (销号); TransitionRefused unless a patrol has returned it."""
        proof = self.get(alert_id).evidence
        return self._by_person(alert_id, Step("close", reason, proof), actor, now_ms)

    def undo(
        self, alert_id: str, actor: str, now_ms: int, *, within_ms: int, reason: str = ""
    ) -> Alert:
        """Take back the last that `actor` did to it, at most `within_ms` ago; it stays on record.

        TransitionRefused: see :func:`alerts.alert.undoing`.
        """
        with self._lock:
            alert = self.get(alert_id)
            others = [other for other in self._open.values() if other.alert_id != alert_id]
            again = alert.key in [other.key for other in others]
            to_state = undoing(alert, actor, now_ms, within_ms, raised_again=again)
            last = alert.history[-1]
            step = Step("undo", reason, {"undone": last.seq, "event": last.event})
            return self._by_person(alert_id, step, actor, now_ms, to_state=to_state)

    def close_file(self) -> None:
        """Close the file; everything is on disk already."""
        self.file.close()

    def _by_person(self, alert_id: str, step: Step, actor: str, now_ms: int, **more: Any) -> Alert:
        with self._lock:
            alert = self.get(alert_id)
            row = rows.drafted(alert, step, actor, now_ms, **more)
            with self.file.transaction() as db:
                alert, row = self._append(db, alert, row)
            self._adopt([alert])
        self._tell([row])
        return alert

    def _append(
        self, db: sqlite3.Connection, alert: Alert, row: Transition
    ) -> tuple[Alert, Transition]:
        """Insert one row, and a row in the outbox for each channel that wants it."""
        row = rows.insert_transition(db, row)
        alert = apply(alert, row)
        enqueue(db, Notice(alert, row), self._channels)
        return alert, row

    def _adopt(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            if alert.open:
                self._open[alert.alert_id] = alert
            else:
                self._open.pop(alert.alert_id, None)
            last = alert.history[-1]
            if last.event == "close" and alert.zone_id is not None and self._closings is not None:
                closing = Closing(alert.alert_id, last.at_ms)
                self._closings[alert.rule, alert.zone_id] = closing
            if last.event == "undo":
                if last.news == "close":
                    self._closings = None  # the one before it counts again
                # It may have been closed before: they stay in the order in which they were raised.
                self._open = dict(sorted(self._open.items(), key=lambda it: it[1].history[0].seq))

    def _tell(self, made: list[Transition]) -> None:
        if made:
            for listener in self._listeners:
                listener(made)
