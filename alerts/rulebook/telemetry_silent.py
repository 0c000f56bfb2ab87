"""``telemetry_silent``: nobody could have told whether a zone is patrolled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from alerts.conditions import silent
from alerts.rulebook.cases import ZoneCase
from alerts.rulebook.registry import Found, Reason, Rule


def evaluate(case: ZoneCase) -> Iterator[Found]:
    """Find whether no bike that may serve the zone was heard for longer than the frequency."""
    alert = case.alert(RULE.name)
    yield Found(silent(case.zone, case.status, alert, case.now_ms), alert)


RULE: Final = Rule(
    name="telemetry_silent",
    subject="zone",
    severity="critical",
    delay_s=60,
    title=("无车辆数据", "No telemetry"),
    raised=(
        "能够巡查该片区的车辆均无数据，时间超过巡查频次要求",
        "no bike that may serve the zone has sent telemetry for longer than `frequency`",
    ),
    over=("重新收到其中一辆车的数据", "one has"),
    inhibited_by=("paused", "off_duty"),
    reasons={"not_heard_since": Reason(("仍未收到数据", "not heard since"))},
    evaluate=evaluate,
)
