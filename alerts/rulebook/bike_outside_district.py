"""``bike_outside_district``: a bike is far outside all zones."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from alerts.findings import NOT_KNOWN, Finding
from alerts.fleet import FRESH_S, Fleet, Limits
from alerts.rulebook.cases import BikeCase
from alerts.rulebook.registry import Found, Reason, Rule, Setting


def evaluate(case: BikeCase) -> Iterator[Found]:
    """Find how far outside the newest fix is; also off duty, when it is odder still."""
    yield Found(_finding(case), case.alert(RULE.name))


def _finding(case: BikeCase) -> Finding:
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
    title=("车辆驶出辖区", "Bike outside the district"),
    raised=(
        "一小时内的最新定位扣除误差后，距所有片区均超过限值",
        "its newest fix, of the last hour, is more than `outside_m` from every zone, less the "
        "fix's accuracy",
    ),
    over=("距片区不超过限值的一半", "it is within half of that"),
    settings=(
        Setting(
            name="outside_m",
            default=300.0,
            meaning="Farther from every zone, a bike is outside the district [m].",
            bounds={"gt": 0},
        ),
    ),
    reasons={
        "outside": Reason(
            ("位于所有片区之外", "outside all zones"),
            (
                "{fix_ms} 位于所有片区之外约 {outside_m} 米，限值 {limit_m:g} 米。",
                "At {fix_ms} it was about {outside_m} m outside all zones; the limit is "
                "{limit_m:g} m.",
            ),
        ),
        "near_the_edge": Reason(("在辖区边缘", "near the edge")),
        "back_inside": Reason(
            ("已回到辖区", "back in the district"),
            ("已回到辖区。", "It is back in the district."),
        ),
    },
    evaluate=evaluate,
    suspects=suspects,
)
