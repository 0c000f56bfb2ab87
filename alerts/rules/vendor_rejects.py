"""``vendor_rejects``: too large a share of a vendor's messages is rejected."""

from __future__ import annotations

from typing import Final

from alerts.findings import NOT_KNOWN, Finding
from alerts.rules.cases import FleetCase
from alerts.rules.registry import Rule, Setting


def evaluate(case: FleetCase) -> Finding:
    """Find the share of rejected messages in the last period."""
    limits = case.limits
    facts = case.sent(limits["rejects_period_s"])
    if facts is None or facts.received < max(1, limits["rejects_min"]):
        return NOT_KNOWN
    share, limit = facts.rejected / facts.received, limits["rejects_share"]
    evidence: dict[str, object] = {
        "rejected": facts.rejected,
        "received": facts.received,
        "share_percent": round(100 * share, 1),
        "limit_percent": round(100 * limit, 1),
        "period_s": limits["rejects_period_s"],
    }
    if share > limit:
        return Finding("hold", "rejects", evidence)
    # Half the limit, so that a share about the limit is one alert and not many.
    alert = case.alert(RULE.name)
    told = alert is not None and alert.state not in ("pending", "returned")
    if told and share > limit / 2:
        return Finding("unknown", "fewer_rejects", evidence)
    return Finding("clear", "few_rejects", evidence)


RULE: Final = Rule(
    name="vendor_rejects",
    subject="vendor",
    severity="warning",
    delay_s=60,
    settings=(
        Setting("rejects_share", 0.05, {"gt": 0, "lt": 1}),
        Setting("rejects_period_s", 900),
        Setting("rejects_min", 50, {"ge": 1}),
    ),
    evaluate=evaluate,
)
