"""``zone_unpatrolled``: a zone was not patrolled for longer than its frequency."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from alerts.conditions import unpatrolled
from alerts.rulebook.cases import ZoneCase
from alerts.rulebook.registry import Found, Reason, Rule


def evaluate(case: ZoneCase) -> Iterator[Found]:
    """Find whether the zone is idle for too long, or never was since its alert opened."""
    alert = case.alert(RULE.name)
    yield Found(unpatrolled(case.zone, case.status, alert, case.now_ms), alert)


RULE: Final = Rule(
    name="zone_unpatrolled",
    subject="zone",
    severity="critical",
    delay_s=60,
    title=("片区超时未巡", "Zone not patrolled"),
    raised=(
        "片区未巡查的时间超过巡查频次要求",
        "a zone was not patrolled for longer than its policy's `frequency`",
    ),
    over=(
        "片区已巡查；专项巡查放宽要求不算巡查",
        "it is patrolled; asking less of it by a campaign is no patrol",
    ),
    inhibited_by=("paused", "off_duty", "unmeasurable"),
    reasons={
        "policy_edited": Reason(
            ("按修改后的要求告警不成立", "by the policy as it was edited, it never held"),
            (
                "巡查要求已修改为每{frequency_s}一次，按此原告警不成立。",
                "The policy was edited: a patrol is due every {frequency_s}, and by that it was "
                "not late.",
            ),
        ),
        "not_patrolled_since": Reason(
            ("要求已放宽，但尚未巡查", "less is asked now, but nobody has been there"),
            (
                "要求已放宽为每{frequency_s}一次，但告警后尚无人巡查。",
                "A patrol is due every {frequency_s} only by now, but none has come since the "
                "alert.",
            ),
        ),
    },
    evaluate=evaluate,
)
