"""Verdicts on windows: ``reached``, ``short`` or ``unknown``, each with a reason.

| verdict | reason | when; the first that applies |
| --- | --- | --- |
| unknown | no_duty | no duty time lies in the window: nothing was asked |
| unknown | no_cells | the zone had no patrollable cell |
| reached | target_reached | enough cells were visited, whoever was silent meanwhile |
| unknown | not_over | the window has not ended |
| unknown | before_record | over 10 min of its duty time lie before the record begins |
| unknown | telemetry_silent | for longer than the frequency, or all of the window, no bike that \
may serve the zone was heard, or what it sent is lost |
| short | window_short | otherwise |

A silence counts in duty time within the window: of a visit in it nobody could have told. One that
ends before the window, or begins after it, hides nothing of it (docs/decisions/0019).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Literal, NamedTuple, Protocol, get_args

from typing_extensions import TypeVar

from geofence.record import Record, ZoneRef
from words.times import DAY_MS

RECORD_SLACK_S: Final = 600
"""Duty time a window may have had before the record starts and still be judged [s]."""
MAKE_UP_WINDOWS: Final = 15
"""The number of latest windows that may make up for a short one."""
MAKE_UP_MS: Final = 7 * DAY_MS * MAKE_UP_WINDOWS
"""The longest that so many windows can take: windows are weeks at most [ms]."""

Verdict = Literal["reached", "short", "unknown"]
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
Reason = Literal[
    "target_reached",
    "window_short",
    "no_duty",
    "no_cells",
    "not_over",
    "before_record",
    "telemetry_silent",
]


WindowKind = Literal["shift", "day", "week"]


class Window(NamedTuple):
    """``[from_ms, to_ms)``."""

    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The demands on a zone at an instant."""

    name: str  # the policy's name; a campaign keeps the name of the policy it overrides
    frequency_s: int  # the longest time without a patrol [s of duty]
    target: float  # covered ratio to reach by the end of each window, 0 to 1
    window: WindowKind  # the tumbling windows that the target is for
    # Distinct cells within 30 min that make a patrol; all, in a zone that has fewer.
    min_cells: int = 5
    paused: str = ""  # why patrols are paused; empty when they are not
    campaign: str | None = None  # the campaign in force; a pause is none


class Plan(Protocol):
    """The demands on a zone through time."""

    def policy_at(self, at_ms: int) -> Asked:
        """The demands in force at an instant."""

    def on_duty(self, at_ms: int) -> bool:
        """Tell whether there is duty at an instant: in patrol hours, no exception, no pause."""

    def exception_at(self, at_ms: int) -> str | None:
        """The words of the exception from patrol hours in force at an instant, else None."""

    def paused_until_ms(self, at_ms: int) -> int | None:
        """The end of the pause in force [ms]; None when there is none, or it has no end."""

    def duty_s(self, from_ms: int, to_ms: int) -> float:
        """Duty time in ``[from_ms, to_ms)`` [s]."""

    def duty(self, from_ms: int, to_ms: int) -> Iterator[Window]:
        """The stretches of duty within ``[from_ms, to_ms)``, in order; two may touch."""

    def advance(self, from_ms: int, duty_s: float) -> int | None:
        """The first instant by which so much duty time has passed [ms]; None over a year ahead."""

    def window_at(self, at_ms: int) -> Window | None:
        """The window of an instant; between shifts, the one that ended last; None before any."""

    def parts(self, from_ms: int, to_ms: int) -> Iterator[tuple[int, int, Asked]]:
        """``[from_ms, to_ms)`` cut where what is asked changes: start, end, what is asked."""

    def windows_ended(self, after_ms: int, until_ms: int) -> Sequence[tuple[Window, Asked]]:
        """Windows that ended in ``(after_ms, until_ms]``, in order, with what was asked then."""


PlanT = TypeVar("PlanT", bound=Plan, covariant=True, default=Plan)


class Zone(Generic[PlanT]):
    """A zone, with its plan, which says what is asked of it, and its record of what was done."""

    __slots__ = ("plan", "record", "ref")

    def __init__(self, ref: ZoneRef, plan: PlanT, record: Record) -> None:
        self.ref, self.plan, self.record = ref, plan, record

    @property
    def zone_id(self) -> str:
        """The id of the zone."""
        return self.ref.zone_id

    @property
    def known_from_ms(self) -> int:
        """The beginning of the record of the zone [ms]."""
        return max(self.record.since_ms, self.ref.valid_from_ms or 0)

    def last_patrolled_ms(self, at_ms: int) -> int | None:
        """When the zone was last patrolled [ms], seen from an instant, never after it; or None."""
        # In a zone that has fewer cells than make a patrol, all of them do.
        needed = max(1, min(self.plan.policy_at(at_ms).min_cells, self.ref.cells_total))
        return self.record.last_patrolled_ms(self.zone_id, min_cells=needed, now_ms=at_ms)

    def idle_from_ms(self, last_patrolled_ms: int | None) -> int:
        """The instant from which idle time counts: the last patrol or the beginning [ms]."""
        return max(last_patrolled_ms or 0, self.known_from_ms, self.record.known_again_ms)

    def covered(self, window: Window) -> int:
        """Patrollable cells visited in a window, see :meth:`geofence.record.Record.covered`."""
        return self.record.covered(self.zone_id, *window)

    def cells_total(self, window: Window) -> int:
        """Patrollable cells that a window is measured by: the zone may have others now."""
        return self.record.cells_total(self.zone_id, window.to_ms)

    def silence_s(self, at_ms: int) -> float:
        """Duty time since the last telemetry of any bike, each of which may serve the zone [s]."""
        return self.plan.duty_s(self.idle_from_ms(self.record.heard_ms), at_ms)


def cells_needed(asked: Asked, cells_total: int) -> int:
    """Cells of so many that reach the target: the fewest whose ratio is not below it."""
    return math.ceil(asked.target * cells_total - 1e-9)


class WindowVerdict(NamedTuple):
    """A window judged; the table above says which verdict and reason."""

    verdict: Verdict
    reason: Reason
    window: Window
    target: float  # covered ratio that was to be reached, 0 to 1
    # Cells that were visited in the window, that reach the target, and that there are.
    cells_covered: int = 0
    cells_needed: int = 0
    cells_total: int = 0
    # The longest silence in the window, where it decided the verdict [s of duty].
    silence_s: float = 0.0

    @property
    def detail(self) -> str:
        """The covered ratio against the target, in no language: ``77.5 % < 80 %``."""
        covered = math.floor(1000 * self.cells_covered / self.cells_total) / 10
        return f"{covered:g} % < {100 * self.target:g} %"

    @property
    def evidence(self) -> dict[str, object]:
        """The figures that prove the verdict."""
        evidence = self._asdict()
        del evidence["verdict"], evidence["reason"], evidence["window"]
        if not self.silence_s:
            del evidence["silence_s"]
        return {**evidence, "window_from_ms": self.window[0], "window_to_ms": self.window[1]}


def judge_window(zone: Zone, window: Window, asked: Asked) -> WindowVerdict:
    """Judge whether a window reached its target, by the zone's record, which says what time it is.

    `asked` is what was asked at the window's end.
    """
    if window.to_ms > zone.record.now_ms:
        return _judge(zone, window, asked)
    # Nearly always nothing has changed of a window that is over.
    key = ("window", zone.ref, zone.plan, window, asked.target, asked.frequency_s)
    return zone.record.remember(key, window.to_ms, lambda: _judge(zone, window, asked))


def _judge(zone: Zone, window: Window, asked: Asked) -> WindowVerdict:
    plan, total = zone.plan, zone.cells_total(window)
    duty_s = plan.duty_s(*window)
    covered, needed = zone.covered(window), cells_needed(asked, total)

    def found(verdict: Verdict, reason: Reason, silence_s: float = 0.0) -> WindowVerdict:
        return WindowVerdict(
            verdict, reason, window, asked.target, covered, needed, total, silence_s
        )

    if duty_s <= 0:
        return found("unknown", "no_duty")
    if total == 0:
        return found("unknown", "no_cells")
    if covered >= needed:
        return found("reached", "target_reached")
    if window.to_ms > zone.record.now_ms:
        return found("unknown", "not_over")
    if plan.duty_s(window.from_ms, zone.known_from_ms) > RECORD_SLACK_S:
        return found("unknown", "before_record")
    silence_s = _longest_silence_s(zone, window, at_least_s=min(asked.frequency_s, duty_s))
    if silence_s > asked.frequency_s or silence_s >= duty_s:
        return found("unknown", "telemetry_silent", silence_s)
    return found("short", "window_short")


def _longest_silence_s(zone: Zone, window: Window, *, at_least_s: float) -> float:
    """The longest silence in a window [s of duty]; shorter ones than asked for may be missing."""
    longest_s = 0.0
    for from_ms, to_ms in zone.record.silences(*window):
        if to_ms - from_ms >= max(at_least_s, longest_s) * 1000:
            longest_s = max(longest_s, zone.plan.duty_s(from_ms, to_ms))
    return longest_s


def judge_windows(zone: Zone, after_ms: int, until_ms: int) -> list[WindowVerdict]:
    """Judge the windows that end in ``(after_ms, until_ms]`` and have duty time, in order.

    Every count of windows counts these.
    """
    judged = [
        judge_window(zone, window, asked)
        for window, asked in zone.plan.windows_ended(after_ms, until_ms)
    ]
    return [found for found in judged if found.reason != "no_duty"]


def judge_day(zone: Zone, day: Window) -> tuple[Verdict, str]:
    """Judge a local day: every shift or day that ends on it must reach its target.

    One that is short is not made up by another. The one day on which a week ends says nothing
    of the others, so weeks are left out; the reason is ``no_window`` when nothing is left.
    """
    judged = [
        found
        for window, asked in zone.plan.windows_ended(*day)
        if asked.window != "week"
        and (found := judge_window(zone, window, asked)).reason != "no_duty"
    ]
    for verdict in ("short", "unknown", "reached"):
        for found in judged:
            if found.verdict == verdict:
                return found.verdict, found.reason
    return "unknown", "no_window"


def _windows_about(zone: Zone, at_ms: int) -> Sequence[tuple[Window, Asked]]:
    """The windows that end before an instant, and up to a day after it; worked out once a day."""
    day, plan = at_ms // DAY_MS, zone.plan
    return zone.record.remember(
        ("ended", plan, day),
        -1,
        lambda: plan.windows_ended(day * DAY_MS - MAKE_UP_MS, (day + 1) * DAY_MS),
    )


def missed_window(zone: Zone, at_ms: int) -> WindowVerdict | None:
    """The last window that missed its target, unless one since has reached its own; or None.

    The window that is on may have. Of windows that cannot be judged nothing is known: they
    neither miss nor make up. No more than :data:`MAKE_UP_WINDOWS` are looked at.
    """
    current = zone.plan.window_at(at_ms)
    if current is not None and current.from_ms <= at_ms < current.to_ms:
        asked = zone.plan.policy_at(at_ms)
        if judge_window(zone, current, asked).verdict == "reached":
            return None
    looked_at = 0
    for window, asked in reversed(_windows_about(zone, at_ms)):
        if window.to_ms > at_ms:
            continue
        if window.to_ms <= zone.known_from_ms:
            return None
        found = judge_window(zone, window, asked)
        if found.reason == "no_duty":
            continue
        looked_at += 1
        if found.verdict == "reached" or looked_at > MAKE_UP_WINDOWS:
            return None
        if found.verdict == "short":
            return found
    return None
