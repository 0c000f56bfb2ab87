"""The evaluator: from the record and the alert book to statuses and transitions.

One evaluation is a function of the record, the book and `now_ms`. Nothing it needs to go
on is kept anywhere else, so after a restart it continues where the book ends: nothing is
raised twice and nothing is missed. Evaluations may be any time apart.

An alert that nobody has acknowledged in time is escalated to the next recipient. The time counts
over duty only, so nobody is called at night about an alert that can wait until the morning, and a
pause stops it. An escalation is a row of the alert's history; a recipient who was told hears of
everything that happens to the alert afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from alerts.alert import Alert, Transition
from alerts.apart import Apart
from alerts.findings import Step, undated
from alerts.fleet import Fleet, Limits
from alerts.notify.apprise import AppriseNotifier
from alerts.plan import Policies, ZonePlan
from alerts.rules import RULES
from alerts.rules.cases import OpenAlerts, Windows, ZoneCase
from alerts.rules.judge import AT_ONCE, Judge, removed
from alerts.rules.registry import Registry
from alerts.store.alert_rows import Opening
from alerts.store.book import AlertBook, Change
from geofence.record import Record
from geofence.windows import WindowVerdict, Zone, judge_windows
from geofence.zone_state import MAX_BEHIND_MS, ZoneStatus, state_of


class Evaluation(NamedTuple):
    """Statuses and transitions of one evaluation, or of a part of it."""

    statuses: list[ZoneStatus]  # of all zones, in the order of the record
    transitions: list[Transition]  # those that happened by themselves; durable


class Evaluator:
    """Judges all zones, bikes and vendors; for one thread."""

    def __init__(
        self,
        policies: Policies,
        record_at: Callable[[int], Record],  # as of now [ms]
        book: AlertBook,
        *,
        rules: Registry = RULES,
        off: Collection[str] = (),  # raise nothing; what they have raised before runs to its end
        fleet: Fleet | None = None,  # without it nothing is said about bikes and vendors
        limits: Limits | None = None,  # where they differ from the defaults
        recipients: Sequence[AppriseNotifier] = (),  # told of what nobody acknowledges; may change
    ) -> None:
        self._policies = policies
        self._record_at = record_at
        self._book = book
        self._judge = Judge(rules, off, {**rules.defaults, **(limits or {})})
        self._fleet = fleet
        self._recipients = recipients
        self.apart = Apart()

    def in_parts(self, now_ms: int) -> Iterator[Evaluation]:
        """Judge everything now, in parts between which a caller may let others go on.

        The first has the statuses of all zones and nothing is recorded yet, so a book that cannot
        be written hides no status. Each further one has some of the transitions.

        BookUnavailable: what was not recorded will be: evaluate again later.
        What fails of one zone is left out, and named in `apart`.
        """
        book, record = self._book, self._record_at(now_ms)
        judged_ms = book.judged_ms
        set_back = judged_ms is not None and judged_ms > now_ms
        if set_back:
            # The clock was ahead: judge the windows that end from now on.
            judged_ms = now_ms
        # A window is judged when the record has come to its end; until then it waits.
        behind_ms = max(0, record.behind_ms)
        until_ms = now_ms - behind_ms
        if judged_ms is not None:
            until_ms = max(judged_ms, until_ms if behind_ms <= MAX_BEHIND_MS else 0)
        windows = Windows(now_ms, judged_ms if judged_ms is not None else until_ms, until_ms)
        zones: list[tuple[Zone[ZonePlan], ZoneStatus]] = []
        refs = record.zones()
        for ref in refs:
            with self.apart.of(f"zone {ref.zone_id}"):
                zone = Zone(ref, self._policies.plan(ref.zone_id), record)
                zones.append((zone, state_of(zone, now_ms)))
        statuses = [status for _, status in zones]
        yield Evaluation(statuses, [])
        alerts = OpenAlerts(book.current())
        changes = [
            Change(alert.alert_id, tuple(todo))
            for alert in alerts.by_key.values()
            if (todo := undated(alert, now_ms))
        ]
        for zone, status in zones:
            with self.apart.of(f"alerts of zone {status.zone_id}"):
                changes += self._judge.judge("zone", ZoneCase(zone, status, alerts, windows, book))
        if refs:
            changes += removed(alerts, "zone", {ref.zone_id for ref in refs})
        persist = judged_ms is None or set_back or windows.any_ended
        made = book.record(changes, now_ms, judged_ms=until_ms if persist else None)
        busy = {change.alert for change in changes}
        if self._fleet is not None:
            behind = behind_ms > MAX_BEHIND_MS
            for part in self._judge.fleet(
                self._fleet, self._policies, alerts, now_ms, behind=behind
            ):
                yield Evaluation(statuses, made)
                made = book.record(part, now_ms)
                busy.update(change.alert for change in part)
        waiting = [a for a in alerts.by_key.values() if a.state == "active"]
        for first in range(0, len(waiting) if self._recipients else 0, AT_ONCE):
            yield Evaluation(statuses, made)
            made = book.record(
                self._escalate(waiting[first : first + AT_ONCE], busy, now_ms), now_ms
            )
        yield Evaluation(statuses, made)

    def windows(self, after_ms: int, now_ms: int) -> Iterator[tuple[str, WindowVerdict]]:
        """Judge the windows of all zones that ended in ``(after_ms, now_ms]``.

        A window waits until the record has come to its end; one that ended before the record
        began is left out. Yields the zone's id, and the window with its verdict.
        """
        record = self._record_at(now_ms)
        for ref in record.zones():
            found: list[WindowVerdict] = []
            with self.apart.of(f"windows of zone {ref.zone_id}"):
                zone = Zone(ref, self._policies.plan(ref.zone_id), record)
                known_ms = max(after_ms, zone.known_from_ms)
                found += judge_windows(zone, known_ms, now_ms - max(0, record.behind_ms))
            yield from ((ref.zone_id, each) for each in found)

    def _escalate(
        self, alerts: Iterable[Alert], busy: Collection[str | Opening], now_ms: int
    ) -> list[Change]:
        """Alerts that nobody acknowledges, unless something else happens to them now."""
        due = partial(escalations, recipients=self._recipients, now_ms=now_ms)
        return [
            Change(alert.alert_id, tuple(todo))
            for alert in alerts
            if alert.alert_id not in busy
            and (todo := due(alert, duty=self._policies.of(alert.zone_id)))
        ]


def escalations(
    alert: Alert, recipients: Iterable[AppriseNotifier], duty: ZonePlan | Policies, now_ms: int
) -> list[Step]:
    """The escalations of an active alert that are due now; each recipient is told once.

    Nothing is escalated off duty or in a pause of the alert's zone.
    """
    since_ms = alert.unacknowledged_since_ms
    if since_ms is None:
        return []
    late = [
        who
        for who in recipients
        if who.escalate_after_s is not None
        and now_ms - since_ms >= who.escalate_after_s * 1000  # cheaper than duty time
        and who.name not in alert.escalated_to
        and who.concerns(alert)
    ]
    if not late or not duty.on_duty(now_ms):
        return []
    waited_s = duty.duty_s(since_ms, now_ms)
    return [
        Step("escalate", "unacknowledged", {"recipient": who.name, "waited_s": waited_s})
        for who in sorted(late, key=lambda who: who.escalate_after_s or 0)
        if waited_s >= (who.escalate_after_s or 0)
    ]
