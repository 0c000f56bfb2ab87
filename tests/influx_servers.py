"""Real time series databases on free loopback ports, for the length of a test."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.broker import free_port
from tests.patience import PATIENCE_S

T = TypeVar("T")


class Server:
    """A program of one's own that answers HTTP; ended by its process id.

    Parameters
    ----------
    folder : Path
        For its data and its log; made when missing. What is in it survives `stop`.
    port : int, optional
        A free one when not given.
    """

    host = "127.0.0.1"
    ready_path = "/"

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = port or free_port()
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def command(self) -> list[str]:
        """The program and its arguments."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start and wait until it answers."""
        assert self._process is None, "it runs already"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.get(self.ready_path)
            except OSError:
                if self._process.poll() is not None or time.monotonic() > give_up:
                    self.kill()
                    text = self._log.read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"{self.command()[0]} does not start:\n{text}") from None
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Stop orderly: what it was given is on disk."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Stop at once, as a crash would; it may be stopped already."""
        if self._process is not None:
            self._end(signal.SIGKILL)

    def _end(self, sign: signal.Signals) -> None:
        assert self._process is not None, "it does not run"
        self._process.send_signal(sign)
        self._process.wait(PATIENCE_S)
        self._process = None

    def get(self, path: str, **query: str) -> bytes:
        """The answer to a GET."""
        text = urllib.parse.urlencode(query)
        with urllib.request.urlopen(f"{self.url}{path}?{text}", timeout=30) as answer:
            return answer.read()  # type: ignore[no-any-return]

    def post(self, path: str, body: bytes, **query: str) -> tuple[int, bytes]:
        """Status and text of the answer to a POST."""
        url = f"{self.url}{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, data=body, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as exc:
            return exc.code, exc.read()


class VictoriaMetrics(Server):
    """VictoriaMetrics, single node: takes InfluxDB's writes on ``/api/v2/write``.

    Parameters
    ----------
    dedup : bool
        Whether samples of one series and one millisecond are one sample.
    """

    ready_path = "/health"

    def __init__(self, folder: Path, *, port: int | None = None, dedup: bool = False) -> None:
        super().__init__(folder, port=port)
        self._dedup = dedup

    def command(self) -> list[str]:
        return [
            "victoria-metrics",
            f"-httpListenAddr={self.host}:{self.port}",
            f"-storageDataPath={self.folder / 'data'}",
            "-retentionPeriod=100y",
            "-search.maxExportDuration=1m",
            "-search.latencyOffset=0s",
            *(["-dedup.minScrapeInterval=1ms"] if self._dedup else []),
        ]

    def export(self, metric: str, **labels: str) -> Iterator[tuple[dict[str, str], int, float]]:
        """Every sample of a metric: labels, timestamp [ms], value."""
        self.get("/internal/force_flush")  # makes what was written visible at once
        wanted = ",".join(f'{name}="{value}"' for name, value in labels.items())
        lines = self.get("/api/v1/export", **{"match[]": f"{metric}{{{wanted}}}"})
        for text in lines.splitlines():
            series: dict[str, Any] = json.loads(text)
            names = series["metric"]
            for at_ms, value in zip(series["timestamps"], series["values"], strict=True):
                yield names, at_ms, value


VISIBLE_S = 10.0
"""How long VictoriaMetrics may take to show what it has [s]: its documentation says seconds."""


def visible(look: Callable[[], T], wanted: Callable[[T], bool]) -> T:
    """What is seen once it is what is wanted, or after a while what is seen then."""
    give_up = time.monotonic() + VISIBLE_S
    while True:
        found = look()
        if wanted(found) or time.monotonic() > give_up:
            return found
        time.sleep(0.5)


class Influx1(Server):
    """InfluxDB 1.x: what answers InfluxQL.

    Parameters
    ----------
    database : str
        Made at the start.
    """

    ready_path = "/ping"

    def __init__(self, folder: Path, *, port: int | None = None, database: str = "patrol") -> None:
        super().__init__(folder, port=port)
        self.database = database
        self._conf = folder / "influxdb.conf"
        self._conf.write_text(
            f"""
reporting-disabled = true
bind-address = "{self.host}:{free_port()}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
index-version = "tsi1"
[http]
bind-address = "{self.host}:{self.port}"
log-enabled = false
[monitor]
store-enabled = false
"""
        )

    def command(self) -> list[str]:
        return ["influxd", "run", "-config", str(self._conf)]

    def start(self) -> None:
        super().start()
        status, text = self.post("/query", b"", q=f'CREATE DATABASE "{self.database}"')
        assert status == 200, text

    def write(self, lines: bytes, precision: str = "ms") -> tuple[int, bytes]:
        """Write lines; status and text of the answer."""
        return self.post("/write", lines, db=self.database, precision=precision)

    def query(self, text: str) -> list[dict[str, Any]]:
        """Series of the answer to an InfluxQL query, as InfluxDB words them; times in ms."""
        answer = json.loads(self.get("/query", db=self.database, q=text, epoch="ms"))
        result = answer["results"][0]
        assert "error" not in result, result
        found: list[dict[str, Any]] = result.get("series", [])
        return found
