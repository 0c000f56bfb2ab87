"""Coming in, acting and going out, in a real browser."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from dashboards.access.access import Access
from tests.browser.console import ConsoleServer, in_module, sign_in
from tests.dashboards.access.people import PASSWORD, boss
from tests.dashboards.district import District


@pytest.fixture
def district(empty_district: District) -> District:
    """Nothing has happened in it."""
    return empty_district


@pytest.fixture
def server(guarded: ConsoleServer) -> ConsoleServer:
    """With access control."""
    return guarded


@pytest.fixture
def page(guest: Page) -> Page:
    """What is refused is a complaint of the browser, and no failure here."""
    return guest


def test_from_the_first_link_to_signing_out(
    page: Page, server: ConsoleServer, district: District, access: Access
) -> None:
    """Link, password, console, acknowledge, out; then the console is shut, and the link too."""
    link = f"{server.url}/setup#{access.invite()}"
    page.goto(f"{server.url}/?lang=en")
    expect(page.locator("#problem")).to_contain_text("one-time link")
    page.goto(link)
    page.reload()  # somebody came back to a page whose link was already taken out of the bar
    page.goto("about:blank")
    page.goto(link)
    expect(page.get_by_role("heading")).to_have_text("Set up the first administrator")
    assert "#" not in page.url, "the secret does not stay in the address bar"
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_label("The password again").fill("shorter")
    page.get_by_role("button").click()
    expect(page.locator("#problem")).to_have_text("The two passwords differ")
    page.get_by_label("The password again").fill("short")
    page.get_by_role("button").click()
    expect(page.locator("#problem")).to_contain_text("12 to 256 characters")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The password again").fill(PASSWORD)
    page.get_by_role("button").click()
    page.wait_for_url(f"{server.url}/")
    page.goto(f"{server.url}/?lang=en")
    expect(page.locator("#bar")).to_contain_text("ada")
    alert_id = server.do(lambda: district.raise_alert("cy-08"))
    row = page.locator(f'[data-alert="{alert_id}"]')
    row.get_by_role("button", name="Acknowledge").click()
    expect(row).to_contain_text("acknowledged by ada")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{server.url}/login")
    page.goto(f"{server.url}/?lang=en")
    expect(page.get_by_role("heading")).to_have_text("Sign in")
    sign_in(page, "ada", "not the password")
    expect(page.locator("#problem")).to_have_text("User name or password is wrong")
    sign_in(page, "ada")
    page.wait_for_url(f"{server.url}/?lang=en")
    expect(page.locator("#health")).to_have_attribute("data-level", "ok")


def test_a_viewer_cannot_act(
    page: Page, server: ConsoleServer, district: District, access: Access
) -> None:
    """There is no button; the API refuses who asks it from the page all the same."""
    access.add_user(boss(access), "ada", "admin", PASSWORD)
    access.add_user(boss(access), "vera", "viewer", PASSWORD)
    alert_id = server.do(lambda: district.raise_alert("cy-08"))
    page.goto(f"{server.url}/?lang=en")
    sign_in(page, "vera")
    row = page.locator(f'[data-alert="{alert_id}"]')
    expect(row).to_contain_text("Zone not patrolled")
    expect(row.get_by_role("button")).to_have_count(0)
    reason = in_module(
        page,
        "page/session.js",
        """async ({ ask }, id) => {
          const answer = await ask(`/api/v1/alerts/${id}/acknowledge`, { body: {} });
          return [answer.status, (await answer.json()).reason];
        }""",
        alert_id,
    )
    assert reason == [403, "role_too_low"]
    assert server.do(lambda: district.book.get(alert_id)).state == "active"


def test_who_is_disabled_is_led_to_the_door(
    page: Page, server: ConsoleServer, access: Access
) -> None:
    """The open page notices within seconds; after the door it is where it was."""
    access.add_user(boss(access), "ada", "admin", PASSWORD)
    access.add_user(boss(access), "li", "viewer", PASSWORD)
    page.goto(f"{server.url}/?lang=en")
    sign_in(page, "li")
    expect(page.locator("#health")).to_have_attribute("data-level", "ok")
    access.change_user(boss(access), "li", disabled=True)
    page.wait_for_url(f"{server.url}/login?next=%2F%3Flang%3Den", timeout=15_000)
    sign_in(page, "li")
    expect(page.locator("#problem")).to_have_text("User name or password is wrong")
    access.change_user(boss(access), "li", disabled=False)
    sign_in(page, "li")
    page.wait_for_url(f"{server.url}/?lang=en")


def test_a_link_leads_nowhere_else(page: Page, server: ConsoleServer, access: Access) -> None:
    """After signing in one is on this server, whatever the link wanted."""
    access.add_user(boss(access), "ada", "admin", PASSWORD)
    for elsewhere in (
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "javascript:1",
        "/..//evil.example/",
        "/.//evil.example/",
        "/zones/%2e%2e//evil.example/",
    ):
        page.goto("about:blank")  # a page that is left open would go to the door by itself
        page.context.clear_cookies()
        page.goto(f"{server.url}/login?next={quote(elsewhere, safe='')}")
        sign_in(page, "ada")
        page.wait_for_url(lambda url: "/login" not in url)
        assert page.url.startswith(f"{server.url}/")
        if "/evil" not in page.url:
            expect(page.locator("#bar")).to_contain_text("ada")


def test_the_door_speaks_chinese(page: Page, server: ConsoleServer, access: Access) -> None:
    """By link, and by what the browser prefers."""
    access.add_user(boss(access), "ada", "admin", PASSWORD)
    page.goto(f"{server.url}/login")
    page.get_by_role("link", name="中文").click()
    expect(page.get_by_role("heading")).to_have_text("登录")
    page.get_by_label("用户名").fill("ada")
    page.get_by_label("密码").fill("wrong password")
    page.get_by_role("button", name="登录").click()
    expect(page.locator("#problem")).to_have_text("用户名或密码错误")
