"""`patrol bench`: what this machine can do, for somebody who chooses one for a fleet.

A simulated fleet rides ten minutes of a morning in the sample district. Its messages go through
the intake as those of a real fleet do: MQTT, log with fsync, coverage, snapshot, archive. Single
messages are then put on disk one after the other, and the archive is replayed. All of it lies in
a temporary folder on the disk that is asked about. The broker is a feeder (:mod:`patrol.feeder`),
so that the station is measured, and not a broker.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import tempfile
import time
from contextlib import closing
from datetime import datetime
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import numpy as np

from bikes.simulator import SimulationPlan, Simulator
from geofence.zones import Zones
from ingest.errors import StoreUnavailable
from ingest.intake import Intake
from ingest.log import Messages, SqliteLog
from ingest.mqtt.connection import MqttOptions
from ingest.mqtt.inlet import make_inlet
from ingest.worker import READERS
from patrol.assembly import district_of, filters_of, worker_of
from patrol.config.sections import Settings
from patrol.config.settings import load_with_zones
from patrol.demo import VENDOR, sample_folder
from patrol.errors import Unreachable
from patrol.feeder import packet, stream
from patrol.replay import replay
from patrol.simulate import bike_ids, plan_of

RIDE_MS = 600_000
ROOM_BYTES, ROOM_BYTES_A_BIKE = 64_000_000, 150_000
"""The most that a run writes: at once, and for each bike and its 200 messages."""

COMMITS = 300

RESERVE = 0.5
"""Share of the intake's rate that is kept for bikes that hand in what they stored, for those who
read, and for the broker."""


class Bench(msgspec.Struct, frozen=True):
    """What was measured with a simulated fleet, and the fleets that it would do for.

    A bike of these sends a fix every :attr:`interval_s` while it is on duty.
    """

    folder: str
    free_bytes: int  # on its disk
    cores: int
    simulated_bikes: int
    interval_s: float
    duty_hours: float  # of a day
    messages: int
    intake_messages_per_s: float  # until all is on disk and computed
    intake_messages_per_cpu_s: float
    commit_p50_ms: float  # of a message that comes alone, until it is on disk
    commit_p99_ms: float
    archive_bytes_per_fix: float
    replay_fixes_per_s: float
    intake_bikes: int  # on duty at once, with `RESERVE`
    store_bikes: int  # whose year has room on the disk that is free
    replay_bikes: int  # whose year is replayed in a minute


def bench(folder: Path, bikes: int) -> Bench:
    """Measure this machine and the disk of a folder, with a fleet of so many bikes.

    OSError: the folder cannot be written.
    Unreachable: there is too little room on its disk.
    StoreUnavailable: the disk was full meanwhile.
    """
    with tempfile.TemporaryDirectory(prefix="zhixun-bench-", dir=folder) as name:
        scratch = Path(name)
        settings, zones = load_with_zones(sample_folder() / "patrol.toml", storage=scratch)
        ids = bike_ids((), bikes)
        vendor = settings.vendors[VENDOR].model_copy(update={"bikes": tuple(ids)})
        settings = settings.model_copy(update={"vendors": {VENDOR: vendor}})
        start_ms = round(datetime(2026, 3, 4, 9, tzinfo=settings.district.tz).timestamp() * 1000)
        plan = plan_of(settings, zones, VENDOR, ids, seed=1, start_ms=start_ms, neglected=None)
        free_bytes = shutil.disk_usage(folder).free
        needed_bytes = ROOM_BYTES + ROOM_BYTES_A_BIKE * bikes
        if free_bytes < needed_bytes:
            raise Unreachable(
                f"the disk of {folder} has room for {free_bytes / 1e6:.0f} MB, and this takes "
                f"{needed_bytes / 1e6:.0f} MB: make room, or name a folder of another disk (--data)"
            )
        messages, wall_s, cpu_s = _take_in(scratch, settings, zones, plan)
        commits_ms = _commits_ms(scratch / "alone.sqlite", Simulator(plan))
        files = list(scratch.glob("archive/*/*.parquet"))
        began_s = time.perf_counter()
        found = replay(files, settings, zones, on_problem=_skip, on_read=_skip, other=None)
        fixes = sum(found.verdicts.values())
        replay_per_s = fixes / (time.perf_counter() - began_s)
        fix_bytes = sum(file.stat().st_size for file in files) / fixes
    duty_h = sum(to.hour - at.hour + (to.minute - at.minute) / 60 for at, to in plan.shifts)
    a_year = 365 * duty_h * 3600 / plan.interval_s
    return Bench(
        folder=str(folder),
        free_bytes=free_bytes,
        cores=len(os.sched_getaffinity(0)),
        simulated_bikes=bikes,
        interval_s=plan.interval_s,
        duty_hours=duty_h,
        messages=messages,
        intake_messages_per_s=round(messages / wall_s),
        intake_messages_per_cpu_s=round(messages / cpu_s),
        commit_p50_ms=round(float(np.percentile(commits_ms, 50)), 2),
        commit_p99_ms=round(float(np.percentile(commits_ms, 99)), 2),
        archive_bytes_per_fix=round(fix_bytes, 1),
        replay_fixes_per_s=round(replay_per_s),
        intake_bikes=int((1 - RESERVE) * messages / wall_s * plan.interval_s),
        store_bikes=int(free_bytes / fix_bytes / a_year),
        replay_bikes=int(60 * replay_per_s / a_year),
    )


def _skip(_: object) -> None:
    """What is read is not shown."""


def _feed(plan: SimulationPlan, pipe: Connection) -> None:
    """Stream what a fleet sends; the feeder's process."""
    sent = Simulator(plan).messages(plan.start_ms, plan.start_ms + RIDE_MS)
    stream((packet(n, each.topic, each.payload) for n, each in enumerate(sent)), pipe)


def _take_in(
    folder: Path, settings: Settings, zones: Zones, plan: SimulationPlan
) -> tuple[int, float, float]:
    """How many messages were taken in, in which time, with how much of the processor [s]."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    feeder = context.Process(target=_feed, args=(plan, there), daemon=True)
    feeder.start()
    there.close()
    try:
        return asyncio.run(_intake(folder, settings, zones, plan.start_ms + RIDE_MS, here))
    finally:
        feeder.kill()
        feeder.join()


async def _intake(
    folder: Path, settings: Settings, zones: Zones, now_ms: int, pipe: Connection
) -> tuple[int, float, float]:
    port, _ = await asyncio.to_thread(pipe.recv)
    district = district_of(settings, zones, now_ms)
    with closing(SqliteLog(folder / "log.sqlite", READERS)) as log:
        worker = worker_of(district, log, folder)
        worker.restore(now_ms)
        options = MqttOptions("127.0.0.1", port, client_id="bench", filters=filters_of(settings))
        intake = Intake(make_inlet(options, lambda: now_ms), log, worker)
        running = asyncio.create_task(intake.run())
        cpu_s = time.process_time()
        pipe.send("go, once somebody has subscribed")
        while not pipe.poll():
            if intake.inlet.state.phase == "holding":
                running.cancel()
                raise StoreUnavailable(intake.inlet.state.reason)
            await asyncio.sleep(0.01)
        began_s, _ = pipe.recv()
        await intake.stop()
        await running
        return worker.seq, time.perf_counter() - began_s, time.process_time() - cpu_s


def _commits_ms(path: Path, simulator: Simulator) -> list[float]:
    """How long some messages take to be on disk, each by itself [ms]."""
    took_ms: list[float] = []
    start_ms = simulator.plan.start_ms
    with closing(SqliteLog(path, READERS)) as log:
        for each in islice(simulator.messages(start_ms, start_ms + RIDE_MS), COMMITS):
            began_s = time.perf_counter()
            log.append(Messages(each.at_ms, [each.topic], [each.payload]))
            took_ms.append(1000 * (time.perf_counter() - began_s))
    return took_ms
