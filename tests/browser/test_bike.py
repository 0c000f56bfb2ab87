"""One bike in a real browser: now, its days, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from alerts.findings import Step
from alerts.store.alert_rows import Opening
from alerts.store.book import AlertBook, Change
from bikes.roster import Roster
from tests.browser.conftest import LAT, LNG, PAYLOADS, watch
from tests.browser.console import ConsoleServer
from tests.dashboards.district import District

ZONE = "cy-08"
HOUR_MS = 3_600_000


def raise_for_bike(district: District, bike: str) -> None:
    """An alert about a bike comes and is active."""
    opening = Opening("bike_battery_low", "warning", None, bike=bike)
    steps = (Step("raise", "battery_low", {}), Step("activate", "delay_over", {}))
    district.book.record([Change(opening, steps)], district.now_ms)


def test_the_day_is_told_and_drawn(page: Page, server: ConsoleServer, district: District) -> None:
    """Figures, zones, verdicts with what they mean; the path has a hole where the bike had one."""
    district.patrol(4, ZONE, at_ms=district.now_ms - 2 * HOUR_MS)
    district.patrol(7, ZONE, at_ms=district.now_ms - HOUR_MS)
    ride = district.patrol(7, ZONE, at_ms=district.now_ms)
    lat, lng = float(ride.lat_deg[30]) + 0.003, float(ride.lng_deg[30])
    district.ride(7, lat, lng, at_ms=int(ride.timestamp_ms[30]) + 1000)
    page.goto(f"{server.url}/bikes/hello/bike-07?lang=en")
    expect(page.locator(".bike-now")).to_contain_text("live")
    expect(page.locator(".day-figures")).to_contain_text("2.4 km")
    expect(page.locator(".bike-day > p")).to_contain_text("had been visited by another bike")
    expect(page.locator(".bar-row", has_text="South Market")).to_contain_text("9 min")
    verdict = page.locator('[data-verdict="teleport"]')
    expect(verdict).to_contain_text("jump")
    expect(verdict).to_contain_text("1 · <1%")
    expect(verdict).to_contain_text("the vendor should check receiver and clock")
    path = page.locator("path.way-accent").get_attribute("d") or ""
    assert path.count("M") == 2
    mark = page.locator("path.day-mark-teleport")
    expect(mark).to_have_count(1)
    mark.hover()
    expect(page.locator(".day-tip")).to_contain_text("jump")
    expect(page.locator(".day-tip")).to_contain_text("nobody rides there and back so fast")


def test_what_is_open_and_what_was_rejected(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """Alerts of this bike and no other, live; its rejected messages with reason and payload."""
    district.reject("bike-01", payload='{"timestamp": ')
    district.reject("bike-02", payload="of another bike")
    page.goto(f"{server.url}/bikes/hello/bike-01?lang=en")
    expect(page.locator("#main")).to_contain_text("No open alerts about this bike")
    expect(page.locator(".reject")).to_have_count(1)
    expect(page.locator(".reject")).to_contain_text("not JSON")
    expect(page.locator(".payload")).to_have_text('{"timestamp": ')
    server.do(lambda: raise_for_bike(district, "hello/bike-02"))
    server.do(lambda: raise_for_bike(district, "hello/bike-01"))
    expect(page.locator(".alert-row")).to_have_count(1)
    expect(page.locator(".alert-row")).to_contain_text("Bike battery low")


def test_another_day_is_looked_at(page: Page, server: ConsoleServer, district: District) -> None:
    """The day before has its own figures; the way back to today is one press."""
    district.patrol(7, ZONE, at_ms=district.now_ms - 24 * HOUR_MS)
    page.goto(f"{server.url}/bikes/hello/bike-07?lang=en")
    expect(page.locator(".bike-day")).to_contain_text("No fix that day")
    expect(page.get_by_role("button", name="the day after")).to_be_disabled()
    page.keyboard.press("[")
    expect(page.get_by_label("Choose a day")).to_have_value("2025-11-22")
    expect(page.locator(".day-figures")).to_contain_text("1.2 km")
    page.get_by_role("button", name="Today").click()
    expect(page.get_by_label("Choose a day")).to_have_value("2025-11-23")
    expect(page.locator(".bike-day")).to_contain_text("No fix that day")


def test_a_day_without_cells_in_memory_says_so(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """What is not known is not shown as none."""
    district.known_from_ms = district.now_ms
    page.goto(f"{server.url}/bikes/hello/bike-07?lang=en")
    expect(page.locator(".day-figures")).to_be_visible()
    page.get_by_role("button", name="the day before").click()
    expect(page.locator(".bike-day")).to_contain_text("are not kept any more")


def test_an_unknown_bike_is_said(chromium: Browser, server: ConsoleServer) -> None:
    """With the way back to those there are."""
    page = chromium.new_page()
    page.goto(f"{server.url}/bikes/hello/none?lang=en")
    expect(page.locator("#main")).to_contain_text("no such bike on the roster")
    page.get_by_role("link", name="All bikes").click()
    page.wait_for_url(f"{server.url}/bikes")
    page.close()


# An id is a level of a topic, and a level holds no slash.
@pytest.mark.parametrize("payload", [text for text in PAYLOADS if "/" not in text])
def test_the_texts_of_a_vendor_are_inert(chromium: Browser, tmp_path: Path, payload: str) -> None:
    """Id, vendor, rejected payload and the tip on the map show as the characters they are."""
    book = AlertBook(tmp_path / "alerts.sqlite")
    district = District(book, roster=Roster({"hello": "any", payload: [payload]}))
    district.ride(0, LAT, LNG)
    bike = f"{payload}/{payload}"
    raise_for_bike(district, bike)
    district.reject(payload, payload=payload)
    (_, rejected), *_ = district.rejects.last()
    hostile = msgspec.structs.replace(rejected, vendor=payload, detail=payload)
    district.rejects.add([hostile], {})
    with ConsoleServer(district) as server:
        page = chromium.new_page(viewport={"width": 1280, "height": 720})
        complaints, strangers = watch(page, server.url)
        page.goto(f"{server.url}/bikes/{quote(payload, safe='')}/{quote(payload, safe='')}?lang=en")
        expect(page.locator("h1")).to_have_text(payload + payload)
        expect(page.locator(".alert-row")).to_have_count(1)
        expect(page.locator(".payload")).to_have_text(payload)
        page.locator("path.day-bike").hover()
        expect(page.locator(".day-tip b")).to_have_text(payload)
        page.locator(".bike-title").hover()
        assert page.locator("#main img, #main script, [onload], [onmouseover]").count() == 0
        assert page.evaluate("window.hacked") is None
        page.close()
        assert complaints == []
        assert strangers == []
    book.close_file()
