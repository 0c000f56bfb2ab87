"""Many pages of one browser, of which most are not seen; what one of them weighs."""

from __future__ import annotations

from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect

from dashboards.console import files
from tests.browser.console import ConsoleServer
from tests.dashboards.district import District

CONNECTIONS = 6
"""As many as a browser opens to one server at a time."""

MOST_BYTES = 350_000

HIDES = """
let hidden = true;
Object.defineProperty(document, "hidden", { get: () => hidden });
window.see = (seen) => {
  hidden = !seen;
  document.dispatchEvent(new Event("visibilitychange"));
};
"""
"""A browser without windows shows all of its pages; what a page hears of it is this."""


def unseen(context: BrowserContext, url: str) -> Page:
    """A page opened in the background."""
    page = context.new_page()
    page.add_init_script(HIDES)
    page.clock.install()
    page.goto(f"{url}/alerts?lang=en")
    expect(page.locator("#health")).to_have_attribute("data-level", "ok")
    return page


def test_pages_that_nobody_sees_do_not_keep_others_waiting(
    chromium: Browser, server: ConsoleServer, district: District
) -> None:
    """More of them than there are connections; each still hears of alerts, and is new when seen."""
    context = chromium.new_context()
    pages = [unseen(context, server.url) for _ in range(CONNECTIONS + 1)]
    desk = context.new_page()
    desk.goto(f"{server.url}/?lang=en")
    expect(desk.locator("#health")).to_have_attribute("data-level", "ok")
    server.do(lambda: district.raise_alert("cy-08"))
    expect(desk).to_have_title("(1) Zhixun")
    first, second = pages[:2]
    first.clock.fast_forward(31_000)
    expect(first).to_have_title("(1) Zhixun")
    expect(first.locator("#notice")).to_be_hidden()
    server.do(lambda: district.raise_alert("cy-04"))
    second.evaluate("see(true)")
    expect(second).to_have_title("(2) Zhixun")
    expect(second.locator(".alert-row")).to_have_count(2)
    context.close()


def test_work_that_waited_for_a_picture_is_done_without_it(
    chromium: Browser, server: ConsoleServer, district: District
) -> None:
    """Who turns away between an event and its picture still reads the title."""
    page = chromium.new_page()
    page.add_init_script(HIDES)
    page.goto(f"{server.url}/alerts?lang=en")
    page.evaluate(
        """() => {
          see(true);
          window.requestAnimationFrame = () => 0; // as in a page that was just covered
        }"""
    )
    server.do(lambda: district.raise_alert("cy-08"))
    expect(page.locator("#health")).to_have_attribute("data-level", "ok")
    page.wait_for_function("() => document.querySelector('#clock').textContent")
    page.evaluate("see(false)")
    expect(page).to_have_title("(1) Zhixun")
    page.close()


def test_an_upgraded_server_has_new_scripts(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """A page follows when it connects again, but not while something is written on it."""
    page.goto(f"{server.url}/zones/cy-08?lang=en")
    expect(page.locator("#health")).to_have_attribute("data-level", "ok")
    page.evaluate("window.before = true")
    frame = files.url("page/frame.js")

    def upgraded(route: Route) -> None:
        old = route.request.url.replace(files.edition(), "0123456789ab")
        route.continue_(url=old)

    page.route(f"**{frame}", upgraded)
    connect = f'import("{frame}").then(({{ live }}) => {{ live.connect() }})'
    page.keyboard.press("p")
    form = page.get_by_role("dialog")
    form.get_by_label("Reason").fill("closed for a parade")
    with page.expect_response(lambda answer: answer.url.endswith(frame) and answer.ok):
        page.evaluate(connect)
    form.get_by_label("Reason").press("End")
    assert page.evaluate("window.before")
    expect(form.get_by_label("Reason")).to_have_value("closed for a parade")
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)
    page.evaluate(connect)
    page.wait_for_function("() => !window.before")
    expect(page.locator("#health")).to_have_attribute("data-level", "ok")


def test_a_desk_is_light(page: Page, server: ConsoleServer) -> None:
    """All that it loads, as it comes over the network, without tiles and the stream."""
    loaded: dict[str, int] = {}

    def finished(request: Request) -> None:
        sizes = request.sizes()
        loaded[request.url] = sizes["responseBodySize"] + sizes["responseHeadersSize"]

    page.on("requestfinished", finished)
    page.goto(server.url)
    expect(page.locator("#health")).to_have_attribute("data-level", "ok")
    expect(page.locator(".zone-label")).to_have_count(9)
    expect(page.locator("img.cells")).to_have_count(1)
    page.wait_for_load_state("load")
    assert any(url.endswith("/leaflet-src.esm.js") for url in loaded)
    assert sum(loaded.values()) < MOST_BYTES, sorted(loaded.items(), key=lambda each: -each[1])
