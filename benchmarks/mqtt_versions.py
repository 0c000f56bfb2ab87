"""What a message costs the inlet, in both versions of MQTT: from the socket to its PUBACK.

The feeder of :mod:`benchmarks.whole_line` streams the same messages in one version, then in the
other, several times in turns; the sink of the inlet keeps nothing. The best turn of each counts.
Prints one JSON object.

    python -m benchmarks.mqtt_versions [--messages N] [--turns N] [--seed S]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import multiprocessing
import os
import time
from multiprocessing.connection import Connection

from benchmarks.whole_line import START_MS, Version, feed
from bikes.topics import INBOUND_FILTERS
from ingest.log import Messages
from ingest.mqtt.connection import MqttOptions
from ingest.mqtt.inlet import make_inlet
from patrol.clock import Clock
from tests.patience import until_async

SHORT = ["--messages", "200000"]
BIKES = 2_000


async def keep_nothing(messages: Messages) -> None:
    """The sink."""


async def received(port: int, messages: int, protocol: Version, pipe: Connection) -> list[float]:
    """Time until all are acknowledged, and time of the processor [s]."""
    options = MqttOptions("127.0.0.1", port, protocol=protocol, filters=INBOUND_FILTERS)
    inlet = make_inlet(options, Clock().now_ms)
    running = asyncio.create_task(inlet.run(keep_nothing))
    await until_async(lambda: inlet.state.phase == "connected")
    cpu_s = time.process_time()
    pipe.send("go")
    began_s, acknowledged_s = await asyncio.to_thread(pipe.recv)
    cpu_s = time.process_time() - cpu_s
    assert inlet.received == messages
    pipe.send("bye")
    await inlet.stop()
    await running
    return [acknowledged_s - began_s, cpu_s]


def turn(protocol: Version, messages: int, seed: int) -> list[float]:
    """As :func:`received`, with a feeder of its own on the other cores."""
    here, there = multiprocessing.Pipe()
    args = (BIKES, messages, seed, there, START_MS, protocol)
    feeder = multiprocessing.get_context("spawn").Process(target=feed, args=args, daemon=True)
    cores = os.sched_getaffinity(0)
    feeder.start()
    port, _ = here.recv()
    os.sched_setaffinity(0, {min(cores)})
    if len(cores) > 1 and feeder.pid:
        os.sched_setaffinity(feeder.pid, cores - {min(cores)})
    took = asyncio.run(received(port, messages, protocol, here))
    os.sched_setaffinity(0, cores)
    feeder.join(10)
    return took


def main() -> None:
    """Run it and print the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--messages", type=int, default=500_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    best: dict[Version, list[float]] = {"5": [math.inf] * 2, "3.1.1": [math.inf] * 2}
    for _ in range(args.turns):
        for protocol, before in best.items():
            best[protocol] = list(map(min, before, turn(protocol, args.messages, args.seed)))
    (new_s, new_cpu_s), (old_s, old_cpu_s) = best.values()
    print(
        json.dumps(
            {
                "benchmark": "mqtt_versions",
                **vars(args),
                "mqtt_5_per_s": round(args.messages / new_s),
                "mqtt_5_cpu_us": round(1e6 * new_cpu_s / args.messages, 2),
                "mqtt_3_1_1_per_s": round(args.messages / old_s),
                "mqtt_3_1_1_cpu_us": round(1e6 * old_cpu_s / args.messages, 2),
                "rate_3_1_1_over_5": round(new_s / old_s, 2),
                "cpu_5_over_3_1_1": round(new_cpu_s / old_cpu_s, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
