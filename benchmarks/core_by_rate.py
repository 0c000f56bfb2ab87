"""What share of a core a station takes at some rates of messages, and how soon the API has a fix.

Everything is real: mosquitto, `patrol run` on the sample district, and bikes that publish at QoS 1
from a process of its own, which asks the API meanwhile when their newest fix is there. Prints one
JSON object for each rate: messages per second, share of a core, of it the threads' shares, and the
time from publishing a fix to the API's answer that has it [s].

    python -m benchmarks.core_by_rate [--rates N ...] [--seconds S] [--seed S]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import socket
import tempfile
import threading
import time
from contextlib import suppress
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import mqtt5
import numpy as np
import psutil

from benchmarks.vendor_flood import Turns, p99
from bikes import topics
from tests.broker import Broker
from tests.stations import Station, new_station

SHORT = ["--rates", "9.3", "1000", "--seconds", "6"]
INTERVAL_S = 5.0
"""Interval between two fixes of a bike; the number of bikes is what the rate makes of it [s]."""

IN_FLIGHT = 20
"""Messages that mosquitto takes before it has acknowledged the first."""

VENDOR = '[vendors.many]\nformat = "mds"\ndatum = "wgs84"\nbikes = "any"\n'


def ride(port: int, rate: Synchronized[float], seed: int) -> None:
    """Publish fixes at a rate [1/s], which may change, until it is negative."""
    choose = random.Random(seed)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(mqtt5.ConnectPacket("many", clean_start=True).write())
        sock.recv(64)
        room = threading.Semaphore(IN_FLIGHT)

        def drain() -> None:
            acks = 0
            with suppress(OSError):
                while some := sock.recv(1 << 16):
                    acks += len(some)
                    if acks >= 4:
                        room.release(acks // 4)  # a PUBACK is four bytes
                    acks %= 4

        threading.Thread(target=drain, daemon=True).start()
        sent, due, last_s = 0, 0.0, time.monotonic()
        while rate.value >= 0:
            time.sleep(0.005)
            now_s = time.monotonic()
            due += (now_s - last_s) * rate.value
            last_s = now_s
            now_ms = time.time_ns() // 1_000_000
            while due >= 1:
                bike = sent % max(1, round(rate.value * INTERVAL_S))
                lat = 36.29 + bike % 997 / 25_000 + choose.uniform(0, 1e-3)
                lng = 120.36 + bike % 991 / 20_000 + choose.uniform(0, 1e-3)
                place = {"lat": round(lat, 6), "lng": round(lng, 6)}
                fix = json.dumps({"timestamp": now_ms, "location": place}).encode()
                topic = topics.of_bike("telemetry", "many", f"b{bike}")
                qos, packet_id = mqtt5.QoS.AT_LEAST_ONCE, sent % 65_000 + 1
                room.acquire()
                sock.sendall(mqtt5.PublishPacket(topic, fix, qos=qos, packet_id=packet_id).write())
                sent, due = sent + 1, due - 1


def shares(station: Station, seconds: float) -> dict[str, float]:
    """Share of a core that each kind of thread of a station takes."""
    process = psutil.Process(station.pid)

    def used() -> dict[int, float]:
        return {each.id: each.user_time + each.system_time for each in process.threads()}

    before, began_s = used(), time.monotonic()
    time.sleep(seconds)
    passed_s = time.monotonic() - began_s
    found: dict[str, float] = {}
    for thread, used_s in used().items():
        name = Path(f"/proc/{station.pid}/task/{thread}/comm").read_text().strip()
        share = (used_s - before.get(thread, 0.0)) / passed_s
        found[name] = found.get(name, 0.0) + share
    return {name: round(share, 4) for name, share in found.items() if share > 0.0005}


def measure(rates: list[float], seconds: float, seed: int) -> None:
    """One station at each of the rates, one after the other."""
    context = multiprocessing.get_context("spawn")
    now = context.Value("d", 0.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Broker(folder / "broker") as broker:
            vendor = {"[policies.core]": f"{VENDOR}[policies.core]"}
            with new_station(folder / "station", broker.url, **vendor) as station:
                station.wait(station.ready)
                rider = context.Process(target=ride, args=(broker.port, now, seed), daemon=True)
                rider.start()
                for rate in rates:
                    now.value = rate
                    time.sleep(max(5.0, 2 * INTERVAL_S))
                    cpu = shares(station, seconds)
                    turns = Turns(station, broker, seed)
                    turns.take("quiet", seconds)
                    seen_s = turns.seen_s["quiet"]
                    print(
                        json.dumps(
                            {
                                "benchmark": "core_by_rate",
                                "messages_per_s": rate,
                                "core_share": round(sum(cpu.values()), 4),
                                "threads": cpu,
                                "seen_p50_s": round(
                                    float(np.median(seen_s)),
                                    4,
                                ),
                                "seen_p99_s": p99(seen_s),
                                "seed": seed,
                            }
                        ),
                        flush=True,
                    )
                now.value = -1
                rider.join(10)


def main() -> None:
    """Run it and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument(
        "--rates", type=float, nargs="+", default=[0, 28 / INTERVAL_S, 1_000, 5_000]
    )
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    measure(args.rates, args.seconds, args.seed)


if __name__ == "__main__":
    main()
