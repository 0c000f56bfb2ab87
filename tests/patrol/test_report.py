"""`patrol report`: the bulletin on paper, and as JSON."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from alerts.findings import Step
from alerts.store.alert_rows import Opening
from alerts.store.book import AlertBook, Change
from patrol.cli import app

SAMPLE = Path(__file__).parents[2] / "samples/chengyang"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "district"
    shutil.copytree(SAMPLE, folder)
    return folder / "patrol.toml"


def raise_alert(config: Path, day: str, zone_id: str, *, closed: bool) -> None:
    at = datetime.fromisoformat(f"{day}T10:00").replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    steps = [Step("raise", "x", {}), Step("activate", "x", {})]
    steps += [Step("return", "x", {}), Step("close", "x", {})] if closed else []
    book = AlertBook(config.parent / "data/alerts.sqlite")
    opening = Opening("zone_unpatrolled", "critical", zone_id)
    book.record([Change(opening, tuple(steps))], round(at.timestamp() * 1000))
    book.close_file()


def run(*args: object):
    return CliRunner().invoke(app, ["report", *map(str, args)])


def test_the_bulletin_of_a_month(config) -> None:
    raise_alert(config, "2026-04-03", "cy-04", closed=True)
    raise_alert(config, "2026-04-30", "cy-08", closed=False)
    raise_alert(config, "2026-05-01", "cy-08", closed=True)
    found = run("monthly", "--date", "2026-04-15", "--config", config, "--json")
    assert found.exit_code == 0, found.output
    bulletin = json.loads(found.stdout)
    assert bulletin["period"] == "2026-04"
    assert bulletin["total"] == {"raised": 2, "closed": 1, "voided": 0, "rate": 0.5}
    assert bulletin["by_zone"]["cy-04"]["rate"] == 1.0
    assert [alert["zone_id"] for alert in bulletin["open"]] == ["cy-08"]
    text = run("weekly", "--date", "2026-05-01", "--config", config, "--language", "en")
    assert text.exit_code == 0, text.output
    assert "Weekly supervision 2026-W18: 1 open" in text.stdout
    assert "2026-W18: 2 raised, 1 closed, closing rate 50.0%." in text.stdout
    assert run("daily", "--config", config).exit_code == 0


def test_what_people_wrote_drives_no_terminal(config) -> None:
    """Control characters of a name in the book are shown."""
    raise_alert(config, "2026-04-30", "cy-\x1b[2J\x9b", closed=False)
    text = run("weekly", "--date", "2026-05-01", "--config", config, "--language", "en")
    assert "cy-\\x1b[2J\\x9b" in text.stdout
    assert not {"\x1b", "\x9b"} & set(text.stdout)


def test_without_a_book_it_says_where_one_comes_from(config) -> None:
    found = run("daily", "--config", config)
    assert found.exit_code == 1
    assert "there is no alert book yet" in found.stderr
    assert not (config.parent / "data").exists()


def test_what_is_no_date_or_no_bulletin_is_refused(config) -> None:
    assert run("yearly", "--config", config).exit_code == 2
    for day in ("tomorrow", "9999-12-31", "0001-01-01"):
        assert run("daily", "--date", day, "--config", config).exit_code == 2
