"""What a broker's queue costs, and what a crash of the broker loses of it.

A mosquitto queues messages for a station that is away. Queues some for each way to keep them, and
measures rate, memory and file; then publishes at a steady rate, kills the broker with SIGKILL,
starts it again and counts the acknowledged messages that it still has. Without ``--plugin`` only
the queue that is written now and then is measured: Debian's mosquitto 2.0 has no other.

    python -m benchmarks.broker_queue [--messages N] [--rate N] [--seed S]
        [--mosquitto /usr/sbin/mosquitto] [--plugin /usr/lib/mosquitto_persist_sqlite.so]
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import mqtt5
import psutil

from tests.broker import PROGRAM, Broker, Packets

TOPIC = "patrol/v1/hello/HB001/telemetry"
SIZE = 247
"""Bytes of a payload: the mean of the simulator's."""
BATCH = 100


def broker(folder: Path, program: str, lines: str) -> Broker:
    """A broker that keeps its queue in the way that some lines of its configuration say."""
    made = Broker(folder, persistence=False)
    conf = folder / "mosquitto.conf"
    kept = conf.read_text().replace("persistence false\n", "").replace("log_type all", "")
    kept = "\n".join(line for line in kept.splitlines() if not line.startswith("autosave"))
    conf.write_text(f"{lines}\n{kept}\nlog_type error\n")
    made.command[0] = program
    return made


class Client(Packets):
    """A connection to a broker; one that stays away keeps its session."""

    def __init__(self, of: Broker, name: str, *, keep: bool) -> None:
        self.socket = socket.create_connection((of.host, of.port), timeout=60)
        super().__init__(self.socket)
        hello = mqtt5.ConnectPacket(
            name,
            clean_start=not keep,
            session_expiry_interval=86_400 if keep else 0,
            receive_max=65_535,
        )
        self.socket.sendall(hello.write())
        self.next()

    def close(self) -> None:
        """Go away."""
        self.socket.close()

    def subscribe(self) -> None:
        """Subscribe to everything at QoS 1."""
        wanted = [mqtt5.TopicFilter("patrol/#", max_qos=mqtt5.QoS(1))]
        self.socket.sendall(mqtt5.SubscribePacket(1, wanted).write())
        self.next()

    def publish(self, first: int, count: int) -> None:
        """Publish numbered messages, and wait until all are acknowledged."""
        packets = [
            mqtt5.PublishPacket(
                TOPIC,
                b"%d " % number + bytes(SIZE - 10),
                qos=mqtt5.QoS(1),
                packet_id=number % 60_000 + 1,
            ).write()
            for number in range(first, first + count)
        ]
        self.socket.sendall(b"".join(packets))
        for _ in packets:
            self.next()

    def received(self, most: int) -> Iterator[int]:
        """The numbers that come, acknowledged; ends when nothing has come for two seconds."""
        self.socket.settimeout(2)
        with suppress(TimeoutError):
            for _ in range(most):
                packet = self.next()
                assert isinstance(packet, mqtt5.PublishPacket)
                assert packet.packet_id is not None
                self.socket.sendall(mqtt5.PubAckPacket(packet.packet_id).write())
                yield int(packet.payload.split()[0])


def subscribed(of: Broker) -> None:
    """Let a station subscribe and go away."""
    with closing(Client(of, "station", keep=True)) as station:
        station.subscribe()


def queue(of: Broker, messages: int) -> dict[str, float]:
    """Cost of queueing some messages, stopping in order, and starting again."""
    worst_s = 0.0
    with of:
        subscribed(of)
        began_s = time.monotonic()
        with closing(Client(of, "bikes", keep=False)) as bikes:
            for first in range(0, messages, BATCH):
                sent_s = time.monotonic()
                bikes.publish(first, BATCH)
                worst_s = max(worst_s, time.monotonic() - sent_s)
        took_s = time.monotonic() - began_s
        memory = psutil.Process(of.pid).memory_info().rss
        stopping_s = time.monotonic()
        of.stop(600)
        stop_s = time.monotonic() - stopping_s
        disk = sum(file.stat().st_size for file in of.log.parent.glob("mosquitto.*db*"))
        disk += sum(file.stat().st_size for file in of.log.parent.glob("*.sqlite3*"))
        starting_s = time.monotonic()
        of.start()
        start_s = time.monotonic() - starting_s
    return {
        "messages_per_s": round(messages / took_s),
        "worst_batch_s": round(worst_s, 3),
        "memory_bytes_per_message": round(memory / messages),
        "disk_bytes_per_message": round(disk / messages),
        "stop_s": round(stop_s, 2),
        "start_s": round(start_s, 2),
    }


def crash(of: Broker, rate: int, for_s: float) -> dict[str, float]:
    """Acknowledged messages, and those of them that a broker has lost by a SIGKILL."""
    with of:
        subscribed(of)
        acknowledged, began_s = 0, time.monotonic()
        with closing(Client(of, "bikes", keep=False)) as bikes:
            while (passed_s := time.monotonic() - began_s) < for_s:
                due = round(passed_s * rate) - acknowledged
                if due > 0:
                    bikes.publish(acknowledged, due)
                    acknowledged += due
                time.sleep(0.01)
            of.kill()
        of.start()
        with closing(Client(of, "station", keep=True)) as station:
            found = len(set(station.received(acknowledged)))
    lost = acknowledged - found
    return {"acknowledged": acknowledged, "lost": lost, "lost_s": round(lost / rate, 3)}


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--crashes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mosquitto", default=PROGRAM)
    parser.add_argument("--plugin")
    options = parser.parse_args()
    ways = {"autosave_60_s": "persistence true\nautosave_interval 60"}
    if options.plugin:
        for period_s in (1, 0):
            ways[f"sqlite_{period_s}_s"] = (
                f"global_plugin {options.plugin}\n"
                f"plugin_opt_sync full\nplugin_opt_flush_period {period_s}"
            )
    chance = random.Random(options.seed)
    found: dict[str, object] = {
        "benchmark": "broker_queue",
        "messages": options.messages,
        "rate": options.rate,
        "seed": options.seed,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, lines in ways.items():
            at = Path(folder, name)
            crashes = [
                crash(
                    broker(at / str(number), options.mosquitto, lines),
                    options.rate,
                    chance.uniform(4, 6),
                )
                for number in range(options.crashes)
            ]
            queued = queue(broker(at / "queue", options.mosquitto, lines), options.messages)
            found[name] = {**queued, "crashes": crashes}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
