"""``coverage_at_risk``: at this rate the window that is on will end below target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from alerts.conditions import window_of
from alerts.outlook import at_risk, end_of_risk
from alerts.rulebook.cases import ZoneCase
from alerts.rulebook.registry import Found, Reason, Rule


def evaluate(case: ZoneCase) -> Iterator[Found]:
    """Find whether the window that is on is at risk, and end the risks of windows that ended."""
    zone, policy = case.zone, case.policy
    for alert in case.alerts.of(RULE.name, zone.ref.zone_id):
        if window_of(alert).to_ms <= case.windows.until_ms:
            yield Found(end_of_risk(zone, alert, auto_close=policy.auto_close), alert)
    window = zone.plan.window_at(case.now_ms)
    if window is None:
        return
    told = case.alert(RULE.name, window.from_ms)
    finding = at_risk(zone, case.status, told, case.now_ms)
    # While the window is on it may be at risk again: only what is reached is over.
    over = policy.auto_close and finding.reason == "target_reached"
    yield Found(finding, told, window, auto_close=over)


RULE: Final = Rule(
    name="coverage_at_risk",
    subject="zone",
    per="window",
    severity="warning",
    delay_s=300,
    title=("覆盖率恐不达标", "Coverage at risk"),
    raised=(
        "按新增网格的进度，考核时段结束时覆盖率将低于目标",
        "at the rate at which new cells come, the window will end below `target`",
    ),
    over=(
        "预测重新达标且有一成余量，或已达到目标；时段结束未达标时由“覆盖率未达标”接替",
        "the forecast is fine again with a tenth to spare, or the target is reached; when the "
        "window ends short, `coverage_short` takes its place",
    ),
    inhibited_by=("paused", "off_duty", "unmeasurable"),
    reasons={
        "forecast_fine": Reason(
            ("按目前进度可以达标", "at this rate the target will be reached"),
            ("按目前进度可以达标。", "At this rate the target will be reached."),
        ),
        "forecast_close": Reason(("进度接近要求", "the forecast is close")),
        "superseded": Reason(
            ("时段已结束，另行告警", "the window ended short; another alert says so"),
            (
                "本时段已结束且未达标，另行告警。",
                "The window has ended below target; another alert says so.",
            ),
        ),
        "not_judged": Reason(
            ("无法判断是否达标", "nobody can tell whether it reached its target"),
            (
                "本时段已结束，无法判断是否达标。",
                "The window has ended, and nobody can tell whether it reached its target.",
            ),
        ),
        "no_window": Reason(("当前无考核时段", "no window is on")),
        "too_early": Reason(("时段刚开始，尚难预测", "too early to tell")),
    },
    evaluate=evaluate,
)
