"""The life of an alert, in one table.

After ISA-18.2 / IEC 62682. There is one alert per rule, zone (or bike) and window. The
table says what may happen; :mod:`alerts.findings` says which of it happens by itself, and
:mod:`alerts.alert` who may go back along an arrow of it that they have just gone along.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

from alerts.errors import TransitionRefused

State = Literal[
    "none",
    "pending",
    "active",
    "acknowledged",
    "returned",
    "shelved",
    "closed",
    "voided",
    "dropped",
]
Event = Literal[
    "raise",  # the condition is true
    "activate",  # it was true for the rule's delay
    "drop",  # it was false before that: nobody has heard of it
    "acknowledge",  # who has seen it
    "assign",  # who goes there
    "note",  # what is worth knowing
    "escalate",  # nobody has acknowledged it in time: the next recipient hears of it
    "return",  # the condition is false, proven by a visit
    "reopen",  # it is true again
    "shelve",  # not now: who, until when, why
    "unshelve",  # the condition holds, or nothing says otherwise
    "unshelve_returned",  # a patrol came while it was shelved
    "close",  # verified by a person, or by itself after the hold
    "void",  # late telemetry shows that the condition never held
    "undo",  # who did the last of this takes it back: the alert is as it was before
]

TABLE: Final[Mapping[tuple[State, Event], State]] = {
    ("none", "raise"): "pending",
    ("pending", "activate"): "active",
    ("pending", "drop"): "dropped",
    ("active", "acknowledge"): "acknowledged",
    ("active", "return"): "returned",
    ("acknowledged", "return"): "returned",
    ("returned", "reopen"): "active",
    ("returned", "close"): "closed",
    ("active", "shelve"): "shelved",
    ("acknowledged", "shelve"): "shelved",
    ("returned", "shelve"): "shelved",
    ("shelved", "unshelve"): "active",
    ("shelved", "unshelve_returned"): "returned",
    # Late telemetry may void any alert that somebody has heard of; a pending one is dropped.
    ("active", "void"): "voided",
    ("acknowledged", "void"): "voided",
    ("returned", "void"): "voided",
    ("shelved", "void"): "voided",
    # These say something about an alert and leave it where it is.
    ("active", "assign"): "active",
    ("acknowledged", "assign"): "acknowledged",
    ("returned", "assign"): "returned",
    ("shelved", "assign"): "shelved",
    ("active", "escalate"): "active",
    ("active", "note"): "active",
    ("acknowledged", "note"): "acknowledged",
    ("returned", "note"): "returned",
    ("shelved", "note"): "shelved",
}

UNDOABLE: Final = frozenset[Event](
    {"acknowledge", "assign", "note", "shelve", "unshelve", "unshelve_returned", "close"}
)
"""Acts of people that they may take back: an undo leads from the state after the act to the one
before it. So closed is final only when the act can no longer be undone."""

STATES: Final[tuple[State, ...]] = get_args(State)
EVENTS: Final[tuple[Event, ...]] = get_args(Event)
FINAL: Final = frozenset[State]({"closed", "voided", "dropped"})

REFUSALS: Final[Mapping[str, str]] = {
    "not_active_yet": "the alert is pending; wait until it is active or dropped",
    "not_returned": "no patrol has ended the condition yet; it can be closed after one has",
    "already_acknowledged": "somebody has acknowledged it before",
    "already_returned": "a patrol has ended the condition; verify and close it",
    "already_shelved": "unshelve it first",
    "not_shelved": "only a shelved alert can be unshelved",
    "already_closed": "the alert is closed; its record does not change",
    "already_voided": "the alert was voided by late telemetry; its record does not change",
    "never_raised": "the condition ended before anybody was told",
    "not_allowed": "the lifecycle has no such transition",
    "until_in_past": "shelve until an instant after now",
    "nothing_to_undo": "the last that happened to the alert is nothing that a person can take back",
    "not_yours": "somebody else did it; only they can take it back",
    "too_late_to_undo": "only what was done a moment ago can be taken back; act on it anew",
    "raised_again": "the condition has come true again, and another alert is open for it",
}
"""Why a transition is refused, and what that means to people."""

_STATE_REFUSALS: Mapping[State, str] = {
    "pending": "not_active_yet",
    "closed": "already_closed",
    "voided": "already_voided",
    "dropped": "never_raised",
}
_EVENT_REFUSALS: Mapping[tuple[State, Event], str] = {
    ("acknowledged", "acknowledge"): "already_acknowledged",
    ("returned", "acknowledge"): "already_returned",
    ("returned", "return"): "already_returned",
    ("active", "close"): "not_returned",
    ("acknowledged", "close"): "not_returned",
}


def next_state(state: State, event: Event) -> State:
    """The state after `event`; TransitionRefused, with the named reason, when there is none."""
    to_state = TABLE.get((state, event))
    if to_state is None:
        raise refused(_refusal(state, event))
    return to_state


def refused(reason: str) -> TransitionRefused:
    """The error that refuses for a named reason."""
    return TransitionRefused(reason, REFUSALS[reason])


def state_before(from_state: State, event: Event, to_state: State) -> State:
    """The state to which undoing `event` leads back; TransitionRefused when it cannot be undone."""
    if event not in UNDOABLE or TABLE.get((from_state, event)) != to_state:
        raise refused("nothing_to_undo")
    return from_state


def _refusal(state: State, event: Event) -> str:
    if event == "undo":
        return "nothing_to_undo"
    if state in _STATE_REFUSALS:
        return _STATE_REFUSALS[state]
    if (state, event) in _EVENT_REFUSALS:
        return _EVENT_REFUSALS[state, event]
    if event in ("unshelve", "unshelve_returned"):
        return "not_shelved"
    return "already_shelved" if state == "shelved" else "not_allowed"
