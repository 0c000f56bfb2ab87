"""Makes the README's pictures from a running demo: ``make pictures``.

python -m tests.browser.pictures [FOLDER]
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.servers import free_port

FOLDER = Path(__file__).parents[2] / "docs" / "images"
SPEED, PATIENCE_S = 60, 240.0
PICTURES = {"console.png": "/?lang=en", "zone.png": "/zones/cy-08?lang=en"}


def main() -> None:
    """Wait until an alert is open and another was closed by a patrol, then look."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    port = free_port()
    demo = subprocess.Popen(
        [sys.executable, "-m", "patrol", "demo", f"--port={port}", f"--speed={SPEED}"],
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_for_alerts(port)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            for name, path in PICTURES.items():
                page.goto(f"http://127.0.0.1:{port}{path}")
                page.wait_for_timeout(4_000)
                page.screenshot(path=folder / name)
            browser.close()
    finally:
        demo.terminate()
        demo.wait()


def _wait_for_alerts(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        time.sleep(1.0)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/alerts") as answer:
                states = {alert["state"] for alert in json.load(answer)["alerts"]}
        except OSError:
            continue
        if states & {"active", "acknowledged"} and "closed" in states:
            return
    raise SystemExit("the demo has neither raised nor closed an alert; see `make demo`")


if __name__ == "__main__":
    main()
