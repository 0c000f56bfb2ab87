"""How long a start takes after a crash, with a million messages that nobody has read.

The data folder is that of a station that died before it had read anything. `patrol run` starts on
it until it is ready, is killed, and starts again with the snapshot that it has taken meanwhile;
then it is stopped. Prints one JSON object; times in seconds.

    python -m benchmarks.restart [--messages N]
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bikes import topics
from ingest.log import Messages, SqliteLog
from ingest.worker import READERS
from tests.broker import Broker
from tests.stations import Station, new_station

SHORT = ["--messages", "100000"]
BIKES = 200
ENTRY = 5_000
INTERVAL_MS = 5_000


def rides(messages: int) -> Iterator[Messages]:
    """Telemetry of 200 bikes that has just come in, as the log holds it: ends now."""
    rng = np.random.default_rng(7)
    rows = messages // BIKES
    heading = np.cumsum(rng.normal(0, 0.25, (rows, BIKES)), axis=0) + rng.uniform(0, 6.3, BIKES)
    step_m = rng.uniform(2.5, 5.0, BIKES) * INTERVAL_MS / 1000
    # There and back over the district, as a triangle wave.
    east, north = (
        np.abs((rng.uniform(0, 8_000, BIKES) + np.cumsum(step_m * part, axis=0)) % 8_000 - 4_000)
        for part in (np.cos(heading), np.sin(heading))
    )
    lat, lng = 36.29 + north / 111_320, 120.37 + east / 89_700
    ends_ms = time.time_ns() // 1_000_000 - 10_000
    offset_ms = rng.integers(0, INTERVAL_MS, BIKES)
    names = [topics.of_bike("telemetry", "hello", f"SIM{bike:04d}") for bike in range(BIKES)]
    form = (
        b'{"device_id":"SIM%04d","timestamp":%d,"location":{"lat":%.7f,"lng":%.7f,"speed":3.5,'
        b'"heading":90.0,"horizontal_accuracy":4.5},"battery_percent":80}'
    )
    at_once = ENTRY // BIKES
    for first in range(0, rows, at_once):
        payloads = []
        for row in range(first, first + at_once):
            at_ms = ends_ms - (rows - row) * INTERVAL_MS
            columns = (range(BIKES), (at_ms + offset_ms).tolist(), lat[row], lng[row])
            payloads += [form % fix for fix in zip(*columns, strict=True)]
        yield Messages(at_ms + INTERVAL_MS, names * at_once, payloads)


def crashed(folder: Path, messages: int) -> None:
    """Fill the data folder of a station that dies before it has read any message."""
    folder.mkdir(parents=True, exist_ok=True)
    log = SqliteLog(folder / "log.sqlite", READERS)
    for entry in rides(messages):
        log.append(entry)
    assert log.head == messages
    log.close()


def open_to_all(folder: Path, broker: Broker) -> Station:
    """A station that takes telemetry of any bike; not started."""
    station = new_station(folder, broker.url)
    text = station.config.read_text("utf-8")
    station.config.write_text(re.sub(r"bikes = \[[^]]*\]", 'bikes = "any"', text), "utf-8")
    return station


def ready_s(station: Station) -> float:
    """How long a start takes [s]."""
    began = time.perf_counter()
    station.start()
    station.wait(station.ready)
    return time.perf_counter() - began


def main() -> None:
    """Run it and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    messages = parser.parse_args().messages
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder) / "broker") as broker:
        station = open_to_all(Path(folder) / "station", broker)
        crashed(station.config.parent / "data", messages)
        try:
            found = {"ready_s": round(ready_s(station), 2)}
            station.kill()
            found["ready_with_snapshot_s"] = round(ready_s(station), 2)
            found["stop_s"] = round(station.timed_stop()[1], 2)
        finally:
            station.kill()
    print(json.dumps({"benchmark": "restart", "messages": messages, **found}))


if __name__ == "__main__":
    main()
