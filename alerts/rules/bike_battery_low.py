"""``bike_battery_low``: the battery of a bike may not last the patrol."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from alerts.findings import NOT_KNOWN, Finding
from alerts.fleet import FRESH_S, Fleet, Limits
from alerts.rules.cases import FleetCase
from alerts.rules.registry import Rule, Setting

CHARGED_BY: Final = 5
"""A battery is no longer low from so far above the limit on [percentage points]."""


def evaluate(case: FleetCase) -> Finding:
    """Find whether the newest battery level is at or below the limit."""
    facts, limit = case.facts, case.limits["battery_low_percent"]
    if facts is None or facts.battery_percent is None or facts.battery_ms is None:
        return NOT_KNOWN
    evidence: dict[str, object] = {
        "battery_percent": round(facts.battery_percent, 1),
        "limit_percent": limit,
        "battery_ms": facts.battery_ms,
    }
    if facts.battery_percent >= min(100, limit + CHARGED_BY):
        return Finding("clear", "charged", evidence)
    if facts.battery_percent > limit:
        return Finding("unknown", "hardly_charged", evidence)
    if case.now_ms - facts.battery_ms > FRESH_S * 1000:
        return Finding("unknown", "stale", evidence)
    return Finding("hold", "battery_low", evidence)


def suspects(fleet: Fleet, limits: Limits, now_ms: int) -> Collection[str]:
    """Bikes whose battery is at or below the limit."""
    return fleet.charged_at_most(limits["battery_low_percent"])


RULE: Final = Rule(
    name="bike_battery_low",
    subject="bike",
    severity="info",
    delay_s=60,
    inhibited_by=("off_duty",),
    settings=(Setting("battery_low_percent", 20.0, {"ge": 0, "le": 100}),),
    evaluate=evaluate,
    suspects=suspects,
)
