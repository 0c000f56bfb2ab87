"""The fleet in a real browser."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from alerts.store.book import AlertBook
from bikes.roster import Roster
from bikes.telemetry import TelemetryBatch
from dashboards.console.pages import ConsoleOptions
from tests.browser.conftest import LAT, LNG, PAYLOADS, watch
from tests.browser.console import ConsoleServer
from tests.dashboards.district import District

MANY = 2_000
ROWS = ".sheet .bike-row"


def test_a_row_says_how_the_bike_is_and_what_it_did(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """Liveness by word and sign, battery, age; of the day distance, cells and redundant share."""
    district.patrol(7, "cy-08", at_ms=district.now_ms)
    page.goto(f"{server.url}/bikes?lang=en")
    row = page.locator(f'{ROWS}[data-bike="hello/bike-07"]')
    expect(row).to_contain_text("live")
    expect(row.locator(".badge")).to_have_text("✓")
    expect(row.locator(".cell-zone")).to_have_text("South Market")
    expect(row.locator(".cell-battery")).to_have_text("80%")
    expect(row.locator(".cell-distance")).to_have_text("1.2 km")
    expect(row.locator(".cell-redundant")).to_have_text("0%")
    assert int(row.locator(".cell-cells").inner_text()) > 5
    silent = page.locator(f'{ROWS}[data-bike="hello/bike-20"]')
    expect(silent).to_contain_text("silent")
    expect(silent).to_contain_text("never heard")


def test_the_list_follows_the_stream(page: Page, server: ConsoleServer, district: District) -> None:
    """A bike that goes silent says so without a reload; a low battery is marked and counted."""
    page.goto(f"{server.url}/bikes?lang=en")
    row = page.locator(f'{ROWS}[data-bike="hello/bike-01"]')
    expect(row).to_have_attribute("data-live", "live")

    def later() -> None:
        district.now_ms += 600_000
        district.ride(2, LAT, LNG, battery=12.0)

    server.do(later)
    expect(row).to_have_attribute("data-live", "stale")
    expect(row.locator(".cell-age")).to_have_text("10 min ago")
    low = page.locator(f'{ROWS}[data-bike="hello/bike-02"] .battery')
    expect(low).to_have_text("! 12%")
    page.get_by_role("button", name="low battery 1").click()
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator(".count")).to_have_text("1 of 28")


def test_filter_and_order_are_kept_in_the_address(page: Page, server: ConsoleServer) -> None:
    """By text, by liveness, by column; going back to the page finds them again."""
    page.goto(f"{server.url}/bikes?lang=en")
    expect(page.locator(".count")).to_have_text("28")
    page.get_by_role("button", name="live 5").click()
    expect(page.locator(ROWS)).to_have_count(5)
    page.get_by_role("columnheader", name="Bike").click()
    expect(page.locator(ROWS).first).to_be_visible()
    page.wait_for_function(
        "[...document.querySelectorAll('.sheet .bike-row')]"
        ".find((row) => row.style.top === '0px').dataset.bike === 'hello/bike-04'"
    )
    page.keyboard.press("/")
    page.keyboard.type("bike-03")
    expect(page.locator(ROWS)).to_have_count(1)
    page.reload()
    expect(page.locator(ROWS)).to_have_count(1)
    assert "show=live" in page.url
    assert "q=bike-03" in page.url
    page.get_by_role("searchbox").fill("no such bike")
    expect(page.locator(".empty")).to_have_text("No such bikes: ask for less")


def test_the_list_works_by_keys(page: Page, server: ConsoleServer) -> None:
    """j and k select, Enter opens the bike."""
    page.goto(f"{server.url}/bikes?lang=en")
    expect(page.locator(ROWS).first).to_be_visible()
    for key in ("j", "j", "j", "k"):
        page.keyboard.press(key)
    expect(page.locator(f'{ROWS}[aria-selected="true"]')).to_have_attribute(
        "data-bike", "hello/bike-01"
    )
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server.url}/bikes/hello/bike-01")
    expect(page.locator("h1")).to_contain_text("bike-01")


def test_two_thousand_bikes_are_a_few_rows(chromium: Browser, tmp_path: Path) -> None:
    """Nodes are as many as fit the window, however often all bikes are heard; all can be found."""
    book = AlertBook(tmp_path / "alerts.sqlite")
    district = District(book, roster=Roster({"hello": [f"b{n:04}" for n in range(MANY)]}))

    def ride(minute: int) -> None:
        district.now_ms += 60_000
        fixes = np.full(MANY, np.nan, np.float32)
        batch = TelemetryBatch(
            bike=np.arange(MANY, dtype=np.int32),
            timestamp_ms=np.full(MANY, district.now_ms),
            lat_deg=np.full(MANY, LAT),
            lng_deg=LNG + np.arange(MANY) / 20_000 + minute / 5_000,
            accuracy_m=fixes,
            speed_mps=fixes,
            heading_deg=fixes,
            altitude_m=fixes,
            battery_percent=np.full(MANY, 90 - minute, np.float32),
        )
        district.fleet.update(batch, heard_at_ms=district.now_ms)

    ride(0)
    district.patrol(MANY - 1, "cy-08", at_ms=district.now_ms)
    with ConsoleServer(district) as server:
        page = chromium.new_page(viewport={"width": 1280, "height": 720})
        complaints, _ = watch(page, server.url)
        page.goto(f"{server.url}/bikes?lang=en")
        expect(page.locator(".count")).to_have_text(str(MANY), timeout=15_000)
        battery = page.locator(f'{ROWS}[data-bike="hello/b0000"] .cell-battery')
        expect(battery).to_have_text("90%", timeout=20_000)
        nodes = "document.querySelectorAll('*').length"
        before = page.evaluate(nodes)
        assert page.locator(ROWS).count() < 40
        for minute in range(1, 6):
            server.do(partial(ride, minute))
            expect(battery).to_have_text(f"{90 - minute}%", timeout=20_000)
        assert page.evaluate(nodes) <= before + 20
        page.locator(".long").evaluate("(list) => (list.scrollTop = list.scrollHeight)")
        expect(page.locator(f'{ROWS}[data-bike="hello/b{MANY - 1}"]')).to_be_visible()
        expect(page.locator(f'{ROWS}[data-bike="hello/b{MANY - 1}"] .cell-distance')).to_have_text(
            "1.2 km"
        )
        page.get_by_role("searchbox").fill("b1234")
        expect(page.locator(ROWS)).to_have_count(1)
        page.close()
        assert complaints == []
    book.close_file()


@pytest.mark.parametrize("payload", PAYLOADS)
def test_bikes_and_vendors_are_inert(chromium: Browser, tmp_path: Path, payload: str) -> None:
    """Ids that are markup show as the characters they are made of, in rows and in the filter."""
    book = AlertBook(tmp_path / "alerts.sqlite")
    district = District(book, roster=Roster({"hello": ["bike-00"], payload: [payload]}))
    district.ride(1, LAT, LNG)
    with ConsoleServer(district) as server:
        page = chromium.new_page()
        complaints, strangers = watch(page, server.url)
        page.goto(f"{server.url}/bikes?lang=en")
        expect(page.get_by_role("link", name=payload, exact=True)).to_be_visible()
        row = page.locator(ROWS, has_text=payload)
        expect(row.locator("small")).to_have_text(payload)
        row.hover()
        page.get_by_label("any vendor").select_option(payload)
        expect(page.locator(ROWS)).to_have_count(1)
        assert (
            page.locator("#main img, #main script, #main svg[onload], [onmouseover]").count() == 0
        )
        assert page.evaluate("window.hacked") is None
        page.close()
        assert complaints == []
        assert strangers == []
    book.close_file()


def test_low_is_what_the_rules_say(chromium: Browser, district: District) -> None:
    """A battery is marked at the level at which it raises an alert."""
    with ConsoleServer(district, ConsoleOptions(battery_low_percent=80)) as server:
        page = chromium.new_page()
        page.goto(f"{server.url}/bikes?lang=en")
        expect(page.get_by_text("! 80%").first).to_be_visible()
        page.close()
