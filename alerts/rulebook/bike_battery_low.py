"""``bike_battery_low``: the battery of a bike may not last the patrol."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from alerts.findings import NOT_KNOWN, Finding
from alerts.fleet import FRESH_S, Fleet, Limits
from alerts.rulebook.cases import BikeCase
from alerts.rulebook.registry import Found, Reason, Rule, Setting

CHARGED_BY: Final = 5
"""How far above the limit a battery is no longer low [percentage points]."""


def evaluate(case: BikeCase) -> Iterator[Found]:
    """Find whether the newest battery level is at or below the limit."""
    yield Found(_finding(case), case.alert(RULE.name))


def _finding(case: BikeCase) -> Finding:
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
    title=("车辆电量低", "Bike battery low"),
    raised=(
        "一小时内上报的电量不高于限值",
        "its battery is at or below `battery_low_percent`, and said so within the hour",
    ),
    over=("电量高出限值 5 个百分点", "it is 5 points above"),
    inhibited_by=("off_duty",),
    settings=(
        Setting(
            name="battery_low_percent",
            default=20.0,
            meaning="A battery at or below this is low [%]; it is no longer when it is 5 points "
            "above.",
            bounds={"ge": 0, "le": 100},
        ),
    ),
    reasons={
        "battery_low": Reason(
            ("电量低", "its battery is low"),
            (
                "电量 {battery_percent:g}%，不高于 {limit_percent:g}%。",
                "Its battery is at {battery_percent:g} %, the limit is {limit_percent:g} %.",
            ),
        ),
        "hardly_charged": Reason(("电量略高于限值", "hardly above the limit")),
        "charged": Reason(
            ("电量已恢复", "charged again"),
            (
                "电量已恢复到 {battery_percent:g}%。",
                "Its battery is at {battery_percent:g} % again.",
            ),
        ),
    },
    evaluate=evaluate,
    suspects=suspects,
)
