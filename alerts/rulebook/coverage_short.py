"""``coverage_short``: a window ended below target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from alerts.alert import Key
from alerts.conditions import still_short, window_of, window_short
from alerts.plan import Judged
from alerts.rulebook.cases import ZoneCase
from alerts.rulebook.registry import Found, Reason, Rule
from geofence.windows import judge_window


def evaluate(case: ZoneCase) -> Iterator[Found]:
    """Find whether short windows were made up for, and whether one that has ended is short."""
    zone, plan, windows = case.zone, case.zone.plan, case.windows
    for alert in case.alerts.of(RULE.name, zone.ref.zone_id):
        window = window_of(alert)
        judged = Judged(window, plan.policy_at(window.to_ms - 1))
        yield Found(still_short(zone, alert, judged, windows.after(plan, window.to_ms)), alert)
    for judged in windows.ended(plan):
        finding = window_short(judge_window(zone, *judged))
        key = Key(RULE.name, zone.ref.zone_id, judged.window.from_ms)
        # A window is judged once; only a book older than its cursor could ask again.
        if finding.verdict == "hold" and not case.past.has(key):
            yield Found(finding, window=judged.window)


RULE: Final = Rule(
    name="coverage_short",
    subject="zone",
    per="window",
    severity="warning",
    delay_s=120,
    title=("覆盖率未达标", "Coverage short of target"),
    raised=("考核时段结束时覆盖率低于目标", "a window ended below `target`"),
    over=("后续时段达到目标", "a later window reaches its target"),
    reasons={
        "made_up": Reason(
            ("后续时段已达标", "a later window reached its target"),
            (
                "后续时段已达标：{cells_covered}/{cells_total} 格。",
                "A later window reached its target: {cells_covered} of {cells_total} cells.",
            ),
        ),
    },
    evaluate=evaluate,
)
