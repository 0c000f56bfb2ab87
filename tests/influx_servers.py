"""Real time series databases on free loopback ports, for the length of a test."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tests.patience import until
from tests.servers import Server, free_port

T = TypeVar("T")


class HttpServer(Server):
    """A database that answers HTTP; what is in its folder survives `stop`."""

    ready_path = "/"

    def __init__(self, folder: Path, command: Sequence[object], port: int) -> None:
        super().__init__(command, folder / "server.log", port)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def up(self) -> bool:
        """Whether it answers a request."""
        try:
            self.get(self.ready_path)
        except OSError:
            return False
        return True

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


class VictoriaMetrics(HttpServer):
    """VictoriaMetrics, single node: takes InfluxDB's writes on ``/api/v2/write``.

    Parameters
    ----------
    dedup : bool
        Whether samples of one series and one millisecond are one sample.
    """

    ready_path = "/health"

    def __init__(self, folder: Path, *, port: int | None = None, dedup: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = port or free_port()
        command = [
            "victoria-metrics",
            f"-httpListenAddr={self.host}:{port}",
            f"-storageDataPath={folder / 'data'}",
            "-retentionPeriod=100y",
            "-search.maxExportDuration=1m",
            "-search.latencyOffset=0s",
            *(["-dedup.minScrapeInterval=1ms"] if dedup else []),
        ]
        super().__init__(folder, command, port)

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
    found = look()

    def seen() -> bool:
        nonlocal found
        found = look()
        return wanted(found)

    with contextlib.suppress(AssertionError):  # the test says better what is missing
        until(seen, VISIBLE_S, every_s=0.1)
    return found


class Influx1(HttpServer):
    """InfluxDB 1.x: what answers InfluxQL.

    Parameters
    ----------
    database : str
        Made at the start.
    """

    ready_path = "/ping"

    def __init__(self, folder: Path, *, port: int | None = None, database: str = "patrol") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port, conf = port or free_port(), folder / "influxdb.conf"
        super().__init__(folder, ["influxd", "run", "-config", conf], port)
        self.database = database
        conf.write_text(
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
bind-address = "{self.host}:{port}"
log-enabled = false
[monitor]
store-enabled = false
"""
        )

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
