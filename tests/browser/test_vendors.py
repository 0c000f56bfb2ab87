"""The vendors' page, and what a new station says on the map, in a real browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from bikes.roster import BikeKey
from dashboards.access.access import Access
from dashboards.sources import Health, Part
from ingest.accounts import Account
from ingest.rejects import Refused
from tests.browser.conftest import PAYLOADS
from tests.browser.console import ConsoleServer, sign_in
from tests.dashboards.access.people import PASSWORD, boss
from tests.dashboards.district import District


def test_a_new_station_says_what_to_send(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """On the map, with the command; then why it was refused; gone with the first that is stored."""
    district.accounts = {}
    page.goto(f"{server.url}/?lang=en")
    card = page.locator(".first-message").first
    expect(card).to_contain_text("The broker is connected, no message from hello yet")
    command = card.get_by_label("The command that sends the first message")
    assert "-t patrol/v1/hello/B1/telemetry" in command.input_value()
    district.accounts = {"hello": Account(received=1, rejected=1)}
    district.reject(payload=PAYLOADS[0])
    expect(card).to_contain_text("all of it was refused")
    expect(card).to_contain_text("truncated")
    expect(card.locator(".payload")).to_have_text(PAYLOADS[0])
    district.accounts = {"hello": Account(received=2, rejected=1)}
    expect(page.locator(".welcome")).to_be_hidden()


def test_a_bike_is_accepted_on_the_page(
    guest: Page, guarded: ConsoleServer, district: District, access: Access
) -> None:
    """By an administrator; a viewer sees the figures, and neither payloads nor what one may do."""
    sending, district.accounts = district.accounts, {"hello": Account(received=6, rejected=6)}
    district.health = Health([Part("inlet", ok=False, reason="nobody answers there")])
    district.reject(payload="{\x00")
    unknown = {BikeKey("hello", name): 2 for name in ("new-1", *PAYLOADS[:2])}
    district.rejects.add([], {Refused("telemetry", "hello", "unknown_bike"): 6}, None, unknown, 1)
    for name, role in (("ada", "admin"), ("vera", "viewer")):
        access.add_user(boss(access), name, role, PASSWORD)  # type: ignore[arg-type]
    guest.goto(f"{guarded.url}/vendors?lang=en")
    sign_in(guest, "ada")
    hello = guest.locator(".vendor").filter(has=guest.get_by_role("heading", name="hello"))
    expect(hello.locator(".payload").first).to_have_text(r"{\x00")
    expect(hello.get_by_role("button", name="Accept")).to_have_count(1)
    hello.get_by_role("button", name="Accept").click()
    expect(guest.locator(".toast")).to_contain_text("new-1 is on the list")
    assert "nobody answers there" in hello.locator(".first-message").inner_text()
    district.accounts = sending
    assert district.kept == [(BikeKey("hello", "new-1"),)]
    hello.get_by_role("button", name="Take back").click()
    expect(hello.get_by_role("button", name="Accept")).to_have_count(1)
    assert district.kept[-1] == ()
    hello.get_by_role("button", name="Listen for eight seconds").click()
    expect(hello).to_contain_text("None. Listened to patrol/v1/hello/#")

    guest.get_by_role("button", name="Sign out").click()
    sign_in(guest, "vera")
    expect(guest.locator("#bar")).to_contain_text("vera")
    guest.goto(f"{guarded.url}/vendors?lang=en")
    expect(hello).to_contain_text("administrators see the payload")
    expect(hello.get_by_role("button")).to_have_count(0)
    assert guest.evaluate("window.hacked") is None
