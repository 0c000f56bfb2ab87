"""``zone_unpatrolled``: a zone was not patrolled for longer than its frequency."""

from __future__ import annotations

from typing import Final

from alerts.alert import Alert
from alerts.findings import Finding
from alerts.lifecycle import Event
from alerts.rules.cases import ZoneCase, told
from alerts.rules.registry import Rule
from geofence.record import PATROL_MS


def evaluate(case: ZoneCase) -> Finding:
    """Find whether the zone is idle for too long, or never was since its alert opened.

    "False" says of an open alert whether a visit ended it or late telemetry shows it never held.
    """
    status, alert = case.status, case.alert(RULE.name)
    evidence: dict[str, object] = {
        "idle_s": status.idle_s,
        "frequency_s": status.frequency_s,
        "last_patrolled_ms": status.last_patrolled_ms,
    }
    if (status.idle_s or 0) > status.frequency_s:
        return Finding("hold", "idle_over_frequency", evidence)
    if alert is None or not told(alert):
        return Finding("clear", "patrolled", evidence)
    never = _never_idle(case, alert.opened_at_ms)
    if never is not None:
        # No patrol but those that were known then: somebody has edited the policy.
        late = never["last_patrolled_ms"] != _known_patrol_ms(alert, "raise")
        return Finding("never", "late_telemetry" if late else "policy_edited", never)
    if status.last_patrolled_ms in (None, _known_patrol_ms(alert, "raise", "reopen")):
        # A campaign has begun or ended, and less is asked than then. Nobody has been there.
        return Finding("unknown", "not_patrolled_since", evidence)
    return Finding("clear", "patrolled", evidence | case.visit_since(alert.opened_at_ms))


def _known_patrol_ms(alert: Alert, *events: Event) -> object:
    """The last patrol on record when an alert had one of these events last [ms]."""
    for row in reversed(alert.standing):
        if row.event in events:
            return row.evidence.get("last_patrolled_ms")
    return "not on record"


def _never_idle(case: ZoneCase, opened_ms: int) -> dict[str, object] | None:
    """Evidence that the zone was never idle for too long since an alert opened, or None.

    From an instant at which it was not, the next at which it can be is when the frequency
    has passed since the last patrol before it: so a few questions settle it exactly.
    """
    zone, at_ms = case.zone, opened_ms
    evidence: dict[str, object] | None = None
    while at_ms <= case.now_ms:
        frequency_s = zone.plan.policy_at(at_ms).frequency_s
        last_ms = zone.last_patrolled_ms(at_ms)
        start_ms = zone.idle_from_ms(last_ms)
        idle_s = zone.plan.duty_s(start_ms, at_ms)
        if idle_s > frequency_s:
            return None
        if evidence is None:
            evidence = {
                "last_patrolled_ms": last_ms,
                "idle_s_at_opening": idle_s,
                "frequency_s": frequency_s,
            }
            since_ms = (last_ms or start_ms) - PATROL_MS
            visit = zone.record.last_visit_by(zone.zone_id, since_ms)
            if visit is not None and visit.at_ms <= opened_ms:
                evidence |= {"bike": visit.bike, "at_ms": visit.at_ms}
        following_ms = zone.plan.advance(start_ms, frequency_s + 0.001)
        if following_ms is None:
            break
        # A campaign may change the frequency on the way; never step back.
        at_ms = max(following_ms, at_ms + 1)
    return evidence


RULE: Final = Rule(
    name="zone_unpatrolled",
    subject="zone",
    severity="critical",
    delay_s=60,
    inhibited_by=("paused", "off_duty", "unmeasurable"),
    evaluate=evaluate,
)
