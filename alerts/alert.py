"""An alert and its record: every transition is a row, and the alert is their sum.

An undone row stays in the record and no longer counts: the alert is the sum of the rows that stand.
"""

from __future__ import annotations

from functools import reduce
from typing import Any, Final, Literal, NamedTuple

import msgspec

from alerts.lifecycle import FINAL, UNDOABLE, Event, State, refused, state_before

SYSTEM: Final = "system"
"""The actor of transitions that happen by themselves."""
AHEAD_MS: Final = 300_000
"""What is dated further ahead of now than this was written while the clock was ahead [ms]."""
UNDO_S: Final = 10.0
"""An act can be undone for so long, on the wall's clock [s]."""


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the book: what happened to an alert, who did it, when and why."""

    seq: int  # ascending over all alerts
    alert_id: str
    rule: str
    severity: str
    zone_id: str | None
    bike: str | None
    event: Event
    from_state: State
    to_state: State
    actor: str  # `SYSTEM` when it happened by itself
    at_ms: int
    reason: str = ""  # a named one, or what the person wrote
    # What proves it: a bike and an instant, an idle time, a count of cells. Of ``undo``: the
    # number of the row that is taken back, as ``undone``, and its event.
    evidence: dict[str, object] = {}
    until_ms: int | None = None  # of ``shelve``: when it comes back
    assigned_to: str | None = None  # of ``assign``: who goes there
    vendor: str | None = None

    @property
    def news(self) -> Event:
        """The event, or of an undo the one that is taken back."""
        return self.evidence["event"] if self.event == "undo" else self.event  # type: ignore[return-value]


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as its transitions have left it."""

    alert_id: str  # short, unique in the book
    rule: str
    severity: str
    subject: Literal["zone", "bike", "vendor"]
    zone_id: str | None
    bike: str | None
    vendor: str | None = None
    window_from_ms: int | None  # where the rule is about windows
    window_to_ms: int | None
    state: State = "none"
    opened_at_ms: int = 0
    updated_at_ms: int = 0
    activated_at_ms: int | None = None
    acknowledged_by: str | None = None
    assigned_to: str | None = None
    returned_at_ms: int | None = None
    shelved_from: State | None = None  # the state before, while it is shelved
    shelved_until_ms: int | None = None
    closed_at_ms: int | None = None
    escalated_to: tuple[str, ...] = ()  # recipients told because nobody had acknowledged it
    reopened: int = 0  # how often the condition came true again
    reason: str = ""  # this and `evidence`: of the last transition that changed the state
    evidence: dict[str, object] = {}
    history: tuple[Transition, ...] = ()

    @property
    def key(self) -> Key:
        """Rule, subject and window: of open alerts there is one for each key."""
        return Key(self.rule, self.subject_id, self.window_from_ms)

    @property
    def about(self) -> dict[str, Any]:
        """Its id, rule, severity and subject, as each of its rows has them."""
        names = ("alert_id", "rule", "severity", "zone_id", "bike", "vendor")
        return {name: getattr(self, name) for name in names}

    @property
    def subject_id(self) -> str:
        """The id of the zone, bike or vendor that the alert is about."""
        return self.zone_id or self.bike or self.vendor or ""

    @property
    def unacknowledged_since_ms(self) -> int | None:
        """Start of the time without an acknowledgement [ms]; None unless the alert is active."""
        if self.state != "active":
            return None
        for row in reversed(self.standing):
            if row.event in ("activate", "reopen", "unshelve"):
                return row.at_ms
        return self.activated_at_ms

    @property
    def standing(self) -> tuple[Transition, ...]:
        """The rows that count: without what was undone, and without the undoing."""
        undone = self.undone
        return tuple(r for r in self.history if r.event != "undo" and r.seq not in undone)

    @property
    def undone(self) -> frozenset[object]:
        """Numbers of the rows that were taken back."""
        return frozenset(r.evidence["undone"] for r in self.history if r.event == "undo")

    @property
    def closed_by(self) -> str | None:
        """Who ended it: a person or :data:`SYSTEM`; None while it is open."""
        return None if self.open else self.standing[-1].actor

    @property
    def open(self) -> bool:
        """Whether the alert is not over: a transition can still happen."""
        return self.state not in FINAL


class Key(NamedTuple):
    """The key of an alert: at most one open alert has it."""

    rule: str
    subject_id: str
    window_from_ms: int | None = None


def apply(alert: Alert, row: Transition) -> Alert:
    """The alert after one more row; rows of an alert are applied in the order of `seq`."""
    at = row.at_ms
    changes: dict[str, object] = {
        "state": row.to_state,
        "updated_at_ms": at,
        "history": (*alert.history, row),
    }
    if row.event == "undo":
        longer = msgspec.structs.replace(alert, history=(*alert.history, row))
        before = reduce(apply, longer.standing, _unraised(alert))
        return msgspec.structs.replace(before, **changes)
    if row.event not in ("note", "assign", "escalate"):
        changes |= {"reason": row.reason, "evidence": row.evidence}
    match row.event:
        case "raise":
            changes["opened_at_ms"] = at
        case "activate":
            changes["activated_at_ms"] = at
        case "acknowledge":
            changes["acknowledged_by"] = row.actor
        case "assign":
            changes["assigned_to"] = row.assigned_to
        case "escalate":
            changes["escalated_to"] = (*alert.escalated_to, str(row.evidence.get("recipient")))
        case "return":
            changes["returned_at_ms"] = at
        case "reopen":
            changes |= {"reopened": alert.reopened + 1, "acknowledged_by": None}
            changes["returned_at_ms"] = None
        case "shelve":
            changes |= {"shelved_from": alert.state, "shelved_until_ms": row.until_ms}
        case "unshelve":
            changes |= {"shelved_from": None, "shelved_until_ms": None}
            changes |= {"acknowledged_by": None, "returned_at_ms": None}
        case "unshelve_returned":
            changes |= {"shelved_from": None, "shelved_until_ms": None, "returned_at_ms": at}
        case "close" | "void" | "drop":
            changes["closed_at_ms"] = at
    return msgspec.structs.replace(alert, **changes)


class Notice(NamedTuple):
    """A transition, and its alert as the transition left it."""

    alert: Alert
    transition: Transition

    @property
    def lane(self) -> str:
        """Notices with one lane are delivered in order."""
        return f"{self.alert.subject_id}/{self.alert.rule}"


def as_of(alert: Alert, seq: int) -> Notice:
    """The notice of one row of an alert's history; KeyError when it has no such row."""
    past = _unraised(alert)
    for row in alert.history:
        past = apply(past, row)
        if row.seq == seq:
            return Notice(past, row)
    raise KeyError(seq)


def undo_until_ms(row: Transition, within_ms: int) -> int | None:
    """The end of the time in which the last row of an alert can be undone [ms]; None: never."""
    if row.actor == SYSTEM or row.event not in UNDOABLE:
        return None
    return row.at_ms + within_ms


def undoing(alert: Alert, actor: str, now_ms: int, within_ms: int, *, raised_again: bool) -> State:
    """The state to which `actor` takes an alert back by undoing the last that happened to it.

    It can be taken back for `within_ms`, on the clock of `now_ms`, and not once another alert of
    its key is open (`raised_again`): there is never more than one.

    TransitionRefused: with the named reason.
    """
    last = alert.history[-1]
    until_ms = undo_until_ms(last, within_ms)
    if until_ms is None:
        raise refused("nothing_to_undo")
    if actor != last.actor:
        raise refused("not_yours")
    if now_ms > until_ms:
        raise refused("too_late_to_undo")
    if raised_again:
        raise refused("raised_again")
    return state_before(last.from_state, last.event, last.to_state)


def _unraised(alert: Alert) -> Alert:
    """The alert before its first row."""
    return Alert(
        **alert.about,
        subject=alert.subject,
        window_from_ms=alert.window_from_ms,
        window_to_ms=alert.window_to_ms,
    )
