"""A real `patrol run`, in a process of its own, for tests."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.broker import free_port
from tests.commands import kept_waiting_s
from tests.patience import PATIENCE_S

REPOSITORY = Path(__file__).parent.parent
SAMPLE = REPOSITORY / "samples" / "chengyang"
TOKEN = "of-the-tests"
"""An administrator's API token of every station that a test starts."""


def configuration(folder: Path, *, broker_url: str, port: int, **replace: str) -> Path:
    """A copy of the sample district's configuration for one test."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("zones.geojson", "exclusions.geojson"):
        (folder / name).write_bytes((SAMPLE / name).read_bytes())
    text = (SAMPLE / "patrol.toml").read_text("utf-8")
    text = text.replace("mqtt://127.0.0.1:1883", broker_url)
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    for old, new in replace.items():
        assert old in text
        text = text.replace(old, new)
    text = text.replace("[http]\n", '[http]\ntokens_file = "tokens"\n')
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    (folder / "tokens").write_text(f"tests admin {digest}\n", "utf-8")
    (folder / "patrol.toml").write_text(text, "utf-8")
    return folder / "patrol.toml"


class Station:
    """`patrol run` on a configuration; started, stopped and killed at will."""

    def __init__(self, config: Path, port: int) -> None:
        self.config = config
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self.output = config.parent / "station.log"

    def start(self) -> None:
        """Start it; it is not ready yet."""
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "patrol", "run", "--config", str(self.config)],
                stdout=output,
                stderr=output,
                env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            )

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, timeout_s: float = PATIENCE_S) -> tuple[int, float]:
        """SIGTERM; exit code, and how long it took less what other programs took from it [s]."""
        assert self.process is not None
        pid = self.process.pid
        began, waited_s = time.monotonic(), kept_waiting_s(pid)
        lost_s = 0.0
        self.process.send_signal(signal.SIGTERM)
        while (code := self.process.poll()) is None:
            lost_s = max(lost_s, kept_waiting_s(pid) - waited_s)
            if time.monotonic() - began > timeout_s:
                raise subprocess.TimeoutExpired(self.process.args, timeout_s)
            time.sleep(0.01)
        return code, time.monotonic() - began - lost_s

    def end(self) -> None:
        """Whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def request(self, path: str, **options: Any) -> urllib.request.Request:
        """A request to it, with the token."""
        url = f"http://127.0.0.1:{self.port}{path}"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return urllib.request.Request(url, headers=headers, **options)

    def get(self, path: str) -> Any:
        """A route's answer, of any status; None while nobody listens."""
        try:
            with urllib.request.urlopen(self.request(path), timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)
        except OSError:
            return None

    def metric(self, name: str) -> float:
        """A Prometheus sample without labels; -1 while nobody listens."""
        try:
            with urllib.request.urlopen(self.request("/metrics"), timeout=10) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return -1.0
        return next(
            (float(line.split()[-1]) for line in lines if line.startswith(f"{name} ")), -1.0
        )

    def wait(self, condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
        """Wait for a condition; fails with the station's output."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self.process is not None
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(
                    f"{condition.__name__} did not come true; the station said:\n"
                    + self.output.read_text("utf-8", "replace")[-4000:]
                )
            time.sleep(0.05)

    def ready(self) -> bool:
        """Whether /readyz says so."""
        answer = self.get("/readyz")
        return bool(answer and answer.get("ready"))


def new_station(folder: Path, broker_url: str, **replace: str) -> Station:
    """A station on a free port, not started."""
    port = free_port()
    return Station(configuration(folder, broker_url=broker_url, port=port, **replace), port)
