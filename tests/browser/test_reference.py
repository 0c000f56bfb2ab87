"""The page of the API's document, in a real browser that reaches nobody else."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from dashboards.access.access import Access
from tests.browser.conftest import strict_page
from tests.browser.console import ConsoleServer, sign_in
from tests.dashboards.access.people import PASSWORD, boss


def test_the_document_is_a_page(chromium: Browser, guarded: ConsoleServer, access: Access) -> None:
    """For who has signed in; a route can be tried, and no policy of the server is broken."""
    access.add_user(boss(access), "vera", "viewer", PASSWORD)
    with strict_page(chromium, guarded.url) as page:
        page.goto(f"{guarded.url}/login?lang=en")
        page.goto(f"{guarded.url}/docs")
        expect(page).to_have_url(f"{guarded.url}/login?next=%2Fdocs")
        sign_in(page, "vera")
        expect(page).to_have_url(f"{guarded.url}/docs")
        route = page.locator("#operations-bikes-list_bikes")
        expect(route).to_contain_text("by vendor and id")
        route.locator("button.opblock-summary-control").click()
        route.get_by_role("button", name="Try it out").click()
        route.get_by_role("button", name="Execute").click()
        expect(
            route.locator(".live-responses-table tbody .response-col_status").first
        ).to_contain_text("200")
