"""``telemetry_silent``: nobody could have told whether a zone is patrolled."""

from __future__ import annotations

from typing import Final

from alerts.findings import Finding
from alerts.rules.cases import ZoneCase, told
from alerts.rules.registry import Rule


def evaluate(case: ZoneCase) -> Finding:
    """Find whether no bike that may serve the zone was heard for longer than the frequency."""
    zone, status, alert = case.zone, case.status, case.alert(RULE.name)
    if status.reason in ("pipeline_behind", "no_cells"):
        return Finding("unknown", status.reason, {})
    heard_ms = zone.record.heard_ms
    silence_s = zone.silence_s(case.now_ms)
    evidence: dict[str, object] = {
        "silence_s": silence_s,
        "frequency_s": status.frequency_s,
        "last_heard_ms": heard_ms,
    }
    if silence_s > status.frequency_s:
        return Finding("hold", "telemetry_silent", evidence)
    if alert is not None and told(alert) and (heard_ms is None or heard_ms <= alert.opened_at_ms):
        return Finding("unknown", "not_heard_since", evidence)
    return Finding("clear", "heard_again", evidence)


RULE: Final = Rule(
    name="telemetry_silent",
    subject="zone",
    severity="critical",
    delay_s=60,
    inhibited_by=("paused", "off_duty"),
    evaluate=evaluate,
)
