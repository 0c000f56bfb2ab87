"""From how a zone stands to what happens to its alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from alerts.alert import Alert, Key
from alerts.conditions import silent, still_short, unpatrolled, window_of, window_short
from alerts.duty_hours import Window
from alerts.findings import Finding, steps
from alerts.outlook import at_risk, end_of_risk, look_back, look_back_window
from alerts.plan import Judged, ZonePlan
from alerts.policy import Policy
from alerts.rulebook import RULES, Rule, RuleSettings
from alerts.rules import Zone, ZoneStatus
from alerts.store.alert_rows import Opening
from alerts.store.book import AlertBook, Change


class OpenAlerts:
    """Open alerts, to be asked for by key, or by rule and zone."""

    def __init__(self, alerts: Iterable[Alert]) -> None:
        self.by_key = {alert.key: alert for alert in alerts}
        self._of_zones: dict[tuple[str, str | None], list[Alert]] = {}
        for alert in self.by_key.values():
            self._of_zones.setdefault((alert.rule, alert.zone_id), []).append(alert)

    def of(self, rule: Rule, zone_id: str) -> list[Alert]:
        """All of a zone and rule, whatever their windows."""
        return self._of_zones.get((rule, zone_id), [])

    def short(self, zone_id: str) -> bool:
        """Whether a window of the zone ended below target and was not made up since."""
        shorts = self.of("coverage_short", zone_id)
        return any("returned" not in (alert.state, alert.shelved_from) for alert in shorts)


class ZoneJudge:
    """Judges zones.

    Parameters
    ----------
    book : AlertBook
        What was raised and closed before.
    rules : mapping
        Severity and delay of each rule; a rule that is not there raises nothing, and what it
        has raised before runs to its end.
    """

    def __init__(self, book: AlertBook, rules: Mapping[Rule, RuleSettings]) -> None:
        self._book = book
        self._rules = rules

    def judge(
        self, zone: Zone, status: ZoneStatus, alerts: OpenAlerts, windows: Windows
    ) -> Iterable[Change]:
        """What follows for the alerts of a zone."""
        yield from self._now(zone, status, alerts, windows)
        yield from self._look_ahead(zone, status, alerts, windows)
        yield from self._look_back(zone, status, alerts, windows.now_ms)

    def _now(
        self, zone: Zone, status: ZoneStatus, alerts: OpenAlerts, windows: Windows
    ) -> Iterable[Change]:
        now_ms, zone_id = windows.now_ms, zone.ref.zone_id
        policy = zone.plan.policy_at(now_ms)
        alert = alerts.by_key.get(Key("telemetry_silent", zone_id))
        finding = silent(zone, status, alert, now_ms)
        yield from self._change("telemetry_silent", zone_id, alert, finding, policy, now_ms)

        alert = alerts.by_key.get(Key("zone_unpatrolled", zone_id))
        finding = unpatrolled(zone, status, alert, now_ms)
        yield from self._change("zone_unpatrolled", zone_id, alert, finding, policy, now_ms)

        for alert in alerts.of("coverage_short", zone_id):
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

    def _look_ahead(
        self,
        zone: Zone,
        status: ZoneStatus,
        alerts: OpenAlerts,
        windows: Windows,
    ) -> Iterable[Change]:
        now_ms, zone_id = windows.now_ms, zone.ref.zone_id
        policy = zone.plan.policy_at(now_ms)
        for alert in alerts.of("coverage_at_risk", zone_id):
            ended_ms = window_of(alert).to_ms
            if ended_ms <= windows.until_ms:
                todo = end_of_risk(zone, alert, auto_close=policy.auto_close)
                if todo:
                    yield Change(alert.alert_id, todo)
        window = zone.plan.window_at(now_ms)
        if window is None:
            return
        alert_ = alerts.by_key.get(Key("coverage_at_risk", zone_id, window.from_ms))
        finding = at_risk(zone, status, alert_, now_ms)
        # While the window is on it may be at risk again: only what is reached is over.
        over = policy.auto_close and finding.reason == "target_reached"
        yield from self._change(
            "coverage_at_risk", zone_id, alert_, finding, policy, now_ms, window, auto_close=over
        )

    def _look_back(
        self,
        zone: Zone,
        status: ZoneStatus,
        alerts: OpenAlerts,
        now_ms: int,
    ) -> Iterable[Change]:
        zone_id = zone.ref.zone_id
        policy = zone.plan.policy_at(now_ms)
        neglected = alerts.by_key.get(Key("zone_unpatrolled", zone_id))
        overdue = neglected is not None and neglected.state != "returned"
        wanted: dict[int, tuple[Window, Alert | None]] = {}
        closing = self._book.last_closing("zone_unpatrolled", zone_id)
        if closing is not None and (window := look_back_window(zone, closing.at_ms)) is not None:
            wanted[closing.at_ms] = window, None
        for alert in alerts.of("look_back_due", zone_id):
            wanted[window_of(alert).from_ms] = window_of(alert), alert
        for window, found in wanted.values():
            finding = look_back(zone, status, found, window, now_ms, overdue=overdue)
            yield from self._change(
                "look_back_due", zone_id, found, finding, policy, now_ms, window
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
        *,
        auto_close: bool | None = None,
    ) -> Iterable[Change]:
        settings = self._rules.get(rule)
        if alert is None and settings is None:
            return
        severity, delay_s = settings or RULES[rule]
        todo = steps(
            alert,
            finding,
            now_ms,
            delay_s=delay_s,
            hold_s=policy.close_hold_s,
            auto_close=policy.auto_close if auto_close is None else auto_close,
        )
        if todo:
            opening = Opening(rule, severity, zone_id, window)
            yield Change(alert.alert_id if alert else opening, tuple(todo))


class Windows:
    """Windows per plan, worked out once an evaluation however many zones share a plan."""

    def __init__(self, now_ms: int, after_ms: int, until_ms: int) -> None:
        self.now_ms = now_ms
        self.any_ended = False
        self.until_ms = until_ms
        self._after_ms = after_ms
        self._ended: dict[int, list[Judged]] = {}
        self._later: dict[tuple[int, int], list[Judged]] = {}

    def ended(self, plan: ZonePlan) -> list[Judged]:
        """Windows that ended since the last evaluation."""
        found = self._ended.get(id(plan))
        if found is None:
            found = self._ended[id(plan)] = plan.windows_ended(self._after_ms, self.until_ms)
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
