"""A morning of 28 bikes, taken in by a station to which things happen, and by one left alone.

What happens is drawn from a seed: SIGKILL of station, broker and InfluxDB, a stopped process, cut
and half-open connections, a full disk, torn and flipped files, jumps of the clock, a notifier
that refuses. Messages come twice, late, in another order, and some cannot be used.
"""

from __future__ import annotations

import random
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

import numpy as np

from alerts.store.book_file import BookFile
from alerts.store.outbox import OutboxRows
from bikes.roster import Roster
from bikes.simulator import SimulationPlan, Simulator
from bikes.telemetry import COLUMNS, TelemetryBatch
from geofence.coverage import Rows
from geofence.intervals import Intervals
from ingest.log import Messages, SqliteLog
from ingest.worker import READERS
from patrol.assembly import decoder_of, district_of, worker_of
from patrol.config.settings import load_with_zones
from patrol.simulate import sim_zones
from tests.broker import Broker
from tests.influx_servers import VictoriaMetrics
from tests.servers import Answer, Request, answering
from tests.stations import SAMPLE, Station, new_station
from tests.tcp_proxy import TcpProxy

DAY_MS = round(datetime(2026, 3, 4, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
MORNING_MS, PARKED_MS, NOON_MS = DAY_MS + 8 * HOUR_MS, DAY_MS + 9 * HOUR_MS, DAY_MS + 11 * HOUR_MS
"""When the bikes ride, when they stand, and when all that comes [ms]."""
LATER_MS = tuple(DAY_MS + minutes * MINUTE_MS for minutes in (850, 890))
"""When the outcome is looked at: in the next shift, and 40 minutes later [ms]."""

PARTS = 10
"""Pieces in which the messages are published; after each something happens."""

Message = tuple[str, bytes]


@cache
def morning() -> tuple[list[Message], list[Message]]:
    """Messages in the order in which they come, and those that some bikes hand in at the end."""
    settings, zones = load_with_zones(SAMPLE / "patrol.toml")
    bikes = settings.vendors["hello"].bikes
    assert bikes != "any"
    plan = SimulationPlan(
        seed=8,
        vendor="hello",
        bike_ids=bikes,
        zones=sim_zones(zones),
        start_ms=MORNING_MS,
        interval_s=15.0,
        duplicate=0.05,
        bad=0.02,
    )
    messages = list(Simulator(plan).messages(MORNING_MS, MORNING_MS + 2_400_000))
    kept = [m.items > 0 and m.topic.split("/")[3] < "HB005" for m in messages]
    kept = [late and m.at_ms > MORNING_MS + 600_000 for late, m in zip(kept, messages, strict=True)]
    live = [(m.topic, m.payload) for m, late in zip(messages, kept, strict=True) if not late]
    live += parked(PARKED_MS, NOON_MS)
    live += [("patrol/v1/hello/HB999/telemetry", b"{}"), ("patrol/v1/hello/HB001/telemetry", b"[")]
    return live, [(m.topic, m.payload) for m, late in zip(messages, kept, strict=True) if late]


def parked(from_ms: int, to_ms: int) -> list[Message]:
    """What two bikes that stand say every ten minutes in (from_ms, to_ms]."""
    return [
        (
            f"patrol/v1/hello/{bike}/telemetry",
            b'{"timestamp":%d,"location":{"lat":36.3068,"lng":120.38,"speed":0}}' % at_ms,
        )
        for at_ms in range(from_ms + 10 * MINUTE_MS, to_ms + 1, 10 * MINUTE_MS)
        for bike in ("HB020", "HB021")
    ]


@cache
def accepted(until_ms: int) -> int:
    """The number of different fixes that can be used, of the messages up to an instant [ms]."""
    settings, _ = load_with_zones(SAMPLE / "patrol.toml")
    roster = Roster({name: vendor.bikes for name, vendor in settings.vendors.items()})
    live, late = morning()
    messages = [*live, *late, *parked(NOON_MS, until_ms)]
    topics, payloads = zip(*messages, strict=True)
    raw = Messages(until_ms, topics, payloads)
    return len(decoder_of(settings, roster).decode(raw).telemetry.distinct())


class Outcome(NamedTuple):
    """All that must be the same, whatever happened."""

    fixes: TelemetryBatch  # each once, by bike and time
    coverage: Rows
    alerts: Counter[tuple[str, str, str]]  # rule, subject and state of those that are open
    points: set[tuple[str, int]]  # bike and time of each fix in InfluxDB


def equal(one: TelemetryBatch | Rows, other: TelemetryBatch | Rows) -> bool:
    """Whether the columns hold the same, bit for bit."""
    columns = Rows._fields[:4] if isinstance(one, Rows) else COLUMNS
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in columns)


@dataclass
class Notifier:
    """A webhook that counts what it is told, and can be down."""

    down: bool = False
    told: Counter[str] = field(default_factory=Counter)

    def __call__(self, asked: Request) -> Answer:
        """Answer a request."""
        if self.down:
            return Answer(503)
        self.told[asked.body.decode()] += 1
        return Answer(200)


class Run:
    """One station with a broker, an InfluxDB and a notifier of its own.

    Attributes
    ----------
    happened : list of str
        What was done to it, in order.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.happened: list[str] = []
        self.notifier = Notifier()
        self._open = ExitStack()
        self._later: list[Callable[[], object]] = []

    def __enter__(self) -> Self:
        enter = self._open.enter_context
        self.broker = enter(Broker(self.folder / "broker"))
        self.wire = enter(TcpProxy(self.broker.port))
        self.influx = enter(VictoriaMetrics(self.folder / "influx", dedup=True))
        webhook = enter(answering(self.notifier))
        self._clock = self.folder / "clock"
        self.show(NOON_MS)
        self.station = self._station(webhook)
        self._open.callback(self.station.kill)
        self.station.start()
        self.station.wait(self.station.ready)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _station(self, webhook: str) -> Station:
        station = new_station(self.folder, f"mqtt://127.0.0.1:{self.wire.port}")
        text = station.config.read_text("utf-8")
        text += f'\n[influx]\nurl = "{self.influx.url}"\norg = "o"\nbucket = "patrol"\n'
        text += f'\n[notify.desk]\nurl = "{webhook}/"\n'
        station.config.write_text(text, "utf-8")
        command = [sys.executable, "-m", "tests.faults.told_time", station.config, self._clock]
        station.command = [str(word) for word in command]
        station.watched = False  # what stands still is held up
        return station

    def show(self, at_ms: int) -> None:
        """Let the station's clock show an instant [ms] and go on from it."""
        new = self._clock.with_suffix(".new")
        new.write_text(str(at_ms - time.time_ns() // 1_000_000))
        new.replace(self._clock)

    # What can happen. Each leaves the system running, or says in `_later` how it recovers.

    def kill(self) -> None:
        """The station dies."""
        self.station.kill()
        self.station.start()

    def tear(self) -> None:
        """The station dies, and its snapshot has a wrong bit or is cut."""
        self.station.kill()
        snapshot = self.folder / "data" / "coverage.npz"
        if snapshot.exists():
            data = bytearray(snapshot.read_bytes())
            at = self.random.randrange(len(data))
            if self.random.random() < 0.5:
                del data[at:]
            else:
                data[at] ^= 1 << self.random.randrange(8)
            snapshot.write_bytes(data)
        (self.folder / "data" / "coverage.npz.new").write_bytes(b"PK")
        self.station.start()

    def stall(self) -> None:
        """The station stands still for a moment."""
        self.station.send(signal.SIGSTOP)
        time.sleep(self.random.uniform(0.2, 1.0))
        self.station.send(signal.SIGCONT)

    def kill_broker(self) -> None:
        """The broker dies right after it has written its queue to disk."""
        self.broker.save()
        self.broker.restart(crash=True)

    def cut(self) -> None:
        """Connections end."""
        self.wire.cut()

    def half_open(self) -> None:
        """Connections stay, and nothing comes through."""
        self.wire.freeze()
        self._later.append(self.wire.cut)

    def fill_disk(self) -> None:
        """No file of the station can grow."""
        self._limit(self.random.choice([0, 65_536, 300_000]))
        self._later.append(lambda: self._limit(resource.RLIM_INFINITY))

    def _limit(self, size: int) -> None:
        hard = resource.prlimit(self.station.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self.station.pid, resource.RLIMIT_FSIZE, (size, hard))

    def turn_clock(self) -> None:
        """The clock is wrong, and put right."""
        self.show(NOON_MS + self.random.randrange(-7_800_000, 7_200_000))
        self._later.append(lambda: self.show(NOON_MS))

    def stop_influx(self) -> None:
        """InfluxDB dies."""
        self.influx.kill()
        self._later.append(self.influx.start)

    def refuse_notices(self) -> None:
        """The notifier refuses."""
        self.notifier.down = True

        def up() -> None:
            self.notifier.down = False

        self._later.append(up)

    FAULTS = (
        kill,
        kill,
        tear,
        stall,
        kill_broker,
        cut,
        half_open,
        fill_disk,
        turn_clock,
        stop_influx,
        refuse_notices,
    )

    def take_in(self, *, calm: bool = False) -> None:
        """Publish the morning, and let things happen."""
        live, late = morning()
        if not calm:
            again = self.random.sample(live, 200)
            live = [*live]
            for message in again:
                live.insert(self.random.randrange(len(live)), message)
            self.random.shuffle(late := [*late])
        live = [*live, *late]
        size = -(-len(live) // PARTS)
        for at in range(0, len(live), size):
            self.broker.publish(live[at : at + size])
            while self._later:
                self._later.pop()()
            self.station.accounts()
            if not calm:
                for fault in self.random.sample(self.FAULTS, self.random.choice([1, 1, 2])):
                    self.happened.append(fault.__name__)
                    fault(self)
        while self._later:
            self._later.pop()()
        self.station.wait(self.station.ready)
        self._wait_for(NOON_MS)

    def _wait_for(self, until_ms: int) -> None:
        """Wait until all that was sent up to an instant [ms] has come to InfluxDB."""
        self.station.wait(lambda: len(self._points()) >= accepted(until_ms))

    def outcome(self) -> Outcome:
        """what came of it, hours later; the station has stopped then."""
        station = self.station
        for from_ms, to_ms in pairwise((NOON_MS, *LATER_MS)):
            alerts = self._alerts(from_ms, to_ms)
        file = BookFile(self.folder / "data" / "alerts.sqlite")
        try:
            station.wait(lambda: not OutboxRows(file).pending().get("desk"))
        finally:
            file.close()
        assert self.notifier.told
        points, accounts = self._points(), station.accounts()
        assert station.stop() == 0
        fixes, coverage = self._stored()
        assert accounts["hello"]["stored"] == len(fixes)
        subjects = Counter((alert["rule"], alert["subject"], alert["state"]) for alert in alerts)
        return Outcome(fixes, coverage, subjects, points)

    def _alerts(self, from_ms: int, to_ms: int) -> list[dict[str, Any]]:
        """The open alerts when the clock shows `to_ms` and two bikes have stood since `from_ms`."""
        station, judged = self.station, "zhixun_evaluated_timestamp_seconds"
        # A clock that leaps ahead is not believed for a minute, but at the start.
        assert station.stop() == 0
        self.show(to_ms)
        station.start()
        self.broker.publish(parked(from_ms, to_ms))
        self._wait_for(to_ms)
        # What waited for the first evaluation is over after the second.
        after_s = max(station.metric(judged), to_ms / 1000) + 2
        station.wait(lambda: station.metric(judged) >= after_s)
        found: list[dict[str, Any]] = station.get("/api/v1/alerts?state=open&limit=1000")["alerts"]
        return found

    def _points(self) -> set[tuple[str, int]]:
        """Bike and time of every fix in InfluxDB."""
        found = self.influx.export("bike_telemetry_lat")
        return {(tags["bike_id"], at_ms) for tags, at_ms, _ in found}

    def _stored(self) -> tuple[TelemetryBatch, Rows]:
        """Fixes and coverage that the next start would find."""
        settings, zones = load_with_zones(self.station.config)
        folder, now_ms = settings.storage.path, LATER_MS[-1]
        log = SqliteLog(folder / "log.sqlite", READERS)
        try:
            worker = worker_of(district_of(settings, zones, now_ms), log, folder)
            assert worker.restore(now_ms)
            assert worker.seq == log.head
            bikes = np.arange(len(worker.roster), dtype=np.int32)
            day = (np.full(bikes.size, ms) for ms in (DAY_MS, now_ms + 1))
            fixes = worker.archive.within(Intervals(bikes, *day))
            return fixes, worker.pipeline.ledger.view().rows()
        finally:
            log.close()
