"""Alerts, pauses and campaigns."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from dashboards.api.answers.answer import Time


class AlertTransition(TypedDict):
    """One row of an alert's record: what happened, who did it, when, why, and what proves it.

    `undone` says that it was taken back and no longer counts; the row that did so has the event
    `undo` and names this one's `seq` as `undone` in its evidence.
    """

    seq: int
    at: Time
    event: str
    from_state: str
    to_state: str
    actor: str
    reason: str
    evidence: dict[str, Any]
    until: Time | None
    assigned_to: str | None
    undone: bool


class Alert(TypedDict):
    """An alert as it stands.

    `undo_until` is until when who did the last to it can take that back; null when the last that
    happened is nothing of that kind.
    """

    alert_id: str
    rule: str
    severity: str
    subject: str
    zone_id: str | None
    bike: str | None
    vendor: str | None
    window_from: Time | None
    window_to: Time | None
    state: str
    opened: Time
    updated: Time
    acknowledged_by: str | None
    assigned_to: str | None
    shelved_until: Time | None
    closed: Time | None
    reopened: int
    undo_until: Time | None
    reason: str
    evidence: dict[str, Any]


class AlertRecord(Alert):
    """An alert with its history, oldest first."""

    history: list[AlertTransition]


class Alerts(TypedDict):
    """A page of alerts, the newest first."""

    at: Time
    alerts: list[Alert]
    next_cursor: NotRequired[str]


# "from" is a word of Python, so this one cannot be written as a class.
Campaign = TypedDict(
    "Campaign",
    {
        "name": str,
        "kind": Literal["campaign", "pause"],
        "zones": list[str],
        "from": Time,
        "to": Time,
        "keys": dict[str, Any],
        "state": Literal["planned", "in_force", "over"],
        "source": Literal["configuration", "console"],
        "ordered_by": str | None,
        "ordered_at": Time | None,
        "reason": str,
        "ended_by": str | None,
        "ended_at": Time | None,
        "end_reason": str,
    },
)
"""What overrides the policy of some zones from `from` to `to`, or to `ended_at` if that is earlier.

`keys` are keys of a policy, as written; a pause has `paused`.
"""


class Campaigns(TypedDict):
    """Pauses and campaigns."""

    at: Time
    campaigns: list[Campaign]
