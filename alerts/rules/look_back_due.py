"""``look_back_due`` (回头看): a zone that was overdue was not patrolled again in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from alerts.alert import Alert
from alerts.findings import Finding
from alerts.rules.cases import ZoneCase, told
from alerts.rules.registry import Found, Rule
from geofence.windows import RECORD_SLACK_S, Window

SETTLE_S: Final = 1800
"""A patrol counts as a look-back when its half hour lies wholly after the closing [s]."""
NEGLECT: Final = "zone_unpatrolled"
"""The rule whose closed alerts are looked back at; while one is open it says the same and more."""


def evaluate(case: ZoneCase) -> Iterator[Found]:
    """Find whether anybody has looked back since the last closing, or those of open alerts."""
    wanted: dict[int, tuple[Window, Alert | None]] = {}
    closing = case.past.last_closing(NEGLECT, case.zone.zone_id)
    if closing is not None and (window := _window(case, closing[1])) is not None:
        wanted[window.from_ms] = window, None
    for alert, window in case.alerts_of(RULE.name):
        wanted[window.from_ms] = window, alert
    for window, found in wanted.values():
        yield Found(_finding(case, found, window), found, window)


def _window(case: ZoneCase, closed_ms: int) -> Window | None:
    """From a closing to the time by which the zone must have been looked back at.

    None when the policy asks for none, the record does not reach back to the closing, or a clock
    that was ahead has closed it.
    """
    plan = case.zone.plan
    look_back_s = plan.policy_at(closed_ms).look_back_s
    if look_back_s is None or closed_ms > case.now_ms:
        return None
    if plan.duty_s(closed_ms, case.zone.known_from_ms) > RECORD_SLACK_S:
        return None
    deadline_ms = plan.advance(closed_ms, look_back_s)
    return None if deadline_ms is None else Window(closed_ms, deadline_ms)


def _finding(case: ZoneCase, alert: Alert | None, window: Window) -> Finding:
    # The patrol that ended the alert is often still in the zone when it closes.
    settle_ms = min(SETTLE_S * 1000, (window.to_ms - window.from_ms) // 2)
    settled_ms = window.from_ms + settle_ms
    last_ms = case.status.last_patrolled_ms
    evidence: dict[str, object] = {
        "closed_at_ms": window.from_ms,
        "due_ms": window.to_ms,
        "last_patrolled_ms": last_ms,
    }
    if last_ms is not None and last_ms >= settled_ms:
        then_ms = case.zone.last_patrolled_ms(window.to_ms) if told(alert) else None
        if then_ms is not None and then_ms >= settled_ms:
            return Finding("never", "late_telemetry", evidence | {"last_patrolled_ms": then_ms})
        return Finding("clear", "looked_back", evidence | case.visit_since(window.from_ms))
    if case.now_ms < window.to_ms:
        return Finding("unknown", "not_yet", evidence)
    return Finding("hold", "not_looked_back", evidence)


RULE: Final = Rule(
    name="look_back_due",
    subject="zone",
    severity="warning",
    delay_s=60,
    inhibited_by=("paused", "off_duty", "unmeasurable", NEGLECT),
    evaluate=evaluate,
)
