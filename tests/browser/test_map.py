"""The map of the desk: its layers, what a zone and a bike say by themselves, the card, tracks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from bikes.telemetry import Status
from tests.browser.conftest import LAT, LNG, ride_five, until_on
from tests.browser.console import ConsoleServer
from tests.dashboards.district import NINE_MS, District, new_district


@pytest.fixture
def district(tmp_path: Path) -> Iterator[District]:
    """At nine o'clock, by a clock that stands; five bikes have just been heard."""
    with new_district(tmp_path) as district:
        ride_five(district)
        yield district


def bike(page: Page, name: str) -> Locator:
    """A bike's marker."""
    return page.locator(f'.leaflet-marker-icon[data-bike="hello/{name}"]')


def overprinted(page: Page) -> list[list[str]]:
    """Pairs of labels, or of one and a control, that lie over each other, by what they say."""
    found: list[list[str]] = page.evaluate(
        """() => {
          const labels = ".zone-tip, .bike-label, .map-tools, .leaflet-control";
          const all = [...document.querySelectorAll(labels)]
            .filter((each) => each.checkVisibility({ visibilityProperty: true }))
            .map((each) => [each.textContent, each.getBoundingClientRect()]);
          return all.flatMap(([one, a], i) => all.slice(i + 1)
            .filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1
              && a.top < b.bottom - 1 && b.top < a.bottom - 1)
            .map(([other]) => [one, other]));
        }"""
    )
    return found


def test_labels_keep_off_each_other(page: Page, server: ConsoleServer, district: District) -> None:
    """On a phone, on a desk, and close by, where bikes say what they do."""

    def more() -> None:
        for n in range(5, 28):
            district.ride(n, LAT + n % 5 / 900, LNG + n / 900)

    server.do(more)
    page.goto(f"{server.url}/?lang=en")
    for width, height in ((390, 844), (1280, 720), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        expect(page.locator(".zone-tip:visible").first).to_be_visible()
        until_on(page, lambda: overprinted(page) == [])
        assert page.locator(".zone-tip:not(.covered-label)").count() > 4
        expect(page.locator(".bike-label:visible")).to_have_count(0)
    page.mouse.move(600, 500)

    def near_enough() -> bool:
        page.mouse.wheel(0, -300)  # the map takes no turn of the wheel while it zooms
        return page.locator("[data-bikes=near]").count() == 1

    until_on(page, near_enough, every_s=0.3)
    until_on(page, lambda: overprinted(page) == [])


def test_what_is_excluded_is_drawn_and_explained(page: Page, server: ConsoleServer) -> None:
    """As hatching with its name; states are outlines and hatching, never a fill over cells."""
    page.goto(f"{server.url}/?lang=en")
    places = page.locator(".leaflet-excluded-pane path")
    expect(places).to_have_count(4)
    expect(page.locator("#legend")).to_contain_text("cannot be patrolled, not counted")
    places.last.dispatch_event("mouseover")
    expect(page.locator(".leaflet-tooltip", has_text="Walled")).to_contain_text("not counted")
    fills = page.locator(".leaflet-zones-pane path").evaluate_all(
        "paths => paths.map((path) => path.getAttribute('fill'))"
    )
    assert {fill for fill in fills if fill != "none" and "hatch" not in fill} == set()


def test_layers_are_switched_and_remembered(page: Page, server: ConsoleServer) -> None:
    """Without a pointer; what was switched off is off after a reload."""
    page.goto(f"{server.url}/?lang=en")
    expect(page.locator(".zone-label").first).to_be_visible()
    expect(page.locator(".leaflet-marker-icon.bike").first).to_be_visible()
    page.keyboard.press("l")
    expect(page.get_by_label("Zones", exact=True)).to_be_focused()
    for layer in ("Zone labels", "Bikes", "Cells by age"):
        page.get_by_label(layer).uncheck()
    expect(page.locator(".zone-label").first).to_be_hidden()
    expect(page.locator(".leaflet-marker-icon.bike").first).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator(".layer-switches")).to_be_hidden()
    page.reload()
    expect(page.locator(".zone-label").first).to_be_attached()
    expect(page.locator(".leaflet-marker-icon.bike").first).to_be_attached()
    expect(page.locator(".zone-label").first).to_be_hidden()
    expect(page.locator(".leaflet-marker-icon.bike").first).to_be_hidden()
    expect(page.locator(".leaflet-zones-pane path").first).to_be_visible()


def test_zones_that_come_late(page: Page, server: ConsoleServer) -> None:
    """Until then the map shows no place, and what is looked at each second has no bounds."""
    asked: list[Route] = []
    page.route("**/api/v1/zones?*", lambda route: asked.append(route), times=1)
    page.goto(server.url)
    page.wait_for_function(
        """() => {
          window.seen ??= new Set();
          seen.add(document.querySelector("#clock").textContent);
          return seen.size > 5; // it changes twice a second at most
        }"""
    )
    (route,) = asked
    route.continue_()
    expect(page.locator(".leaflet-marker-icon.bike").first).to_be_visible()


def test_a_zone_says_by_when(page: Page, server: ConsoleServer, district: District) -> None:
    """The time that is left where it is due, how late it is where it is overdue; else nothing."""
    page.goto(f"{server.url}/?lang=en")
    expect(page.locator(".zone-label")).to_have_count(9)
    expect(page.locator(".zone-deadline")).to_have_count(0)

    def worse() -> None:
        district.stand("cy-06", "overdue", idle_s=9000.0, due_in_s=-1)
        district.stand("cy-04", "due", idle_s=6300.0, due_in_s=900.0, covered_ratio=0.5)

    server.do(worse)
    late = page.locator(".zone-label", has_text="East New Town")
    expect(late).to_contain_text("30 min late")
    expect(late.locator(".badge")).to_have_text("!")
    due = page.locator(".zone-label", has_text="Old Town Centre")
    expect(due).to_contain_text("50%")
    expect(due).to_contain_text("due in 15 min")
    expect(page.locator(".zone-deadline")).to_have_count(2)


def test_a_bike_says_by_its_shape_how_it_is(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """Riding, standing, stale, silent and offline are five shapes; an empty battery is a sign."""
    hour_ms = 3_600_000
    district.ride(1, LAT, LNG + 0.005, heading=np.nan)
    district.ride(2, LAT, LNG + 0.010, at_ms=NINE_MS + hour_ms)
    gone = Status(bike=2, online=False, timestamp_ms=NINE_MS + hour_ms + 1)
    district.fleet.update_status([gone], heard_at_ms=NINE_MS + hour_ms + 1)
    district.ride(3, LAT, LNG + 0.015, at_ms=NINE_MS + hour_ms - 400_000)
    district.now_ms = NINE_MS + hour_ms + 1000
    district.ride(0, LAT, LNG, heading=10)
    district.ride(5, LAT + 0.01, LNG, heading=np.nan, battery=19.4)
    page.goto(f"{server.url}/?lang=en")
    shapes = {}
    for name, liveness in (
        ("bike-00", "live"),
        ("bike-05", "live"),
        ("bike-03", "stale"),
        ("bike-01", "silent"),
        ("bike-02", "offline"),
    ):
        expect(bike(page, name)).to_have_attribute("data-liveness", liveness)
        path = bike(page, name).locator("svg path")
        fill = path.evaluate("node => getComputedStyle(node).fill")
        shapes[name] = path.get_attribute("d"), fill
    assert len(set(shapes.values())) == 5
    assert len({drawn for drawn, _ in shapes.values()}) == 4, "a stale arrow is a hollow arrow"
    expect(bike(page, "bike-05").locator(".bike-low")).to_be_visible()
    expect(bike(page, "bike-00").locator(".bike-low")).to_be_hidden()
    expect(bike(page, "bike-01").locator(".bike-age")).to_have_text("1 h")
    expect(bike(page, "bike-00").locator(".bike-age")).to_be_hidden()
    bike(page, "bike-05").hover()
    expect(page.locator(".bike-tip")).to_contain_text("battery low 19%")


def test_near_by_a_bike_says_what_it_does(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """Speed, battery and age are there without hovering once one looks at a zone closely."""
    page.goto(f"{server.url}/?lang=en")
    label = bike(page, "bike-02").locator(".bike-label")
    expect(label).to_be_hidden()
    bike(page, "bike-02").hover()

    def near_enough() -> bool:
        page.mouse.wheel(0, -300)  # the map takes no turn of the wheel while it zooms
        return label.is_visible()

    until_on(page, near_enough, every_s=0.3)
    expect(label).to_contain_text("bike-02")
    expect(label).to_contain_text("14 km/h · 80%")
    assert label.locator(".bike-age").inner_text().endswith(" s")


def test_a_bike_is_pinned(page: Page, server: ConsoleServer, district: District) -> None:
    """A card with facts that stay true, the way to its page, and its track when asked for."""
    for second in range(0, 600, 10):
        at_ms = NINE_MS - 600_000 + second * 1000
        district.ride(3, LAT, LNG + second * 4 / 89_700, at_ms=at_ms)
    district.now_ms += 1000
    district.ride(3, LAT, LNG + 2400 / 89_700, heading=200.0)
    page.goto(f"{server.url}/?lang=en")
    bike(page, "bike-03").click()
    card = page.locator(".bike-card")
    expect(card).to_contain_text("bike-03")
    expect(card).to_contain_text("S 200°")
    expect(card.get_by_role("link")).to_have_attribute("href", "/bikes/hello/bike-03")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    bike(page, "bike-03").click()
    server.do(lambda: district.ride(3, LAT, LNG, at_ms=NINE_MS + 2000, heading=90.0, battery=12))
    expect(card).to_contain_text("E 90°")
    expect(card).to_contain_text("battery low 12%")
    lines = page.locator(".leaflet-tracks-pane path")
    expect(lines).to_have_count(0)
    card.get_by_role("button", name="Track of the last hour").click()
    expect(lines).to_have_count(2)  # a line and its halo
    card.get_by_role("button", name="Done").click()
    expect(lines).to_have_count(0)
    page.keyboard.press("b")
    expect(card).to_contain_text("bike-00")


def test_tracks_of_all(page: Page, server: ConsoleServer, district: District) -> None:
    """One line for each bike that was heard in the last hour; none where the switch is off."""
    for number in (7, 8, 9):
        district.patrol(number, "cy-04", at_ms=NINE_MS - 60_000)
    page.goto(f"{server.url}/?lang=en")
    expect(bike(page, "bike-07")).to_be_visible()
    page.keyboard.press("l")
    page.get_by_label("Tracks of the last hour").check()
    lines = page.locator(".leaflet-tracks-pane path")
    expect(lines).to_have_count(8)  # and the five that were heard once
    assert "L" in (lines.nth(7).get_attribute("d") or "")
    page.get_by_label("Tracks of the last hour").uncheck()
    expect(lines).to_have_count(0)


def test_a_window_that_changes_shows_the_district_still(page: Page, server: ConsoleServer) -> None:
    """Made smaller, turned, made larger, folded away: whoever saw all of it sees all of it."""
    page.goto(f"{server.url}/?lang=en")
    outlines = page.locator(".leaflet-zones-pane path")
    expect(outlines).to_have_count(9)
    for width, height in ((390, 844), (844, 390), (1920, 1080), (1280, 720)):
        page.set_viewport_size({"width": width, "height": height})
        page.locator("#map").evaluate(
            """async (map) => {
              for (const display of ["none", ""]) {
                map.style.display = display;
                for (let n = 0; n < 3; n++) await new Promise(requestAnimationFrame);
              }
            }"""
        )
        page.wait_for_function(
            """() => {
              const map = document.querySelector("#map").getBoundingClientRect();
              const all = [...document.querySelectorAll(".leaflet-zones-pane path")]
                .map((path) => path.getBoundingClientRect());
              const extent = (lo, hi) =>
                Math.max(...all.map((box) => box[hi])) - Math.min(...all.map((box) => box[lo]));
              return all.every((box) => box.left >= map.left && box.right <= map.right
                  && box.top >= map.top && box.bottom <= map.bottom)
                && Math.max(extent("left", "right") / map.width,
                            extent("top", "bottom") / map.height) > 0.6;
            }"""
        )


def test_a_crowd_leaves_zones_in_sight(
    page: Page, server: ConsoleServer, district: District
) -> None:
    """Hundreds of bikes are small and silent; of labels that collide the urgent ones stay."""
    district.stand("cy-08", "overdue", idle_s=9000.0, due_in_s=-1800.0)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server.url}/?lang=en")
    frame = page.locator("#map")
    expect(frame).to_have_attribute("data-bikes", "far")

    def crowd() -> None:
        for n in range(300):
            bike = district.roster.index("other", f"x{n}")
            district.ride(bike, LAT + n % 17 / 1000, LNG + n // 17 / 500, battery=5)

    server.do(crowd)
    expect(frame).to_have_attribute("data-bikes", "crowd")
    expect(frame.locator(".bike-low:visible")).to_have_count(0)
    expect(page.locator('.zone-tip[data-state="overdue"]')).to_be_visible()
    assert overprinted(page) == []
    page.locator('#zones .zone-row[data-zone="cy-08"]').click()
    expect(frame).not_to_have_attribute("data-bikes", "crowd")


@pytest.mark.parametrize("height", [0, 30])
def test_a_map_without_room_goes_nowhere_and_comes_back(
    page: Page, server: ConsoleServer, height: int
) -> None:
    """Folded away, or smaller than its margins, it throws nothing; with room it shows the zone."""
    page.goto(f"{server.url}/?lang=en")
    expect(page.locator(".zone-label").first).to_be_visible()
    place = page.locator("#map")
    place.evaluate(
        "(map, px) => Object.assign(map.style, { maxHeight: `${px}px`, flex: 'none' })", height
    )
    page.wait_for_function(
        "height => document.querySelector('#map').clientHeight <= height", arg=height
    )
    row = page.locator("#zones .zone-row").first
    row.click()
    row.click()
    place.evaluate("map => Object.assign(map.style, { maxHeight: '', flex: '' })")
    row.click()
    expect(page.locator(".zone-label").first).to_be_visible()
