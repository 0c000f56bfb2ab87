"""The dispatcher's page in a real browser."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from alerts.findings import Step
from alerts.store.alert_rows import Opening
from alerts.store.book import Change
from dashboards.sources import Health, Part
from tests.browser.conftest import LAT, LNG
from tests.browser.console import ConsoleServer
from tests.dashboards.district import District

HOSTILE = "<img src=x onerror=window.hacked=1>"


def test_the_map_shows_zones_and_bikes_that_move(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """9 zones with name, state and coverage; a bike moves and turns without a reload."""
    page.goto(server.url)
    expect(page.locator(".zone-label")).to_have_count(9)
    expect(page.locator(".zone-label", has_text="南市核心片区")).to_contain_text("0%")
    expect(page.locator(".leaflet-marker-icon.bike")).to_have_count(5)
    bike = page.locator('.bike[data-bike="hello/bike-02"]')
    before = bike.bounding_box()
    later_ms = district.now_ms + 5000
    server.do(lambda: district.ride(2, LAT + 0.01, LNG + 0.03, heading=200.0, at_ms=later_ms))
    expect(bike.locator("svg")).to_have_attribute("style", "transform: rotate(200deg);")
    page.wait_for_function(
        "([x]) => document.querySelector('[data-bike=\"hello/bike-02\"]')"
        ".getBoundingClientRect().x > x + 30",
        arg=[before["x"] if before else 0],
    )
    expect(page.locator("#live")).to_have_text("5 / 28")
    expect(page.locator("#bar")).to_contain_text("×60")


def test_a_silent_bike_looks_stale(page: Page, server: ConsoleServer, district: District) -> None:
    """Hollow, and its tip says for how long."""
    page.goto(f"{server.url}/?lang=en")
    bike = page.locator('.bike[data-bike="hello/bike-01"]')
    expect(bike).to_be_visible()
    assert "stale" not in (bike.get_attribute("class") or "")

    def later() -> None:
        district.now_ms += 600_000

    server.do(later)
    page.wait_for_selector('.bike.stale[data-bike="hello/bike-01"]')
    bike.hover()
    expect(page.locator(".bike-tip")).to_contain_text("last fix 10 min ago")


def test_cells_turn_fresh(page: Page, server: ConsoleServer, district: District) -> None:
    """The overlay is one image, and it is replaced when cells are visited."""
    page.goto(server.url)
    overlay = page.locator("img.cells")
    expect(overlay).to_have_count(1)
    before = overlay.get_attribute("src")
    server.do(lambda: district.ride(0, LAT + 0.005, LNG + 0.005))
    page.wait_for_function("src => document.querySelector('img.cells').src !== src", arg=before)


def test_the_most_urgent_zone_is_on_top(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """State by word and sign, not by colour alone; the order follows the state."""
    page.goto(f"{server.url}/?lang=en")
    rows = page.locator("#zones .zone-row")
    expect(rows).to_have_count(9)
    server.do(
        lambda: district.stand("cy-06", "overdue", idle_s=9000.0, covered_ratio=0.799, due_in_s=-1)
    )
    expect(rows.first).to_contain_text("East New Town")
    expect(rows.first).to_contain_text("overdue")
    expect(rows.first.locator(".badge")).to_have_text("!")
    expect(rows.first).to_contain_text("79%")
    expect(rows.first).to_contain_text("+30 min")
    label = page.locator('.zone-label[data-state="overdue"]')
    expect(label).to_contain_text("East New Town")


def test_an_alert_appears_and_is_acknowledged(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """One press, on record as done by the console; closed, it goes away."""
    page.goto(f"{server.url}/?lang=en")
    expect(page.locator("#alerts")).to_contain_text("No open alerts")
    alert_id = server.do(lambda: district.raise_alert("cy-08"))
    row = page.locator(f'[data-alert="{alert_id}"]')
    expect(row).to_contain_text("Zone not patrolled · South Market")
    expect(page).to_have_title("(1) Zhixun")
    row.get_by_role("button", name="Acknowledge").click()
    expect(row).to_contain_text("acknowledged by console")
    assert server.do(lambda: district.book.get(alert_id)).acknowledged_by == "console"
    server.do(lambda: district.return_alert(alert_id))
    expect(row).to_contain_text("returned")
    server.do(lambda: district.book.close(alert_id, "li", district.now_ms))
    expect(row).to_have_count(0)


def test_text_of_vendors_is_inert(page: Page, server: ConsoleServer, district: District) -> None:
    """A bike, a zone's state or an actor that is markup shows as the characters it is made of."""
    page.goto(f"{server.url}/?lang=en")

    def attack() -> None:
        district.ride(district.roster.index("other", HOSTILE), LAT, LNG + 0.03)
        opening = Opening("bike_offline", "warning", None, None, HOSTILE)
        steps = (Step("raise", HOSTILE, {}), Step("activate", HOSTILE, {}))
        rows = district.book.record([Change(opening, steps)], district.now_ms)
        district.book.acknowledge(rows[0].alert_id, HOSTILE, district.now_ms, HOSTILE)

    server.do(attack)
    expect(page.locator("#alerts b")).to_contain_text(HOSTILE)
    expect(page.locator("#alerts small").first).to_contain_text(f"acknowledged by {HOSTILE}")
    expect(page.locator("#alerts .why")).to_have_text(HOSTILE)
    page.locator(f'.bike[data-bike="other/{HOSTILE}"]').hover()
    expect(page.locator(".bike-tip b")).to_have_text(HOSTILE)
    assert page.locator("img[onerror]").count() == 0
    assert page.evaluate("window.hacked") is None


def test_both_languages(page: Page, server: ConsoleServer) -> None:
    """That of the browser unless asked otherwise; the link goes to the other one, which stays."""
    page.goto(server.url)
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    expect(page.locator("#alerts")).to_contain_text("没有未结告警")
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("#alerts")).to_contain_text("No open alerts")
    expect(page.locator("#health-text")).to_have_text("all parts work")
    expect(page.locator("#zones")).to_contain_text("South Market")
    page.goto(f"{server.url}/?lang=xx")
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_a_lost_connection_is_said(
    chromium: Browser, server: ConsoleServer, district: District
) -> None:
    """What is on the page may be out of date, so the page says so."""
    page = chromium.new_page()
    page.goto(f"{server.url}/?lang=en")
    expect(page.locator("#health")).to_have_attribute("data-level", "ok")
    expect(page.locator("#notice")).to_be_hidden()
    server.stop()
    expect(page.locator("#notice")).to_contain_text("reconnecting")
    expect(page.locator("#health")).to_have_attribute("data-level", "bad")
    page.close()


def test_trouble_is_told_plainly(page: Page, server: ConsoleServer, district: District) -> None:
    """A part that is needed alarms; one that catches up later, and a pipeline behind, warn."""
    page.goto(f"{server.url}/?lang=en")
    health, text = page.locator("#health"), page.locator("#health-text")
    expect(health).to_have_attribute("data-level", "ok")

    def be(parts: list[Part], lag_s: float = 0.0) -> None:
        district.health = Health(parts, lag_s=lag_s)

    away = Part("influx", ok=False, reason="no answer", required=False)
    server.do(lambda: be([Part("inlet", ok=True), away]))
    expect(health).to_have_attribute("data-level", "behind")
    expect(text).to_have_text("InfluxDB: no answer")
    server.do(lambda: be([Part("inlet", ok=True)], lag_s=300.0))
    expect(text).to_have_text("behind by 5 min")
    full = Part("storage", ok=False, reason="the disk is full")
    server.do(lambda: be([Part("inlet", ok=True), full, away], lag_s=300.0))
    expect(health).to_have_attribute("data-level", "bad")
    expect(text).to_have_text("storage: the disk is full")
    server.do(lambda: be([Part("inlet", ok=True)]))
    expect(health).to_have_attribute("data-level", "ok")
