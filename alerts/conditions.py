"""Whether each rule's condition holds for a zone, and what proves it.

Pure, like :mod:`geofence.zone_state`. A condition may be asked about for an alert that is open:
then "false" must say whether a visit ended it or late telemetry shows it never held.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from alerts.alert import Alert
from alerts.findings import Finding
from alerts.lifecycle import Event
from alerts.plan import Judged, ZonePlan
from geofence.record import PATROL_MS
from geofence.windows import MAKE_UP_WINDOWS, Window, WindowVerdict, Zone, judge_window
from geofence.zone_state import ZoneStatus


def unpatrolled(
    zone: Zone[ZonePlan], status: ZoneStatus, alert: Alert | None, now_ms: int
) -> Finding:
    """``zone_unpatrolled``: idle for longer than the frequency, counted over duty time."""
    evidence: dict[str, object] = {
        "idle_s": status.idle_s,
        "frequency_s": status.frequency_s,
        "last_patrolled_ms": status.last_patrolled_ms,
    }
    if status.idle_s > status.frequency_s:
        if status.state != "overdue":
            return Finding("unknown", status.reason, {"detail": status.detail})
        return Finding("hold", "idle_over_frequency", evidence)
    if alert is None or alert.state == "pending":
        return Finding("clear", "patrolled", evidence)
    never = _never_idle(zone, alert.opened_at_ms, now_ms)
    if never is not None:
        # No patrol but those that were known then: somebody has edited the policy.
        late = never["last_patrolled_ms"] != _known_patrol_ms(alert, "raise")
        return Finding("never", "late_telemetry" if late else "policy_edited", never)
    if status.last_patrolled_ms in (None, _known_patrol_ms(alert, "raise", "reopen")):
        # A campaign has begun or ended, and less is asked than then. Nobody has been there.
        return Finding("unknown", "not_patrolled_since", evidence)
    visit = zone.record.last_visit_by(zone.zone_id, alert.opened_at_ms)
    if visit is not None:
        evidence |= {"bike": visit.bike, "at_ms": visit.at_ms}
    return Finding("clear", "patrolled", evidence)


def _known_patrol_ms(alert: Alert, *events: Event) -> object:
    """The last patrol that was known when one of these happened to an alert last [ms]."""
    for row in reversed(alert.standing):
        if row.event in events:
            return row.evidence.get("last_patrolled_ms")
    return "not on record"


def _never_idle(zone: Zone[ZonePlan], opened_ms: int, now_ms: int) -> dict[str, object] | None:
    """Evidence that the zone was never idle for too long since an alert opened, or None.

    From an instant at which it was not, the next at which it can be is when the frequency
    has passed since the last patrol before it: so a few questions settle it exactly.
    """
    evidence: dict[str, object] | None = None
    at_ms = opened_ms
    while at_ms <= now_ms:
        frequency_s = zone.plan.policy_at(at_ms).frequency_s
        last_ms = zone.last_patrolled_ms(at_ms)
        start_ms = zone.idle_from_ms(last_ms)
        idle_s = zone.plan.duty_s(start_ms, at_ms)
        if idle_s > frequency_s:
            return None
        if evidence is None:
            evidence = {
                "last_patrolled_ms": last_ms,
                "idle_s_at_opening": idle_s,
                "frequency_s": frequency_s,
            }
            since_ms = (last_ms or start_ms) - PATROL_MS
            visit = zone.record.last_visit_by(zone.zone_id, since_ms)
            if visit is not None and visit.at_ms <= opened_ms:
                evidence |= {"bike": visit.bike, "at_ms": visit.at_ms}
        following_ms = zone.plan.advance(start_ms, frequency_s + 0.001)
        if following_ms is None:
            break
        # A campaign may change the frequency on the way; never step back.
        at_ms = max(following_ms, at_ms + 1)
    return evidence


def silent(zone: Zone[ZonePlan], status: ZoneStatus, alert: Alert | None, now_ms: int) -> Finding:
    """``telemetry_silent``: no telemetry that could have told, for longer than the frequency."""
    if status.reason in ("pipeline_behind", "no_cells"):
        return Finding("unknown", status.reason, {})
    heard_ms = zone.record.heard_ms(zone.zone_id)
    silence_s = zone.silence_s(now_ms)
    evidence: dict[str, object] = {
        "silence_s": silence_s,
        "frequency_s": status.frequency_s,
        "last_heard_ms": heard_ms,
    }
    if silence_s > status.frequency_s:
        if status.reason != "telemetry_silent":
            return Finding("unknown", status.reason, {"detail": status.detail})
        return Finding("hold", "telemetry_silent", evidence)
    if alert is None or alert.state == "pending":
        return Finding("clear", "heard_again", evidence)
    if heard_ms is None or heard_ms <= alert.opened_at_ms:
        return Finding("unknown", "not_heard_since", evidence)
    return Finding("clear", "heard_again", evidence)


def window_short(found: WindowVerdict) -> Finding:
    """``coverage_short`` for a window that has just ended; ``unknown`` when nobody can tell."""
    verdict: Literal["hold", "clear", "unknown"] = "unknown"
    if found.verdict != "unknown":
        verdict = "hold" if found.verdict == "short" else "clear"
    return Finding(verdict, found.reason, found.evidence)


def still_short(
    zone: Zone[ZonePlan], alert: Alert, judged: Judged, later: Sequence[Judged]
) -> Finding:
    """``coverage_short`` for an open alert.

    Parameters
    ----------
    zone : Zone
        The zone.
    alert : Alert
        About the window of `judged`.
    judged : Judged
        The window and its policy.
    later : sequence of Judged
        Windows after it, in order, the current one last: one that reaches its target
        makes up for the short one.
    """
    found = judge_window(zone, *judged)
    if found.verdict == "reached":
        return Finding("never", "late_telemetry", found.evidence)
    if alert.state != "pending":
        for following in reversed(later[-MAKE_UP_WINDOWS:]):
            made_up = judge_window(zone, *following)
            if made_up.verdict == "reached":
                evidence = made_up.evidence
                visit = zone.record.last_visit_by(zone.zone_id, following.window.from_ms)
                if visit is not None:
                    evidence |= {"bike": visit.bike, "at_ms": visit.at_ms}
                return Finding("clear", "made_up", evidence)
    return Finding("hold", "window_short", found.evidence)


def window_of(alert: Alert) -> Window:
    """The window an alert is about."""
    assert alert.window_from_ms is not None
    assert alert.window_to_ms is not None
    return Window(alert.window_from_ms, alert.window_to_ms)
