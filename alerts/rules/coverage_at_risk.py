"""``coverage_at_risk``: at this rate the window that is on will end below target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from alerts.alert import Alert
from alerts.findings import Finding, Step
from alerts.rules.cases import ZoneCase
from alerts.rules.registry import Found, Rule
from geofence.windows import Window, judge_window
from geofence.zone_state import forecast_of

AT_EASE: Final = 0.9
"""A risk is over when this share of the cells that will come would do: no flapping."""


def evaluate(case: ZoneCase) -> Iterator[Found]:
    """Find whether the window that is on is at risk, and end the risks of windows that ended."""
    for alert, window in case.alerts_of(RULE.name):
        if window.to_ms <= case.windows.until_ms:
            yield Found(_end(case, alert, window), alert)
    current = case.zone.plan.window_at(case.now_ms)
    if current is not None:
        told = case.alert(RULE.name, current.from_ms)
        finding = _at_risk(case, told, current)
        # While the window is on it may be at risk again: only what is reached is over.
        over = case.auto_close and finding.reason == "target_reached"
        yield Found(finding, told, current, auto_close=over)


def _at_risk(case: ZoneCase, alert: Alert | None, window: Window) -> Finding:
    status = case.status
    if status.state in RULE.inhibited_by:
        return Finding("unknown", status.reason, {"detail": status.detail})
    if case.now_ms >= window.to_ms:
        return Finding("unknown", "no_window", {})
    found = judge_window(case.zone, window, case.policy)
    covered, evidence = found.cells_covered, found.evidence
    if found.verdict == "reached":
        return Finding("clear", "target_reached", evidence)
    forecast = forecast_of(case.zone, case.policy, window, covered, case.now_ms)
    if forecast is None:
        return Finding("unknown", "too_early", evidence)
    evidence["cells_expected"] = forecast.cells(covered, status.cells_total)
    if forecast.short:
        return Finding("hold", "forecast_short", evidence)
    active = alert is not None and alert.state not in ("pending", "returned")
    if active and forecast.needed > AT_EASE * forecast.coming:
        return Finding("unknown", "forecast_close", evidence)
    return Finding("clear", "forecast_fine", evidence)


def _end(case: ZoneCase, alert: Alert, window: Window) -> tuple[Step, ...]:
    """End a risk whose window has ended and was judged.

    The target was reached, or ``coverage_short`` takes its place. It closes by itself where
    the policy allows that; one that another alert carries on, or that nobody can judge any
    more, closes in any case.
    """
    found = judge_window(case.zone, window, case.zone.plan.policy_at(window.to_ms - 1))
    reason, evidence = "not_judged", found.evidence
    if found.verdict == "reached":
        reason = "target_reached"
    elif found.verdict == "short":
        reason, evidence = "superseded", evidence | {"rule": "coverage_short"}
    closes = case.auto_close or reason != "target_reached"
    close = [Step("close", reason, evidence)] if closes else []
    match alert.state:
        case "pending":
            return (Step("drop", reason, evidence),)
        case "active" | "acknowledged":
            return (Step("return", reason, evidence), *close)
        case "shelved":
            return (Step("unshelve_returned", reason, evidence), *close)
        case _:
            return tuple(close)


RULE: Final = Rule(
    name="coverage_at_risk",
    subject="zone",
    severity="warning",
    delay_s=300,
    inhibited_by=("paused", "off_duty", "unmeasurable"),
    evaluate=evaluate,
)
