"""How many messages a second the whole line takes in, on one core.

A feeder in a process of its own plays the broker: it streams QoS 1 telemetry of 2,000 bikes,
encoded beforehand, over a loopback socket, never with more than the client's receive maximum
unacknowledged. The measured process is the product's: inlet, log with fsync, decode,
quality, path, coverage. The clock stops when the last PUBACK has arrived and the last message is
in the ledger. Prints one JSON object.

    python -m benchmarks.whole_line [--messages N] [--bikes N] [--seed S] [--protocol 5|3.1.1]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, get_args

import mqtt5
import msgspec
import numpy as np

from bikes.roster import Roster
from bikes.topics import INBOUND_FILTERS, of_bike
from ingest.intake import Intake
from ingest.log import SqliteLog
from ingest.mqtt.connection import MqttOptions
from ingest.mqtt.inlet import make_inlet
from ingest.worker import READERS, Worker
from patrol.clock import Clock
from patrol.feeder import packet, stream
from tests import mqtt3_broker
from tests.patience import until_async
from tests.workers import new_worker, patient_decoder, sample_judge

SHORT = ["--messages", "300000"]
SAMPLE = Path(__file__).parent.parent / "samples" / "chengyang"
START_MS = 1_763_859_600_000  # 2025-11-23 09:00 in Shanghai
INTERVAL_MS = 5_000
Version = Literal["5", "3.1.1"]


def packets(bikes: int, messages: int, seed: int, start_ms: int = START_MS) -> list[bytes]:
    """PUBLISH packets of bikes that ride through the sample district, in order of time."""
    rng = np.random.default_rng(seed)
    fixes = -(-messages // bikes)
    heading = np.cumsum(rng.normal(0, 0.25, (fixes, bikes)), axis=0) + rng.uniform(0, 6.3, bikes)
    speed = rng.uniform(2.5, 5.0, bikes)
    step_m = speed * INTERVAL_MS / 1000
    east = rng.uniform(-2500, 2500, bikes) + np.cumsum(step_m * np.cos(heading), axis=0)
    north = rng.uniform(-2500, 2500, bikes) + np.cumsum(step_m * np.sin(heading), axis=0)
    lat = 36.3068 + (north + rng.normal(0, 3, north.shape)) / 111_320
    lng = 120.3891 + (east + rng.normal(0, 3, east.shape)) / 89_700
    offset = rng.integers(0, INTERVAL_MS, bikes)
    encoded = []
    for number in range(messages):
        row, bike = divmod(number, bikes)
        payload = msgspec.json.encode(
            {
                "device_id": f"HB{bike:05d}",
                "timestamp": int(start_ms + row * INTERVAL_MS + offset[bike]),
                "location": {
                    "lat": round(float(lat[row, bike]), 7),
                    "lng": round(float(lng[row, bike]), 7),
                    "speed": round(float(speed[bike]), 2),
                    "heading": round(float(np.degrees(heading[row, bike]) % 360), 1),
                    "horizontal_accuracy": 4.5,
                    "altitude": 31.0,
                    "satellites": 17,
                },
                "battery_percent": 80,
            }
        )
        topic = of_bike("telemetry", "hello", f"HB{bike:05d}")
        encoded.append(packet(number, topic, payload))
    return encoded


def feed(
    bikes: int,
    messages: int,
    seed: int,
    pipe: Connection,
    start_ms: int = START_MS,
    protocol: Version = "5",
) -> None:
    """Play the broker for one client; report the wall time from the first byte to the last ack."""
    encoded = packets(bikes, messages, seed, start_ms)
    if protocol == "5":
        stream(encoded, pipe)
    else:
        stream(map(in_3_1_1, encoded), pipe, mqtt3_broker.subscribed)


def in_3_1_1(packet: bytes) -> bytes:
    """The same message, as a broker of MQTT 3.1.1 sends it."""
    said, _ = mqtt5.read(memoryview(packet))
    assert isinstance(said, mqtt5.PublishPacket)
    return mqtt3_broker.publish(said.topic.encode(), said.payload, packet_id=said.packet_id or 0)


def worker(folder: Path, log: SqliteLog, bikes: int) -> Worker:
    """The product's reader of the log over the sample district."""
    roster = Roster({"hello": [f"HB{bike:05d}" for bike in range(bikes)]})
    decoder = patient_decoder(roster)
    return new_worker(folder, log, judged_by=sample_judge(), roster=roster, decoder=decoder)


@contextlib.asynccontextmanager
async def taking_in(
    port: int, bikes: int, protocol: Version = "5"
) -> AsyncIterator[tuple[Worker, asyncio.Task[None]]]:
    """The product's intake, connected to a feeder: its worker, and the task that it runs in."""
    with tempfile.TemporaryDirectory() as folder:
        log = SqliteLog(Path(folder) / "log.sqlite", READERS)
        read_by = worker(Path(folder), log, bikes)
        read_by.restore(START_MS)
        options = MqttOptions(
            "127.0.0.1", port, protocol=protocol, client_id="benchmark", filters=INBOUND_FILTERS
        )
        intake = Intake(make_inlet(options, Clock().now_ms), log, read_by)
        running = asyncio.create_task(intake.run())
        await until_async(lambda: intake.inlet.state.phase == "connected" or running.done())
        yield read_by, running
        await intake.stop()
        await running
        log.close()


async def measure(
    port: int, messages: int, bikes: int, pipe: Connection, protocol: Version
) -> dict[str, object]:
    """Run the intake against the feeder until everything is acknowledged and computed."""
    async with taking_in(port, bikes, protocol) as (read_by, running):
        gc.collect()
        cpu_before = time.process_time()
        pipe.send("go")
        while read_by.seq < messages and not running.done():
            await asyncio.sleep(0.005)
        if running.done():
            running.result()
        computed = time.perf_counter()
        cpu_s = time.process_time() - cpu_before
        began, acked = await asyncio.to_thread(pipe.recv)
        wall_s = max(computed, acked) - began
        pipe.send("bye")
    visited = read_by.pipeline.ledger.view().last_visits.cell.size
    return {
        "benchmark": "whole_line",
        "protocol": protocol,
        "messages": messages,
        "bikes": bikes,
        "stored": read_by.view.total.accepted,
        "cells_visited": visited,
        "wall_s": round(wall_s, 3),
        "cpu_s": round(cpu_s, 3),
        "messages_per_s": round(messages / wall_s),
        "messages_per_cpu_s": round(messages / cpu_s),
    }


def main() -> None:
    """Run it and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--bikes", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--protocol", choices=get_args(Version), default="5")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    args = parser.parse_args()
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    feeder = context.Process(
        target=feed,
        args=(args.bikes, args.messages, args.seed, there, START_MS, args.protocol),
        daemon=True,
    )
    feeder.start()
    port, packet_bytes = here.recv()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    if len(cores) > 1 and feeder.pid:
        os.sched_setaffinity(feeder.pid, cores[1:])
    coroutine = measure(port, args.messages, args.bikes, here, args.protocol)
    if args.profile:
        import cProfile
        import pstats

        with cProfile.Profile() as profile:
            result = asyncio.run(coroutine)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    else:
        result = asyncio.run(coroutine)
    feeder.join(10)
    result |= {"seed": args.seed, "packet_bytes": round(packet_bytes, 1), "cores": 1}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
