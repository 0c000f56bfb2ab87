"""``vendor_rejects``: too large a share of a vendor's messages is rejected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from alerts.findings import NOT_KNOWN, Finding
from alerts.rulebook.cases import VendorCase
from alerts.rulebook.registry import Found, Reason, Rule, Setting


def evaluate(case: VendorCase) -> Iterator[Found]:
    """Find the share of rejected messages in the last period."""
    yield Found(_finding(case), case.alert(RULE.name))


def _finding(case: VendorCase) -> Finding:
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
    title=("厂商报文异常", "Vendor messages rejected"),
    raised=(
        "统计时段内厂商报文的拒收率超过限值",
        "more than `rejects_share` of a vendor's messages were rejected in `rejects_period`",
    ),
    over=("拒收率降到限值的一半以下", "less than half of that share are"),
    settings=(
        Setting(
            name="rejects_share",
            default=0.05,
            meaning="Share of a vendor's messages that may be rejected, above 0 and below 1.",
            bounds={"gt": 0, "lt": 1},
        ),
        Setting(
            name="rejects_period_s",
            default=900,
            meaning="Over how long the share is taken.",
        ),
        Setting(
            name="rejects_min",
            default=50,
            meaning="Messages in that time that it takes to judge.",
            bounds={"ge": 1},
        ),
    ),
    reasons={
        "rejects": Reason(
            ("拒收率过高", "too large a share is rejected"),
            (
                "最近{period_s}收到 {received} 条，拒收 {rejected} 条（{share_percent:g}%），"
                "限值 {limit_percent:g}%。",
                "{rejected} of {received} messages of the last {period_s} were rejected "
                "({share_percent:g} %); the limit is {limit_percent:g} %.",
            ),
        ),
        "fewer_rejects": Reason(("拒收率有所下降", "fewer are rejected")),
        "few_rejects": Reason(
            ("拒收率已恢复正常", "few are rejected"),
            (
                "最近{period_s}拒收率已降至 {share_percent:g}%。",
                "Of the last {period_s} only {share_percent:g} % were rejected.",
            ),
        ),
    },
    evaluate=evaluate,
)
