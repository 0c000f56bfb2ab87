"""``line_broken``: the station's own messages do not come back through the whole line."""

from __future__ import annotations

from typing import Final

from alerts.findings import NOT_KNOWN, Finding
from alerts.rules.cases import FleetCase
from alerts.rules.registry import Rule


def evaluate(case: FleetCase) -> Finding:
    """Find whether messages of a vendor could come through."""
    lost_s = case.fleet.line_lost_s()
    if lost_s is None:
        return NOT_KNOWN
    if lost_s:
        return Finding("hold", "canary_lost", {"lost_s": round(lost_s)})
    return Finding("clear", "canary_back", {})


RULE: Final = Rule(
    name="line_broken",
    subject="vendor",
    severity="critical",
    delay_s=0,
    inhibited_by=("pipeline_behind",),
    evaluate=evaluate,
)
