"""Who may do what, managed in a real browser."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, Route, expect

from dashboards.access.access import Access
from tests.browser.conftest import PAYLOADS
from tests.browser.console import ConsoleServer, sign_in
from tests.dashboards.access.people import PASSWORD, boss


def come(guest: Page, guarded: ConsoleServer, access: Access, name: str) -> None:
    """Ask for the page as ada, the only administrator, or as li, a dispatcher."""
    access.add_user(boss(access), "ada", "admin", PASSWORD)
    access.add_user(boss(access), "li", "dispatcher", PASSWORD)
    guest.goto(f"{guarded.url}/people?lang=en")
    sign_in(guest, name)


@pytest.fixture
def people(guest: Page, guarded: ConsoleServer, access: Access) -> Page:
    """The page, opened by ada, the only administrator; li is a dispatcher."""
    come(guest, guarded, access, "ada")
    expect(guest.locator('[data-name="ada"]')).to_contain_text("you", timeout=20_000)
    return guest


def test_a_user_is_added(people: Page, access: Access) -> None:
    """What is wrong is said in the form, which keeps what was written; then it is on record."""
    people.get_by_role("button", name="Add a user").click()
    form = people.get_by_role("dialog")
    form.get_by_label("User", exact=True).fill("Li")
    form.get_by_label("First password").fill("short")
    form.get_by_role("button", name="Add a user").click()
    expect(form.get_by_role("alert")).to_contain_text("12 to 256 characters")
    form.get_by_label("First password").fill(f"  {PASSWORD} ")
    form.get_by_role("button", name="Add a user").click()
    expect(form.get_by_role("alert")).to_contain_text("There is a user of this name")
    form.get_by_label("User", exact=True).fill("wang")
    form.get_by_label("Role").select_option("viewer")
    form.get_by_role("button", name="Add a user").click()
    expect(people.locator('[data-name="wang"]')).to_contain_text("viewer")
    expect(people.locator(".audit li").first).to_contain_text("ada added a user · wang")
    assert access.sign_in("wang", f"  {PASSWORD} ", "127.0.0.1").role == "viewer"


def test_a_user_is_changed(people: Page, access: Access) -> None:
    """Role, password, disabled and enabled again; a dangerous act says first what it does."""
    li = people.locator('[data-name="li"]')
    li.get_by_role("button", name="Role…").click()
    people.get_by_role("dialog").get_by_label("Role").select_option("viewer")
    people.get_by_role("button", name="Save").click()
    expect(li).to_contain_text("viewer")
    li.get_by_role("button", name="Password…").click()
    expect(people.get_by_role("dialog")).to_contain_text("li is signed out everywhere at once")
    people.get_by_role("textbox", name="New password").fill("another four random words")
    people.get_by_role("button", name="Save").click()
    expect(people.locator(".audit li").first).to_contain_text("changed a password · li")
    assert access.sign_in("li", "another four random words", "127.0.0.1").name == "li"
    li.get_by_role("button", name="Disable…").click()
    expect(people.get_by_role("dialog")).to_contain_text("cannot sign in any more")
    people.keyboard.press("Escape")
    expect(li.get_by_role("button", name="Disable…")).to_be_visible()
    li.get_by_role("button", name="Disable…").click()
    people.get_by_role("dialog").get_by_role("button", name="Disable").click()
    expect(li).to_contain_text("disabled")
    li.get_by_role("button", name="Enable").click()
    expect(li.get_by_role("button", name="Disable…")).to_be_visible()
    assert [user.disabled for user in access.users()] == [False, False]


def test_the_last_administrator_stays(people: Page, access: Access) -> None:
    """The refusal says what to do first."""
    ada = people.locator('[data-name="ada"]')
    ada.get_by_role("button", name="Disable…").click()
    form = people.get_by_role("dialog")
    expect(form).to_contain_text("This is you")
    form.get_by_role("button", name="Disable").click()
    expect(form.get_by_role("alert")).to_contain_text("Add another one first")
    assert not access.users()[0].disabled


def test_a_token_is_shown_once_and_revoked(people: Page, access: Access) -> None:
    """It stays until somebody says that it is kept, and is in no page afterwards."""
    expect(people.locator("#main")).to_contain_text("No tokens yet")
    people.get_by_role("button", name="Add a token").click()
    form = people.get_by_role("dialog")
    form.get_by_label("Name").fill("no spaces please")
    form.get_by_role("button", name="Add a token").click()
    expect(form.get_by_role("alert")).to_contain_text("1 to 64 letters")
    form.get_by_label("Name").fill("prometheus")
    form.get_by_role("button", name="Add a token").click()
    expect(people.locator(".warning")).to_contain_text("It is shown this once")
    secret = people.get_by_label("Token prometheus").input_value()
    assert access.token(secret).name == "token:prometheus"
    people.context.grant_permissions(["clipboard-read", "clipboard-write"])
    people.get_by_role("button", name="Copy").click()
    expect(people.get_by_role("dialog").get_by_role("status")).to_have_text("Copied")
    assert people.evaluate("navigator.clipboard.readText()") == secret
    people.keyboard.press("Escape")
    expect(people.locator(".warning")).to_be_visible()
    people.get_by_role("button", name="I have kept it").click()
    assert secret not in people.content()
    row = people.locator('[data-name="prometheus"]')
    expect(row).to_contain_text("valid")
    row.get_by_role("button", name="Revoke…").click()
    expect(people.get_by_role("dialog")).to_contain_text("This cannot be undone")
    people.get_by_role("button", name="Revoke", exact=True).click()
    expect(row).to_contain_text("revoked")
    expect(row.get_by_role("button")).to_have_count(0)
    assert access.tokens()[0].revoked_ms is not None


def test_the_record_is_searched_and_paged(people: Page, access: Access) -> None:
    """By who and by what, the newest first, more on request."""
    for n in range(60):
        access.record(access.by("li"), "POST /alerts/{alert_id}/acknowledge", f"/alerts/{n}", {})
    people.reload()
    rows = people.locator(".audit li")
    expect(rows).to_have_count(50)
    expect(rows.first).to_contain_text("li alert: Acknowledge · /alerts/59")
    people.get_by_role("button", name="More").click()
    expect(people.locator(".audit li", has_text="/alerts/0")).to_have_count(1)
    expect(people.get_by_role("button", name="More")).to_be_hidden()
    people.get_by_label("who, the whole name").fill("ada")
    people.get_by_label("who, the whole name").press("Enter")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("ada signed in")
    people.get_by_label("What").select_option("user_added")
    expect(people.locator(".audit")).to_contain_text("No such entries")


def test_it_is_for_administrators(guest: Page, guarded: ConsoleServer, access: Access) -> None:
    """Others do not find it in the bar, and are told so when they type its address."""
    come(guest, guarded, access, "li")
    expect(guest.locator("#main")).to_have_text("This page is for administrators", timeout=20_000)
    expect(guest.locator('#nav [data-page="people"]')).to_have_count(0)


def test_without_access_control_it_says_what_that_means(page: Page, server: ConsoleServer) -> None:
    """Everybody may do everything; and how to turn it on."""
    page.goto(f"{server.url}/people?lang=en")
    expect(page.locator("#main")).to_contain_text(
        "everybody with access to this page may do everything"
    )
    expect(page.locator("#main")).to_contain_text("patrol run --config patrol.toml")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_names_and_records_are_inert(people: Page, access: Access, payload: str) -> None:
    """Whatever the API says of users, tokens and changes is shown as the characters it is."""
    access.record(access.by(payload, payload), payload, payload, {payload: payload})
    when = "2025-11-23T09:00:00+08:00"
    user = {"username": payload, "role": payload, "disabled": False, "created": when}
    token = {"name": payload, "role": payload, "created": when, "created_by": payload}

    def answer(route: Route) -> None:
        users = {"users": [{**user, "password_changed": when, "signed_in": None}]}
        tokens = {"tokens": [{**token, "expires": None, "revoked": None, "last_used": None}]}
        said = users if route.request.url.endswith("/users") else tokens
        route.fulfill(body=json.dumps(said), content_type="application/json")

    people.route("**/api/v1/users", answer)
    people.route("**/api/v1/tokens", answer)
    people.reload()
    expect(people.locator("tr[data-name] b", has_text=payload)).to_have_count(2)
    expect(people.locator(".audit li").first).to_contain_text(f"{payload} {payload} · {payload}")
    people.get_by_role("button", name="Revoke…").click()
    expect(people.get_by_role("dialog")).to_contain_text(payload)
    people.keyboard.press("Escape")
    people.get_by_role("button", name="Disable…").click()
    expect(people.get_by_role("dialog").locator("h2")).to_have_text(f"Disable {payload}?")
    elements = "#main img, #main script, dialog img, dialog script, [onload], [onmouseover]"
    assert people.locator(elements).count() == 0
    assert people.evaluate("window.hacked") is None


def test_a_recipient_is_sent_a_test(people: Page) -> None:
    """The page says why it did not arrive; the request carries the session's CSRF token."""
    asked = []

    def test(route: Route) -> None:
        asked.append(route.request.headers.get("x-csrf-token"))
        route.fulfill(json={"name": "desk", "delivered": False, "detail": "no answer"})

    people.route(
        "**/recipients", lambda route: route.fulfill(json={"recipients": [{"name": "desk"}]})
    )
    people.route("**/recipients/desk/test", test)
    people.reload()
    people.get_by_role("button", name="Send a test").click()
    expect(people.get_by_text("desk was not reached: no answer")).to_be_visible()
    assert len(asked) == 1
    assert asked[0]
