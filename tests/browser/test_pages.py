"""Every page, in both languages, light and dark, on a desk and on a phone.

Pictures of all of them are left in ``out/pages/``, which git ignores, for whoever wants to look.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from alerts.book import AlertBook
from dashboards.console.catalogue import LANGUAGES
from dashboards.console.pages import PAGES
from tests.browser.conftest import LAT, LNG, watch
from tests.browser.console import ConsoleServer
from tests.dashboards.district import District

OUT = Path(__file__).parents[2] / "out" / "pages"
DESK, PHONE = (1280, 720), (390, 844)
EXAMPLES = {"zone_id": "cy-08", "vendor": "hello", "bike_id": "bike-01"}
"""What pages about one thing show here; the alert is the one that was raised."""

VIEWS = [(DESK, "light"), (DESK, "dark"), (PHONE, "light")]


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where each page is, over a district in which something has happened."""
    book = AlertBook(tmp_path_factory.mktemp("pages") / "alerts.sqlite")
    district = District(book)
    for bike in range(12):
        district.ride(bike, LAT + bike % 3 / 150, LNG + bike / 400, heading=30.0 * bike)
    district.stand("cy-08", "overdue", idle_s=9000.0, covered_ratio=0.31, due_in_s=-1800.0)
    district.stand("cy-05", "due", idle_s=6400.0, covered_ratio=0.55, due_in_s=800.0)
    district.stand("cy-09", "unmeasurable", reason="telemetry_silent", due_in_s=None)
    alert_id = district.raise_alert("cy-08")
    book.acknowledge(alert_id, "li", district.now_ms, "seen")
    book.assign(alert_id, "li", district.now_ms, to="Wang, 13")
    examples = {**EXAMPLES, "alert_id": alert_id}
    with ConsoleServer(district) as server:
        yield {page.name: server.url + page.path.format(**examples) for page in PAGES}
    book.close_file()


@pytest.fixture(params=VIEWS, ids=lambda view: f"{view[0][0]}-{view[1]}")
def page(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    """A browser of a size and a colour scheme."""
    (width, height), scheme = request.param
    context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [page.name for page in PAGES])
def test_a_page_is_whole(name: str, language: str, page: Page, addresses: dict[str, str]) -> None:
    """It fills with data, complains of nothing, asks nobody else, and is as wide as the screen."""
    address = addresses[name]
    complaints, strangers = watch(page, "/".join(address.split("/")[:3]))
    page.goto(f"{address}?lang={language}")
    expect(page.locator("#health")).to_have_attribute("data-level", "ok")
    expect(page.locator("#main")).not_to_be_empty()
    page.wait_for_timeout(500)  # for the picture: what is asked for meanwhile has come
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"the page is {wide} px wider than the screen"
    scheme = page.evaluate("document.documentElement.dataset.theme")
    width = page.viewport_size["width"] if page.viewport_size else 0
    OUT.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=OUT / f"{name}-{language}-{scheme}-{width}.png")
    assert complaints == []
    assert strangers == []
