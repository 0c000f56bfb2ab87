"""What the browser's tests share: Chromium, the sample district, a server and a strict page."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from dashboards.access.access import Access
from dashboards.console.files import STATIC
from ingest.accounts import Account
from tests.browser.console import ConsoleServer
from tests.dashboards.access.people import Clock, new_access
from tests.dashboards.district import District, new_district
from tests.patience import until

expect.set_options(timeout=20_000)  # [ms]; a busy machine is no failure

LAT, LNG = 36.305, 120.37

PAYLOADS = (
    "<img src=x onerror=window.hacked=1>",
    "<script>window.hacked=1</script>",
    "</script><script>window.hacked=1</script>",
    "<svg onload=window.hacked=1>",
    '" onmouseover="window.hacked=1" x="',
    "' onmouseover='window.hacked=1' x='",
    "javascript:window.hacked=1",
)
"""What a bike, a vendor or a person may call itself: it must stay text wherever it is shown."""


# Not for the session: while it is open its event loop runs, and no other test could run one.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, kept from talking to anybody by itself."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or "/usr/bin/chromium",
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--no-first-run",
            ],
        )
        yield browser
        browser.close()


def until_on(page: Page, look: Callable[[], object], every_s: float = 0.05) -> None:
    """Wait until something is true, and let the page's events come meanwhile."""
    until(look, pause=lambda pause_s: page.wait_for_timeout(1000 * pause_s), every_s=every_s)


def ride_five(district: District) -> None:
    """Five bikes are heard, in a row from west to east."""
    district.accounts = {"hello": Account(received=5)}
    for bike in range(5):
        district.ride(bike, LAT, LNG + bike / 200, heading=45.0 * bike)


@pytest.fixture
def district(tmp_path: Path) -> Iterator[District]:
    """The sample district with five bikes that have been heard."""
    with new_district(tmp_path, demo_speed=60.0) as district:
        ride_five(district)
        yield district


@pytest.fixture
def server(district: District) -> Iterator[ConsoleServer]:
    """The console over the district, open to everybody."""
    with ConsoleServer(district) as server:
        yield server


@pytest.fixture
def access(tmp_path: Path) -> Iterator[Access]:
    """A new installation: nobody can sign in."""
    access = new_access(tmp_path / "access.sqlite", Clock())
    yield access
    access.close()


@pytest.fixture
def guarded(district: District, access: Access) -> Iterator[ConsoleServer]:
    """The console over the district, with access control."""
    with ConsoleServer(district, access=access) as server:
        yield server


@pytest.fixture
def guest(chromium: Browser) -> Iterator[Page]:
    """A page of a browser that has never been here, set to English; scripts must not fail."""
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, locale="en-GB")
    page = context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    yield page
    context.close()
    assert failures == []


@pytest.fixture
def page(chromium: Browser, server: ConsoleServer) -> Iterator[Page]:
    """A page that must not complain, and must not ask any other host."""
    with strict_page(chromium, server.url) as page:
        yield page


@pytest.fixture
def empty_district(tmp_path: Path) -> Iterator[District]:
    """The sample district; what happens in it, each test says."""
    with new_district(tmp_path) as district:
        yield district


@contextmanager
def strict_page(chromium: Browser, url: str, may_say: str = "(?!)") -> Iterator[Page]:
    """A page that asks nobody else than `url`, and complains of nothing but what it may say."""
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, locale="zh-CN")
    page = context.new_page()
    complaints, strangers = watch(page, url)
    yield page
    context.close()
    assert [text for text in complaints if not re.match(may_say, text)] == []
    assert strangers == []


def watch(page: Page, url: str) -> tuple[list[str], list[str]]:
    """Lists that will hold what a page complains of, and whom else than `url` it asks."""
    complaints: list[str] = []
    strangers: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    own = (f"{url}/", "data:", f"blob:{url}/", url.replace("http", "ws"))
    page.on(
        "request",
        lambda asked: None if asked.url.startswith(own) else strangers.append(asked.url),
    )
    return complaints, strangers


@pytest.fixture(scope="module")
def scripts(chromium: Browser) -> Iterator[Page]:
    """A page with `o`, the outlines and the snapping, and `w`, the words of refusals."""
    page = chromium.new_page()

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix("http://scripts.test/")
        if name.endswith(".js"):
            route.fulfill(path=STATIC / name, content_type="text/javascript")
        else:
            route.fulfill(body="<title>scripts</title>", content_type="text/html")

    page.route("http://scripts.test/**", answer)
    page.goto("http://scripts.test/")
    page.evaluate(
        """async () => Object.assign(window, {
          o: await import("/draw/outline.js"), w: await import("/page/words.js") })"""
    )
    yield page
    page.close()
