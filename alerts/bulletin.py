"""The content of a bulletin: alerts that are open, raised and closed, and coverage. Pure.

The closing rate is that of the alerts which were raised in the period: closed ÷ raised. One
that late telemetry voided was never true, so it counts as neither. Closed means closed when
the bulletin is made, so a rate is never above 1, and a bulletin that is made again later may
show a better one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Literal, NamedTuple, Protocol

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
    raised_ms: int
    state: State


class Recipient(Protocol):
    """Somebody who is told of alerts, at once or later, and gets bulletins."""

    @property
    def name(self) -> str:
        """The name in the configuration."""

    @property
    def escalate_after_s(self) -> float | None:
        """Duty time without an acknowledgement after which they are told; None: at once [s]."""

    @property
    def bulletins(self) -> Collection[Kind]:
        """The kinds of bulletins that they get."""

    @property
    def bulletins_at_min(self) -> int:
        """Minute of the local day at which they get them."""

    def concerns(self, alert: Alert | Case) -> bool:
        """Whether they want notices of such alerts."""


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
    """Coverage of a zone in a period.

    Attributes
    ----------
    cells_covered, cells_total : int
        Distinct cells visited in the period.
    windows, reached : int
        Windows of the policy that ended in it and had duty, and those that reached the target.
    short : int, optional
        Windows that missed it; None in a bulletin of an older version, which did not tell them
        from windows of which nothing is known.
    unknown : mapping of str to int
        The other windows, by the reason why nobody can tell, see :mod:`geofence.windows`.
    """

    zone_id: str
    cells_covered: int
    cells_total: int
    windows: int
    reached: int
    short: int | None = None
    unknown: dict[str, int] = {}


class Bulletin(msgspec.Struct, frozen=True, kw_only=True):
    """A daily reminder, weekly supervision or monthly bulletin, as it was made.

    Attributes
    ----------
    kind, period : str
        Which, about which period; see :class:`alerts.periods.Period`.
    from_ms, to_ms, made_at_ms : int
        The period ``[from_ms, to_ms)``, and when it was made.
    due_ms : int, optional
        When it was due; None for one that somebody has asked for.
    missed : int
        Earlier ones of its kind that could not be made in time and are contained in it.
    verdict : str
        Whether it is sent.
    open : list of OpenAlert
        What is not over, oldest first.
    suppressed : list of Suppressed
        What is not over either, but waits for duty, the end of a pause, or a date.
    total, by_zone, by_rule : Tally, mapping of str to Tally
        What was raised in the period.
    coverage : list of ZoneCoverage
        Where the record has all of the period; else empty.
    """

    kind: Kind
    period: str
    from_ms: int
    to_ms: int
    made_at_ms: int
    due_ms: int | None = None
    missed: int = 0
    verdict: Verdict = "sent"
    open: list[OpenAlert] = []
    suppressed: list[Suppressed] = []
    total: Tally = Tally()
    by_zone: dict[str, Tally] = {}
    by_rule: dict[str, Tally] = {}
    coverage: list[ZoneCoverage] = []


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
    """Compile a bulletin.

    Parameters
    ----------
    period : Period
        What it is about.
    cases : iterable of Case
        Alerts that were raised in the period.
    alerts : iterable of Alert
        Alerts that are open now.
    suppressing : callable
        Why nobody is reminded of an alert today, with words; None when they are.
    coverage : sequence of ZoneCoverage
        Of the period.
    now_ms : int
        When it is made.
    due_ms, missed : int
        See :class:`Bulletin`.
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
            told.append(_open(alert))
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
    """Coverage of each zone in a period; empty unless the record has all of it."""
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


def _open(alert: Alert) -> OpenAlert:
    return OpenAlert(**{name: getattr(alert, name) for name in OpenAlert.__struct_fields__})
