"""How fast InfluxDB catches up, and what keeping up costs.

A log is filled with a backlog; a real VictoriaMetrics takes what the writer makes of it through
the real client. Then messages keep coming at a steady rate, and the processor time of everything
but the feeder is measured. Prints one JSON object.

    python -m benchmarks.influx_writer [--bikes N] [--backlog-s S] [--live-s S] [--seed N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bikes.roster import Roster
from ingest.archive import Archive
from ingest.decode import RecentlyDecoded
from ingest.influx.file import InfluxFile
from ingest.influx.line_protocol import HealthFigures
from ingest.influx.reporter import Reporter
from ingest.influx.store import InfluxOptions, InfluxStore
from ingest.influx.tracks import READER, Source
from ingest.influx.writer import InfluxWriter
from ingest.log import Messages, SqliteLog
from ingest.verdict_stream import VerdictStream
from tests.influx_servers import VictoriaMetrics, visible
from tests.workers import decodings, patient_decoder, sample_judge

SAMPLE = Path(__file__).parent.parent / "samples" / "chengyang"
START_MS = 1_763_856_000_000
BATCH = 250
"""Messages of an entry of the log, as they are gathered in 50 ms."""


def second(rng: np.random.Generator, east: np.ndarray, number: int) -> Iterator[Messages]:
    """One second of a fleet in which every bike reports once a second."""
    east += rng.normal(0, 4, east.size)
    lng = (120.38 + east / 89_000).tolist()
    speed = rng.integers(0, 700, east.size).tolist()
    heading = rng.integers(0, 3600, east.size).tolist()
    accuracy = rng.integers(20, 150, east.size).tolist()
    at_ms = START_MS + number * 1000
    payloads = [
        b'{"timestamp":%d,"location":{"lat":36.31%04d,"lng":%.7f,"speed":%.2f,"heading":%.1f,'
        b'"horizontal_accuracy":%.1f},"battery_percent":%d}'
        % (at_ms, bike % 10_000, lng[bike], speed[bike] / 100, heading[bike] / 10,
           accuracy[bike] / 10, bike % 100)
        for bike in range(east.size)
    ]  # fmt: skip
    for at in range(0, east.size, BATCH):
        topics = [
            f"patrol/v1/hello/HB{bike:05d}/telemetry" for bike in range(at, at + BATCH)
        ]  # made anew, as an inlet does
        yield Messages(at_ms + 1000, topics, payloads[at : at + BATCH])


def writer_of(folder: Path, log: SqliteLog, bikes: int, url: str) -> InfluxWriter:
    """The product's writer over the sample district."""
    roster = Roster({"hello": [f"HB{bike:05d}" for bike in range(bikes)]})
    file = InfluxFile(folder / "influx.sqlite")
    reporter = Reporter(
        file=file,
        health=lambda: HealthFigures(0, 0, 0, 0, 0, 0.0),
        parts=list,
        bikes_inside=dict,
        now_ms=lambda: START_MS,
        host="benchmark",
    )
    return InfluxWriter(
        lambda: InfluxStore(InfluxOptions(url, "", "patrol")),
        Source(
            file,
            log,
            decodings(log, patient_decoder(roster)),
            roster,
            VerdictStream(sample_judge(), Archive(folder / "archive", roster, "Asia/Shanghai")),
            RecentlyDecoded(),
            upto=lambda: log.head,
        ),
        reporter,
        lambda after, limit: [],
        rng=random.Random(0),
    )


class Feeder:
    """Puts a second of messages into the log each second, in a thread, and knows what it costs."""

    def __init__(self, log: SqliteLog, seconds: list[list[Messages]]) -> None:
        self._log, self._seconds = log, seconds
        self.cpu_s = 0.0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        began = time.monotonic()
        for number, entries in enumerate(self._seconds):
            for part, entry in enumerate(entries):
                due = began + number + part / len(entries)
                time.sleep(max(0.0, due - time.monotonic()))
                self._log.append(entry)
        self.cpu_s = time.thread_time()

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join()


async def measure(args: argparse.Namespace, folder: Path, url: str) -> dict[str, object]:
    """Drain the backlog, then keep up."""
    rng = np.random.default_rng(args.seed)
    east = rng.uniform(-3_000, 3_000, args.bikes)
    log = SqliteLog(folder / "log.sqlite", (READER,))
    for number in range(args.backlog_s):
        for entry in second(rng, east, number):
            log.append(entry)
    live = [list(second(rng, east, args.backlog_s + number)) for number in range(args.live_s)]
    writer = writer_of(folder, log, args.bikes, url)
    backlog = log.head
    cpu, began = time.process_time(), time.monotonic()
    running = asyncio.create_task(writer.run())
    await asyncio.sleep(0.1)
    while writer.backlog and not running.done():
        await asyncio.sleep(0.01)
    drain_s, drain_cpu_s = time.monotonic() - began, time.process_time() - cpu
    drained = writer.counters.written

    cpu, began = time.process_time(), time.monotonic()
    feeder = Feeder(log, live)
    await asyncio.to_thread(feeder.join)
    live_s = time.monotonic() - began
    live_cpu_s = time.process_time() - cpu - feeder.cpu_s
    behind = writer.backlog
    while writer.backlog and not running.done():
        await asyncio.sleep(0.01)
    if running.done():
        running.result()
    writer.stop()
    await running
    written = writer.counters.written
    log.close()
    return {
        "benchmark": "influx_writer",
        "seed": args.seed,
        "bikes": args.bikes,
        "backlog": backlog,
        "drain_s": round(drain_s, 2),
        "drain_lines_per_s": round(drained / drain_s),
        "drain_messages_per_s": round(backlog / drain_s),
        "drain_cpu_us_per_message": round(drain_cpu_s / backlog * 1e6, 2),
        "live_messages_per_s": round(args.live_s * args.bikes / live_s),
        "live_share_of_a_core": round(live_cpu_s / live_s, 3),
        "live_backlog_at_end_s": round(behind / args.bikes, 1),
        "context_fixes": writer.source.stream.context_rows,
        "lines": written,
    }


def fixes(store: VictoriaMetrics) -> int:
    """How many different fixes the store shows."""
    found = store.export("bike_telemetry_lat")
    return len({(tags["bike_id"], at_ms) for tags, at_ms, _ in found})


def main() -> None:
    """Run it and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bikes", type=int, default=5_000, help="each reports once a second")
    parser.add_argument("--backlog-s", type=int, default=200)
    parser.add_argument("--live-s", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        VictoriaMetrics(Path(folder) / "store") as store,
    ):
        result = asyncio.run(measure(args, Path(folder), store.url))
        wanted = args.bikes * (args.backlog_s + args.live_s)
        result["fixes_in_store"] = visible(lambda: fixes(store), lambda found: found == wanted)
        result["fixes_missing"] = wanted - result["fixes_in_store"]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
