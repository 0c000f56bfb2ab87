"""Cases that rules evaluate: a zone, a bike or a vendor at an instant, and its open alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from alerts.alert import Alert, Key
from alerts.fleet import BikeFacts, Fleet, Limits, Silence, VendorFacts
from alerts.plan import Judged, Policies, ZonePlan
from alerts.policy import Policy
from alerts.store.book import AlertBook
from geofence.windows import Window, Zone
from geofence.zone_state import ZoneStatus

HOLD_S: Final = 300.0
"""An alert about a bike or a vendor closes after it was returned for so long [s].

No policy of a zone says so: nobody has to verify on site that a battery is charged.
"""


class OpenAlerts:
    """Open alerts, to be asked for by key, or by rule and zone."""

    def __init__(self, alerts: Iterable[Alert]) -> None:
        self.by_key = {alert.key: alert for alert in alerts}
        self._of_zones: dict[tuple[str, str | None], list[Alert]] = {}
        for alert in self.by_key.values():
            self._of_zones.setdefault((alert.rule, alert.zone_id), []).append(alert)

    def of(self, rule: str, zone_id: str) -> list[Alert]:
        """All open alerts of a zone and rule, whatever their windows."""
        return self._of_zones.get((rule, zone_id), [])


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
        """Windows that ended since the last evaluation, in order."""
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


@dataclass(frozen=True, slots=True)
class ZoneCase:
    """A zone, and how it stands now."""

    zone: Zone[ZonePlan]
    status: ZoneStatus
    alerts: OpenAlerts
    windows: Windows
    past: AlertBook

    @property
    def now_ms(self) -> int:
        """The time of the evaluation [ms]."""
        return self.windows.now_ms

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self.zone.plan.policy_at(self.now_ms)

    @property
    def subject(self) -> dict[str, str]:
        """The zone, as an alert names it."""
        return {"zone_id": self.zone.zone_id}

    @property
    def hold_s(self) -> float:
        """An alert closes after it was returned for so long [s]."""
        return self.policy.close_hold_s

    @property
    def auto_close(self) -> bool:
        """Whether a returned alert closes by itself."""
        return self.policy.auto_close

    def alert(self, rule: str, from_ms: int | None = None) -> Alert | None:
        """The open alert of a rule, about the window that begins at `from_ms` if it has one."""
        return self.alerts.by_key.get(Key(rule, self.zone.zone_id, from_ms))

    def alerts_of(self, rule: str) -> list[tuple[Alert, Window]]:
        """All open alerts of a rule about windows, each with its window."""
        return [
            (alert, Window(alert.window_from_ms or 0, alert.window_to_ms or 0))
            for alert in self.alerts.of(rule, self.zone.zone_id)
        ]

    def visit_since(self, at_ms: int) -> dict[str, object]:
        """The evidence of the newest visit since an instant [ms]: which bike, when; else empty."""
        visit = self.zone.record.last_visit_by(self.zone.zone_id, at_ms)
        return {} if visit is None else {"bike": visit.bike, "at_ms": visit.at_ms}

    def inhibition(self, by: str, *, told: bool) -> str | None:
        """Why nothing can be said, if the zone is in this state or has an alert of this rule.

        An alert that people were `told` of goes on beside that of the other rule.
        """
        if by in (self.status.state, self.status.reason):
            return self.status.reason
        other = self.alert(by)
        return by if other is not None and other.state != "returned" and not told else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetCase:
    """A bike or a vendor, named by `subject`; of a bike, what is known of it."""

    subject: dict[str, str]
    facts: BikeFacts | None = None
    fleet: Fleet
    limits: Limits
    policies: Policies
    alerts: OpenAlerts
    now_ms: int
    held: frozenset[str]  # of what inhibits rules, that which holds of the subject now
    silent: Mapping[str, Silence]  # vendors most of whose bikes are silent
    hold_s: float = HOLD_S
    auto_close: bool = True

    @property
    def _name(self) -> str:
        return next(iter(self.subject.values()))

    def sent(self, period_s: float) -> VendorFacts | None:
        """The messages of a vendor in the last `period_s`; None when nothing is known."""
        return self.fleet.vendors(self.now_ms - round(period_s * 1000)).get(self._name)

    def alert(self, rule: str) -> Alert | None:
        """The open alert of a rule."""
        return self.alerts.by_key.get(Key(rule, self._name))

    def inhibition(self, by: str, *, told: bool) -> str | None:
        """`by`, if it holds now; an alert that people were `told` of goes on meanwhile."""
        return by if by in self.held else None


def told(alert: Alert | None) -> bool:
    """Whether people have heard of an alert."""
    return alert is not None and alert.state != "pending"
