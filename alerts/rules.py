"""The rules: in which state a zone is, and whether a rule's condition holds.

Pure: everything is computed from the plan of a zone, what the record says, and `now_ms`.
Time that counts against a zone is duty time only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import msgspec

from alerts.duty_hours import Window
from alerts.patrols import CoverageMemo, Patrols, ZoneRef
from alerts.plan import ZonePlan
from alerts.policy import Policy

ZoneState = Literal["compliant", "due", "overdue", "unmeasurable", "off_duty", "paused"]

STATE_CODES: Final[Mapping[ZoneState, int]] = {
    "compliant": 0,
    "due": 1,
    "overdue": 2,
    "unmeasurable": 3,
    "off_duty": 4,
    "paused": 5,
}
"""The number of each state in InfluxDB and on maps. Stable: never renumbered or reused."""

StateReason = Literal[
    "patrolled",  # compliant
    "idle_over_80_percent",  # due
    "forecast_short",  # due: the window will end below target at this rate
    "idle_over_frequency",  # overdue
    "window_short",  # overdue: a window ended below target and was not made up since
    "telemetry_silent",  # unmeasurable: nobody could have told
    "pipeline_behind",  # unmeasurable: what was received is not computed yet
    "no_cells",  # unmeasurable: the zone has no patrollable cell
    "outside_hours",  # off_duty
    "exception",  # off_duty: an event of the calendar of exceptions
    "pause",  # paused
]

DUE_SHARE: Final = 0.8
MAX_BEHIND_MS: Final = 120_000
FORECAST_AFTER: Final = 0.25
"""Share of a window's duty time that must have passed before a forecast is made of it."""
RECENT_S: Final = 3600
SLOT_MS: Final = 900_000
RECORD_SLACK_S: Final = 600
"""Duty time a window may have had before the record starts and still be judged [s]."""
MAKE_UP_WINDOWS: Final = 15
"""How many of the latest windows may make up for a short one."""


class ZoneStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a zone stands against its policy.

    Attributes
    ----------
    zone_id, policy : str
        Which zone, which policy.
    state, reason, detail : str
        One of :data:`ZoneState`; why, one of :data:`StateReason`; the words of the
        calendar or the pause, where there are any.
    covered_ratio : float
        Of the window, 0 to 1; 1 in a zone without patrollable cells.
    cells_covered, cells_total : int
        Of the window.
    target : float
        Covered ratio to reach by the window's end.
    window_from_ms, window_to_ms : int, optional
        The window; between shifts the last one. None before the first.
    idle_s : float
        Duty time since the zone was last patrolled, or the record began [s].
    frequency_s : int
        The longest it may be [s].
    due_in_s : float, optional
        Time on the clock until the next breach comes, by the frequency or by forecast [s];
        negative, in duty time, when the frequency is exceeded; None when it cannot be said.
    oldest_cell_age_s, mean_cell_age_s : float, optional
        Ages of cells [s].
    last_patrolled_ms : int, optional
        None when the zone has not been patrolled since the record began.
    campaign : str, optional
        The campaign in force.
    paused_until_ms : int, optional
        The end of the pause in force.
    cells_expected : int, optional
        What the window will come to at the rate at which new cells come, by which
        ``coverage_at_risk`` is judged; None when nothing can be said.
    """

    zone_id: str
    policy: str
    state: ZoneState
    reason: StateReason
    detail: str
    covered_ratio: float
    cells_covered: int
    cells_total: int
    target: float
    window_from_ms: int | None
    window_to_ms: int | None
    idle_s: float
    frequency_s: int
    due_in_s: float | None
    oldest_cell_age_s: float | None
    mean_cell_age_s: float | None
    last_patrolled_ms: int | None
    campaign: str | None = None
    paused_until_ms: int | None = None
    cells_expected: int | None = None

    @property
    def state_code(self) -> int:
        """The number of `state`, see :data:`STATE_CODES`."""
        return STATE_CODES[self.state]


class Zone:
    """A zone with its plan and its record: what the rules ask about.

    Parameters
    ----------
    ref : ZoneRef
        The zone.
    plan : ZonePlan
        Its policies through time.
    patrols : Patrols
        The record.
    memo : CoverageMemo, optional
        Shared between evaluations.
    """

    __slots__ = ("memo", "patrols", "plan", "ref")

    def __init__(
        self, ref: ZoneRef, plan: ZonePlan, patrols: Patrols, memo: CoverageMemo | None = None
    ) -> None:
        self.ref = ref
        self.plan = plan
        self.patrols = patrols
        self.memo = memo or CoverageMemo(patrols)

    def last_patrolled_ms(self, at_ms: int) -> int | None:
        """When the zone was last patrolled, seen from an instant; never after it."""
        return self.patrols.last_patrolled_ms(
            self.ref.zone_id, min_cells=self.min_cells(self.plan.policy_at(at_ms)), now_ms=at_ms
        )

    def min_cells(self, policy: Policy) -> int:
        """Cells that make a patrol: all, in a zone that has fewer than the policy says."""
        return max(1, min(policy.min_cells, self.ref.cells_total))

    def idle_from_ms(self, last_patrolled_ms: int | None) -> int:
        """From when idle time counts: the last patrol, or where knowledge begins."""
        known_ms = max(self.patrols.since_ms, self.ref.valid_from_ms or 0)
        return known_ms if last_patrolled_ms is None else max(last_patrolled_ms, known_ms)

    def covered(self, window: Window) -> int:
        """Cells visited in a window."""
        return self.memo.covered(self.ref.zone_id, window.from_ms, window.to_ms)

    def cells_total(self, window: Window) -> int:
        """Patrollable cells that a window is measured by: the zone may have others now."""
        return self.patrols.cells_total(self.ref.zone_id, window.to_ms)

    def cells_needed(self, policy: Policy, window: Window) -> int:
        """Cells that reach the target of a window."""
        return cells_needed(policy, self.cells_total(window))

    def silence_s(self, at_ms: int) -> float:
        """Duty time without telemetry of any bike that may serve the zone [s]."""
        heard_ms = self.patrols.last_heard_ms(self.ref.zone_id)
        return self.plan.duty_s(self.idle_from_ms(heard_ms), at_ms)


def cells_needed(policy: Policy, cells_total: int) -> int:
    """Cells of so many that reach the target."""
    return math.ceil(policy.target * cells_total - 1e-9)


def assess(
    zone: Zone, now_ms: int, *, short: bool = False, max_behind_ms: int = MAX_BEHIND_MS
) -> ZoneStatus:
    """How a zone stands.

    Parameters
    ----------
    zone : Zone
        The zone.
    now_ms : int
        When.
    short : bool
        Whether a window ended below target and has not been made up since: the book knows.
    max_behind_ms : int
        How far the pipeline may be behind before nothing can be said.
    """
    policy, ref = zone.plan.policy_at(now_ms), zone.ref
    last_ms = zone.last_patrolled_ms(now_ms)
    idle_s = zone.plan.duty_s(zone.idle_from_ms(last_ms), now_ms)
    window = zone.plan.window_at(now_ms)
    covered = zone.covered(window) if window is not None else 0
    # Between shifts it is the last one's; a zone that was not there then has the cells of now.
    total = (zone.cells_total(window) if window is not None else 0) or ref.cells_total
    ages = zone.patrols.idle_cells(ref.zone_id, now_ms)
    forecast = None if window is None else forecast_of(zone, policy, window, covered, now_ms)
    falls_short = forecast is not None and forecast.short
    state: ZoneState
    reason: StateReason
    detail = ""
    if policy.paused:
        state, reason, detail = "paused", "pause", policy.paused
    elif not policy.hours.contains(now_ms):
        closure = policy.hours.closure_at(now_ms)
        state, reason = "off_duty", "exception" if closure else "outside_hours"
        detail = closure.summary if closure else ""
    elif ref.cells_total == 0:
        state, reason = "unmeasurable", "no_cells"
    elif zone.patrols.behind_ms > max_behind_ms:
        state, reason = "unmeasurable", "pipeline_behind"
    elif zone.silence_s(now_ms) > policy.frequency_s:
        state, reason = "unmeasurable", "telemetry_silent"
    elif idle_s > policy.frequency_s:
        state, reason = "overdue", "idle_over_frequency"
    elif short:
        state, reason = "overdue", "window_short"
    elif idle_s > DUE_SHARE * policy.frequency_s:
        state, reason = "due", "idle_over_80_percent"
    elif falls_short:
        state, reason = "due", "forecast_short"
    else:
        state, reason = "compliant", "patrolled"
    due_in_s = None
    if state != "unmeasurable":
        due_in_s = _due_in_s(zone, policy, idle_s, window if falls_short else None, now_ms)
    expected = None
    if forecast is not None and state not in ("paused", "unmeasurable"):
        expected = forecast.cells(covered, total)
    return ZoneStatus(
        zone_id=ref.zone_id,
        policy=policy.name,
        state=state,
        reason=reason,
        detail=detail,
        covered_ratio=covered / total if total else 1.0,
        cells_covered=covered,
        cells_total=total,
        target=policy.target,
        window_from_ms=window.from_ms if window else None,
        window_to_ms=window.to_ms if window else None,
        idle_s=idle_s,
        frequency_s=policy.frequency_s,
        due_in_s=due_in_s,
        oldest_cell_age_s=ages.oldest_cell_age_s,
        mean_cell_age_s=ages.mean_cell_age_s,
        last_patrolled_ms=last_ms,
        campaign=policy.campaign,
        paused_until_ms=zone.plan.paused_until_ms(now_ms),
        cells_expected=expected,
    )


class Forecast(NamedTuple):
    """What a window will come to at the rate at which new cells come.

    Attributes
    ----------
    needed : int
        Cells still needed to reach the target; below 0 when there are more.
    coming : float
        Cells that will come by the window's end.
    """

    needed: int
    coming: float

    @property
    def short(self) -> bool:
        """Whether the window will end below target."""
        return self.needed > self.coming

    def cells(self, covered: int, total: int) -> int:
        """Whole cells of `total` at the window's end: enough exactly when it is not short."""
        return min(total, int(covered + self.coming))


def forecast_of(
    zone: Zone, policy: Policy, window: Window, covered: int, now_ms: int
) -> Forecast | None:
    """What the window will come to; None when nothing can be said.

    The rate is that of the last hour or of the window so far, whichever is higher: a
    patrol may be elsewhere this hour. Nothing is forecast before a quarter of the window's
    duty time has passed.
    """
    if not window.from_ms <= now_ms < window.to_ms:
        return None
    past_s = zone.plan.duty_s(window.from_ms, now_ms)
    left_s = zone.plan.duty_s(now_ms, window.to_ms)
    if past_s <= 0 or past_s < FORECAST_AFTER * (past_s + left_s):
        return None
    rate = covered / past_s
    # On slot boundaries, so that the answer can be remembered between evaluations.
    recent_ms = (now_ms - RECENT_S * 1000) // SLOT_MS * SLOT_MS
    recent_s = zone.plan.duty_s(recent_ms, now_ms)
    if recent_ms > window.from_ms and recent_s > 0:
        before = zone.covered(Window(window.from_ms, recent_ms))
        rate = max(rate, (covered - before) / recent_s)
    return Forecast(zone.cells_needed(policy, window) - covered, rate * left_s)


def _due_in_s(
    zone: Zone, policy: Policy, idle_s: float, short: Window | None, now_ms: int
) -> float | None:
    left_s = policy.frequency_s - idle_s
    if left_s <= 0:
        return left_s
    breach_ms = zone.plan.advance(now_ms, left_s)
    instants = [at for at in (breach_ms, short.to_ms if short else None) if at is not None]
    return (min(instants) - now_ms) / 1000 if instants else None
