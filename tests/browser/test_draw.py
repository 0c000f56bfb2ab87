"""Zones drawn and redrawn in a real browser."""

from __future__ import annotations

import math
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, FloatRect, Page, expect

from dashboards.access.access import Access
from dashboards.access.roles import Role
from dashboards.console.pages import ConsoleOptions
from geofence.datum import gcj02_to_wgs84
from tests.browser.conftest import PAYLOADS, strict_page
from tests.browser.console import ConsoleServer, in_module, sign_in
from tests.dashboards.access.people import PASSWORD, boss
from tests.dashboards.district import District

FREE = ((20, 560), (60, 560), (60, 610), (20, 610))
"""A square beside the sample district: pixels of the map that shows all of it."""


@pytest.fixture
def page(chromium: Browser, server: ConsoleServer) -> Iterator[Page]:
    """A page whose scripts must not fail; that the API refuses something is what is tested."""
    refusal = r"Failed to load resource: .* status of (403|412|422) "
    with strict_page(chromium, server.url, may_say=refusal) as page:
        yield page


@pytest.fixture
def draw(page: Page, server: ConsoleServer) -> Page:
    """The drawing page, with all zones in sight."""
    page.goto(f"{server.url}/draw?lang=en")
    expect(page.locator(".draw-row")).to_have_count(9)
    expect(page.locator(".zone-tip")).to_have_count(9)
    return page


def box(page: Page) -> FloatRect:
    """Where the map is on the page."""
    found = page.locator(".draw-map").bounding_box()
    assert found is not None
    return found


def click(page: Page, *pixels: tuple[float, float]) -> None:
    """Click on pixels of the map."""
    for x, y in pixels:
        page.mouse.move(box(page)["x"] + x, box(page)["y"] + y)
        page.mouse.click(box(page)["x"] + x, box(page)["y"] + y)


def grips(page: Page) -> list[tuple[float, float]]:
    """Where the vertices are, in pixels of the page."""
    boxes = [grip.bounding_box() for grip in page.locator(".grip:not(.new)").all()]
    return [(b["x"] + b["width"] / 2, b["y"] + b["height"] / 2) for b in boxes if b]


def drag(page: Page, start: tuple[float, float], by: tuple[float, float]) -> None:
    """Drag what is at a pixel of the page."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + by[0], start[1] + by[1], steps=6)
    page.mouse.up()


def write(page: Page, zone_id: str, name: str) -> None:
    """Fill in what a new zone needs."""
    page.get_by_label("Zone id").fill(zone_id)
    page.get_by_label("Name", exact=True).fill(name)


def press(page: Page, name: str) -> None:
    """Press a button of the panel."""
    page.locator(".draw-panel").get_by_role("button", name=name, exact=True).click()


def get(page: Page, server: ConsoleServer, path: str) -> Any:
    """What the API says."""
    answer = page.request.get(f"{server.url}/api/v1{path}")
    assert answer.ok, answer.text()
    return answer.json()


def redraw(
    page: Page, server: ConsoleServer, zone_id: str, geometry: object, **names: object
) -> None:
    """Somebody else saves a version of a zone."""
    tag = page.request.get(f"{server.url}/api/v1/zones/{zone_id}/versions").headers.get("etag")
    answer = page.request.put(
        f"{server.url}/api/v1/zones/{zone_id}",
        data={
            "type": "Feature",
            "geometry": geometry,
            "properties": {"policy": "core", "name": "Other", **names},
        },
        headers={"if-match": tag} if tag else {},
    )
    assert answer.ok, answer.text()


def test_a_new_zone_is_drawn_and_everybody_sees_it(draw: Page, server: ConsoleServer) -> None:
    """By clicks and the keyboard; a desk that is open shows it without a reload."""
    desk = draw.context.new_page()
    desk.goto(f"{server.url}/?lang=en")
    expect(desk.locator(".zone-label")).to_have_count(9)
    draw.bring_to_front()
    draw.keyboard.press("n")
    click(draw, *FREE)
    expect(draw.locator(".draw-facts")).to_have_text("4 points")
    draw.keyboard.press("Control+z")
    expect(draw.locator(".draw-facts")).to_have_text("3 points")
    click(draw, FREE[3], FREE[0])  # the first place again closes it
    expect(draw.locator(".draw-facts")).to_contain_text("km²")
    write(draw, "cy-10", "Out West")
    expect(draw.locator(".draw-form")).to_contain_text("Patrolled at least every")
    draw.keyboard.press("Control+s")
    expect(draw.locator(".draw-panel")).to_contain_text("Saved. In force from")
    expect(draw.locator('.draw-row[data-zone="cy-10"]')).to_contain_text("Out West")
    expect(desk.locator(".zone-label")).to_have_count(10)
    expect(desk.locator(".zone-label", has_text="Out West")).to_be_visible()


def test_what_waits_for_the_next_start_says_so_before_it_is_saved(
    draw: Page, server: ConsoleServer
) -> None:
    """Once a zone lies beyond the grid, nothing that is drawn is followed until then."""
    west, south = 119.9, 36.3
    ring = [[west, south], [west + 0.01, south], [west + 0.01, south + 0.01], [west, south]]
    far = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"name": "far", "policy": "core"},
    }
    route = f"{server.url}/api/v1/zones/far"
    put = draw.request.put(route, data=far, headers={"If-Match": "*"})
    assert (put.status, put.json()["live"]) == (200, False)
    draw.get_by_role("button", name="New zone").click()
    click(draw, *FREE, FREE[0])
    write(draw, "new-1", "New zone")
    draw.get_by_role("button", name="Check").click()
    expect(draw.get_by_text("The outline is sound")).to_contain_text("after its next start")


def test_a_vertex_is_moved_from_now_on(draw: Page, server: ConsoleServer) -> None:
    """The version before stays as it was; vertices that were not touched keep every digit."""
    draw.locator('.draw-row[data-zone="cy-04"]').click()
    expect(draw.locator(".version")).to_have_count(1)
    draw.keyboard.press("e")
    # Inwards: away from the neighbours, whose vertices would draw it back.
    x, y = next(grip for grip in grips(draw))
    middle = box(draw)["x"] + box(draw)["width"] / 2, box(draw)["y"] + box(draw)["height"] / 2
    drag(draw, (x, y), ((middle[0] - x) / 4, (middle[1] - y) / 4))
    press(draw, "Check")
    expect(draw.locator(".draw-said")).to_contain_text("The outline is sound")
    press(draw, "Save")
    expect(draw.locator(".draw-panel")).to_contain_text("counted by the old outline")
    expect(draw.locator(".version")).to_have_count(2)
    before, after = (
        feature["geometry"]["coordinates"][0]
        for feature in get(draw, server, "/zones/cy-04/versions")["features"]
    )
    moved = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    assert moved == [0, len(before) - 1], "one vertex, which closes the ring too"
    draw.locator(".version").last.click()
    expect(draw.locator(".version").last).to_have_attribute("aria-pressed", "true")


def test_what_overlaps_is_refused_and_shown(draw: Page, server: ConsoleServer) -> None:
    """Each problem in words and where it is; the drawing stays, and can be put right."""
    draw.keyboard.press("n")
    draw.keyboard.down("Shift")
    click(draw, (320, 320), (420, 320), (420, 420))
    draw.keyboard.up("Shift")
    draw.keyboard.press("Enter")
    write(draw, "cy-10", "Twice")
    press(draw, "Save")
    expect(draw.locator(".flaw-row").first).to_contain_text("Overlaps")
    expect(draw.locator(".flaw").first).to_be_visible()
    assert draw.locator(".flaw").count() == draw.locator(".flaw-row").count()
    draw.locator(".flaw-row").first.click()
    expect(draw.get_by_label("Zone id")).to_have_value("cy-10")
    expect(draw.locator(".grip:not(.new)")).not_to_have_count(0)
    assert len(get(draw, server, "/zones")["features"]) == 9


def test_the_pen_snaps_to_a_neighbour(draw: Page, server: ConsoleServer) -> None:
    """Clicks near two vertices of a zone give just these, and what lies between them."""
    draw.locator('.draw-row[data-zone="cy-01"]').click()
    draw.keyboard.press("e")
    expect(draw.locator(".grip.new").first).to_be_visible()
    origin, places = box(draw), get(draw, server, "/zones/cy-01/versions")["features"][0]
    ring = places["geometry"]["coordinates"][0]
    pixels = [(x - origin["x"], y - origin["y"]) for x, y in grips(draw)]
    assert len(pixels) == len(ring) - 1
    draw.keyboard.press("n")
    # The western edge: two neighbouring vertices of the ring, both with nothing beside them.
    west = sorted(range(len(pixels)), key=lambda i: pixels[i][0])[:2]
    for at in west:
        click(draw, (pixels[at][0] - 5, pixels[at][1] + 3))
    click(draw, (pixels[west[0]][0] - 40, (pixels[west[0]][1] + pixels[west[1]][1]) / 2))
    draw.keyboard.press("Enter")
    write(draw, "cy-10", "Beside")
    press(draw, "Save")
    expect(draw.locator(".draw-panel")).to_contain_text("Saved")
    drawn = get(draw, server, "/zones/cy-10/versions")["features"][0]["geometry"]["coordinates"][0]
    assert drawn[0] == ring[west[0]]
    assert ring[west[1]] in drawn


def test_changes_are_taken_back_and_asked_about(draw: Page, server: ConsoleServer) -> None:
    """A hole's or a part's vertex too; with nothing left to lose, nothing is asked."""
    draw.locator('.draw-row[data-zone="cy-09"]').click()
    draw.keyboard.press("e")
    expect(draw.locator(".grip:not(.new)")).to_have_count(14)
    facts = draw.locator(".draw-facts")
    before = facts.text_content() or ""
    draw.locator(".grip:not(.new)").first.click(button="right")
    expect(draw.locator(".grip:not(.new)")).to_have_count(13)
    expect(facts).not_to_have_text(before)
    draw.keyboard.press("Escape")
    asked = draw.get_by_role("dialog")
    expect(asked).to_contain_text("Discard unsaved changes?")
    asked.get_by_role("button", name="Cancel").click()
    expect(asked).to_have_count(0)
    draw.keyboard.press("Control+z")
    expect(facts).to_have_text(before)
    draw.locator(".grip:not(.new)").first.press("Shift+ArrowRight")
    expect(facts).not_to_have_text(before)
    questions: list[str] = []
    draw.once("dialog", lambda dialog: (questions.append(dialog.type), dialog.dismiss()))
    with draw.expect_event("dialog"):
        draw.keyboard.press("1")
    expect(facts).not_to_have_text(before)
    assert questions == ["beforeunload"]
    draw.keyboard.press("Control+z")
    draw.keyboard.press("Escape")
    expect(draw.locator(".version")).to_have_count(1)


def test_somebody_else_was_faster(draw: Page, server: ConsoleServer, district: District) -> None:
    """It is said, the drawing stays, and after a look at the newest it can be saved."""

    def a_minute_later() -> None:
        district.now_ms += 60_000

    zone = get(draw, server, "/zones/cy-04/versions")["features"][0]
    draw.locator('.draw-row[data-zone="cy-04"]').click()
    draw.keyboard.press("e")
    draw.get_by_label("Name", exact=True).fill("Mine")
    redraw(draw, server, "cy-04", zone["geometry"])
    server.do(a_minute_later)
    press(draw, "Save")
    expect(draw.locator(".draw-said")).to_contain_text("Somebody else has changed the zones")
    press(draw, "Load the newest")
    expect(draw.locator(".draw-said")).to_contain_text("These are the newest zones")
    expect(draw.get_by_label("Name", exact=True)).to_have_value("Mine")
    press(draw, "Save")
    expect(draw.locator(".draw-panel h1")).to_have_text("Mine")


def test_a_zone_ends(draw: Page, server: ConsoleServer) -> None:
    """From tomorrow on; until then it is there."""
    draw.locator('.draw-row[data-zone="cy-04"]').click()
    press(draw, "End this zone")
    draw.get_by_role("dialog").get_by_role("button", name="End this zone").click()
    expect(draw.locator(".version")).to_contain_text("to Mon 24 Nov, 00:00")
    assert len(get(draw, server, "/zones")["features"]) == 9
    assert len(get(draw, server, "/zones?at=2025-11-24T00:00:00%2B08:00")["features"]) == 8


def test_names_of_zones_are_inert(draw: Page, server: ConsoleServer) -> None:
    """In the list, on the map and in the panel they are text."""
    zone = get(draw, server, "/zones/cy-04/versions")["features"][0]
    name = " ".join(PAYLOADS)
    redraw(draw, server, "cy-04", zone["geometry"], name=name, name_zh=name)
    draw.reload()
    draw.locator('.draw-row[data-zone="cy-04"]').click()
    expect(draw.locator(".draw-panel h1")).to_have_text(name)
    expect(draw.locator('.draw-row[data-zone="cy-04"] b')).to_have_text(name)
    expect(draw.locator(".zone-tip", has_text="onerror")).to_have_text(name)
    draw.keyboard.press("e")
    expect(draw.get_by_label("Name", exact=True)).to_have_value(name)
    assert draw.locator("img[src=x]").count() == 0
    assert draw.evaluate("window.hacked") is None


@pytest.mark.parametrize("role", ["viewer", "dispatcher"])
def test_only_administrators_draw(
    chromium: Browser, guarded: ConsoleServer, access: Access, role: Role
) -> None:
    """The others are told so, do not find the page in the bar, and the API refuses them."""
    page = chromium.new_page(locale="en-GB")
    access.add_user(boss(access), "li", role, PASSWORD)
    page.goto(f"{guarded.url}/draw?lang=en")
    sign_in(page, "li")
    expect(page.locator("#main")).to_have_text("This page is for administrators")
    expect(page.locator("#nav")).not_to_contain_text("Draw")
    for method in ("PUT", "DELETE"):
        status = in_module(
            page,
            "page/session.js",
            """async ({ ask }, method) => {
              const path = "/api/v1/zones/cy-04";
              return (await ask(path, { method, body: { valid_to: "2030-01-01" } })).status;
            }""",
            method,
        )
        assert status == 403
    page.close()


def test_over_a_base_map_in_gcj02_what_is_drawn_is_in_wgs84(
    chromium: Browser, district: District
) -> None:
    """A zone is drawn over pixels of the base map: saved are the places these pixels show."""
    options = ConsoleOptions(tile_url="/tiles/{z}/{x}/{y}", tile_datum="gcj02")
    with ConsoleServer(district, options) as server:
        page = chromium.new_page(viewport={"width": 1280, "height": 720})
        page.route("**/tiles/**", lambda route: route.fulfill(body="", content_type="image/png"))
        page.goto(f"{server.url}/draw?lang=en")
        expect(page.locator(".zone-tip")).to_have_count(9)
        page.keyboard.press("n")
        click(page, *FREE)
        page.keyboard.press("Enter")
        write(page, "cy-10", "Out West")
        places = [place_of(page, pixel) for pixel in FREE]
        press(page, "Save")
        expect(page.locator(".draw-panel")).to_contain_text("Saved")
        drawn = get(page, server, "/zones/cy-10/versions")["features"][0]["geometry"]
        for (lng, lat), (there_lng, there_lat) in zip(
            drawn["coordinates"][0][:-1], places, strict=True
        ):
            # A pixel is some 25 m here, and the two datums are more than 400 m apart.
            assert abs(lng - there_lng) * 90_000 < 20
            assert abs(lat - there_lat) * 111_320 < 20
        page.close()


def place_of(page: Page, pixel: tuple[float, float]) -> tuple[float, float]:
    """What a pixel of the map shows on a base map in GCJ-02: lng, lat in WGS-84."""
    tile = page.locator("img.leaflet-tile").first
    around = tile.bounding_box()
    z_x_y = re.search(r"(\d+)/(\d+)/(\d+)$", str(tile.get_attribute("src")))
    assert around is not None
    assert z_x_y is not None
    z, x, y = map(int, z_x_y.groups())
    right = (x + (box(page)["x"] + pixel[0] - around["x"]) / around["width"]) / 2**z
    down = (y + (box(page)["y"] + pixel[1] - around["y"]) / around["height"]) / 2**z
    lat, lng = math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * down)))), right * 360 - 180
    wgs_lat, wgs_lng = gcj02_to_wgs84(lat, lng)
    return float(wgs_lng), float(wgs_lat)


def test_a_lake_is_left_out(draw: Page, server: ConsoleServer) -> None:
    """A hole drawn by hand; one that is begun is given up without the rest, then it is saved."""
    draw.locator('.draw-row[data-zone="cy-06"]').click()
    draw.keyboard.press("e")
    expect(draw.locator(".draw-facts")).to_contain_text("km²")
    before = draw.locator(".draw-facts").inner_text()
    corners = grips(draw)
    middle = (
        sum(x for x, _ in corners) / len(corners) - box(draw)["x"],
        sum(y for _, y in corners) / len(corners) - box(draw)["y"],
    )
    lake = [(middle[0] + x, middle[1] + y) for x, y in ((-30, -30), (30, -30), (30, 30), (-30, 30))]
    draw.keyboard.press("h")
    expect(draw.locator(".draw-body")).to_contain_text("such as a lake")
    expect(draw.get_by_role("button", name="Hole or part")).to_be_hidden()
    click(draw, *lake[:2])
    expect(draw.locator(".draw-facts")).to_have_text("2 points")
    draw.keyboard.press("Escape")
    expect(draw.locator(".draw-facts")).to_have_text(before)
    draw.get_by_role("button", name="Hole or part").click()
    click(draw, *lake)
    draw.keyboard.press("Enter")
    expect(draw.locator(".draw-facts")).to_contain_text("km²")
    assert draw.locator(".draw-facts").inner_text() != before
    draw.keyboard.press("Control+s")
    expect(draw.locator(".draw-panel .fine")).to_contain_text("Saved")
    now = get(draw, server, "/zones/cy-06/versions")["features"][-1]["geometry"]
    assert (now["type"], len(now["coordinates"])) == ("Polygon", 2)


def test_a_file_of_zones_is_imported(
    draw: Page, server: ConsoleServer, tmp_path: pathlib.Path
) -> None:
    """All at once; what is wrong with it is told in the form, and changes nothing."""
    side = "<Polygon><outerBoundaryIs><LinearRing><coordinates>{}</coordinates></LinearRing>"
    mark = "<Placemark><name>{}</name>" + side + "</outerBoundaryIs></Polygon></Placemark>"
    west = "120.335,36.3 120.345,36.3 120.345,36.31 120.335,36.31 120.335,36.3"
    crossed = "120.335,36.3 120.345,36.31 120.345,36.3 120.335,36.31 120.335,36.3"
    for name, places in (("wrong", crossed), ("right", west)):
        kml = f"<kml>{mark.format('Far West', places)}</kml>"
        (tmp_path / f"{name}.kml").write_text(kml)
    for name in ("wrong", "right"):
        with draw.expect_file_chooser() as chooser:
            draw.get_by_role("button", name="Import").click()
        chooser.value.set_files(tmp_path / f"{name}.kml")
        draw.get_by_label("Policy of zones that name none").select_option("residential")
        draw.locator("dialog").get_by_role("button", name="Save").click()
        if name == "wrong":
            told = draw.locator("dialog .problem[role=alert]")
            expect(told).to_have_text("zone-1: The outline crosses itself")
            draw.locator("dialog").get_by_role("button", name="Cancel").click()
    expect(draw.locator(".draw-row")).to_have_count(10)
    expect(draw.locator(".draw-panel")).to_contain_text("1 zones were imported.")
    expect(draw.locator('[data-zone="zone-1"]')).to_contain_text("Far West")
    (version,) = get(draw, server, "/zones/zone-1/versions")["features"]
    assert version["properties"]["policy"] == "residential"
