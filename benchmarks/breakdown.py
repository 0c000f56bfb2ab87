"""Where the time of one message goes: the processor's time of the whole line, part by part.

The run is that of :mod:`benchmarks.whole_line`. Each part below is timed by its thread's clock,
less the parts that it calls; `event_loop` is all that the main thread does, which receives,
parses and acknowledges. What is left is `other`, so the parts add up to the CPU of the process.
Prints one JSON object, in microseconds a message.

    python -m benchmarks.breakdown [--messages N] [--bikes N] [--seed S]
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import gc
import json
import multiprocessing
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.whole_line import feed, taking_in
from bikes.fleet import FleetState
from geofence.coverage import Ledger
from geofence.runs import Judge
from ingest.archive import Archive
from ingest.contexts import Contexts
from ingest.decode import Decodings
from ingest.log import SqliteLog
from ingest.pipeline import Pipeline
from ingest.worker import Worker

SHORT = ["--messages", "300000"]

PARTS: dict[str, list[tuple[type, str]]] = {
    "log_write": [(SqliteLog, "append")],
    "log_read": [(SqliteLog, "read")],
    "decode": [(Decodings, "decode_entry")],
    "fleet": [(FleetState, "update"), (FleetState, "view")],
    "quality": [(Judge, "judge")],
    "path_and_cells": [(Judge, "visits")],
    "context": [(Pipeline, "step"), (Contexts, "extended"), (Contexts, "keep")],
    "coverage": [(Ledger, name) for name in ("add", "hear", "provisional", "view")],
    "worker": [(Worker, "step")],
    "save": [
        *((Worker, name) for name in ("begin_save", "write_snapshot", "write_archive")),
        *((Archive, name) for name in ("remember", "begin_flush", "end_flush")),
    ],
}


class Clocks:
    """How long each part has run, less what it called [s of its thread's processor time]."""

    def __init__(self) -> None:
        self.took_s: dict[str, float] = defaultdict(float)
        self._inside = threading.local()

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, whose time counts for a part."""

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            stack = self._inside.__dict__.setdefault("stack", [])
            stack.append(0.0)
            began_s = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                took_s = time.thread_time() - began_s
                self.took_s[part] += took_s - stack.pop()
                if stack:
                    stack[-1] += took_s

        return call


async def measure(port: int, messages: int, bikes: int, pipe: Connection) -> dict[str, float]:
    """Microseconds of a message by part, and `total` of the process."""
    clocks = Clocks()
    for part, methods in PARTS.items():
        for owner, name in methods:
            setattr(owner, name, clocks.timed(part, getattr(owner, name)))
    async with taking_in(port, bikes) as (read_by, running):
        gc.collect()
        clocks.took_s.clear()
        cpu_s, loop_s = time.process_time(), time.thread_time()
        pipe.send("go")
        while read_by.seq < messages and not running.done():
            await asyncio.sleep(0.01)
        cpu_s, loop_s = time.process_time() - cpu_s, time.thread_time() - loop_s
        took_s = {"event_loop": loop_s, **clocks.took_s}
        await asyncio.to_thread(pipe.recv)
        pipe.send("bye")
    took_s |= {"other": cpu_s - sum(took_s.values()), "total": cpu_s}
    return {part: 1e6 * each / messages for part, each in took_s.items()}


def breakdown(messages: int, bikes: int, seed: int) -> dict[str, float]:
    """Run the line once, in a process that nothing else is measured in."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    feeder = context.Process(target=feed, args=(bikes, messages, seed, there), daemon=True)
    feeder.start()
    port, _ = here.recv()
    found = asyncio.run(measure(port, messages, bikes, here))
    feeder.join(10)
    return found


def main() -> None:
    """Run it and print the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--bikes", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    found = breakdown(args.messages, args.bikes, args.seed)
    print(
        json.dumps(
            {
                "benchmark": "breakdown",
                **vars(args),
                **{f"{part}_us": round(each, 3) for part, each in found.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
