"""From how bikes and vendors are to what happens to their alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from alerts import fleet_rules
from alerts.alert import Alert, Key
from alerts.findings import Finding, Step, steps
from alerts.fleet import Fleet, FleetLimits
from alerts.lifecycle import Event
from alerts.plan import Policies
from alerts.rulebook import Rule, RuleSettings
from alerts.store.alert_rows import Opening
from alerts.store.book import Change

HOLD_S: Final = 300.0
"""How long an alert about a bike or a vendor stays returned before it closes [s].

No policy of a zone says so: nobody has to verify on site that a battery is charged.
"""


class FleetJudge:
    """Judges bikes and vendors.

    Parameters
    ----------
    fleet : Fleet
        How they are.
    policies : Policies
        When there is duty.
    limits : FleetLimits
        From when on it matters.
    rules : mapping
        Severity and delay of each rule; a rule that is not there raises nothing.
    """

    def __init__(
        self,
        fleet: Fleet,
        policies: Policies,
        limits: FleetLimits,
        rules: Mapping[Rule, RuleSettings],
    ) -> None:
        self._fleet = fleet
        self._policies = policies
        self._limits = limits
        self._rules = rules

    def judge(
        self, open_alerts: Mapping[Key, Alert], now_ms: int, *, behind: bool
    ) -> Iterable[Change]:
        """What follows for alerts; `behind` when what was received is not computed yet."""
        fleet, limits, policies = self._fleet, self._limits, self._policies
        known = {alert.bike for alert in open_alerts.values() if alert.bike is not None}
        for bike in sorted(known.union(fleet.suspects(limits, now_ms))):
            facts = fleet.bike(bike)
            findings: dict[Rule, Finding] = {
                "bike_offline": fleet_rules.offline(
                    facts, limits, policies, fleet, now_ms, behind=behind
                ),
                "bike_battery_low": fleet_rules.battery_low(facts, limits, policies, now_ms),
                "bike_outside_district": fleet_rules.outside(facts, limits, now_ms),
            }
            for rule, finding in findings.items():
                alert = open_alerts.get(Key(rule, bike))
                yield from self._change(rule, alert, finding, now_ms, bike=bike)
        vendors = fleet.vendors(now_ms - round(limits.rejects_period_s * 1000))
        for vendor, sent in vendors.items():
            alert = open_alerts.get(Key("vendor_rejects", vendor))
            finding = fleet_rules.rejects(sent, limits, alert)
            yield from self._change("vendor_rejects", alert, finding, now_ms, vendor=vendor)
        for alert in open_alerts.values():
            if alert.vendor is not None and alert.vendor not in vendors:
                gone: Event = "drop" if alert.state == "pending" else "void"
                yield Change(alert.alert_id, (Step(gone, "vendor_removed", {}),))

    def _change(
        self,
        rule: Rule,
        alert: Alert | None,
        finding: Finding,
        now_ms: int,
        *,
        bike: str | None = None,
        vendor: str | None = None,
    ) -> Iterable[Change]:
        settings = self._rules.get(rule)
        if alert is None and settings is None:
            return
        severity, delay_s = settings or RuleSettings("info", 0)
        todo = steps(alert, finding, now_ms, delay_s=delay_s, hold_s=HOLD_S, auto_close=True)
        if todo:
            opening = Opening(rule, severity, None, bike=bike, vendor=vendor)
            yield Change(alert.alert_id if alert else opening, tuple(todo))
