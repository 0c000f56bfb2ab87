"""A real `patrol run`, in a process of its own, for tests."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from patrol.loop_watch import LONGEST_S
from tests.commands import Watch, disk_waited_s, kept_waiting_s
from tests.patience import PATIENCE_S, until
from tests.servers import REPOSITORY, Program, free_port

SAMPLE = REPOSITORY / "samples" / "chengyang"
TOKEN = "of-the-tests"
"""An administrator's API token of every station that a test starts."""


def tokens_file(folder: Path) -> Path:
    """Write the file that lets `TOKEN` in, and return it."""
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    (folder / "tokens").write_text(f"tests admin {digest}\n", "utf-8")
    return folder / "tokens"


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
    tokens_file(folder)
    (folder / "patrol.toml").write_text(text, "utf-8")
    return folder / "patrol.toml"


class Station(Program):
    """`patrol run` on a configuration; a start does not wait until it is ready.

    Parameters
    ----------
    config : Path
        Its patrol.toml.
    port : int
        Where it serves HTTP.
    log : Path, optional
        The file that gets its output; beside the configuration when not given.
    environment : mapping, optional
        What to add to the environment of the tests.
    """

    def __init__(
        self,
        config: Path,
        port: int,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        command = [sys.executable, "-m", "patrol", "run", "--config", config]
        log = log or config.parent / "station.log"
        super().__init__(command, log, environment=environment)
        self.config, self.port = config, port
        self.watched = True
        self._disk_waited_s = disk_waited_s()

    def send(self, sign: signal.Signals) -> None:
        """Send a signal; what ends in order has never held its event loop for long."""
        if sign == signal.SIGTERM and self.runs:
            self._has_held_nobody_up()
        super().send(sign)

    def kill(self) -> None:
        """As above, when the test is through with a station that runs."""
        try:
            if self.runs:
                self._has_held_nobody_up()
        finally:
            super().kill()

    def _has_held_nobody_up(self) -> None:
        """The event loop was never held for longer than it may, and machine and disk took.

        What these took is known of the whole life only: on a quiet machine that is next to
        nothing, on a busy one the test says less.
        """
        if not self.watched:
            return
        late = self.samples("zhixun_loop_held_seconds_bucket")
        counts = {float(label.split('"')[1]): count for label, count in late.items()}
        exceeded = [le for le, count in counts.items() if count < max(counts.values())]
        taken_s = kept_waiting_s(self.pid) + disk_waited_s() - self._disk_waited_s
        assert max(exceeded, default=0.0) < LONGEST_S + taken_s, f"{late}\n{self.said()[-4000:]}"

    def timed_stop(self) -> tuple[int, float]:
        """SIGTERM; exit code, and how long it took less what other programs took from it [s]."""
        watch, took_s = Watch(self.pid), 0.0

        def ended() -> bool:
            nonlocal took_s
            took_s = watch.took_s()
            return not self.runs

        self.send(signal.SIGTERM)
        until(ended, explain=self.said)
        return self._ended(PATIENCE_S), took_s

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
        return self.samples(name).get("", -1.0)

    def samples(self, name: str) -> dict[str, float]:
        """All samples of a metric of Prometheus, by their labels; none while nobody listens."""
        return _samples(self._metrics(), name)

    def _metrics(self) -> str:
        """The text of /metrics; empty while nobody listens."""
        try:
            with urllib.request.urlopen(self.request("/metrics"), timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def accounts(self) -> dict[str, dict[str, int]]:
        """Items by vendor and what became of them, of one moment: nothing is missing."""
        text = self._metrics()
        columns = ("received", "stored", "rejected", "duplicate")
        found: dict[str, dict[str, int]] = {}
        for column in columns:
            for label, items in _samples(text, f"zhixun_items_{column}_total").items():
                found.setdefault(label.split('"')[1], {})[column] = round(items)
        for vendor, account in found.items():
            assert min(account.values()) >= 0, (vendor, account)
            assert account["received"] == sum(account[name] for name in columns[1:]), account
        messages = [
            _samples(text, f"zhixun_messages_{name}").get("", 0)
            for name in ("received_total", "read_total", "in_flight")
        ]
        assert messages[0] == messages[1] + messages[2]
        return found

    def ready(self) -> bool:
        """Whether /readyz says so."""
        answer = self.get("/readyz")
        return bool(answer and answer.get("ready"))


def _samples(text: str, name: str) -> dict[str, float]:
    """The samples of a metric in the text of /metrics, by their labels."""
    sample = re.compile(rf"{name}(?:{{(.*)}})? (\S+)")
    found = filter(None, map(sample.fullmatch, text.splitlines()))
    return {labels or "": float(value) for labels, value in map(re.Match.groups, found)}


def new_station(folder: Path, broker_url: str, **replace: str) -> Station:
    """A station on a free port, not started."""
    port = free_port()
    return Station(configuration(folder, broker_url=broker_url, port=port, **replace), port)
