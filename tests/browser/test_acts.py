"""Acting on alerts while something goes wrong: server, network, session, a colleague."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from alerts.findings import Step
from alerts.store.alert_rows import Opening
from alerts.store.book import Change
from dashboards.access.access import Access
from tests.browser.console import ConsoleServer, sign_in
from tests.dashboards.access.people import PASSWORD, boss
from tests.dashboards.district import District

ACTS = "**/api/v1/alerts/*/*"


@pytest.fixture
def district(empty_district: District) -> District:
    """Nothing has happened in it."""
    return empty_district


@pytest.fixture
def page(guest: Page) -> Page:
    """What is refused is a complaint of the browser, and no failure here."""
    return guest


def select(page: Page, url: str, alert_id: str) -> None:
    """Open the inbox, where the first alert is selected by itself."""
    page.goto(f"{url}/alerts?lang=en")
    expect(page.locator(f'[data-alert="{alert_id}"]')).to_have_attribute("aria-selected", "true")


def li_at_the_inbox(page: Page, guarded: ConsoleServer, district: District, access: Access) -> str:
    """A dispatcher signs in and has the only alert before her; its id."""
    access.add_user(boss(access), "ada", "admin", PASSWORD)
    access.add_user(boss(access), "li", "dispatcher", PASSWORD)
    alert_id = guarded.do(lambda: district.raise_alert("cy-08"))
    page.goto(f"{guarded.url}/alerts?lang=en")
    sign_in(page, "li")
    expect(page.locator(f'[data-alert="{alert_id}"]')).to_have_attribute("aria-selected", "true")
    return alert_id


def events(district: District, alert_id: str) -> list[str]:
    """What has happened to an alert."""
    return [row.event for row in district.book.get(alert_id).history]


def test_what_was_written_survives_a_failure(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """No answer, and a page of a proxy: it is told in the form, which stays until it is sent."""
    alert_id = server.do(lambda: district.raise_alert("cy-08"))
    select(page, server.url, alert_id)
    page.keyboard.press("n")
    form = page.get_by_role("dialog")
    form.get_by_label("Text of the note").fill("the gate on the north side is locked")
    answers = [
        lambda route: route.abort(),
        lambda route: route.fulfill(status=502, body="<html>Bad Gateway</html>"),
    ]
    for answer in answers:
        page.route(ACTS, answer)
        form.get_by_role("button", name="Note").click()
        expect(form.get_by_role("alert")).to_contain_text("try again")
        page.unroute(ACTS)
    form.get_by_role("button", name="Note").click()
    expect(page.locator(".history")).to_contain_text("the gate on the north side is locked")
    expect(form).to_have_count(0)
    assert server.do(lambda: events(district, alert_id))[2:] == ["note"]


def test_a_colleague_was_faster(page: Page, server: ConsoleServer, district: District) -> None:
    """Closed by somebody else while the form is open: it says so, and nothing is recorded."""
    alert_id = server.do(lambda: district.raise_alert("cy-08"))
    select(page, server.url, alert_id)
    page.keyboard.press("d")
    form = page.get_by_role("dialog")
    form.get_by_label("Send to").fill("Wang, 13")

    def end() -> None:
        district.return_alert(alert_id)
        district.book.close(alert_id, "zhao", district.now_ms)

    server.do(end)
    form.get_by_role("button", name="Assign").click()
    expect(form.get_by_role("alert")).to_have_text("Not possible: it is closed")
    assert server.do(lambda: events(district, alert_id))[-1] == "close"


def test_a_key_held_down_acts_once(page: Page, server: ConsoleServer, district: District) -> None:
    """On a slow network too; and "undo" takes back the act that is under way, not one before."""
    alert_id = server.do(lambda: district.raise_alert("cy-08"))
    other_id = server.do(lambda: district.raise_alert("cy-04"))
    select(page, server.url, alert_id)
    page.keyboard.press("a")
    expect(page.locator(".toast")).to_contain_text("Acknowledged: South Market")
    page.locator(f'[data-alert="{other_id}"]').click()
    asked: list[Route] = []
    page.route("**/acknowledge", lambda route: asked.append(route))
    with page.expect_request("**/acknowledge"):
        page.keyboard.down("a")
    page.keyboard.down("a")  # as the keyboard repeats it
    page.keyboard.up("a")
    page.keyboard.press("a")
    expect(page.locator(".toast")).to_have_text("Sending…")
    page.keyboard.press("z")
    assert len(asked) == 1
    asked[0].continue_()
    expect(page.locator(".toast")).to_have_text("Taken back")
    assert server.do(lambda: events(district, other_id))[2:] == ["acknowledge", "undo"]
    assert server.do(lambda: events(district, alert_id))[2:] == ["acknowledge"]


def test_a_session_ends_while_one_writes(
    page: Page, guarded: ConsoleServer, district: District, access: Access
) -> None:
    """Signed in again on another page of the browser, what was written is sent from where it is."""
    li_at_the_inbox(page, guarded, district, access)
    page.keyboard.press("n")
    form = page.get_by_role("dialog")
    form.get_by_label("Text of the note").fill("half an hour of thought")
    access.change_user(boss(access), "li", password=f"{PASSWORD}!")
    form.get_by_role("button", name="Note").click()
    expect(form.locator(".session-over")).to_contain_text("this form is kept")
    with page.context.expect_page() as opened:
        form.get_by_role("link", name="Sign in").click()
    sign_in(opened.value, "li", f"{PASSWORD}!")
    expect(opened.value.locator("#bar")).to_contain_text("li")
    page.bring_to_front()
    expect(form.locator(".session-over")).to_have_count(0)
    form.get_by_role("button", name="Note").click()
    expect(page.locator(".history")).to_contain_text("half an hour of thought")


def test_a_session_ends_while_nothing_is_written(
    page: Page, guarded: ConsoleServer, district: District, access: Access
) -> None:
    """The door, and back to where one was."""
    alert_id = li_at_the_inbox(page, guarded, district, access)
    access.change_user(boss(access), "li", password=f"{PASSWORD}!")
    page.keyboard.press("a")
    page.wait_for_url("**/login*")
    sign_in(page, "li", f"{PASSWORD}!")
    expect(page.locator(f'[data-alert="{alert_id}"]')).to_have_attribute("aria-selected", "true")


def test_the_past_that_cannot_be_read_is_not_an_empty_past(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """The inbox says that it failed; "More" is there when there is more, and only then."""
    alert_id = server.do(lambda: district.raise_alert("cy-08"))
    select(page, server.url, alert_id)
    expect(page.get_by_role("button", name="More")).to_be_hidden()
    page.route("**/api/v1/alerts?*", lambda route: route.abort())
    page.get_by_label("Filter").first.select_option("closed")
    expect(page.locator(".panel-note")).to_contain_text("This could not be read")
    page.unroute("**/api/v1/alerts?*")
    page.get_by_label("Filter").first.select_option("all")
    expect(page.locator(".panel-note")).to_be_hidden()
    expect(page.locator(".alert-row")).to_have_count(1)


def test_on_a_phone_a_row_opens_its_alert(
    chromium: Browser, server: ConsoleServer, district: District
) -> None:
    """Beside sixty rows there is no room for a second column."""

    def raise_all() -> None:
        for rule in ("zone_unpatrolled", "coverage_short", "telemetry_silent", "x1", "x2", "x3"):
            for zone_id in list(district.statuses):
                district.raise_alert(zone_id, rule)

    server.do(raise_all)
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(f"{server.url}/alerts?lang=zh")
    expect(page.locator(".alert-row")).to_have_count(54)
    head = page.locator(".list > .panel-head")
    assert head.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
    page.locator(".alert-row small").first.tap()
    page.wait_for_url("**/alerts/*")
    expect(page.locator(".history li")).to_have_count(2)
    context.close()


def test_the_more_severe_stands_first_and_a_bike_is_led_to(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """The severity is told; of a bike's alert also its place and its charge, with its page."""

    def raise_both() -> None:
        district.ride(3, 36.305, 120.37, battery=12)
        proof = {"battery_percent": 12.0, "limit_percent": 20.0}
        opening = Opening("bike_battery_low", "info", None, None, "hello/bike-03")
        steps = (Step("raise", "battery_low", proof), Step("activate", "battery_low", proof))
        district.book.record([Change(opening, steps)], district.now_ms)
        alert_id = district.raise_alert("cy-08")
        district.book.acknowledge(alert_id, "li", district.now_ms)

    server.do(raise_both)
    page.goto(f"{server.url}/alerts?lang=en")
    rows = page.locator(".alert-row")
    expect(rows).to_have_count(2)
    expect(rows.first.locator(".severity")).to_have_text("critical")
    expect(rows.last.locator(".severity")).to_have_text("info")
    expect(rows.last.locator(".why")).to_contain_text("its battery is low")
    expect(rows.last.locator(".why")).to_contain_text("battery 12%")
    rows.last.get_by_role("button", name="Other acts").click()
    expect(rows.last.get_by_role("button", name="Shelve")).to_be_visible()
    page.keyboard.press("Escape")
    expect(rows.last.get_by_role("button", name="Shelve")).to_be_hidden()
    expect(page).to_have_url(re.compile("/alerts"))
    rows.last.get_by_role("link", name="hello/bike-03").click()
    page.wait_for_url("**/bikes/hello/bike-03")


def test_a_closed_alert_says_how_long_it_took_and_its_map_leads_to_the_replay(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """Filters stay in the address; the evidence is the track that ended it, over the cells."""

    def close() -> str:
        alert_id = district.raise_alert("cy-04")
        district.now_ms += 600_000
        district.patrol(1, "cy-04", at_ms=district.now_ms)
        district.return_alert(alert_id)
        district.book.close(alert_id, "li", district.now_ms)
        return alert_id

    alert_id = server.do(close)
    page.goto(f"{server.url}/alerts?lang=en")
    page.get_by_label("Filter").first.select_option("closed")
    page.get_by_label("Filter").last.select_option("cy-04")
    page.reload()
    row = page.locator(f'[data-alert="{alert_id}"]')
    expect(row).to_contain_text("ended by li after 10 min")
    expect(page.get_by_label("Filter").first).to_have_value("closed")
    expect(page.get_by_label("Filter").last).to_have_value("cy-04")
    proof = page.locator(".proof")
    expect(proof.locator("img.cells")).to_be_attached()
    expect(proof.locator("path.leaflet-interactive")).to_have_count(3)  # track, halo, end
    expect(proof.locator(".key")).to_contain_text("Cells, ")
    page.get_by_role("link", name="Replay this").click()
    expect(page.locator("#replay-banner")).to_be_visible()
    assert "zone=cy-04" in page.url


def test_one_goes_on_from_where_an_alert_was(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """Acknowledged, it moves below those that wait; the next is the next of these."""
    ids = [
        server.do(lambda z=zone: district.raise_alert(z)) for zone in ("cy-04", "cy-05", "cy-06")
    ]
    select(page, server.url, ids[0])
    selected = page.locator('.alert-row[aria-selected="true"]')
    rows = page.locator(".alert-row")
    expect(rows).to_have_count(3)
    page.keyboard.press("a")
    expect(rows.last).to_have_attribute("data-alert", ids[0])
    expect(selected).to_have_attribute("data-alert", ids[0])
    page.keyboard.press("j")
    expect(selected).to_have_attribute("data-alert", ids[1])
    page.keyboard.press("j")
    expect(selected).to_have_attribute("data-alert", ids[2])
    page.keyboard.press("a")
    expect(rows.first).to_have_attribute("data-alert", ids[1])
    expect(rows.first).to_have_attribute("data-state", "active")
    expect(selected).to_have_attribute("data-state", "acknowledged")
    page.keyboard.press("k")
    expect(selected).to_have_attribute("data-alert", ids[1])
