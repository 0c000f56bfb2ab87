"""The rules by name: how bad a breach is, and how long it must last before anybody is told.

| rule | about | holds when |
| --- | --- | --- |
| zone_unpatrolled | zone | it was not patrolled for longer than the frequency |
| coverage_short | zone, window | the window ended below target |
| coverage_at_risk | zone, window | at this rate the window will end below target |
| look_back_due | zone, closing | it was overdue, and nobody has looked back in time |
| telemetry_silent | zone | nobody could have told whether it is patrolled |
| bike_offline | bike | not heard for long although there is duty |
| bike_battery_low | bike | its battery is low although there is duty |
| bike_outside_district | bike | its newest fix is well outside all zones |
| vendor_rejects | vendor | too large a share of its messages is rejected |

What inhibits what: a zone that is off duty, paused or unmeasurable raises nothing but
``telemetry_silent``; ``zone_unpatrolled`` keeps ``look_back_due`` of the same zone from being
raised, and ``coverage_short`` takes the place of ``coverage_at_risk``; when the whole fleet is
silent it is the line that is broken, and no single bike is ``bike_offline``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Rule = Literal[
    "zone_unpatrolled",
    "coverage_short",
    "coverage_at_risk",
    "look_back_due",
    "telemetry_silent",
    "bike_offline",
    "bike_battery_low",
    "bike_outside_district",
    "vendor_rejects",
]
Severity = Literal["info", "warning", "critical"]


class RuleSettings(NamedTuple):
    """How bad a breach of a rule is, and how long it must last before anybody is told."""

    severity: Severity
    delay_s: float


RULES: Final[Mapping[Rule, RuleSettings]] = {
    "zone_unpatrolled": RuleSettings("critical", 60),
    "coverage_short": RuleSettings("warning", 120),
    "coverage_at_risk": RuleSettings("warning", 300),
    "look_back_due": RuleSettings("warning", 60),
    "telemetry_silent": RuleSettings("critical", 60),
    "bike_offline": RuleSettings("warning", 60),
    "bike_battery_low": RuleSettings("info", 60),
    "bike_outside_district": RuleSettings("warning", 120),
    "vendor_rejects": RuleSettings("warning", 60),
}
