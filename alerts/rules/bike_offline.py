"""``bike_offline``: nothing was heard of a bike for long although there is duty."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from alerts.findings import NOT_KNOWN, Finding
from alerts.fleet import Fleet, Limits
from alerts.rules.cases import FleetCase
from alerts.rules.registry import Rule, Setting


def evaluate(case: FleetCase) -> Finding:
    """Find for how long nothing was heard, counted over duty time."""
    facts, limits = case.facts, case.limits
    if facts is None or facts.heard_ms is None:
        return NOT_KNOWN
    silence_s = case.policies.duty_s(facts.heard_ms, case.now_ms)
    evidence: dict[str, object] = {"silence_s": silence_s, "last_heard_ms": facts.heard_ms}
    if silence_s <= limits["bike_offline_after_s"]:
        return Finding("clear", "heard_again", evidence)
    if case.now_ms - facts.heard_ms > limits["bike_forgotten_after_s"] * 1000:
        return Finding("clear", "forgotten", evidence)
    return Finding("hold", "bike_silent", evidence)


def suspects(fleet: Fleet, limits: Limits, now_ms: int) -> Collection[str]:
    """Bikes that are silent by the clock."""
    gone_ms = now_ms - round(limits["bike_forgotten_after_s"] * 1000)
    return fleet.heard_between(gone_ms, now_ms - round(limits["bike_offline_after_s"] * 1000))


RULE: Final = Rule(
    name="bike_offline",
    subject="bike",
    severity="warning",
    delay_s=60,
    inhibited_by=("pipeline_behind", "off_duty", "telemetry_silent", "vendor_silent"),
    settings=(
        Setting("bike_offline_after_s", 1_800),
        Setting("bike_forgotten_after_s", 30 * 86_400),
    ),
    evaluate=evaluate,
    suspects=suspects,
)
