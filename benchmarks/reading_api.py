"""How long reading takes beside a large fleet and many zones: the API, and the event stream.

The measured process is a real `patrol run` with a thousand zones. Its log holds a fix of every
bike when it starts; then bikes move, a thousand fixes a second through a real mosquitto. Each
route is asked again and again over one connection, while /healthz is asked beside it and a page
follows the stream over a box that shows some 2,000 bikes. Each size of the fleet is a station of
its own, and `growth` is the time at the largest over that at the smallest. Prints one JSON object;
times in milliseconds.

    python -m benchmarks.reading_api [--bikes 28 50000 500000] [--zones 1000] [--seconds 3]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import math
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mqtt5
import numpy as np

from benchmarks.restart import open_to_all
from bikes import topics
from ingest.log import Messages, SqliteLog
from ingest.worker import READERS
from tests.broker import Broker
from tests.stations import TOKEN, Station

SHORT = ["--bikes", "28", "50000", "--zones", "200", "--seconds", "1"]
SOUTH, WEST = 36.2, 120.2
ZONE_DEG = 0.006
RATE_PER_S = 1_000
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
FIX = (
    b'{"device_id":"%s","timestamp":%d,"location":{"lat":%.7f,"lng":%.7f,"speed":3.5,'
    b'"heading":90.0,"horizontal_accuracy":4.5},"battery_percent":80}'
)
ROUTES = {
    "bike": "/bikes/B000007",
    "bikes": "/bikes",
    "metrics": "/metrics",
    "coverage": "/coverage",
    "outlines": "/zones?coverage=false",
    "zones": "/zones",
}


def draw(folder: Path, zones: int) -> None:
    """Square zones with a hundred corners, side by side: no bike is outside."""
    across = math.isqrt(zones - 1) + 1
    side = np.linspace(0, 1, 26)[:25]
    ones, zeros = np.ones(25), np.zeros(25)
    east = np.concatenate([side, ones, 1 - side, zeros])
    north = np.concatenate([zeros, side, ones, 1 - side])
    features = []
    for number in range(zones):
        row, column = divmod(number, across)
        lng = WEST + (column + east) * ZONE_DEG
        lat = SOUTH + (row + north) * ZONE_DEG
        ring = np.column_stack([lng, lat]).round(7).tolist()
        names = {"zone_id": f"z-{number:04d}", "name": f"Zone {number}", "policy": "industrial"}
        shape = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        features.append({"type": "Feature", "properties": names, "geometry": shape})
    found = {"type": "FeatureCollection", "features": features}
    (folder / "zones.geojson").write_text(json.dumps(found), "utf-8")


class Fleet:
    """Bikes all over the zones, which move on a little at each fix."""

    def __init__(self, bikes: int, zones: int) -> None:
        rng = np.random.default_rng(7)
        self.span_deg = (math.isqrt(zones - 1) + 1) * ZONE_DEG
        # In whole rows of zones only.
        self.high_deg = zones // (math.isqrt(zones - 1) + 1) * ZONE_DEG
        self.lat = rng.uniform(0, self.high_deg, bikes)
        self.lng = rng.uniform(0, self.span_deg, bikes)
        self.names = [f"B{bike:06d}".encode() for bike in range(bikes)]

    def fix(self, bike: int, at_ms: int) -> tuple[str, bytes]:
        """Topic and payload of the next fix of a bike."""
        self.lng[bike] += 0.0001
        name = self.names[bike]
        place = SOUTH + self.lat[bike], WEST + self.lng[bike] % self.span_deg
        return topics.of_bike("telemetry", "hello", name.decode()), FIX % (name, at_ms, *place)

    def box(self, bikes: int) -> str:
        """A box around the middle, west,south,east,north, that holds about so many bikes."""
        half = self.span_deg / 2 * min(1.0, math.sqrt(bikes / len(self.names)))
        middle = (WEST + self.span_deg / 2, SOUTH + self.span_deg / 2)
        corners = [middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half]
        return ",".join(f"{degrees:.6f}" for degrees in corners)


def known(folder: Path, fleet: Fleet) -> None:
    """Fill the log with a fix of every bike."""
    folder.mkdir(parents=True, exist_ok=True)
    log = SqliteLog(folder / "log.sqlite", READERS)
    for first in range(0, len(fleet.names), 5_000):
        at_ms = time.time_ns() // 1_000_000
        some = range(first, min(first + 5_000, len(fleet.names)))
        names, payloads = zip(*(fleet.fix(bike, at_ms) for bike in some), strict=True)
        log.append(Messages(at_ms, list(names), list(payloads)))
    log.close()


@contextlib.contextmanager
def beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Do something in a thread until this is over."""
    over = threading.Event()
    thread = threading.Thread(target=work, args=(over,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


def ride(port: int, fleet: Fleet) -> Callable[[threading.Event], None]:
    """A publisher of fixes, bike after bike, at a fixed rate or once in five seconds each."""

    def work(over: threading.Event) -> None:
        rate = min(RATE_PER_S, len(fleet.names) / 5)
        order = np.random.default_rng(8).permutation(len(fleet.names)).tolist()
        with socket.create_connection(("127.0.0.1", port)) as broker:
            broker.sendall(mqtt5.ConnectPacket(client_id="rides").write())
            broker.recv(1024)
            began, sent = time.monotonic(), 0
            while not over.wait(0.05):
                packets = []
                while sent < (time.monotonic() - began) * rate:
                    at_ms = time.time_ns() // 1_000_000
                    topic, payload = fleet.fix(order[sent % len(order)], at_ms)
                    packets.append(mqtt5.PublishPacket(topic, payload).write())
                    sent += 1
                broker.sendall(b"".join(packets))

    return work


def asked(port: int, path: str, seconds: float, rest_s: float = 0.01) -> list[float]:
    """How long answers take [ms], over one connection, for some seconds; the first does not count.

    What has an ETag is asked for by it, as a browser does.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    took_ms: list[float] = []
    headers = dict(HEADERS)
    until = math.inf
    while time.monotonic() < until:
        began = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        took_ms.append((time.perf_counter() - began) * 1000)
        if answer.status not in (200, 304):
            return []
        if path.endswith("coverage=false") and (tag := answer.headers["ETag"]):
            headers["If-None-Match"] = tag
        if until == math.inf:
            until = time.monotonic() + seconds
        time.sleep(rest_s)
    connection.close()
    return took_ms[1:]


class Page:
    """A page that follows the stream: what it was sent, at first and a second afterwards."""

    def __init__(self, port: int, query: str, *, packed: bool) -> None:
        self._ask = f"/api/v1/stream{query}"
        self._port, self._packed = port, packed
        self.got: list[tuple[float, int]] = []

    def __call__(self, over: threading.Event) -> None:
        more = {"Accept-Encoding": "gzip"} if self._packed else {}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection.request("GET", self._ask, headers={**HEADERS, **more})
        answer = connection.getresponse()
        while not over.is_set() and (some := answer.read1(1 << 20)):
            self.got.append((time.monotonic(), len(some)))
        connection.close()

    def rate_mb(self, from_s: float) -> float:
        """MB a second from an instant until now."""
        late = sum(size for at_s, size in self.got if at_s >= from_s)
        return round(late / 1e6 / (time.monotonic() - from_s), 4)


def summary(took_ms: list[float]) -> dict[str, Any]:
    """Median and 99th percentile."""
    took_ms = sorted(took_ms)
    if not took_ms:
        return {}
    return {
        "p50_ms": round(statistics.median(took_ms), 2),
        "p99_ms": round(took_ms[min(len(took_ms) - 1, round(0.99 * len(took_ms)))], 2),
        "n": len(took_ms),
    }


def run(bikes: int, zones: int, seconds: float) -> dict[str, Any]:
    """One station from start to end."""
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder) / "broker") as broker:
        station = open_to_all(Path(folder) / "station", broker)
        text = station.config.read_text("utf-8")
        many = f'bikes = "any"\nmax_bikes = {bikes}\nnew_bikes_per_hour = {bikes}'
        station.config.write_text(text.replace('bikes = "any"', many), "utf-8")
        draw(station.config.parent, zones)
        fleet = Fleet(bikes, zones)
        known(station.config.parent / "data", fleet)
        station.watched = False
        station.start()
        try:
            station.wait(lambda: station.samples("zhixun_bikes").get('liveness="live"', 0) >= bikes)
            with beside(ride(broker.port, fleet)):
                return read(station, fleet, seconds)
        finally:
            station.kill()


def read(station: Station, fleet: Fleet, seconds: float) -> dict[str, Any]:
    """All the routes of a station, one after the other."""
    api = "/api/v1"
    found: dict[str, Any] = {"fleet": len(fleet.names)}
    for name, path in ROUTES.items():
        alive: list[float] = []

        def look(over: threading.Event, into: list[float] = alive) -> None:
            while not over.is_set():
                into += asked(station.port, "/healthz", 0.2)

        asked(station.port, api + path, 0.0)
        with beside(look):
            took_ms = summary(asked(station.port, api + path, seconds))
        found[name] = {**took_ms, "healthz_p99_ms": summary(alive).get("p99_ms")}
    for name, query, packed in (
        ("stream", f"?bbox={fleet.box(2_000)}", False),
        ("stream_gzip", f"?bbox={fleet.box(2_000)}", True),
        ("stream_whole", "", False),
    ):
        alive = []

        def look(over: threading.Event, into: list[float] = alive) -> None:
            while not over.is_set():
                into += asked(station.port, "/healthz", 0.2)

        page = Page(station.port, query, packed=packed)
        with beside(page), beside(look):
            time.sleep(3.0)
            from_s = time.monotonic()
            time.sleep(2 * seconds)
            rate_mb = page.rate_mb(from_s)
        found[name] = {
            "a_second_mb": rate_mb,
            "at_first_mb": round(sum(size for at_s, size in page.got if at_s < from_s) / 1e6, 2),
            "healthz_p99_ms": summary(alive).get("p99_ms"),
        }
    return found


def main() -> None:
    """Run it and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bikes", type=int, nargs="+", default=[28, 50_000, 500_000])
    parser.add_argument("--zones", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=3.0)
    args = parser.parse_args()
    runs = [run(bikes, args.zones, args.seconds) for bikes in args.bikes]
    growth = {
        name: round(runs[-1][name]["p50_ms"] / runs[0][name]["p50_ms"], 2)
        for name in ROUTES
        if runs[0][name].get("p50_ms") and runs[-1][name].get("p50_ms")
    }
    result = {"benchmark": "reading_api", "zones": args.zones, "growth": growth, "runs": runs}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
