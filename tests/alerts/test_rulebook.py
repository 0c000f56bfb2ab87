"""docs/alerts.md says what the program does."""

from __future__ import annotations

import re
from pathlib import Path

from alerts.periods import KINDS
from alerts.rulebook import RULES

PAGE = (Path(__file__).parents[2] / "docs/alerts.md").read_text("utf-8")


def test_every_rule_is_documented_with_its_severity_and_delay() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\d+) s \|", PAGE, re.MULTILINE)
    expected = [
        (rule, settings.severity, str(settings.delay_s)) for rule, settings in RULES.items()
    ]
    assert rows == expected


def test_every_bulletin_is_documented() -> None:
    assert re.findall(r"^\| `(\w+)` \(", PAGE, re.MULTILINE) == list(KINDS)
