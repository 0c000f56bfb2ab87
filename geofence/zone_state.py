"""The state of a zone at an instant, now or long past, with its reason and figures.

The first that applies is its state; time that counts against a zone is duty time only.

| state | reason | when |
| --- | --- | --- |
| paused | pause | a pause is in force |
| off_duty | exception, outside_hours | no patrol is expected |
| unmeasurable | no_cells | the zone has no patrollable cell |
| unmeasurable | before_record | the instant lies before the record of the zone begins |
| unmeasurable | pipeline_behind | what was received is not computed yet |
| unmeasurable | telemetry_silent | for longer than the frequency no bike for it was heard |
| overdue | idle_over_frequency | it was not patrolled for longer than the frequency |
| short | window_short | a window missed its target, and no later one has reached it |
| due | idle_over_80_percent | it was not patrolled for 80 % of the frequency |
| due | forecast_short | the window will end below target at this rate |
| compliant | patrolled | otherwise |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple

import msgspec

from geofence.coverage import SLOT_MS
from geofence.record import Record
from geofence.windows import Asked, Plan, Window, Zone, cells_needed, missed_window

ZoneState = Literal["compliant", "due", "overdue", "unmeasurable", "off_duty", "paused", "short"]

STATE_CODES: Final[Mapping[ZoneState, int]] = {
    "compliant": 0,
    "due": 1,
    "overdue": 2,
    "unmeasurable": 3,
    "off_duty": 4,
    "paused": 5,
    "short": 6,
}
"""The number of each state in InfluxDB and on maps. Stable: never renumbered or reused."""

StateReason = Literal[
    "patrolled",
    "idle_over_80_percent",
    "forecast_short",
    "idle_over_frequency",
    "window_short",
    "telemetry_silent",
    "pipeline_behind",
    "no_cells",
    "outside_hours",
    "exception",
    "pause",
    "before_record",
]

DUE_SHARE: Final = 0.8
MAX_BEHIND_MS: Final = 120_000
FORECAST_AFTER: Final = 0.25
"""Share of a window's duty time that must have passed before a forecast is made of it."""
RECENT_S: Final = 3600


class ZoneStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a zone against its policy."""

    zone_id: str
    policy: str
    state: ZoneState
    reason: StateReason
    detail: str  # the words of the calendar or the pause, where there are any
    covered_ratio: float  # of the window, 0 to 1; 1 in a zone without patrollable cells
    cells_covered: int  # of the window
    cells_total: int  # of the window
    target: float  # covered ratio to reach by the window's end
    # The window; between shifts the last one. None before the first.
    window_from_ms: int | None
    window_to_ms: int | None
    # Duty time since the zone was last patrolled, or the record began [s]; None before that.
    idle_s: float | None
    frequency_s: int  # the longest it may be [s]
    # Time on the clock until the next breach comes, by the frequency or by forecast [s]; negative,
    # in duty time, when the frequency is exceeded; None when it cannot be said.
    due_in_s: float | None
    oldest_cell_age_s: float | None
    mean_cell_age_s: float | None
    last_patrolled_ms: int | None  # None: not since the record began
    campaign: str | None = None  # the campaign in force
    paused_until_ms: int | None = None  # the end of the pause in force
    # What the window will come to at the rate at which new cells come, by which `coverage_at_risk`
    # is judged; None when nothing can be said.
    cells_expected: int | None = None

    @property
    def state_code(self) -> int:
        """The number of `state`, see :data:`STATE_CODES`."""
        return STATE_CODES[self.state]


def state_of(zone: Zone, at_ms: int, *, max_behind_ms: int = MAX_BEHIND_MS) -> ZoneStatus:
    """Judge the state of a zone, whose record is as of the instant [ms].

    Nothing can be said when the pipeline is further behind than `max_behind_ms`.
    """
    plan, record, ref = zone.plan, zone.record, zone.ref
    policy = plan.policy_at(at_ms)
    last_ms = zone.last_patrolled_ms(at_ms)
    idle_s = plan.duty_s(zone.idle_from_ms(last_ms), at_ms)
    window = plan.window_at(at_ms)
    covered = zone.covered(window) if window is not None else 0
    unknown = at_ms < zone.known_from_ms
    # Between shifts it is the last one's; a zone that was not there then has the cells of now.
    total = (zone.cells_total(window) if window is not None else 0) or ref.cells_total
    ages = record.cell_ages(ref.zone_id)
    forecast = None if window is None else forecast_of(zone, policy, window, covered, at_ms)
    falls_short = forecast is not None and forecast.short
    state: ZoneState
    reason: StateReason
    detail = ""
    if policy.paused:
        state, reason, detail = "paused", "pause", policy.paused
    elif not plan.on_duty(at_ms):
        exception = plan.exception_at(at_ms)
        state, reason = "off_duty", "outside_hours" if exception is None else "exception"
        detail = exception or ""
    elif ref.cells_total == 0:
        state, reason = "unmeasurable", "no_cells"
    elif unknown:
        state, reason = "unmeasurable", "before_record"
    elif record.behind_ms > max_behind_ms:
        state, reason = "unmeasurable", "pipeline_behind"
    elif zone.silence_s(at_ms) > policy.frequency_s:
        state, reason = "unmeasurable", "telemetry_silent"
    elif idle_s > policy.frequency_s:
        state, reason = "overdue", "idle_over_frequency"
    elif (missed := missed_window(zone, at_ms)) is not None:
        state, reason = "short", "window_short"
        detail = missed.detail
    elif idle_s > DUE_SHARE * policy.frequency_s:
        state, reason = "due", "idle_over_80_percent"
    elif falls_short:
        state, reason = "due", "forecast_short"
    else:
        state, reason = "compliant", "patrolled"
    due_in_s = None
    if state != "unmeasurable":
        due_in_s = _due_in_s(zone, policy, idle_s, window if falls_short else None, at_ms)
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
        idle_s=None if unknown else idle_s,
        frequency_s=policy.frequency_s,
        due_in_s=due_in_s,
        oldest_cell_age_s=ages.oldest_cell_age_s,
        mean_cell_age_s=ages.mean_cell_age_s,
        last_patrolled_ms=last_ms,
        campaign=policy.campaign,
        paused_until_ms=plan.paused_until_ms(at_ms),
        cells_expected=expected,
    )


def states_of(record: Record, plan_of: Callable[[str], Plan]) -> list[ZoneStatus]:
    """The states of all zones at the instant of a record, whose pipeline has caught up since."""
    return [
        state_of(Zone(ref, plan_of(ref.zone_id), record), record.now_ms) for ref in record.zones()
    ]


class Forecast(NamedTuple):
    """The end of a window at the rate at which new cells come."""

    needed: int  # cells still needed to reach the target; below 0 when there are more
    coming: float  # cells that will come by the window's end

    @property
    def short(self) -> bool:
        """True when the window will end below target."""
        return self.needed > self.coming

    def cells(self, covered: int, total: int) -> int:
        """Whole cells of `total` at the window's end: enough exactly when it is not short."""
        return min(total, int(covered + self.coming))


def forecast_of(
    zone: Zone, policy: Asked, window: Window, covered: int, now_ms: int
) -> Forecast | None:
    """Forecast the end of a window; None when nothing can be said.

    `covered` are the cells visited in the window so far. Their rate is that of the last hour or of
    the window, whichever is higher: a patrol may be elsewhere this hour. Nothing is forecast before
    a quarter of the window's duty time has passed.
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
    return Forecast(cells_needed(policy, zone.cells_total(window)) - covered, rate * left_s)


def _due_in_s(
    zone: Zone, policy: Asked, idle_s: float, short: Window | None, now_ms: int
) -> float | None:
    left_s = policy.frequency_s - idle_s
    if left_s <= 0:
        return left_s
    breach_ms = zone.plan.advance(now_ms, left_s)
    instants = [at for at in (breach_ms, short.to_ms if short else None) if at is not None]
    return (min(instants) - now_ms) / 1000 if instants else None
