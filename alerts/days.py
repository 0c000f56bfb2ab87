"""Whether a zone reached its targets on a day."""

from __future__ import annotations

from collections.abc import Callable

from alerts.duty_hours import Window
from alerts.plan import ZonePlan
from alerts.rules import RECORD_SLACK_S, cells_needed


def reached(
    plan: ZonePlan,
    day: Window,
    covered: Callable[[Window], int],
    *,
    cells_total: int,
    known_from_ms: int,
    now_ms: int,
) -> bool | None:
    """Whether every window that ends on a day reached its target.

    Only shifts and days are asked about: the one day on which a week ends says nothing of
    the others. A window without duty is not judged, as by ``coverage_short``.

    Parameters
    ----------
    plan : ZonePlan
        What is asked of the zone.
    day : Window
        The local day.
    covered : callable
        Patrollable cells that were visited in a window.
    cells_total : int
        Patrollable cells of the zone.
    known_from_ms : int
        Start of the record [ms].
    now_ms : int
        When it is asked [ms].

    Returns
    -------
    bool, optional
        None while it cannot be said: no window ends on the day, one that is short is not over
        yet, or began so long before the record that its visits may be missing.
    """
    found: list[bool | None] = []
    for window, policy in plan.windows_ended(day.from_ms, day.to_ms):
        if policy.window == "week" or plan.duty_s(window.from_ms, window.to_ms) <= 0:
            continue
        if covered(window) >= cells_needed(policy, cells_total):
            found.append(True)
        elif window.to_ms > now_ms or (plan.duty_s(window.from_ms, known_from_ms) > RECORD_SLACK_S):
            found.append(None)
        else:
            return False
    return True if found and None not in found else None
