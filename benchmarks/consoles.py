"""Whether the intake keeps its rate while consoles are open.

The measured process is a real `patrol run`. The feeder of `whole_line` plays its broker and sends
as fast as it is acknowledged, first with no console, then with 50: each holds an event stream and
asks for the picture of the cells every four seconds, as the page does. Runs alternate, and the
result is the ratio of the medians. Prints one JSON object.

    python -m benchmarks.consoles [--consoles 50] [--bikes 28] [--messages N] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from benchmarks.whole_line import INTERVAL_MS, feed
from tests.servers import free_port
from tests.stations import TOKEN, Station, configuration

PICTURE_EVERY_S = 4.0


async def console(port: int, heard: list[int]) -> None:
    """One page: its stream, and its picture of the cells."""

    async def follow() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
        writer.write(_get("/api/v1/stream"))
        while data := await reader.read(1 << 20):
            heard[0] += data.count(b"\nevent: ") + data.startswith(b"event: ")
            heard[1] += len(data)

    async def look() -> None:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(_get("/api/v1/cells.png", "Connection: close\r\n"))
            await reader.read(-1)
            writer.close()
            await asyncio.sleep(PICTURE_EVERY_S)

    await asyncio.gather(follow(), look())


def _get(path: str, more: str = "") -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n{more}\r\n"
    ).encode()


def watch(port: int, count: int, pipe: Connection) -> None:
    """Hold consoles open until told to stop; report the events and bytes they were sent."""
    heard = [0, 0]

    async def main() -> None:
        pages = [asyncio.create_task(console(port, heard)) for _ in range(count)]
        await asyncio.sleep(2.0)
        pipe.send("open")
        await asyncio.to_thread(pipe.recv)
        for page in pages:
            page.cancel()
        await asyncio.gather(*pages, return_exceptions=True)

    asyncio.run(main())
    pipe.send(heard)


def run(bikes: int, messages: int, consoles: int, seed: int) -> dict[str, Any]:
    """One station from start to end: messages a second, and what the consoles were sent."""
    context = multiprocessing.get_context("spawn")
    here, there = multiprocessing.Pipe()
    # The ride ends now, so that it is today's for the station.
    start_ms = time.time_ns() // 1_000_000 - -(-messages // bikes) * INTERVAL_MS
    ride = (bikes, messages, seed, there, start_ms)
    feeder = context.Process(target=feed, args=ride, daemon=True)
    feeder.start()
    broker, _ = here.recv()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        config = configuration(Path(folder), broker_url=f"mqtt://127.0.0.1:{broker}", port=port)
        text = config.read_text("utf-8")
        listed = text[text.index("bikes = [") : text.index("]", text.index("bikes = [")) + 1]
        config.write_text(text.replace(listed, 'bikes = "any"'), "utf-8")
        station = Station(config, port)
        station.start()
        try:
            # The broker answers nothing else before it is told to begin, so it is not ready yet.
            station.wait(lambda: station.get("/healthz") is not None)
            os.sched_setaffinity(station.pid, cores[:1])
            mine, pages_end = multiprocessing.Pipe()
            pages = context.Process(target=watch, args=(port, consoles, pages_end), daemon=True)
            pages.start()
            mine.recv()
            process = psutil.Process(station.pid)
            cpu_before = sum(process.cpu_times()[:2])
            here.send("go")
            began, acked = here.recv()
            cpu_s = sum(process.cpu_times()[:2]) - cpu_before
            mine.send("stop")
            events, sent_bytes = mine.recv()
            here.send("bye")
            pages.join(10)
        finally:
            station.kill()
    feeder.join(10)
    wall_s = acked - began
    return {
        "consoles": consoles,
        "messages_per_s": round(messages / wall_s),
        "messages_per_cpu_s": round(messages / cpu_s),
        "wall_s": round(wall_s, 2),
        "events_to_consoles": events,
        "bytes_to_consoles": sent_bytes,
    }


def main() -> None:
    """Run it and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--consoles", type=int, default=50)
    parser.add_argument("--bikes", type=int, default=28)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    runs = [
        run(args.bikes, args.messages, consoles, args.seed)
        for _ in range(args.rounds)
        for consoles in (0, args.consoles)
    ]
    rate = {
        consoles: statistics.median(
            each["messages_per_s"] for each in runs if each["consoles"] == consoles
        )
        for consoles in (0, args.consoles)
    }
    result = {
        "benchmark": "consoles",
        "bikes": args.bikes,
        "messages": args.messages,
        "seed": args.seed,
        "rate_with_over_without": round(rate[args.consoles] / rate[0], 3),
        "messages_per_s": rate,
        "runs": runs,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
