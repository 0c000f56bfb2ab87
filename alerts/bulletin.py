"""The content of a bulletin: alerts that are open, raised and closed, and coverage. Pure.

The closing rate is that of the alerts which were raised in the period: closed ÷ raised. One
that late telemetry voided was never true, so it counts as neither. Closed means closed when
the bulletin is made, so a rate is never above 1, and a bulletin that is made again later may
show a better one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from alerts.alert import Alert
from alerts.lifecycle import State
from alerts.periods import Kind, Period
from alerts.plan import Policies
from geofence.record import Record
from geofence.windows import RECORD_SLACK_S, Zone, judge_windows

Verdict = Literal["sent", "nothing_open", "suppressed"]
"""Whether a bulletin is sent: a daily reminder of nothing is not."""

Suppression = Literal["paused", "off_duty", "shelved"]


class Case(NamedTuple):
    """An alert that was raised in the period, and where it is now."""

    alert_id: str
    rule: str
    severity: str
    zone_id: str | None
    bike: str | None
    vendor: str | None
    state: State


class Tally(msgspec.Struct, frozen=True):
    """Numbers of alerts that were raised in a period, closed and voided since."""

    raised: int = 0
    closed: int = 0
    voided: int = 0

    @property
    def rate(self) -> float | None:
        """Closed ÷ raised; None when none was raised."""
        return self.closed / self.raised if self.raised else None


class OpenAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An open alert, as a bulletin lists it."""

    alert_id: str
    rule: str
    severity: str
    subject_id: str
    zone_id: str | None
    state: State
    opened_at_ms: int
    acknowledged_by: str | None
    assigned_to: str | None


class Suppressed(msgspec.Struct, frozen=True):
    """Open alerts of which nobody is reminded today, and why."""

    reason: Suppression
    detail: str
    alerts: tuple[str, ...]


class ZoneCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """Coverage of a zone in a period."""

    zone_id: str
    cells_covered: int  # distinct cells visited in the period
    cells_total: int
    windows: int  # those of the policy that ended in it and had duty
    reached: int
    # None in a bulletin of an older version, which did not tell windows that missed the target
    # from those of which nothing is known.
    short: int | None = None
    # By the reason why nobody can tell; see :mod:`geofence.windows`.
    unknown: dict[str, int] = {}


class Bulletin(msgspec.Struct, frozen=True, kw_only=True):
    """A daily reminder, weekly supervision or monthly bulletin, as it was made."""

    kind: Kind
    period: str  # the name of :class:`alerts.periods.Period`, ``[from_ms, to_ms)``
    from_ms: int
    to_ms: int
    made_at_ms: int
    due_ms: int | None = None  # None: somebody has asked for it
    missed: int = 0  # earlier ones that could not be made in time and are contained in it
    verdict: Verdict = "sent"
    open: list[OpenAlert] = []  # oldest first
    suppressed: list[Suppressed] = []  # open too: wait for duty, the end of a pause, or a date
    total: Tally = Tally()  # of what was raised in the period
    by_zone: dict[str, Tally] = {}
    by_rule: dict[str, Tally] = {}
    coverage: list[ZoneCoverage] = []  # empty unless the record has all of the period


def compiled(
    period: Period,
    cases: Iterable[Case],
    alerts: Iterable[Alert],
    suppressing: Callable[[Alert], tuple[Suppression, str] | None],
    coverage: Sequence[ZoneCoverage],
    now_ms: int,
    *,
    due_ms: int | None = None,
    missed: int = 0,
) -> Bulletin:
    """Compile a bulletin from the `cases` raised in a period and the `alerts` open now.

    `suppressing` says why nobody is reminded of an alert today, with words; None: they are.
    """
    known = list(cases)
    told: list[OpenAlert] = []
    held: dict[tuple[Suppression, str], list[str]] = {}
    for alert in sorted(alerts, key=lambda alert: alert.opened_at_ms):
        if alert.state == "pending":
            continue
        why = suppressing(alert)
        if why is not None:
            held.setdefault(why, []).append(alert.alert_id)
        else:
            names = OpenAlert.__struct_fields__
            told.append(OpenAlert(**{name: getattr(alert, name) for name in names}))
    verdict: Verdict = "sent"
    if period.kind == "daily" and not told:
        verdict = "suppressed" if held else "nothing_open"
    zones = sorted({case.zone_id for case in known if case.zone_id is not None})
    return Bulletin(
        kind=period.kind,
        period=period.name,
        from_ms=period.from_ms,
        to_ms=period.to_ms,
        made_at_ms=now_ms,
        due_ms=due_ms,
        missed=missed,
        verdict=verdict,
        open=told,
        suppressed=[Suppressed(*why, tuple(ids)) for why, ids in held.items()],
        total=_tally(known),
        by_zone={zone: _tally(case for case in known if case.zone_id == zone) for zone in zones},
        by_rule={
            rule: _tally(case for case in known if case.rule == rule)
            for rule in sorted({case.rule for case in known})
        },
        coverage=list(coverage),
    )


def suppression(
    alert: Alert, policies: Policies, day: tuple[int, int], now_ms: int
) -> tuple[Suppression, str] | None:
    """Why nobody is reminded of an alert on a day ``[from, to)``, with words; None: they are."""
    if alert.state == "shelved":
        return "shelved", ""
    duty = policies.of(alert.zone_id)
    if alert.zone_id is not None and alert.zone_id in policies:
        paused = policies.policy_for(alert.zone_id, now_ms).paused
        if paused:
            return "paused", paused
    return None if duty.duty_s(*day) > 0 else ("off_duty", "")


def zone_coverage(period: Period, policies: Policies, record: Record) -> list[ZoneCoverage]:
    """Coverage of each zone in a period, without those of which the record lacks a part."""
    found = []
    for ref in record.zones():
        zone = Zone(ref, policies.plan(ref.zone_id), record)
        known_ms = min(zone.known_from_ms, period.to_ms)
        if zone.plan.duty_s(period.from_ms, known_ms) > RECORD_SLACK_S:
            continue
        windows = judge_windows(zone, period.from_ms, period.to_ms)
        verdicts = Counter(judged.verdict for judged in windows)
        found.append(
            ZoneCoverage(
                zone_id=ref.zone_id,
                cells_covered=record.covered(ref.zone_id, period.from_ms, period.to_ms),
                cells_total=record.cells_total(ref.zone_id, period.to_ms),
                windows=len(windows),
                reached=verdicts["reached"],
                short=verdicts["short"],
                unknown=Counter(w.reason for w in windows if w.verdict == "unknown"),
            )
        )
    return found


def _tally(cases: Iterable[Case]) -> Tally:
    states = [case.state for case in cases]
    voided = states.count("voided")
    return Tally(len(states) - voided, states.count("closed"), voided)
