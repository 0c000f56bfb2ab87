"""The datum of the base map, in the page: datum.js is geofence/datum.py, and the map obeys it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from dashboards.console.pages import ConsoleOptions
from geofence.datum import gcj02_to_wgs84, wgs84_to_gcj02
from tests.browser.console import ConsoleServer, in_module
from tests.browser.tiles import Dot, serving_tiles
from tests.dashboards.district import District

CENTIMETRE_DEG = 0.01 / 111_320
RED, LIME = (255, 0, 0), (0, 255, 0)

Positions = NDArray[np.float64]


def in_page(page: Page, function: str, positions: Positions) -> Positions:
    """Positions [lat, lng] through a function of datum.js."""
    found = in_module(
        page,
        "map/base.js",
        "(datum, [name, positions]) => positions.map(datum[name])",
        [function, positions.tolist()],
    )
    return np.array(found)


def test_the_page_moves_positions_as_the_system_does(page: Page, server: ConsoleServer) -> None:
    """To a nanodegree all over the district and China, there and back; outside not at all."""
    page.goto(server.url)
    rng = np.random.default_rng(7)
    boxes = (
        [(36.173, 120.107), (36.399, 120.580)],
        [(20.0, 80.0), (50.0, 130.0)],
        [(-60.0, -170.0), (0.8, 170.0)],
    )
    positions = np.vstack([rng.uniform(*box, (400, 2)) for box in boxes])
    there = in_page(page, "toGcj02", positions)
    np.testing.assert_allclose(there, np.column_stack(wgs84_to_gcj02(*positions.T)), atol=1e-9)
    back = in_page(page, "toWgs84", there)
    np.testing.assert_allclose(back, np.column_stack(gcj02_to_wgs84(*there.T)), atol=1e-9)
    np.testing.assert_array_equal(there[800:], positions[800:])


def test_published_values(page: Page, server: ConsoleServer) -> None:
    """Within a centimetre."""
    page.goto(server.url)
    wgs84 = [(31.1774276, 121.5272106), (22.543847, 113.912316), (39.911954, 116.377817)]
    gcj02 = [
        (31.17530398364597, 121.531541859215),
        (22.540796131694766, 113.9171764808363),
        (39.91334545536069, 116.38404722455657),
    ]
    np.testing.assert_allclose(
        in_page(page, "toGcj02", np.array(wgs84)), gcj02, atol=CENTIMETRE_DEG
    )


def centre_of(pixels: NDArray[np.uint8], color: tuple[int, int, int]) -> tuple[float, float]:
    """Where a dot of a colour is in a picture [px]."""
    rows, columns = np.nonzero((np.abs(pixels.astype(int) - color) < 40).all(axis=2))
    assert rows.size, f"there is no dot of {color}"
    return columns.mean() + 0.5, rows.mean() + 0.5


@pytest.mark.parametrize("datum", ["gcj02", "wgs84"])
def test_what_lies_over_the_base_map_lies_where_it_belongs(
    chromium: Browser, district: District, datum: str
) -> None:
    """A bike and a cell stand over the dots that the base map has for their positions.

    Tiles are drawn by the test's own server in the datum; half a kilometre, or 40 pixels, is
    between the two.
    """
    grid = district.zones.grid
    bike = 36.3210, 120.4020
    row, column = divmod(int(grid.cell_of(np.array([36.3060]), np.array([120.3700]))[0]), grid.cols)
    cell_lat, cell_lng = grid.centre(np.array([row * grid.cols + column]))
    cell = float(cell_lat[0]), float(cell_lng[0])
    district.ride(20, *cell)
    district.ride(20, *bike, at_ms=district.now_ms + 1000)

    def drawn(position: tuple[float, float]) -> tuple[float, float]:
        lat, lng = wgs84_to_gcj02(*position) if datum == "gcj02" else position
        return float(lat), float(lng)

    dots = [Dot(*drawn(bike), RED), Dot(*drawn(cell), LIME)]
    with serving_tiles(dots) as tile_url:
        options = ConsoleOptions(tile_url=tile_url, tile_datum=datum)  # type: ignore[arg-type]
        with ConsoleServer(district, options) as server:
            page = chromium.new_page(viewport={"width": 1280, "height": 720})
            page.goto(f"{server.url}/?lang=en")
            marker = page.locator('.leaflet-marker-icon[data-bike="hello/bike-20"]')
            expect(marker).to_be_visible()
            expect(page.locator("img.cells")).to_have_count(1)
            page.keyboard.press("l")
            for layer in ("Zones", "Zone labels"):
                page.get_by_label(layer, exact=True).uncheck()
            page.keyboard.press("Escape")
            page.wait_for_function(
                "() => [...document.querySelectorAll('.leaflet-tile')].every((t) => t.complete)"
                " && !document.querySelector('.leaflet-tile:not(.leaflet-tile-loaded)')"
            )
            box = marker.bounding_box()
            assert box
            page.evaluate(
                "() => { const own = new CSSStyleSheet();"
                " own.replaceSync('.leaflet-marker-icon, img.cells { visibility: hidden; }');"
                " document.adoptedStyleSheets = [own]; }"
            )
            page.wait_for_function(
                "() => [...document.querySelectorAll('.leaflet-tile')]"
                ".every((tile) => getComputedStyle(tile).opacity === '1')"
            )
            pixels = np.array(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
            frame = page.locator("#map").bounding_box()
            assert frame
            pixels[:, int(frame["width"]) :] = 255
            x, y = centre_of(pixels, RED)
            assert abs(x - box["x"] - box["width"] / 2) < 1.5
            assert abs(y - box["y"] - box["height"] / 2) < 1.5

            overlay = page.locator("img.cells").evaluate(
                "node => { const { x, y, width, height } = node.getBoundingClientRect();"
                " return [x, y, width, height]; }"
            )
            page.close()
    left, top, width, height = overlay
    cell_x = left + (column + 0.5) / grid.cols * width
    cell_y = top + (grid.rows - row - 0.5) / grid.rows * height
    x, y = centre_of(pixels, LIME)
    cell_px = width / grid.cols
    assert abs(x - cell_x) < 1 + cell_px / 10, "the picture of the cells is off by a tenth of one"
    assert abs(y - cell_y) < 1 + cell_px / 10
