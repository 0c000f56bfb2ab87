"""How long a fix takes from the bike's broker to the dispatcher's eye, and what a page costs.

Everything is the product's: mosquitto, `patrol run` on the sample district, Chromium on the
desk, signed in. Prints one JSON object about three things.

seen
    28 bikes publish fixes at random times, each with a heading of its own. The page's bike
    layer is watched: a fix is seen when the picture is drawn in which its marker has turned and
    set out for the new position. It glides there for `glide_s` more.
first_paint
    From the start of the navigation, with a browser that has cached nothing, to the picture
    with all zones' figures and the bikes.
server
    Share of a core that the station takes: without a page, with one page while the bikes are
    silent, and with one page while they send.

    python -m benchmarks.published_to_seen [--samples N] [--seed S]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from bikes import topics
from tests.broker import Broker
from tests.servers import REPOSITORY
from tests.stations import Station, new_station

BIKES = 28
INTERVAL_S = 5.0
WATCH_S = 20.0
PAINTS = 5
GLIDE_S = 0.5
PASSWORD = "as long as it takes to see it"

SEEN = """() => {
  window.seen = {};
  const look = (records) => requestAnimationFrame(() => {
    const now = Date.now();
    for (const { target } of records) {
      const bike = target.closest(".leaflet-marker-icon")?.dataset.bike;
      const turned = target.style.transform.match(/^rotate\\((\\d+)deg\\)$/);
      if (bike && turned) window.seen[`${bike} ${turned[1]}`] ??= now;
    }
  });
  const options = { subtree: true, attributes: true, attributeFilter: ["style"] };
  new MutationObserver(look).observe(document.querySelector(".leaflet-bikes-pane"), options);
}"""

PAINTED = """() => {
  const watch = new MutationObserver(() => {
    const figures = document.querySelectorAll(".zone-label .badge").length;
    const bikes = document.querySelectorAll(".leaflet-marker-icon.bike").length;
    if (figures < 9 || bikes < 28) return;
    watch.disconnect();
    requestAnimationFrame(() => requestAnimationFrame((time) => (window.painted_ms = time)));
  });
  watch.observe(document, { subtree: true, childList: true });
}"""


class Bikes:
    """28 bikes on the streets of the sample district; each fix has a heading not used before."""

    def __init__(self, broker: Broker, seed: int) -> None:
        self._broker = broker
        self._random = random.Random(seed)
        self._rounds = [0] * BIKES
        self.sent_ms: dict[str, float] = {}

    def send(self, bike: int) -> None:
        """Publish a fix of a bike."""
        self._rounds[bike] += 1
        heading = self._rounds[bike] * 7 % 360
        name = f"HB{bike + 1:03}"
        now_ms = time.time_ns() / 1e6
        self.sent_ms[f"hello/{name} {heading}"] = now_ms
        location = {
            "lat": 36.29 + bike / 1500 + self._random.uniform(0, 1e-4),
            "lng": 120.37 + bike / 1000 + self._rounds[bike] * 2e-4,
            "heading": heading,
            "speed": 4,
            "horizontal_accuracy": 4,
        }
        fix = {"timestamp": int(now_ms), "location": location, "battery_percent": 80}
        self._broker.publish(
            [(topics.of_bike("telemetry", "hello", name), json.dumps(fix).encode())]
        )

    def send_all(self) -> None:
        """Every bike is heard."""
        for bike in range(BIKES):
            self.send(bike)

    def send_some(self, fixes: int) -> None:
        """One after the other, at random times that give each bike one in some five seconds."""
        for number in range(fixes):
            time.sleep(self._random.uniform(0, 2 * INTERVAL_S / BIKES))
            self.send(number % BIKES)


@contextmanager
def station(folder: Path, broker: Broker) -> Iterator[Station]:
    """`patrol run`, ready, with one user."""
    running = new_station(folder, broker.url)
    add_ada = ["user", "add", "ada", "--role=dispatcher", f"--config={running.config}"]
    subprocess.run(
        [sys.executable, "-m", "patrol", *add_ada],
        input=f"{PASSWORD}\n{PASSWORD}\n",
        text=True,
        check=True,
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
    )
    with running:
        running.wait(running.ready)
        yield running


def desk(browser: Browser, url: str, cookies: list[Any] | None = None) -> Page:
    """A page that has never been here, not gone anywhere yet; signed in when it has cookies."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    if cookies is None:
        page = context.new_page()
        page.goto(url)
        page.locator("input[autocomplete=username]").fill("ada")
        page.locator("input[type=password]").fill(PASSWORD)
        page.locator("button[type=submit], form button").first.click()
        page.wait_for_selector(".zone-label")
        return page
    context.add_cookies(cookies)
    return context.new_page()


def first_paints(browser: Browser, url: str, cookies: list[Any]) -> list[float]:
    """Seconds from navigation to data, each with a cold cache."""
    found = []
    for _ in range(PAINTS):
        page = desk(browser, url, cookies)
        page.add_init_script(f"({PAINTED})()")
        page.goto(url, wait_until="commit")
        page.wait_for_function("window.painted_ms")
        found.append(page.evaluate("window.painted_ms") / 1000)
        page.context.close()
    return found


def cpu_share(running: Station) -> float:
    """Share of a core that the station takes for some seconds."""
    process = psutil.Process(running.pid)

    def used_s() -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    before_s, began_s = used_s(), time.monotonic()
    time.sleep(WATCH_S)
    return (used_s() - before_s) / (time.monotonic() - began_s)


def shares(running: Station, bikes: Bikes, browser: Browser, url: str) -> dict[str, float]:
    """Of the server, without a page, with one, and with one while bikes send."""
    found = {"no_page": cpu_share(running)}
    page = desk(browser, url)
    found["page_at_rest"] = cpu_share(running)
    sending = threading.Thread(target=bikes.send_some, args=(int(WATCH_S * BIKES / INTERVAL_S),))
    sending.start()
    found["page_and_28_bikes"] = cpu_share(running)
    sending.join()
    page.context.close()
    return found


def seen(bikes: Bikes, page: Page, samples: int) -> dict[str, object]:
    """Seconds from publishing to the picture."""
    page.evaluate(SEEN)
    bikes.sent_ms.clear()
    bikes.send_some(samples)
    page.wait_for_function(
        "count => Object.keys(window.seen).length >= count", arg=len(bikes.sent_ms), timeout=10_000
    )
    seen_ms = page.evaluate("window.seen")
    took_s = np.array([seen_ms[key] - sent for key, sent in bikes.sent_ms.items()]) / 1000
    p50, p95 = np.percentile(took_s, [50, 95])
    return {
        "samples": int(took_s.size),
        "p50_s": round(float(p50), 3),
        "p95_s": round(float(p95), 3),
        "max_s": round(float(took_s.max()), 3),
        "glide_s": GLIDE_S,
        "goal_p95_s": 1.5,
    }


def measure(samples: int, seed: int) -> dict[str, object]:
    """All three, on one station."""
    with (
        tempfile.TemporaryDirectory() as name,
        Broker(Path(name) / "broker") as broker,
        station(Path(name) / "station", broker) as running,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or "/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        url = f"http://127.0.0.1:{running.port}/"
        bikes = Bikes(broker, seed)
        bikes.send_all()
        page = desk(browser, url)
        latency = seen(bikes, page, samples)
        cookies = page.context.cookies()
        page.context.close()
        paints_s = sorted(first_paints(browser, url, cookies))
        used = shares(running, bikes, browser, url)
        browser.close()
    return {
        "benchmark": "published_to_seen",
        "bikes": BIKES,
        "seen": latency,
        "first_paint": {
            "median_s": round(paints_s[len(paints_s) // 2], 3),
            "max_s": round(paints_s[-1], 3),
            "goal_s": 2.0,
        },
        "server": {name: round(share, 4) for name, share in used.items()} | {"goal_share": 0.05},
        "seed": seed,
        "cores": len(os.sched_getaffinity(0)),
    }


def main() -> None:
    """Run it and print the result."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument("--samples", type=int, default=280)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(json.dumps(measure(args.samples, args.seed)))


if __name__ == "__main__":
    main()
