"""``bike_offline``: nothing was heard of a bike for long although there is duty."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from alerts.findings import NOT_KNOWN, Finding
from alerts.fleet import Fleet, Limits
from alerts.rulebook.cases import BikeCase
from alerts.rulebook.registry import Found, Reason, Rule, Setting


def evaluate(case: BikeCase) -> Iterator[Found]:
    """Find for how long nothing was heard, counted over duty time."""
    yield Found(_finding(case), case.alert(RULE.name))


def _finding(case: BikeCase) -> Finding:
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
    title=("车辆离线", "Bike offline"),
    raised=(
        "巡查时间内长时间未收到车辆数据",
        "nothing was heard of a bike for `bike_offline_after`",
    ),
    over=("重新收到数据，或长期无数据不再计入", "it is heard, or forgotten"),
    inhibited_by=("pipeline_behind", "off_duty", "telemetry_silent"),
    settings=(
        Setting(
            name="bike_offline_after_s",
            default=1_800,
            meaning="How long nothing is heard of a bike, in patrol hours. When nothing is heard "
            "of any bike it is the line that is broken, and no bike is blamed.",
        ),
        Setting(
            name="bike_forgotten_after_s",
            default=30 * 86_400,
            meaning="A bike that was not heard for so long is no longer counted.",
        ),
    ),
    reasons={
        "bike_silent": Reason(
            ("长时间未收到该车数据", "nothing was heard of it for long"),
            (
                "已{silence_s}未收到该车任何数据（仅计巡查时段），最后一次为 {last_heard_ms}。",
                "Nothing was heard of it for {silence_s} of patrol hours, since {last_heard_ms}.",
            ),
        ),
        "forgotten": Reason(
            ("长期无数据，不再计入", "not heard for so long that it no longer counts"),
            (
                "长期未收到该车数据，不再计入。",
                "It was not heard for so long that it is no longer counted.",
            ),
        ),
    },
    evaluate=evaluate,
    suspects=suspects,
)
