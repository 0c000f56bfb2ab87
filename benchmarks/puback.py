"""How long a bike waits for its PUBACK while coverage is computed.

A feeder in a process of its own plays the broker: it publishes QoS 1 telemetry at a steady rate
over a loopback socket, and notes when each PUBACK arrives. The measured process is the product's:
MQTT 5 inlet, log with fsync, decode, quality, path, coverage. A message counts from the instant at
which it was due, so that one that could not be sent in time counts its wait as well. Prints one
JSON object.

    python -m benchmarks.puback [--rate N] [--seconds N] [--bikes N] [--seed S]

To measure an older version by the same yardstick, run this file with its tree on PYTHONPATH.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import resource
import select
import socket
import time
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.whole_line import packets, taking_in
from patrol.feeder import subscribed

SHORT = ["--seconds", "6"]
WARM_S = 3.0
"""Of the beginning nothing is counted [s]."""


def feed(bikes: int, messages: int, rate: int, seed: int, pipe: Connection) -> None:
    """Publish at a rate for one client; report how long each message waited [s]."""
    encoded = packets(bikes, messages, seed)
    server = socket.create_server(("127.0.0.1", 0))
    pipe.send(server.getsockname()[1])
    client, window = subscribed(server)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    pipe.recv()
    client.setblocking(False)
    acked_s = np.zeros(messages)
    sent = acked = 0
    unsent, acks = b"", b""
    began_s = time.perf_counter()
    while acked < messages:
        due = min(int((time.perf_counter() - began_s) * rate), messages, acked + window)
        if due > sent:
            unsent += b"".join(encoded[sent:due])
            sent = due
        with contextlib.suppress(BlockingIOError):
            if unsent:
                unsent = unsent[client.send(unsent) :]
        with contextlib.suppress(BlockingIOError):
            acks += client.recv(1 << 20)
            count = len(acks) // 4
            acked_s[acked : acked + count] = time.perf_counter() - began_s
            acked, acks = acked + count, acks[4 * count :]
        select.select([client], [client] if unsent else [], [], 0.001)
    waited_s = acked_s - np.arange(messages) / rate
    pipe.send(waited_s[round(WARM_S * rate) :])
    pipe.recv()
    client.close()


async def measure(port: int, messages: int, bikes: int, pipe: Connection) -> dict[str, Any]:
    """Run the intake against the feeder until everything is acknowledged and computed."""
    async with taking_in(port, bikes) as (read_by, running):
        cpu_before = time.process_time()
        pipe.send("go")
        waited_ms = 1000 * await asyncio.to_thread(pipe.recv)
        cpu_s = time.process_time() - cpu_before
        behind = messages - read_by.seq
        while read_by.seq < messages and not running.done():
            await asyncio.sleep(0.01)
        pipe.send("bye")
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "benchmark": "puback",
        "messages": messages,
        "bikes": bikes,
        "p50_ms": round(float(np.percentile(waited_ms, 50)), 1),
        "p99_ms": round(float(np.percentile(waited_ms, 99)), 1),
        "max_ms": round(float(waited_ms.max()), 1),
        "cpu_s": round(cpu_s, 3),
        "peak_mb": round(peak_kb / 1000),
        "uncomputed_at_end": behind,
    }


def main() -> None:
    """Run it and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=20_000, help="messages a second")
    parser.add_argument("--seconds", type=int, default=25)
    parser.add_argument("--bikes", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    messages = args.rate * args.seconds
    here, there = multiprocessing.Pipe()
    feeder = multiprocessing.get_context("spawn").Process(
        target=feed, args=(args.bikes, messages, args.rate, args.seed, there), daemon=True
    )
    feeder.start()
    port = here.recv()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    if len(cores) > 1 and feeder.pid:
        os.sched_setaffinity(feeder.pid, cores[1:])
    result = asyncio.run(measure(port, messages, args.bikes, here))
    feeder.join(10)
    result |= {"share_of_a_core": round(result["cpu_s"] / args.seconds, 3)}
    print(json.dumps(result | {"rate": args.rate, "seed": args.seed, "cores": 1}))


if __name__ == "__main__":
    main()
