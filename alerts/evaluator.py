"""The evaluator: from what the record and the book say to statuses and transitions.

One evaluation is a function of the record, the book and `now_ms`. Nothing it needs to go
on is kept anywhere else, so after a restart it continues where the book ends: nothing is
raised twice and nothing is missed. Evaluations may be any time apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from alerts.alert import Alert, Key, Transition
from alerts.book import AlertBook, Change
from alerts.book_rows import Opening
from alerts.conditions import silent, still_short, unpatrolled, window_of, window_short
from alerts.findings import Finding, Step, steps
from alerts.hours import Window
from alerts.lifecycle import Event
from alerts.patrols import CoverageMemo, Patrols
from alerts.plan import Judged, Policies, ZonePlan
from alerts.policy import Policy
from alerts.rules import (
    MAX_BEHIND_MS,
    RULES,
    Rule,
    RuleSettings,
    Zone,
    ZoneStatus,
    assess,
)


class Evaluation(NamedTuple):
    """What an evaluation found and did.

    Attributes
    ----------
    statuses : list of ZoneStatus
        All zones, in the order of the record.
    transitions : list of Transition
        What happened to alerts by itself; durable.
    """

    statuses: list[ZoneStatus]
    transitions: list[Transition]


class Evaluator:
    """Judges all zones.

    Parameters
    ----------
    policies : Policies
        The plan of every zone.
    patrols : Patrols
        The record.
    book : AlertBook
        Where alerts are kept.
    rules : mapping, optional
        Severity and delay of rules, where they differ from the defaults.
    max_behind_ms : int
        How far the pipeline may be behind before zones are unmeasurable.
    """

    def __init__(
        self,
        policies: Policies,
        patrols: Patrols,
        book: AlertBook,
        *,
        rules: Mapping[Rule, RuleSettings] | None = None,
        max_behind_ms: int = MAX_BEHIND_MS,
    ) -> None:
        self._policies = policies
        self._patrols = patrols
        self._book = book
        self._rules = {**RULES, **(rules or {})}
        self._max_behind_ms = max_behind_ms
        self._memo = CoverageMemo(patrols)

    def evaluate(self, now_ms: int) -> Evaluation:
        """Judge all zones now and record what follows.

        Raises
        ------
        BookUnavailable
            Nothing was recorded: evaluate again later.
        KeyError
            A zone of the record has no policy.
        """
        book, patrols = self._book, self._patrols
        judged_ms = book.judged_ms
        # A window is judged when the record has come to its end; until then it waits.
        behind_ms = max(0, patrols.behind_ms)
        until_ms = now_ms - behind_ms
        if judged_ms is not None:
            until_ms = max(judged_ms, until_ms if behind_ms <= self._max_behind_ms else 0)
        windows = _Windows(now_ms, judged_ms if judged_ms is not None else until_ms, until_ms)
        open_alerts = {alert.key: alert for alert in book.current()}
        shorts: dict[str | None, list[Alert]] = {}
        for alert in open_alerts.values():
            if alert.rule == "coverage_short":
                shorts.setdefault(alert.zone_id, []).append(alert)
        statuses: list[ZoneStatus] = []
        changes: list[Change] = []
        for ref in patrols.zones():
            zone = Zone(ref, self._policies.plan(ref.zone_id), patrols, self._memo)
            own = shorts.get(ref.zone_id, [])
            short = any("returned" not in (a.state, a.shelved_from) for a in own)
            status = assess(zone, now_ms, short=short, max_behind_ms=self._max_behind_ms)
            statuses.append(status)
            changes += self._judge(zone, status, own, open_alerts, windows)
        changes += _of_removed_zones(open_alerts.values(), statuses)
        persist = judged_ms is None or windows.any_ended
        transitions = book.record(changes, now_ms, judged_ms=until_ms if persist else None)
        return Evaluation(statuses, transitions)

    def _judge(
        self,
        zone: Zone,
        status: ZoneStatus,
        shorts: list[Alert],
        open_alerts: Mapping[Key, Alert],
        windows: _Windows,
    ) -> Iterable[Change]:
        now_ms, zone_id = windows.now_ms, zone.ref.zone_id
        policy = zone.plan.policy_at(now_ms)
        alert = open_alerts.get(Key("telemetry_silent", zone_id))
        finding = silent(zone, status, alert, now_ms)
        yield from self._change("telemetry_silent", zone_id, alert, finding, policy, now_ms)

        alert = open_alerts.get(Key("zone_unpatrolled", zone_id))
        finding = unpatrolled(zone, status, alert, now_ms)
        yield from self._change("zone_unpatrolled", zone_id, alert, finding, policy, now_ms)

        for alert in shorts:
            window = window_of(alert)
            judged = Judged(window, zone.plan.policy_at(window.to_ms - 1))
            finding = still_short(zone, alert, judged, windows.after(zone.plan, window.to_ms))
            yield from self._change("coverage_short", zone_id, alert, finding, policy, now_ms)

        for judged in windows.ended(zone.plan):
            finding = window_short(zone, judged)
            key = Key("coverage_short", zone_id, judged.window.from_ms)
            # A window is judged once; only a book older than its cursor could ask again.
            if finding.verdict == "hold" and not self._book.has(key):
                yield from self._change(
                    "coverage_short", zone_id, None, finding, policy, now_ms, judged.window
                )

    def _change(
        self,
        rule: Rule,
        zone_id: str,
        alert: Alert | None,
        finding: Finding,
        policy: Policy,
        now_ms: int,
        window: Window | None = None,
    ) -> Iterable[Change]:
        settings = self._rules[rule]
        todo = steps(
            alert,
            finding,
            now_ms,
            delay_s=settings.delay_s,
            hold_s=policy.close_hold_s,
            auto_close=policy.auto_close,
        )
        if todo:
            opening = Opening(rule, settings.severity, zone_id, window)
            yield Change(alert.alert_id if alert else opening, tuple(todo))


class _Windows:
    """Windows per plan, worked out once an evaluation however many zones share a plan."""

    def __init__(self, now_ms: int, after_ms: int, until_ms: int) -> None:
        self.now_ms = now_ms
        self.any_ended = False
        self._after_ms = after_ms
        self._until_ms = until_ms
        self._ended: dict[int, list[Judged]] = {}
        self._later: dict[tuple[int, int], list[Judged]] = {}

    def ended(self, plan: ZonePlan) -> list[Judged]:
        """Windows that ended since the last evaluation."""
        found = self._ended.get(id(plan))
        if found is None:
            found = self._ended[id(plan)] = plan.windows_ended(self._after_ms, self._until_ms)
            self.any_ended = self.any_ended or bool(found)
        return found

    def after(self, plan: ZonePlan, after_ms: int) -> list[Judged]:
        """Windows that began at or after an instant, the current one last."""
        key = (id(plan), after_ms)
        found = self._later.get(key)
        if found is None:
            ended = plan.windows_ended(after_ms, self.now_ms)
            found = [judged for judged in ended if judged.window.from_ms >= after_ms]
            current = plan.window_at(self.now_ms)
            # Between shifts the current window is the last one that ended.
            if current is not None and current.from_ms >= after_ms and current.to_ms > self.now_ms:
                found.append(Judged(current, plan.policy_at(self.now_ms)))
            self._later[key] = found
        return found


def _of_removed_zones(alerts: Iterable[Alert], statuses: Iterable[ZoneStatus]) -> Iterable[Change]:
    """Alerts of zones that are no longer configured cannot end otherwise."""
    known = {status.zone_id for status in statuses}
    if not known:
        return
    for alert in alerts:
        if alert.rule in RULES and alert.zone_id not in known:
            event: Event = "drop" if alert.state == "pending" else "void"
            yield Change(alert.alert_id, (Step(event, "zone_removed", {}),))
