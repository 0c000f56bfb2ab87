"""Whether the rules that look ahead and back hold: ``coverage_at_risk``, ``look_back_due``.

Pure, like :mod:`alerts.conditions`.
"""

from __future__ import annotations

from typing import Final

from alerts.alert import Alert
from alerts.conditions import window_of, window_short
from alerts.findings import Finding, Step
from alerts.plan import ZonePlan
from geofence.windows import RECORD_SLACK_S, Window, Zone, judge_window
from geofence.zone_state import ZoneStatus, forecast_of

AT_EASE: Final = 0.9
"""A risk is over when this share of the cells that will come would do: no flapping."""
SETTLE_S: Final = 1800
"""A patrol counts as a look-back when its half hour lies wholly after the closing [s]."""

_BLIND: Final = frozenset({"paused", "off_duty", "unmeasurable"})


def at_risk(zone: Zone[ZonePlan], status: ZoneStatus, alert: Alert | None, now_ms: int) -> Finding:
    """``coverage_at_risk`` for the window that is on: at this rate it will end below target."""
    if status.state in _BLIND:
        return Finding("unknown", status.reason, {"detail": status.detail})
    policy, window = zone.plan.policy_at(now_ms), zone.plan.window_at(now_ms)
    if window is None or now_ms >= window.to_ms:
        return Finding("unknown", "no_window", {})
    found = judge_window(zone, window, policy)
    covered, evidence = found.cells_covered, found.evidence
    if found.verdict == "reached":
        return Finding("clear", "target_reached", evidence)
    forecast = forecast_of(zone, policy, window, covered, now_ms)
    if forecast is None:
        return Finding("unknown", "too_early", evidence)
    evidence["cells_expected"] = forecast.cells(covered, status.cells_total)
    if forecast.short:
        return Finding("hold", "forecast_short", evidence)
    active = alert is not None and alert.state not in ("pending", "returned")
    if active and forecast.needed > AT_EASE * forecast.coming:
        return Finding("unknown", "forecast_close", evidence)
    return Finding("clear", "forecast_fine", evidence)


def end_of_risk(zone: Zone[ZonePlan], alert: Alert, *, auto_close: bool) -> tuple[Step, ...]:
    """What happens to a risk whose window has ended and was judged.

    The target was reached, or ``coverage_short`` takes its place. It closes by itself where
    the policy allows that; one that another alert carries on, or that nobody can judge any
    more, closes in any case.
    """
    window = window_of(alert)
    finding = window_short(judge_window(zone, window, zone.plan.policy_at(window.to_ms - 1)))
    reason = {"clear": "target_reached", "hold": "superseded"}.get(finding.verdict, "not_judged")
    evidence = finding.evidence | ({"rule": "coverage_short"} if reason == "superseded" else {})
    close = [Step("close", reason, evidence)] if auto_close or reason != "target_reached" else []
    match alert.state:
        case "pending":
            return (Step("drop", reason, evidence),)
        case "active" | "acknowledged":
            return (Step("return", reason, evidence), *close)
        case "shelved":
            return (Step("unshelve_returned", reason, evidence), *close)
        case _:
            return tuple(close)


def look_back_window(zone: Zone[ZonePlan], closed_ms: int) -> Window | None:
    """From a closing to the time by which the zone must have been looked back at.

    None when the policy asks for none, or the record does not reach back to the closing.
    """
    look_back_s = zone.plan.policy_at(closed_ms).look_back_s
    if look_back_s is None:
        return None
    if zone.plan.duty_s(closed_ms, zone.known_from_ms) > RECORD_SLACK_S:
        return None
    deadline_ms = zone.plan.advance(closed_ms, look_back_s)
    return None if deadline_ms is None else Window(closed_ms, deadline_ms)


def look_back(
    zone: Zone[ZonePlan],
    status: ZoneStatus,
    alert: Alert | None,
    window: Window,
    now_ms: int,
    *,
    overdue: bool,
) -> Finding:
    """``look_back_due``: nobody has patrolled the zone again since its alert was closed.

    Parameters
    ----------
    zone, status : Zone, ZoneStatus
        The zone, and how it stands.
    alert : Alert or None
        The open one about this closing.
    window : Window
        See :func:`look_back_window`.
    now_ms : int
        When.
    overdue : bool
        Whether the zone has an open ``zone_unpatrolled``, which says the same and more.
    """
    # The patrol that ended the alert is often still in the zone when it closes.
    settle_ms = min(SETTLE_S * 1000, (window.to_ms - window.from_ms) // 2)
    last_ms = status.last_patrolled_ms
    evidence: dict[str, object] = {
        "closed_at_ms": window.from_ms,
        "due_ms": window.to_ms,
        "last_patrolled_ms": last_ms,
    }
    if last_ms is not None and last_ms >= window.from_ms + settle_ms:
        if alert is not None and alert.state != "pending":
            then_ms = zone.last_patrolled_ms(window.to_ms)
            if then_ms is not None and then_ms >= window.from_ms + settle_ms:
                return Finding("never", "late_telemetry", evidence | {"last_patrolled_ms": then_ms})
        visit = zone.record.last_visit_by(zone.zone_id, window.from_ms)
        if visit is not None:
            evidence |= {"bike": visit.bike, "at_ms": visit.at_ms}
        return Finding("clear", "looked_back", evidence)
    if now_ms < window.to_ms:
        return Finding("unknown", "not_yet", evidence)
    if status.state in _BLIND:
        return Finding("unknown", status.reason, {"detail": status.detail})
    if overdue and (alert is None or alert.state == "pending"):
        return Finding("unknown", "zone_unpatrolled", evidence)
    return Finding("hold", "not_looked_back", evidence)
