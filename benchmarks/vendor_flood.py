"""How much later an honest vendor's fixes are seen while another vendor floods the station.

Everything is real: mosquitto, `patrol run` on the sample district, and a flood from a process of
its own: wrong arrays and values, text that is no JSON, deep nesting, bikes and vendors that do
not exist. In turns it is quiet and flooded, so that one run gives the ratio. Prints one JSON
object: of each kind of turn, the time from publishing a fix to the API's answer that has it, the
time of an answer of /healthz, and the station's share of a core.

    python -m benchmarks.vendor_flood [--rate MESSAGES_PER_S] [--turns N] [--seconds S] [--seed S]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import socket
import tempfile
import threading
import time
import urllib.request
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import mqtt5
import numpy as np
import psutil

from bikes import topics
from tests.broker import Broker
from tests.patience import until
from tests.stations import Station, new_station

BIKES = 28
EVERY_S = 0.05
LOOK_EVERY_S = 0.02
FLOOD_VENDOR = '[vendors.flood]\nformat = "mds"\ndatum = "wgs84"\nbikes = "any"\n'
WRONG = [
    b"[" + b",".join([b"{}"] * 500) + b"]",
    b"{",
    b"[" * 1_000,
    b'{"timestamp":1,"location":{"lat":36.3,"lng":120.4}}',
    b'{"timestamp":1760000000000,"location":{"lat":91,"lng":0}}',
]


def packets(seed: int) -> list[bytes]:
    """A thousand wrong messages, a tenth of them with 500 wrong items."""
    choose = random.Random(seed)
    found = []
    for number in range(1_000):
        vendor = choose.choice(["flood"] * 8 + [f"v{choose.randrange(10**6)}"])
        kind = choose.choice(topics.KINDS)
        topic = topics.of_bike(kind, vendor, f"b{choose.randrange(10**6)}")
        payload = WRONG[0] if number % 10 == 0 else choose.choice(WRONG[1:])
        found.append(mqtt5.PublishPacket(topic, payload).write())
    return found


def flood(port: int, rate: Synchronized[int], sent: Synchronized[int], seed: int) -> None:
    """Send so many messages a second [1/s], until the rate is negative."""
    wrong = packets(seed)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(mqtt5.ConnectPacket("flood", clean_start=True).write())
        sock.recv(64)
        at = 0
        began_s = time.monotonic()
        while rate.value >= 0:
            time.sleep(0.01)
            now_s = time.monotonic()
            due = int(min(now_s - began_s, 0.1) * rate.value)
            began_s = now_s
            if due:
                sock.sendall(b"".join(wrong[(at + n) % 1_000] for n in range(due)))
            at += due
            sent.value += due


class Turns:
    """Measures one station; the results of all turns of a kind are together."""

    def __init__(self, station: Station, broker: Broker, seed: int) -> None:
        self._station, self._broker = station, broker
        self._random = random.Random(seed)
        self.seen_s: dict[str, list[float]] = {"quiet": [], "flood": []}
        self.answer_s: dict[str, list[float]] = {"quiet": [], "flood": []}
        self.cpu_s = {"quiet": 0.0, "flood": 0.0}

    def take(self, kind: str, seconds: float) -> None:
        """Measure for so long [s]."""
        process = psutil.Process(self._station.pid)
        over = threading.Event()
        asking = threading.Thread(target=self._ask, args=(self.answer_s[kind], over))
        before = process.cpu_times()
        asking.start()
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            self.seen_s[kind].append(self._seen_after_s())
            time.sleep(self._random.uniform(0, 2 * EVERY_S))
        over.set()
        asking.join()
        after = process.cpu_times()
        self.cpu_s[kind] += after.user + after.system - before.user - before.system

    def _ask(self, answers_s: list[float], over: threading.Event) -> None:
        while not over.wait(EVERY_S):
            answers_s.append(self._get("/healthz")[0])

    def _get(self, path: str) -> tuple[float, Any]:
        began_s = time.monotonic()
        with urllib.request.urlopen(self._station.request(path), timeout=60) as answer:
            found = json.load(answer)
        return time.monotonic() - began_s, found

    def _seen_after_s(self) -> float:
        """Publish a fix of some bike, and ask for the bike until it is there."""
        bike = f"HB{self._random.randrange(BIKES) + 1:03}"
        now_ms = time.time_ns() // 1_000_000
        place = {"lat": round(self._random.uniform(36.29, 36.33), 6), "lng": 120.39}
        fix = json.dumps({"timestamp": now_ms, "location": place, "battery_percent": 80}).encode()
        began_s = time.monotonic()
        self._broker.publish([(topics.of_bike("telemetry", "hello", bike), fix)])
        while True:
            _, said = self._get(f"/api/v1/bikes/{bike}")
            if abs((said.get("lat") or 0) - place["lat"]) < 1e-9:
                return time.monotonic() - began_s
            time.sleep(LOOK_EVERY_S)


def p99(values: list[float]) -> float:
    """The 99th percentile."""
    return round(float(np.percentile(values, 99)), 4)


def measure(rate: int, turns: int, seconds: float, seed: int) -> dict[str, object]:
    """Quiet and flooded turns on one station."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Broker(folder / "broker", extra="queue_qos0_messages true") as broker:
            station = new_station(folder / "station", broker.url)
            with station.config.open("a", encoding="utf-8") as config:
                config.write(FLOOD_VENDOR)
            with station:
                station.wait(station.ready)
                return run(station, broker, rate, turns, seconds, seed)


def run(
    station: Station, broker: Broker, rate: int, turns: int, seconds: float, seed: int
) -> dict[str, object]:
    """As :func:`measure`, with the servers up."""
    context = multiprocessing.get_context("spawn")
    now, sent = context.Value("l", 0), context.Value("l", 0)
    flooder = context.Process(target=flood, args=(broker.port, now, sent, seed), daemon=True)
    flooder.start()
    measured = Turns(station, broker, seed)
    measured.take("quiet", 2)
    measured = Turns(station, broker, seed)
    flooded_s = 0.0
    for _ in range(turns):
        measured.take("quiet", seconds)
        now.value, began_s = rate, time.monotonic()
        measured.take("flood", seconds)
        now.value = 0
        flooded_s += time.monotonic() - began_s
        until(lambda: station.metric("zhixun_lag_seconds") == 0)
    now.value = -1
    flooder.join(10)
    with urllib.request.urlopen(station.request("/api/v1/rejects?limit=1")) as answer:
        counts = json.load(answer)["counts"]
    refused = sum(sum(reasons.values()) for reasons in counts.values())
    seen, answered = measured.seen_s, measured.answer_s
    return {
        "benchmark": "vendor_flood",
        "flood_messages_per_s": round(sent.value / flooded_s),
        "flood_messages": sent.value,
        "refused_items": refused,
        "refused": counts,
        "seen": {
            kind: {"samples": len(of), "p50_s": round(float(np.median(of)), 4), "p99_s": p99(of)}
            for kind, of in seen.items()
        },
        "seen_p99_ratio": round(p99(seen["flood"]) / p99(seen["quiet"]), 3),
        "answer": {
            kind: {"samples": len(of), "p99_s": p99(of), "max_s": round(max(of), 4)}
            for kind, of in answered.items()
        },
        "core_share": {
            kind: round(used / (turns * seconds), 3) for kind, used in measured.cpu_s.items()
        },
        "rss_mb": round(psutil.Process(station.pid).memory_info().rss / 1e6),
        "goal_seen_p99_ratio": 1.2,
        "seed": seed,
        "cores": len(os.sched_getaffinity(0)),
    }


def main() -> None:
    """Run it and print the result."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(json.dumps(measure(args.rate, args.turns, args.seconds, args.seed)))


if __name__ == "__main__":
    main()
