"""``look_back_due`` (回头看): a zone that was overdue was not patrolled again in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from alerts.alert import Alert
from alerts.conditions import window_of
from alerts.outlook import look_back, look_back_window
from alerts.rulebook.cases import ZoneCase
from alerts.rulebook.registry import Found, Reason, Rule
from geofence.windows import Window

NEGLECT: Final = "zone_unpatrolled"
"""The rule whose closed alerts are looked back at; while one is open it says the same and more."""


def evaluate(case: ZoneCase) -> Iterator[Found]:
    """Find whether anybody has looked back since the last closing, or those of open alerts."""
    zone, zone_id = case.zone, case.zone.ref.zone_id
    neglected = case.alert(NEGLECT)
    overdue = neglected is not None and neglected.state != "returned"
    wanted: dict[int, tuple[Window, Alert | None]] = {}
    closing = case.past.last_closing(NEGLECT, zone_id)
    if closing is not None and (window := look_back_window(zone, closing[1])) is not None:
        wanted[window.from_ms] = window, None
    for alert in case.alerts.of(RULE.name, zone_id):
        wanted[window_of(alert).from_ms] = window_of(alert), alert
    for window, found in wanted.values():
        finding = look_back(zone, case.status, found, window, case.now_ms, overdue=overdue)
        yield Found(finding, found, window)


RULE: Final = Rule(
    name="look_back_due",
    subject="zone",
    per="closing",
    severity="warning",
    delay_s=60,
    title=("逾期未回头看", "Look-back due"),
    raised=(
        "超时未巡告警销号后，未在规定时间内再次巡查",
        "a zone whose `zone_unpatrolled` was closed was not patrolled again within `look_back`",
    ),
    over=(
        "已再次巡查；使告警恢复的那次巡查不算，其半小时须在销号之后",
        "it is; the patrol that ended the alert does not count, so its half hour must lie after "
        "the closing",
    ),
    inhibited_by=("paused", "off_duty", "unmeasurable", NEGLECT),
    reasons={
        "not_looked_back": Reason(
            ("到期仍未再次巡查", "nobody has looked back in time"),
            (
                "{closed_at_ms} 销号后应在 {due_ms} 前回头看，尚未再次巡查。",
                "Closed at {closed_at_ms}; to be patrolled again by {due_ms}, and was not.",
            ),
        ),
        "looked_back": Reason(
            ("已回头看", "it was looked back at"),
            ("已回头看。", "The zone has been patrolled again."),
        ),
        "not_yet": Reason(("未到回头看期限", "not due yet")),
        "zone_unpatrolled": Reason(("片区已有超时告警", "another alert says that it is overdue")),
    },
    evaluate=evaluate,
)
