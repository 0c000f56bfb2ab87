"""``coverage_short``: a window ended below target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from alerts.alert import Alert, Key
from alerts.findings import Finding
from alerts.plan import Judged
from alerts.rules.cases import ZoneCase, told
from alerts.rules.registry import Found, Rule
from geofence.windows import MAKE_UP_WINDOWS, judge_window


def evaluate(case: ZoneCase) -> Iterator[Found]:
    """Find whether short windows were made up for, and whether one that has ended is short."""
    zone, plan, windows = case.zone, case.zone.plan, case.windows
    for alert, window in case.alerts_of(RULE.name):
        judged = Judged(window, plan.policy_at(window.to_ms - 1))
        yield Found(_still_short(case, alert, judged, windows.after(plan, window.to_ms)), alert)
    for judged in windows.ended(plan):
        found = judge_window(zone, *judged)
        key = Key(RULE.name, zone.zone_id, judged.window.from_ms)
        # A window is judged once; only a book older than its cursor could ask again.
        if found.verdict == "short" and not case.past.has(key):
            yield Found(Finding("hold", found.reason, found.evidence), window=judged.window)


def _still_short(case: ZoneCase, alert: Alert, judged: Judged, later: Sequence[Judged]) -> Finding:
    """The finding about the window of an open alert; a reached one of `later` makes up for it."""
    found = judge_window(case.zone, *judged)
    if found.verdict == "reached":
        return Finding("never", "late_telemetry", found.evidence)
    if told(alert):
        for following in reversed(later[-MAKE_UP_WINDOWS:]):
            made_up = judge_window(case.zone, *following)
            if made_up.verdict == "reached":
                visit = case.visit_since(following.window.from_ms)
                return Finding("clear", "made_up", made_up.evidence | visit)
    return Finding("hold", "window_short", found.evidence)


RULE: Final = Rule(
    name="coverage_short",
    subject="zone",
    severity="warning",
    delay_s=120,
    evaluate=evaluate,
)
