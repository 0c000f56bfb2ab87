"""``bike_outside_district``: a bike is far outside all zones."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from alerts.findings import NOT_KNOWN, Finding
from alerts.fleet import FRESH_S, Fleet, Limits
from alerts.rules.cases import FleetCase
from alerts.rules.registry import Rule, Setting


def evaluate(case: FleetCase) -> Finding:
    """Find how far outside the newest fix is; also off duty, when it is odder still."""
    facts, limit_m = case.facts, case.limits["outside_m"]
    if facts is None or facts.outside_m is None or facts.fix_ms is None:
        return NOT_KNOWN
    evidence: dict[str, object] = {
        "outside_m": round(facts.outside_m),
        "limit_m": limit_m,
        "fix_ms": facts.fix_ms,
    }
    if facts.outside_m <= limit_m / 2:
        return Finding("clear", "back_inside", evidence)
    if facts.outside_m <= limit_m:
        return Finding("unknown", "near_the_edge", evidence)
    if case.now_ms - facts.fix_ms > FRESH_S * 1000:
        return Finding("unknown", "stale", evidence)
    return Finding("hold", "outside", evidence)


def suspects(fleet: Fleet, limits: Limits, now_ms: int) -> Collection[str]:
    """Bikes whose newest fix is beyond the limit."""
    return fleet.outside_by(limits["outside_m"], now_ms)


RULE: Final = Rule(
    name="bike_outside_district",
    subject="bike",
    severity="warning",
    delay_s=120,
    settings=(Setting("outside_m", 300.0, {"gt": 0}),),
    evaluate=evaluate,
    suspects=suspects,
)
