"""Makes the README's pictures from a running demo: ``make pictures``.

python -m tests.browser.pictures [FOLDER]
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import Browser, sync_playwright

from tests.servers import free_port

FOLDER = Path(__file__).parents[2] / "docs" / "images"
SPEED, PATIENCE_S = 60, 240.0
PICTURES = {"console.png": "/?lang=en", "zone.png": "/zones/cy-08?lang=en"}


def main() -> None:
    """Wait until an alert is open and another was closed by a patrol, then look."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    with running_demo() as url, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        for name, path in PICTURES.items():
            page.goto(url + path)
            page.wait_for_timeout(4_000)
            page.screenshot(path=folder / name)


@contextmanager
def running_demo(url: str | None = None) -> Iterator[str]:
    """The address of a demo with an alert that is open and one that is over; its own, or given."""
    if url is not None:
        yield url
        return
    port = free_port()
    demo = subprocess.Popen(
        [sys.executable, "-m", "patrol", "demo", f"--port={port}", f"--speed={SPEED}"],
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_for_alerts(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        demo.terminate()
        demo.wait()


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def _wait_for_alerts(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        time.sleep(1.0)
        try:
            with urlopen(f"http://127.0.0.1:{port}/api/v1/alerts") as answer:
                states = {alert["state"] for alert in json.load(answer)["alerts"]}
        except OSError:
            continue
        if states & {"active", "acknowledged"} and "closed" in states:
            return
    raise SystemExit("the demo has neither raised nor closed an alert; see `make demo`")


if __name__ == "__main__":
    main()
