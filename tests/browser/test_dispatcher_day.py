"""A dispatcher's morning at a real station: broker, `patrol run`, users, bikes and a browser."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from bikes import topics
from tests.broker import Broker
from tests.browser.conftest import watch
from tests.browser.console import in_module
from tests.servers import REPOSITORY
from tests.stations import Station, new_station

PASSWORD = "a long walk in the rain"
PEOPLE = {"ada": "admin", "li": "dispatcher", "vera": "viewer"}
LATE_MS = 240_000
"""An alert, and a patrol of some twelve seconds of the wall, take their time."""

CORE = """frequency = "30m"
target = 0.5
window = "shift"
min_cells = 8
look_back = "2h"
hours = ["Mon-Sun 08:00-12:00", "Mon-Sun 13:30-18:00"]
close_hold = "5m" """.rstrip()
IMPATIENT = """frequency = "20s"
target = 0.01
window = "day"
min_cells = 2
hours = ["Mon-Sun 00:00-24:00"]
auto_close = false"""
"""Two cells every twenty seconds, day and night; a person closes."""


class Bikes:
    """HB001 stands in cy-06 and says so; HB002 patrols cy-04 when it is told to."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._over = threading.Event()
        self._patrolling = threading.Event()
        self._thread = threading.Thread(target=self._ride)

    def __enter__(self) -> Bikes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def patrol(self) -> None:
        """From now on, up and down through the old town."""
        self._patrolling.set()

    def _ride(self) -> None:
        ridden_s = 0
        while not self._over.wait(1.0):
            self._say("HB001", 36.3240, 120.4240)
            if self._patrolling.is_set():
                ridden_s += 1
                # 8 m/s along a street of 800 m, and back.
                along_m = abs((8 * ridden_s + 800) % 1600 - 800)
                self._say("HB002", 36.3160, 120.3830 + along_m / 89_700, heading=90)

    def _say(self, bike: str, lat: float, lng: float, heading: float = 0.0) -> None:
        location = {
            "lat": lat, "lng": lng, "heading": heading, "speed": 8, "horizontal_accuracy": 4
        }  # fmt: skip
        now_ms = time.time_ns() // 1_000_000
        payload = {"timestamp": now_ms, "location": location, "battery_percent": 71}
        message = (topics.of_bike("telemetry", "hello", bike), json.dumps(payload).encode())
        self._broker.publish([message], qos=1)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One for the whole morning."""
    with Broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[Station]:
    """A running station with an impatient policy and three users."""
    folder = tmp_path_factory.mktemp("station")
    station = new_station(folder, broker.url, **{CORE: IMPATIENT})
    for name, role in PEOPLE.items():
        subprocess.run(
            [
                *(sys.executable, "-m", "patrol", "user", "add", name),
                *("--role", role, "--config", str(station.config)),
            ],
            input=f"{PASSWORD}\n{PASSWORD}\n",
            text=True,
            check=True,
            cwd=REPOSITORY,
        )
    with station:
        station.wait(station.ready)
        yield station


def sign_in(browser: Browser, station: Station, name: str) -> Page:
    """A page of a browser of one's own, signed in, on the desk, in English."""
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.goto(f"http://127.0.0.1:{station.port}/?lang=en")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#bar")).to_contain_text(name)
    return page


def test_a_zone_goes_overdue_and_is_patrolled(
    chromium: Browser, station: Station, broker: Broker
) -> None:
    """Watch, acknowledge, send somebody, see the patrol end it, verify, read the record."""
    with Bikes(broker) as bikes:
        page = sign_in(chromium, station, "li")
        complaints, strangers = watch(page, f"http://127.0.0.1:{station.port}")
        zone = page.locator('#zones [data-zone="cy-04"]')
        expect(zone).to_have_attribute("data-state", "overdue", timeout=LATE_MS)
        alert = page.locator('#alerts [data-state="active"]', has_text="Old Town Centre")
        expect(alert).to_contain_text("Zone not patrolled", timeout=LATE_MS)
        expect(page).to_have_title("(2) Zhixun")  # cy-08 has the same policy

        page.keyboard.press("j")
        page.keyboard.press("a")
        expect(page.locator("#alerts")).to_contain_text("acknowledged by li")
        page.keyboard.press("d")
        page.get_by_label("Send to").fill("Wang, 13")
        page.get_by_role("button", name="Assign", exact=True).last.click()
        expect(page.locator("#alerts")).to_contain_text("Wang, 13 was sent")
        page.keyboard.press("z")
        expect(page.locator("#alerts")).not_to_contain_text("was sent")
        page.keyboard.press("d")
        page.get_by_label("Send to").fill("Zhao, 21")
        page.get_by_role("button", name="Assign", exact=True).last.click()
        expect(page.locator("#alerts")).to_contain_text("Zhao, 21 was sent")

        bikes.patrol()
        row = page.locator("#alerts .alert-row", has_text="Old Town Centre")
        expect(row).to_have_attribute("data-state", "returned", timeout=LATE_MS)
        expect(zone).not_to_have_attribute("data-state", "overdue")
        page.keyboard.press("Enter")
        page.wait_for_url("**/alerts/*")
        expect(page.locator("h1")).to_contain_text("Old Town Centre")
        expect(page.locator(".proof")).to_contain_text("hello/HB002 was here")
        page.keyboard.press("c")
        page.get_by_label("Reason").fill("seen on the map")
        page.get_by_role("button", name="Verify and close").last.click()

        history = page.locator(".history")
        expect(history).to_contain_text("seen on the map")
        events = history.locator("li").evaluate_all("items => items.map(i => i.dataset.event)")
        done = ["acknowledge", "assign", "undo", "assign"]
        assert events == ["raise", "activate", *done, "return", "close"]
        expect(history.locator('[data-event="close"]')).to_contain_text("li")
        page.locator("#other-language").click()
        expect(page.locator("html")).to_have_attribute("lang", "zh")
        expect(page.locator("h1")).to_contain_text("片区超时未巡")
        assert complaints == []
        assert strangers == []


def test_a_viewer_only_looks(chromium: Browser, station: Station, broker: Broker) -> None:
    """No button, no key, and the API says no; what was refused is not on record."""
    with Bikes(broker):
        page = sign_in(chromium, station, "vera")
        row = page.locator("#alerts .alert-row", has_text="Zone not patrolled").first
        expect(row).to_be_visible(timeout=LATE_MS)
        expect(page.locator("#alerts button")).to_have_count(0)
        page.keyboard.press("j")
        page.keyboard.press("a")
        alert_id = row.get_attribute("data-alert")
        status = in_module(
            page,
            "page/session.js",
            """async ({ ask }, id) => {
              return (await ask(`/api/v1/alerts/${id}/acknowledge`, { body: {} })).status;
            }""",
            alert_id,
        )
        assert status == 403
        record = station.get(f"/api/v1/alerts/{alert_id}")
        assert [row["event"] for row in record["history"]] == ["raise", "activate"]


def li_pauses(
    chromium: Browser, station: Station, zone_id: str, reason: str
) -> tuple[Page, Locator]:
    """A dispatcher has filled in the form on the zone's page, and not sent it."""
    page = sign_in(chromium, station, "li")
    page.goto(f"http://127.0.0.1:{station.port}/zones/{zone_id}?lang=en")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press("p")
    form = page.locator("dialog.ask")
    form.get_by_label("Reason").fill(reason)
    return page, form


def test_a_zone_is_paused(chromium: Browser, station: Station, broker: Broker) -> None:
    """From the zone's page, with a reason; within a second nothing is asked of it any more."""
    with Bikes(broker):
        page, form = li_pauses(chromium, station, "cy-08", "the market is closed off")
        form.get_by_role("button", name="Pause").click()
        expect(page.locator("#main")).to_contain_text("the market is closed off")
        page.goto(f"http://127.0.0.1:{station.port}/?lang=en")
        zone = page.locator('#zones [data-zone="cy-08"]')
        expect(zone).to_have_attribute("data-state", "paused")
        [order] = station.get("/api/v1/campaigns")["campaigns"]
        assert (order["kind"], order["ordered_by"]) == ("pause", "li")


def test_the_station_is_restarted_while_one_writes(chromium: Browser, station: Station) -> None:
    """Killed and started again, it takes what was written meanwhile; nobody signs in anew."""
    page, form = li_pauses(chromium, station, "cy-06", "half an hour of thought")
    station.kill()
    expect(page.locator("#notice")).to_contain_text("reconnecting")
    form.get_by_role("button", name="Pause").click()
    expect(form.get_by_role("alert")).to_contain_text("try again")
    station.start()
    station.wait(station.ready)
    expect(page.locator("#notice")).to_be_hidden()
    expect(page.locator("#health")).to_have_attribute("data-level", "ok", timeout=LATE_MS)
    form.get_by_role("button", name="Pause").click()
    expect(form).to_have_count(0)
    expect(page.locator("#main")).to_contain_text("half an hour of thought")


def test_an_administrator_draws_a_zone(chromium: Browser, station: Station, broker: Broker) -> None:
    """Beside the district, from now on; who keeps the desk open sees it without a reload."""
    square = ((20, 560), (60, 560), (60, 610), (20, 610))
    with Bikes(broker):
        desk = sign_in(chromium, station, "vera")
        expect(desk.locator(".zone-label")).to_have_count(9)
        page = sign_in(chromium, station, "ada")
        page.goto(f"http://127.0.0.1:{station.port}/draw?lang=en")
        expect(page.locator(".draw-row")).to_have_count(9)
        expect(page.locator(".zone-tip")).to_have_count(9)
        page.keyboard.press("n")
        box = page.locator(".draw-map").bounding_box()
        assert box is not None
        for x, y in square:
            page.mouse.move(box["x"] + x, box["y"] + y)
            page.mouse.click(box["x"] + x, box["y"] + y)
        page.keyboard.press("Enter")
        page.get_by_label("Zone id").fill("cy-10")
        page.get_by_label("Name", exact=True).fill("Ferry Landing")
        page.locator(".draw-panel").get_by_role("button", name="Save", exact=True).click()
        expect(desk.locator(".zone-label")).to_have_count(10)
        expect(desk.locator("#zones")).to_contain_text("Ferry Landing")
        [entry] = station.get("/api/v1/audit?action=PUT%20/zones/%7Bzone_id%7D")["entries"]
        assert entry["actor"] == "ada"
