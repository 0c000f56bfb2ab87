"""To the next recipient: what nobody has acknowledged in time. Pure.

The time counts over duty only, so nobody is called at night for what waits until the morning,
and a pause stops it. An escalation is a row of the alert's history; a recipient who was told
hears of everything that happens to the alert afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from alerts.alert import Alert
from alerts.findings import Step
from alerts.plan import Duty


class Escalated(Protocol):
    """A recipient who may be told only later."""

    @property
    def name(self) -> str:
        """The name in the configuration."""

    @property
    def escalate_after_s(self) -> float | None:
        """Duty time without an acknowledgement after which they are told; None: at once [s]."""

    def concerns(self, alert: Alert) -> bool:
        """Whether they want to hear of such alerts at all."""


def escalations(
    alert: Alert, recipients: Iterable[Escalated], duty: Duty, now_ms: int
) -> list[Step]:
    """The recipients who must be told of an alert now; each is told once.

    Parameters
    ----------
    alert : Alert
        Any; only an active one is escalated.
    recipients : iterable of Escalated
        Everybody who is told of alerts.
    duty : Duty
        Of the alert's zone.
    now_ms : int
        When. Nothing is escalated off duty or in a pause.
    """
    since_ms = alert.unacknowledged_since_ms
    if since_ms is None:
        return []
    late = [
        who
        for who in recipients
        if who.escalate_after_s is not None
        and now_ms - since_ms >= who.escalate_after_s * 1000  # cheaper than duty time
        and who.name not in alert.escalated_to
        and who.concerns(alert)
    ]
    if not late or not duty.on_duty(now_ms):
        return []
    waited_s = duty.duty_s(since_ms, now_ms)
    return [
        Step("escalate", "unacknowledged", {"recipient": who.name, "waited_s": waited_s})
        for who in sorted(late, key=lambda who: who.escalate_after_s or 0)
        if waited_s >= (who.escalate_after_s or 0)
    ]
