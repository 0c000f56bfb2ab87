"""The past on the map: unmistakably not now, and true to its instant."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import LAT, LNG, ride_five
from tests.browser.console import ConsoleServer, in_module
from tests.dashboards.district import NINE_MS, District, new_district

MINUTE_MS = 60_000


@pytest.fixture
def district(tmp_path: Path) -> Iterator[District]:
    """At nine o'clock, by a clock that stands; five bikes have just been heard.

    Bike 7 has patrolled cy-04 from 8:40 to 8:45; an alert about cy-08 came at 8:50.
    """
    with new_district(tmp_path) as district:
        ride_five(district)
        district.patrol(7, "cy-04", at_ms=NINE_MS - 15 * MINUTE_MS)
        district.now_ms = NINE_MS - 10 * MINUTE_MS
        district.raise_alert("cy-08")
        district.now_ms = NINE_MS
        yield district


def query(page: Page) -> dict[str, str]:
    """What the address says."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def shown_at(page: Page) -> str:
    """The instant in the banner, to the second."""
    return page.locator("#replay-banner time").inner_text().split()[-1]


def test_the_past_is_shown_and_now_waits(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """Banner, frame and table say which instant it is; what comes live is there after Esc."""
    page.goto(f"{server.url}/?lang=en")
    expect(page.locator(".leaflet-marker-icon.bike")).to_have_count(6)
    page.keyboard.press("r")
    expect(page.locator("#replay-banner")).to_contain_text("this is not now")
    expect(page.locator("#zones-as-of")).to_contain_text("08:00:00")
    visible = page.locator(".leaflet-marker-icon.bike:visible")
    expect(visible).to_have_count(0)
    page.evaluate("document.querySelector('.replay-slider').focus()")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowRight")
    assert shown_at(page) == "08:41:00"
    expect(visible).to_have_count(1)
    expect(page.locator("#zones-as-of")).to_contain_text("08:41:00")
    ratio = page.locator('[data-zone="cy-04"] .figures b')
    then = ratio.inner_text()
    expect(page.locator(".zone-label", has_text="Old Town Centre")).to_contain_text(then)

    def live() -> None:
        district.ride(2, LAT + 0.01, LNG + 0.02, at_ms=NINE_MS + 1000)
        district.stand("cy-04", "overdue", idle_s=9000.0, covered_ratio=0.99, due_in_s=-1)
        district.raise_alert("cy-06")

    server.do(live)
    expect(page.locator("#alerts")).to_contain_text("East New Town")
    expect(page.locator("#alert-panel")).to_contain_text("as of now")
    expect(visible).to_have_count(1)
    expect(ratio).to_have_text(then)
    expect(page.locator(".zone-label", has_text="Old Town Centre")).to_contain_text(then)
    page.keyboard.press("Escape")
    expect(page.locator("#replay-banner")).to_be_hidden()
    expect(visible).to_have_count(6)
    expect(ratio).to_have_text("99%")
    expect(page.locator(".zone-label", has_text="Old Town Centre")).to_contain_text("30 min late")
    assert query(page) == {"lang": "en"}


def test_a_link_shows_the_same_to_somebody_else(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """Span and instant are in the address, which the other language keeps."""
    page.goto(
        f"{server.url}/?lang=en&from=2025-11-23T00:30:00Z&to=2025-11-23T00:50:00Z"
        "&at=2025-11-23T00:42:30Z"
    )
    expect(page.locator("#replay-banner time")).to_contain_text("08:42:30")
    bike = page.locator('.leaflet-marker-icon[data-bike="hello/bike-07"]')
    expect(bike).to_be_visible()
    page.locator("#replay-banner").get_by_role("button").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**at=2025-11-23T00%3A43%3A30Z**")
    page.get_by_role("link", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    expect(page.locator("#replay-banner")).to_contain_text("非实时")
    expect(page.locator("#replay-banner time")).to_contain_text("08:43:30")


def test_playing_and_marks(page: Page, server: ConsoleServer, district: District) -> None:
    """Space plays to the end; the keys go from alert to alert."""
    page.goto(f"{server.url}/?lang=en")
    expect(page.locator(".leaflet-marker-icon.bike")).to_have_count(6)
    page.get_by_role("button", name="Replay").click()
    mark = page.locator(".replay-mark")
    expect(mark).to_have_count(1)
    expect(mark).to_have_attribute(
        "title", "Sun 23 Nov, 08:50:00 South Market · Zone not patrolled"
    )
    page.keyboard.press("]")
    assert shown_at(page) == "08:50:00"
    page.keyboard.press("]")
    assert shown_at(page) == "09:00:00"
    page.keyboard.press("[")
    assert shown_at(page) == "08:50:00"
    page.keyboard.press("ArrowDown")
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="pause")).to_be_visible()
    for _ in range(5):
        page.keyboard.press("ArrowUp")
    expect(page.locator(".replay-speed")).to_have_text("×600")
    expect(page.locator("#replay-banner time")).to_contain_text("09:00:00")
    expect(page.locator(".play")).to_have_text("▶")
    assert query(page)["from"] == "2025-11-23T00:00:00Z"


def test_other_times(page: Page, server: ConsoleServer, district: District) -> None:
    """Yesterday is a day of the district; a time that has not come is refused with a reason."""
    page.goto(f"{server.url}/?lang=en")
    expect(page.locator(".leaflet-marker-icon.bike")).to_have_count(6)
    page.keyboard.press("r")
    page.get_by_role("button", name="Yesterday").click()
    page.wait_for_url("**from=2025-11-21T16%3A00%3A00Z&to=2025-11-22T16%3A00%3A00Z**")
    expect(page.locator("#replay-banner")).to_contain_text("No bike was heard")
    page.get_by_role("button", name="Other…").click()
    page.get_by_label("From").fill("2025-11-23T10:00")
    page.get_by_label("To", exact=True).fill("2025-11-23T11:00")
    page.get_by_role("dialog").get_by_role("button", name="Replay").click()
    expect(page.locator(".toast")).to_contain_text("Choose a time that has passed")
    page.get_by_role("button", name="Other…").click()
    page.get_by_label("From").fill("2025-11-23T08:35")
    page.get_by_label("To", exact=True).fill("2025-11-23T08:50")
    page.get_by_role("dialog").get_by_role("button", name="Replay").click()
    page.wait_for_url("**from=2025-11-23T00%3A35%3A00Z&to=2025-11-23T00%3A50%3A00Z**")
    assert shown_at(page) == "08:35:00"


def test_dragging_asks_for_little(page: Page, server: ConsoleServer, district: District) -> None:
    """However fast the slider moves, the server is asked a few times, in the end for the last."""
    page.goto(f"{server.url}/?lang=en")
    expect(page.locator(".leaflet-marker-icon.bike")).to_have_count(6)
    page.keyboard.press("r")
    expect(page.locator("#zones-as-of")).to_contain_text("08:00:00")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "at=" in request.url else None)
    page.evaluate(
        """async () => {
          const slider = document.querySelector(".replay-slider");
          for (let i = 1; i <= 120; i++) {
            slider.value = Number(slider.min) + i * 20_000;
            slider.dispatchEvent(new Event("input"));
            await new Promise(requestAnimationFrame);
          }
        }"""
    )
    last = f"at={NINE_MS - 20 * MINUTE_MS}"
    routes = ("coverage", "cells.png", "zones")
    page.wait_for_function(
        """([routes, last]) => {
          const got = performance.getEntriesByType("resource").map(({ name }) => name);
          const ends = got.filter((url) => url.endsWith(last));
          return routes.every((route) => ends.some((url) => url.includes(`/${route}?`)));
        }""",
        arg=[routes, last],
    )
    expect(page.locator("#zones-as-of")).to_contain_text("08:40:00")
    for route in routes:
        of_route = [url for url in asked if f"/{route}?" in url]
        assert 1 <= len(of_route) <= 20, (route, len(of_route))
        assert of_route[-1].endswith(last)


def test_where_a_bike_was_between_two_fixes(page: Page, server: ConsoleServer) -> None:
    """On the straight way; nowhere where nothing was heard for too long; at a fix, there."""
    page.goto(server.url)
    track = {
        "vendor": "hello", "bike_id": "b", "timestamps": [1000, 2000, 9000], "lat": [0, 1, 5],
        "lng": [10, 12, 20], "heading": [90, None, 0], "gap_ms": 3000,
    }  # fmt: skip
    found = in_module(
        page,
        "replay/replay.js",
        """async ({ bikeAt }, [track, times]) => {
          return times.map((at) => bikeAt(track, at));
        }""",
        [track, [999, 1000, 1250, 2000, 5000, 5001, 8999, 9000, 12_000, 12_001]],
    )
    places = [bike and (bike["lat"], bike["lng"], bike["liveness"]) for bike in found]
    assert places == [
        None,
        (0, 10, "live"),
        (0.25, 10.5, "live"),
        (1, 12, "live"),
        (1, 12, "stale"),
        None,
        None,
        (5, 20, "live"),
        (5, 20, "stale"),
        None,
    ]
    assert (
        in_module(page, "replay/replay.js", "({ bikeAt }) => bikeAt({ timestamps: [] }, 5)") is None
    )


def test_the_districts_clock(page: Page, server: ConsoleServer) -> None:
    """Local times are read and written as zoneinfo does, also beside a change of summer time."""
    page.goto(server.url)
    random.seed(5)
    for name in ("Asia/Shanghai", "Europe/Berlin", "America/St_Johns"):
        zone = ZoneInfo(name)
        minutes = [random.randrange(1_600_000_000, 1_800_000_000) // 60 for _ in range(200)]
        at_ms = [minute * 60_000 for minute in minutes]
        texts = [f"{datetime.fromtimestamp(at / 1000, zone):%Y-%m-%dT%H:%M}" for at in at_ms]
        written, read = in_module(
            page,
            "page/words.js",
            """async ({ fromLocal, toLocal }, [times, texts, zone]) => {
              const read = texts.map((text) => fromLocal(text, zone));
              return [times.map((at) => toLocal(at, zone)), read];
            }""",
            [at_ms, texts, name],
        )
        assert written == texts
        expected = [
            datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000 for text in texts
        ]
        assert json.loads(json.dumps(read)) == expected


def test_playing_leaves_out_hours_without_duty(page: Page, server: ConsoleServer) -> None:
    """From the end of a stretch to the next, and to the end; what began there is played."""
    page.goto(server.url)
    duty = [[100, 200], [150, 250], [400, 500]]
    asked = [(110, 120), (240, 260), (260, 270), (490, 510), (600, 610)]
    played = "async ({ skipped }, [duty, asked]) => asked.map(([a, b]) => skipped(duty, a, b, 900))"
    found = in_module(page, "replay/replay.js", played, [duty, asked])
    assert found == [120, 400, 400, 900, 610]
    assert in_module(page, "replay/replay.js", played, [[], [(1, 2)]]) == [2]


def test_the_last_instant_is_no_old_fix(page: Page, server: ConsoleServer) -> None:
    """Where a track was read no further nobody knows of a silence; a bike that fell silent does."""
    page.goto(server.url)
    track = {
        "vendor": "hello", "bike_id": "b", "timestamps": [1000, 9000], "lat": [0, 5],
        "lng": [10, 20], "gap_ms": 3000,
    }  # fmt: skip
    script = "async ({ bikeAt }, [track, at]) => bikeAt(track, at)?.liveness"
    for until, liveness in ((10_000, "live"), (13_000, "stale")):
        found = in_module(page, "replay/replay.js", script, [{**track, "until": until}, 10_000])
        assert found == liveness
