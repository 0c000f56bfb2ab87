"""Takes every page of the console, as its users see it: ``make shots``.

python -m tests.browser.shots [FOLDER] [--url URL] [--only NAME ...]

Each page on a phone, at 1280 and at 1920 pixels, light and dark, in Chinese and in English, from a
running demo; the pages before the console from one with access control. Sheets join the four looks
of a page at a width, so that looking at all of them takes minutes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.browser.console import ConsoleServer
from tests.browser.pictures import chromium, running_demo
from tests.dashboards.access.people import PASSWORD, Clock, boss, new_access
from tests.dashboards.district import new_district

FOLDER = Path(__file__).parents[2] / "out" / "shots"
WIDTHS = {"phone": (390, 844), "1280": (1280, 720), "1920": (1920, 1080)}
LANGUAGES, THEMES = ("zh", "en"), ("light", "dark")
USER = "ada"
TALLEST_PX = 2600  # of a phone's page
SHEET_PX = 1900
SETTLES_MS = 2500

# The address of a page, and the keys that are pressed on it; braces name something of the demo.
PAGES = {
    "desk": ("/", ""),
    "desk-card": ("/", "b"),
    "desk-layers": ("/", "l"),
    "desk-replay": ("/?at={at}", ""),
    "alerts": ("/alerts", ""),
    "alerts-closed": ("/alerts?state=closed", ""),
    "alerts-none": ("/alerts?state=voided", ""),
    "alert-open": ("/alerts/{open}", ""),
    "alert-closed": ("/alerts/{closed}", ""),
    "alert-bike": ("/alerts/{bike_alert}", ""),
    "alert-unknown": ("/alerts/0", ""),
    "shelve": ("/alerts/{open}", "s"),
    "zones": ("/zones", ""),
    "campaigns": ("/zones?show=campaigns", ""),
    "campaign": ("/zones/cy-02", "o"),
    "pause": ("/zones/cy-02", "p"),
    "zone": ("/zones/cy-02", ""),
    "zone-late": ("/zones/cy-07", ""),
    "zone-unknown": ("/zones/nowhere", ""),
    "bikes": ("/bikes", ""),
    "bikes-none": ("/bikes?q=nothing", ""),
    "bike": ("/bikes/{bike}", ""),
    "bike-unknown": ("/bikes/hello/nobody", ""),
    "vendors": ("/vendors", ""),
    "draw": ("/draw", ""),
    "people": ("/people", ""),
    "keys": ("/zones", "?"),
    "404": ("/no/such/page", ""),
}
DOORS = {"login": "/login", "password": "/password", "setup": "/setup"}


def main() -> None:
    """Take the pages that are asked for, and lay them out in sheets."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--url", help="of a demo that runs already")
    every = [*PAGES, *DOORS]
    parser.add_argument("--only", nargs="+", default=every, choices=every, help="names of pages")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        if wanted := {name: PAGES[name] for name in given.only if name in PAGES}:
            with running_demo(given.url) as url:
                names = _names(url)
                known = {
                    name: (path.format_map(names), keys)
                    for name, (path, keys) in wanted.items()
                    if all(f"{{{part}}}" not in path for part in names if not names[part])
                }
                _take(browser, url, known, given.folder)
        for name in given.only:
            if name in DOORS:
                with _guarded(known=name != "setup") as url:
                    _take(browser, url, {name: (DOORS[name], "")}, given.folder, signs_in=True)
    for name in given.only:
        _lay_out(given.folder, name)


def _names(url: str) -> dict[str, str]:
    """What pages can be about: alerts, a bike, an instant; empty where there is none."""

    def read(path: str) -> dict[str, list[dict[str, str]]]:
        with urlopen(f"{url}/api/v1{path}") as answer:
            found: dict[str, list[dict[str, str]]] = json.load(answer)
            return found

    alerts = read("/alerts?limit=1000")["alerts"]

    def first(*states: str, about: str = "zone_id") -> str:
        found = (a["alert_id"] for a in alerts if a[about] and (a["state"] in states or not states))
        return next(found, "")

    zones = read("/coverage")["zones"]
    visited = next(zone for zone in zones if zone["last_visit_by"])
    began = datetime.fromisoformat(zones[0]["last_patrolled"] or visited["last_patrolled"])
    return {
        "open": first("active", "acknowledged"),
        "closed": first("closed"),
        "bike_alert": first(about="bike"),
        "bike": str(dict(visited["last_visit_by"])["bike"]),
        "at": str(round(began.timestamp() * 1000) - 30 * 60_000),
    }


@contextmanager
def _guarded(known: bool) -> Iterator[str]:
    """The address of a console with access control, in which somebody is known or nobody."""
    with tempfile.TemporaryDirectory() as folder:
        access = new_access(Path(folder) / "access.sqlite", Clock())
        if known:
            access.add_user(boss(access), USER, "admin", PASSWORD)
        with new_district(Path(folder)) as district, ConsoleServer(district, access=access) as it:
            yield it.url
        access.close()


def _take(
    browser: Browser,
    url: str,
    pages: dict[str, tuple[str, str]],
    folder: Path,
    *,
    signs_in: bool = False,
) -> None:
    for phone in (True, False):
        widths = {name: size for name, size in WIDTHS.items() if (name == "phone") is phone}
        width, height = next(iter(widths.values()))
        context = browser.new_context(
            viewport={"width": width, "height": height}, is_mobile=phone, has_touch=phone
        )
        if signs_in:
            credentials = {"username": USER, "password": PASSWORD}
            context.request.post(f"{url}/api/v1/session", data=credentials)
        for name, (path, keys) in pages.items():
            for language in LANGUAGES:
                page = context.new_page()
                page.goto(f"{url}{path}{'&' if '?' in path else '?'}lang={language}")
                page.wait_for_timeout(SETTLES_MS)
                for key in keys:
                    page.keyboard.press(key)
                    page.wait_for_timeout(SETTLES_MS / 2)
                for width_name, (width, height) in widths.items():
                    page.set_viewport_size({"width": width, "height": height})
                    for theme in THEMES:
                        _dress(page, theme)
                        file = folder / f"{name}.{width_name}.{language}.{theme}.png"
                        page.screenshot(path=file, full_page=phone and not keys)
                page.close()
        context.close()


def _dress(page: Page, theme: str) -> None:
    page.evaluate(
        "theme => document.documentElement.dataset.theme === theme || window.switchTheme?.()",
        theme,
    )
    page.wait_for_timeout(500)


def _lay_out(folder: Path, name: str) -> None:
    """One picture of the four looks of a page at each width."""
    for width_name in WIDTHS:
        files = [
            folder / f"{name}.{width_name}.{language}.{theme}.png"
            for language in LANGUAGES
            for theme in THEMES
        ]
        if not all(file.is_file() for file in files):
            continue
        columns = 4 if width_name == "phone" else 2
        images = [Image.open(file).convert("RGB") for file in files]
        wide = SHEET_PX // columns
        sized = [image.crop((0, 0, image.width, min(image.height, TALLEST_PX))) for image in images]
        sized = [
            image.resize((wide, image.height * wide // image.width), Image.Resampling.LANCZOS)
            for image in sized
        ]
        high = max(image.height for image in sized)
        rows = len(sized) // columns
        sheet = Image.new("RGB", (SHEET_PX, high * rows), "gray")
        for i, image in enumerate(sized):
            sheet.paste(image, (i % columns * wide, i // columns * high))
        sheet.save(folder / f"sheet.{name}.{width_name}.png")


if __name__ == "__main__":
    main()
