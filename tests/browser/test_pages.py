"""Every page, in both languages, light and dark, on a desk and on a phone.

Pictures of all of them are left in ``out/pages/``, which git ignores, for whoever wants to look.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from alerts.store.book import AlertBook
from dashboards.console.pages import PAGES
from tests.browser.conftest import LAT, LNG, until_on, watch
from tests.browser.console import ConsoleServer, sign_in
from tests.dashboards.access.people import PASSWORD, Clock, boss, new_access
from tests.dashboards.district import District
from words.catalogue import LANGUAGES

OUT = Path(__file__).parents[2] / "out" / "pages"
EXAMPLES = {"zone_id": "cy-08", "vendor": "hello", "bike_id": "bike-01"}
"""What pages about one thing show here; the alert is the one that was raised."""

QUIET_S = 0.3
"""So long nothing is asked for when all that a page needs has come."""


class View(NamedTuple):
    """A screen and a theme."""

    width: int
    height: int
    scheme: Literal["light", "dark"]

    def show(self, page: Page) -> None:
        """Have the page seen so from now on, as when a window is made smaller."""
        page.set_viewport_size({"width": self.width, "height": self.height})
        page.emulate_media(color_scheme=self.scheme)
        expect(page.locator("html")).to_have_attribute("data-theme", self.scheme)


DESK, DARK, PHONE = View(1280, 720, "light"), View(1280, 720, "dark"), View(390, 844, "light")
VIEWS = {"en": (DESK, DARK, PHONE), "zh": (PHONE, DARK, DESK)}
"""A page comes up on the first, and is then turned into the others: either way it is whole."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    """A district in which something has happened, with users, tokens and a record."""
    folder = tmp_path_factory.mktemp("pages")
    book = AlertBook(folder / "alerts.sqlite")
    district = District(book)
    for bike in range(12):
        district.ride(bike, LAT + bike % 3 / 150, LNG + bike / 400, heading=30.0 * bike)
    district.stand("cy-08", "overdue", idle_s=9000.0, covered_ratio=0.31, due_in_s=-1800.0)
    district.stand("cy-05", "due", idle_s=6400.0, covered_ratio=0.55, due_in_s=800.0)
    district.stand("cy-09", "unmeasurable", reason="telemetry_silent", due_in_s=None)
    EXAMPLES["alert_id"] = alert_id = district.raise_alert("cy-08")
    book.acknowledge(alert_id, "li", district.now_ms, "seen")
    book.assign(alert_id, "li", district.now_ms, to="Wang, 13")
    access = new_access(folder / "access.sqlite", Clock())
    access.add_user(boss(access), "ada", "admin", PASSWORD)
    access.add_user(boss(access), "li", "dispatcher", PASSWORD)
    access.add_token(boss(access), "prometheus", "viewer", None)
    with ConsoleServer(district, access=access) as server:
        yield server
    access.close()
    book.close_file()


@pytest.fixture(scope="module")
def ada(chromium: Browser, server: ConsoleServer) -> Iterator[BrowserContext]:
    """A browser in which the administrator has signed in."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{server.url}/login?lang=en&next=/people")
    sign_in(page, "ada")
    expect(page.locator("#bar")).to_contain_text("ada")
    page.close()
    yield context
    context.close()


class Quiet:
    """Knows when a page has what it asked for; its stream goes on for ever and does not count."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._asked: set[Request] = set()
        page.on("request", self._begins)
        page.on("requestfinished", self._ends)
        page.on("requestfailed", self._ends)

    def wait(self) -> None:
        """Until nothing has been under way for a moment."""
        busy_s = time.monotonic()

        def quiet() -> bool:
            nonlocal busy_s
            if self._asked:
                busy_s = time.monotonic()
            return time.monotonic() - busy_s >= QUIET_S

        until_on(self._page, quiet)

    def _begins(self, request: Request) -> None:
        if request.resource_type != "eventsource":
            self._asked.add(request)

    def _ends(self, request: Request) -> None:
        self._asked.discard(request)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [page.name for page in PAGES])
def test_a_page_is_whole(
    name: str, language: str, ada: BrowserContext, server: ConsoleServer
) -> None:
    """It fills with data, complains of nothing, asks nobody else, and is as wide as the screen."""
    [path] = [page.path for page in PAGES if page.name == name]
    views = VIEWS[language]
    page = ada.new_page()
    complaints, strangers = watch(page, server.url)
    quiet = Quiet(page)
    page.set_viewport_size({"width": views[0].width, "height": views[0].height})
    page.goto(f"{server.url}{path.format(**EXAMPLES)}?lang={language}")
    expect(page.locator("#health")).to_have_attribute("data-level", "ok")
    expect(page.locator("#main")).not_to_be_empty()
    for view in views:
        look(page, quiet, view, f"{name}-{language}")
    page.close()
    assert complaints == []
    assert strangers == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("door", ["login", "password"])
def test_a_door_is_whole(
    door: str, language: str, ada: BrowserContext, server: ConsoleServer
) -> None:
    """What one meets before the console looks like it, on any screen."""
    page = ada.new_page()
    complaints, strangers = watch(page, server.url)
    quiet = Quiet(page)
    page.goto(f"{server.url}/{door}?lang={language}")
    expect(page.locator("#door")).to_be_visible()
    for view in VIEWS[language]:
        look(page, quiet, view, f"{door}-{language}")
    page.close()
    assert complaints == []
    assert strangers == []


def look(page: Page, quiet: Quiet, view: View, name: str) -> None:
    """See a page on a screen, when all of it is there; a picture of it is left."""
    view.show(page)
    quiet.wait()
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{name} is {wide} px wider than a screen of {view.width}"
    assert cut_off(page) == [], f"{name} on a screen of {view.width}"
    OUT.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=OUT / f"{name}-{view.scheme}-{view.width}.png")


def cut_off(page: Page) -> list[str]:
    """What can be pressed or filled in, but lies beyond the edge where nothing scrolls to it."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("button, select, input, #bar a")].filter((node) => {
          const { left, right, width } = node.getBoundingClientRect();
          if (!width || node.closest(".leaflet-container, [hidden]")) return false;
          for (let box = node.parentElement; box; box = box.parentElement) {
            if (["auto", "scroll"].includes(getComputedStyle(box).overflowX)) return false;
          }
          return left < -1 || right > innerWidth + 1;
        }).map((node) => node.outerHTML.slice(0, 80))"""
    )
    return found
