"""The console where the clocks change: a day is not 24 hours, and an hour may come twice."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page

from tests.browser.console import ConsoleServer, in_module

NEW_YORK = "America/New_York"


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("now", "tomorrow"),
    [
        ("2026-03-07T23:30:00-05:00", "2026-03-08"),
        ("2026-11-01T00:30:00-04:00", "2026-11-02"),
        ("2026-12-31T12:00:00-05:00", "2027-01-01"),
    ],
)
def test_tomorrow_is_the_next_date(
    page: Page, server: ConsoleServer, now: str, tomorrow: str
) -> None:
    """Not what the clock shows 24 hours later."""
    page.goto(server.url)
    script = (
        "({ Words }, [at, timezone]) => new Words({ timezone, texts: {} }, () => at).tomorrow()"
    )
    assert in_module(page, "page/words.js", script, [ms(now), NEW_YORK]) == tomorrow


def test_the_page_reads_local_times_as_the_api_does(page: Page, server: ConsoleServer) -> None:
    """Each hour about a change of the clocks; of an hour that occurs twice the first."""
    page.goto(server.url)
    for zone in (NEW_YORK, "Europe/Berlin", "Asia/Shanghai"):
        days = [(3, 7), (3, 8), (3, 28), (3, 29), (10, 24), (10, 25), (10, 31), (11, 1), (11, 2)]
        dates = [f"2026-{month:02}-{day:02}" for month, day in days]
        times = [datetime.fromisoformat(f"{d}T{hour:02}:30") for d in dates for hour in range(24)]
        there = [at for at in times if _exists(at, ZoneInfo(zone))]
        texts = [at.isoformat(timespec="minutes") for at in there]
        script = "({ fromLocal }, [texts, zone]) => texts.map((text) => fromLocal(text, zone))"
        found = in_module(page, "page/words.js", script, [texts, zone])
        wanted = [round(at.replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000) for at in there]
        assert dict(zip(texts, found, strict=True)) == dict(zip(texts, wanted, strict=True))


def _exists(at: datetime, zone: ZoneInfo) -> bool:
    local = at.replace(tzinfo=zone)
    return local.astimezone(ZoneInfo("UTC")).astimezone(zone).replace(tzinfo=None) == at
