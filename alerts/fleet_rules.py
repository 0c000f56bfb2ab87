"""Whether each rule's condition holds for a bike or a vendor, and what proves it. Pure."""

from __future__ import annotations

from typing import Final

from alerts.alert import Alert
from alerts.findings import Finding
from alerts.fleet import BikeFacts, Fleet, FleetLimits, VendorFacts
from alerts.plan import Policies

FRESH_S: Final = 3600
"""A battery level or a position older than this says nothing about now [s]."""
CHARGED_BY: Final = 5
"""How far above the limit a battery is no longer low [percentage points]."""

_UNKNOWN: Final = Finding("unknown", "not_known", {})


def offline(
    facts: BikeFacts | None,
    limits: FleetLimits,
    policies: Policies,
    fleet: Fleet,
    now_ms: int,
    *,
    behind: bool,
) -> Finding:
    """``bike_offline``: nothing was heard of the bike for long, counted over duty time."""
    if facts is None or facts.heard_ms is None:
        return _UNKNOWN
    silence_s = policies.duty_s(facts.heard_ms, now_ms)
    evidence: dict[str, object] = {"silence_s": silence_s, "last_heard_ms": facts.heard_ms}
    if silence_s <= limits.offline_after_s:
        return Finding("clear", "heard_again", evidence)
    if now_ms - facts.heard_ms > limits.forgotten_after_s * 1000:
        return Finding("clear", "forgotten", evidence)
    if behind:
        return Finding("unknown", "pipeline_behind", evidence)
    if not policies.on_duty(now_ms):
        return Finding("unknown", "off_duty", evidence)
    if not fleet.heard(now_ms - round(limits.offline_after_s * 1000)):
        return Finding("unknown", "telemetry_silent", evidence)
    return Finding("hold", "bike_silent", evidence)


def battery_low(
    facts: BikeFacts | None, limits: FleetLimits, policies: Policies, now_ms: int
) -> Finding:
    """``bike_battery_low``: the battery may not last the patrol."""
    if facts is None or facts.battery_percent is None or facts.battery_ms is None:
        return _UNKNOWN
    evidence: dict[str, object] = {
        "battery_percent": round(facts.battery_percent, 1),
        "limit_percent": limits.battery_low_percent,
        "battery_ms": facts.battery_ms,
    }
    if facts.battery_percent >= min(100, limits.battery_low_percent + CHARGED_BY):
        return Finding("clear", "charged", evidence)
    if facts.battery_percent > limits.battery_low_percent:
        return Finding("unknown", "hardly_charged", evidence)
    if now_ms - facts.battery_ms > FRESH_S * 1000:
        return Finding("unknown", "stale", evidence)
    if not policies.on_duty(now_ms):
        return Finding("unknown", "off_duty", evidence)
    return Finding("hold", "battery_low", evidence)


def outside(facts: BikeFacts | None, limits: FleetLimits, now_ms: int) -> Finding:
    """``bike_outside_district``: far outside all zones, also off duty, when it is odder still."""
    if facts is None or facts.outside_m is None or facts.fix_ms is None:
        return _UNKNOWN
    evidence: dict[str, object] = {
        "outside_m": round(facts.outside_m),
        "limit_m": limits.outside_m,
        "fix_ms": facts.fix_ms,
    }
    if facts.outside_m <= limits.outside_m / 2:
        return Finding("clear", "back_inside", evidence)
    if facts.outside_m <= limits.outside_m:
        return Finding("unknown", "near_the_edge", evidence)
    if now_ms - facts.fix_ms > FRESH_S * 1000:
        return Finding("unknown", "stale", evidence)
    return Finding("hold", "outside", evidence)


def rejects(facts: VendorFacts | None, limits: FleetLimits, alert: Alert | None) -> Finding:
    """``vendor_rejects``: too large a share of what the vendor sends is rejected."""
    if facts is None or facts.received < max(1, limits.rejects_min):
        return _UNKNOWN
    share = facts.rejected / facts.received
    evidence: dict[str, object] = {
        "rejected": facts.rejected,
        "received": facts.received,
        "share_percent": round(100 * share, 1),
        "limit_percent": round(100 * limits.rejects_share, 1),
        "period_s": limits.rejects_period_s,
    }
    if share > limits.rejects_share:
        return Finding("hold", "rejects", evidence)
    # Half the limit, so that a share about the limit is one alert and not many.
    told = alert is not None and alert.state not in ("pending", "returned")
    if told and share > limits.rejects_share / 2:
        return Finding("unknown", "fewer_rejects", evidence)
    return Finding("clear", "few_rejects", evidence)
