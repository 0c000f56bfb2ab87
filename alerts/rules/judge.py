"""From findings of rules about zones, bikes and vendors to changes of their alerts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from typing import Final

from alerts.findings import Finding, Step, steps
from alerts.fleet import Fleet, Limits
from alerts.plan import Policies
from alerts.rules.cases import FleetCase, OpenAlerts, ZoneCase, told
from alerts.rules.registry import SUBJECTS, Found, Registry, Rule, Subject
from alerts.rules.vendor_silent import silent_vendors
from alerts.store.alert_rows import Opening
from alerts.store.book import Change

AT_ONCE: Final = 100
"""Bikes that are judged and booked at once, so that nobody waits for 3,000 that fall silent."""


class Judge:
    """Runs the rules over their subjects; those that are `off` raise nothing."""

    def __init__(self, rules: Registry, off: Collection[str], limits: Limits) -> None:
        # Asked for every zone, every second.
        self._about = {subject: rules.about(subject) for subject in SUBJECTS}
        self._off = frozenset(off)
        self._limits = limits

    def fleet(
        self, fleet: Fleet, policies: Policies, alerts: OpenAlerts, now_ms: int, *, behind: bool
    ) -> Iterator[list[Change]]:
        """Changes of alerts about bikes and vendors, some subjects at once.

        `behind` is whether the pipeline is.
        """
        limits, vendors = self._limits, fleet.vendors(now_ms)
        silent_ms = now_ms - round(limits["bike_offline_after_s"] * 1000)
        inhibiting = {
            "pipeline_behind": behind,
            "off_duty": not policies.on_duty(now_ms),
            "telemetry_silent": not fleet.heard(silent_ms),
        }
        held = frozenset(name for name, holds in inhibiting.items() if holds)
        silent = silent_vendors(fleet, limits, policies, now_ms)
        if "vendor_silent" in self._off:
            silent = {}
        held_of_silent = held | {"vendor_silent"}

        def held_of(bike: str) -> frozenset[str]:
            return held_of_silent if bike.partition("/")[0] in silent else held

        bikes = {alert.bike for alert in alerts.by_key.values() if alert.bike is not None}
        for rule in self._about["bike"]:
            # What is inhibited raises nothing, whoever is suspected.
            if rule.name not in self._off and held.isdisjoint(rule.inhibited_by):
                asked = rule.suspects
                suspects = asked(fleet, limits, now_ms) if asked else fleet.bikes()
                bikes.update(b for b in suspects if held_of(b).isdisjoint(rule.inhibited_by))
        cases = partial(
            FleetCase,
            fleet=fleet,
            limits=limits,
            policies=policies,
            alerts=alerts,
            now_ms=now_ms,
            silent=silent,
        )
        names = sorted(bikes)
        for first in range(0, len(names), AT_ONCE):
            changes: list[Change] = []
            for name in names[first : first + AT_ONCE]:
                changes += self.judge(
                    "bike",
                    cases(subject={"bike": name}, held=held_of(name), facts=fleet.bike(name)),
                )
            yield changes
        changes = []
        for name in vendors:
            changes += self.judge("vendor", cases(subject={"vendor": name}, held=held))
        yield [*changes, *removed(alerts, "vendor", vendors)]

    def judge(self, subject: Subject, case: ZoneCase | FleetCase) -> Iterator[Change]:
        """Changes of the alerts of one zone, bike or vendor."""
        for rule in self._about[subject]:
            answer = rule.evaluate(case)
            if isinstance(answer, Finding):
                answer = (Found(answer, case.alert(rule.name)),)
            for found in answer:
                if found.alert is not None or rule.name not in self._off:
                    yield from self._change(rule, case, found)

    def _change(self, rule: Rule, case: ZoneCase | FleetCase, found: Found) -> Iterator[Change]:
        alert, finding = found.alert, found.finding
        if isinstance(finding, Finding):
            heard = told(alert)
            inhibitions = (case.inhibition(by, told=heard) for by in rule.inhibited_by)
            if finding.verdict == "hold" and (why := next(filter(None, inhibitions), None)):
                finding = Finding("unknown", why, finding.evidence)
            auto_close = case.auto_close if found.auto_close is None else found.auto_close
            todo = steps(
                alert,
                finding,
                case.now_ms,
                delay_s=rule.delay_s,
                hold_s=case.hold_s,
                auto_close=auto_close,
            )
        else:
            todo = list(finding)
        if todo:
            opening = Opening(rule.name, rule.severity, window=found.window, **case.subject)
            yield Change(alert.alert_id if alert else opening, tuple(todo))


def removed(alerts: OpenAlerts, subject: Subject, known: Collection[str]) -> Iterator[Change]:
    """Alerts about zones or vendors that are no longer configured cannot end otherwise."""
    for alert in alerts.by_key.values():
        if alert.subject == subject and alert.subject_id not in known:
            step = Step("drop" if alert.state == "pending" else "void", f"{subject}_removed", {})
            yield Change(alert.alert_id, (step,))
