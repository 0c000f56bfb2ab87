"""The registry of alert rules: whatever is said about rules anywhere is taken from it."""

from __future__ import annotations

import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from alerts.evaluator import Evaluator
from alerts.findings import Finding
from alerts.notify.wording import Wording
from alerts.periods import KINDS
from alerts.rules import RULES
from alerts.rules.cases import FleetCase
from alerts.rules.registry import Registry, Rule, Setting
from alerts.store.book import AlertBook
from patrol.config.sections import rules_section

from .district import District, FakeFleet, at, evaluated

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "alerts.md").read_text("utf-8")


def rules_table(rules: Registry) -> str:
    """The table of rules as docs/alerts.md has it."""
    head = (
        "| rule | severity | told after | raised when | over when | not while |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
    )
    return head + "\n".join(
        f"| `{rule.name}` | {rule.severity} | {rule.delay_s} s | {rule.words['raised'][1]} | "
        f"{rule.words['over'][1]} | {', '.join(f'`{by}`' for by in rule.inhibited_by) or '–'} |"
        for rule in rules.values()
    )


def test_the_documentation_has_the_rules_of_the_registry() -> None:
    """With severity, delay, when each is raised and over, and what inhibits it."""
    assert rules_table(RULES) in PAGE


def test_the_documentation_names_the_rules_that_can_be_switched_off() -> None:
    """In the order of the registry; tests/test_project.py compares the limits."""
    section = (DOCS / "configuration.md").read_text("utf-8").split("## [rules]")[1]
    assert re.findall(r'`"(\w+)"`', section.split("| key |")[0]) == list(RULES)


def test_every_bulletin_is_documented() -> None:
    assert re.findall(r"^\| `(\w+)` \(", PAGE, re.MULTILINE) == list(KINDS)


def _slow(case: FleetCase) -> Finding:
    heard_ms = case.facts.heard_ms if case.facts is not None else None
    age_s = (case.now_ms - (heard_ms or case.now_ms)) / 1000
    verdict = "hold" if age_s > case.limits["bike_slow_after_s"] else "clear"
    return Finding(verdict, "slow", {"age_s": age_s})


SLOW = Rule(
    name="bike_slow",
    subject="bike",
    severity="info",
    delay_s=0,
    words={
        "title": ("车辆迟缓", "Bike slow"),
        "raised": ("车辆数据来得慢", "its data come later than `bike_slow_after`"),
        "over": ("数据及时", "they come in time"),
        "reason.slow": ("数据迟到", "its data are late"),
        "sentence.slow": ("迟到{age_s}。", "{age_s} late."),
    },
    inhibited_by=("off_duty",),
    settings=(Setting("bike_slow_after_s", 60),),
    evaluate=_slow,
)
WITH_SLOW = Registry([*RULES.values(), SLOW])


def test_a_new_rule_is_documented_by_its_entry() -> None:
    """The tables that the documentation must have hold its row."""
    assert rules_table(WITH_SLOW).endswith(
        "| `bike_slow` | info | 0 s | its data come later than `bike_slow_after` | "
        "they come in time | `off_duty` |"
    )


def test_a_new_rule_brings_its_settings() -> None:
    """With its default, checked as any other, and it can be switched off."""
    section = rules_section(WITH_SLOW)
    assert section().limits["bike_slow_after_s"] == 60
    given = section.model_validate({"bike_slow_after": "2m", "off": ["bike_slow"]})
    assert (given.limits["bike_slow_after_s"], given.off) == (120, ("bike_slow",))
    with pytest.raises(ValidationError):
        section.model_validate({"bike_slow_after": "0m"})


def test_a_new_rule_is_evaluated_and_told_in_both_languages() -> None:
    """On duty only, since its entry says so, and by the limit that is configured."""
    district, fleet, book = District(), FakeFleet(), AlertBook(":memory:")
    fleet.put("hello/B01", heard="23 07:50")
    evaluator = Evaluator(
        district.policies,
        district.record,
        book,
        rules=WITH_SLOW,
        off=tuple(RULES),
        fleet=fleet,
        limits={"bike_slow_after_s": 300},
    )
    assert evaluated(evaluator, at("23 07:59")).transitions == []
    rows = evaluated(evaluator, at("23 08:00")).transitions
    assert [f"{row.bike} {row.rule} {row.event}" for row in rows] == [
        "hello/B01 bike_slow raise",
        "hello/B01 bike_slow activate",
    ]
    notice = book.notice(rows[-1].seq)
    texts = {
        language: Wording(language, ZoneInfo("Asia/Shanghai"), rules=WITH_SLOW).of(notice)
        for language in ("zh", "en")
    }
    assert "车辆迟缓" in texts["zh"].title
    assert "Bike slow" in texts["en"].title
    assert texts["zh"].body.startswith("迟到10分钟。")
    assert texts["en"].body.startswith("10 min late.")
