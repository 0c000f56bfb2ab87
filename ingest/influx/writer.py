"""The writer to InfluxDB, which catches up however long InfluxDB was away.

    log ──────────▶ points  ─┐
    book of alerts ▶ alerts  ─┼─▶ lines ─▶ InfluxDB
    coverage, health ▶ file ─┘

Nobody waits for this writer, and it needs nobody's help to catch up: whatever was not written
stays where it comes from. Reading and requests happen in two threads, so that the next points
are made while the last are on their way.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeVar

import structlog

from files.backoff import Backoff
from ingest.daemon_executor import DaemonExecutor, Stopping
from ingest.errors import ArchiveDamaged, IngestError, StoreThrottled, StoreUnavailable
from ingest.influx.delivery import Gate, RejectsEverything
from ingest.influx.line_protocol import AlertStep
from ingest.influx.reporter import Reporter
from ingest.influx.store import InfluxStore, StoreUnreachable
from ingest.influx.tracks import READER, Alerts, Figures, Load, Source, Track

log = structlog.get_logger(__name__)

T = TypeVar("T")

REST_S, LONGEST_REST_S = 1.0, 6.0
"""The shortest and the longest rest between two rounds while there is no backlog [s]."""

REST_FACTOR = 19.0
"""A rest is so many times as long as the round took of a core: a twentieth of one is enough."""

SHORTEST_WAIT_S, FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 1.0, 60.0
TROUBLE = (StoreUnavailable, ArchiveDamaged)
"""Errors that may pass, and are tried again: of InfluxDB, our disk, or a file to be restored."""

SETTLE_S = 10.0
"""Longest time for which a server holds acknowledged lines in memory only [s]: VictoriaMetrics up
to 5 s; InfluxDB has written them to its own log before it answers."""

GRACE_S = 0.5
"""Time for a request that is under way at `stop` [s]."""


class WriterState(NamedTuple):
    """Whether InfluxDB takes what it is given, and why not."""

    ok: bool
    reason: str


@dataclass
class Counters:
    """Counts of the writer since the start."""

    written: int = 0  # lines that InfluxDB has taken
    rejected: int = 0  # lines that it has not; they are in the file
    retried: int = 0  # rounds that failed, and were tried again


@dataclass
class InfluxWriter:
    """Writes to InfluxDB until it is stopped.

    The store is opened at each start of :meth:`run`. `transitions` gives rows of the book of alerts
    after a number, at most so many; it is called in a thread and raises StoreUnavailable when the
    book cannot be read.
    """

    open_store: Callable[[], InfluxStore]
    source: Source
    reporter: Reporter
    transitions: Callable[[int, int], Sequence[AlertStep]]
    counters: Counters = field(default_factory=Counters)
    state: WriterState = field(default_factory=lambda: WriterState(False, "connecting"))
    rng: random.Random = field(default_factory=random.Random)
    settle_s: float = SETTLE_S
    first_wait_s: float = FIRST_WAIT_S
    _loads: dict[str, Load] = field(default_factory=dict)
    _ahead: asyncio.Task[Load | None] | None = None
    _suspect: bool = False  # InfluxDB may have been restarted since the last request
    _astray: bool = True  # tracks must be rewound before they go on
    _requests: DaemonExecutor | None = None
    _reading: DaemonExecutor | None = None
    _written_seq: int = 0
    _cpu_s: float = 0.0

    def __post_init__(self) -> None:
        self._halt = threading.Event()
        self._stopping = asyncio.Event()
        self.source.halted = self._halt.is_set
        self.file = self.source.file
        self.log = self.source.log
        self._tracks: dict[str, Track] = {
            "alerts": Alerts(self.file, self.transitions),
            "figures": Figures(self.file),
            "telemetry": self.source,
        }

    @property
    def backlog(self) -> int:
        """Messages of the log that InfluxDB does not have, or may have lost."""
        there = self.log.cursor(READER) if self._suspect else self._written_seq
        return self.log.head - there

    async def run(self) -> None:
        """Write until :meth:`stop`; it may be run again after it has failed.

        What is unavailable is tried again for ever, and `state` says so. A LogCorrupt ends it.
        """
        self._store = self.open_store()
        if not self._stopping.is_set():
            self._halt.clear()
        self._gate = Gate(self._write, self.counters.written)
        # Acknowledged loads that have not settled, and when they were [s]; oldest first.
        self._unsettled: deque[tuple[float, Load]] = deque()
        self._backoff = Backoff(self.first_wait_s, LONGEST_WAIT_S, self.rng)
        # What the run before has left under way ends first: source and store are for one thread.
        self._requests = DaemonExecutor("influx-requests", after=self._requests)
        self._reading = DaemonExecutor("influx-reading", after=self._reading)
        self._alive_s = 0.0
        self._loads.clear()
        self._suspect, self._astray = False, True
        self._ahead = None
        reporting = asyncio.create_task(self.reporter.run())
        writing = asyncio.create_task(self._write_always())
        try:
            done, _ = await asyncio.wait({reporting, writing}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            reporting.cancel()
            writing.cancel()
            await asyncio.gather(reporting, writing, return_exceptions=True)
            self._leave()

    def stop(self) -> None:
        """Let :meth:`run` end, on its event loop; a request under way has half a second left."""
        self._stopping.set()
        self._halt.set()

    # -- rounds ------------------------------------------------------------------------

    async def _write_always(self) -> None:
        with suppress(Stopping):
            self.state = WriterState(True, "")
            while not self._stopping.is_set():
                await self._pause(await self._once())

    async def _once(self) -> float:
        """One round; returns how long to wait for the next [s]."""
        self._cpu_s = 0.0
        trouble: IngestError | None = None
        try:
            if self._astray:
                await self._rewind()
            await self._round()
        except TROUBLE as exc:
            self._suspect |= isinstance(exc, StoreUnreachable)
            trouble = exc
        try:
            await self._settle()
        except TROUBLE as exc:
            trouble = trouble or exc
        if trouble is not None:
            return self._trouble(trouble)
        self._well()
        busy = self._ahead is not None or self.source.behind
        return 0.0 if busy else min(max(REST_S, REST_FACTOR * self._cpu_s), LONGEST_REST_S)

    async def _round(self) -> None:
        """A load of each track, where there is one."""
        trouble: RejectsEverything | None = None
        for name in self._tracks:
            try:
                await self._bring(name)
            except RejectsEverything as exc:
                # Another track may have something that is taken: then we know whose fault it is.
                trouble = exc
        if trouble is not None:
            raise trouble

    async def _bring(self, name: str) -> None:
        """Bring a track's load to InfluxDB; what was achieved is kept when it fails."""
        load = self._loads.get(name)
        if load is None and name == "telemetry" and self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            load = await ahead
        elif load is None:
            load = await self._do(self._reading, self._tracks[name].next)
        if load is None:
            return
        self._loads[name] = load
        if name == "telemetry" and self._ahead is None and self.source.behind:
            self._ahead = asyncio.create_task(self._do(self._reading, self._tracks[name].next))
        for delivery in load.deliveries:
            if not delivery.done:
                await self._do(self._requests, partial(delivery.attempt, self._gate))
        self.counters.written = self._gate.written
        self._unsettled.append((time.monotonic(), load))
        if name == "telemetry":
            self._written_seq = load.seq
        del self._loads[name]

    async def _settle(self) -> None:
        """Move the places of what has settled; write again what may be lost."""
        while self._unsettled and self._unsettled[0][0] + self.settle_s <= self._alive_s:
            await self._do(self._reading, partial(self._settled, self._unsettled[0][1]))
            self._unsettled.popleft()
        if self._suspect and self._unsettled:
            log.info("InfluxDB may have been restarted: the last seconds are written again")
            self._astray = True
        self._suspect = False
        if self._astray:
            await self._rewind()

    def _settled(self, load: Load) -> None:
        rejected = load.rejected
        if rejected:
            self.file.reject(rejected, self.reporter.now_ms())
            load.forget_rejected()  # they are kept, also when the place cannot be moved yet
        counts: Counter[str] = Counter()
        for item in rejected:
            counts[item.reason] += len(item.lines)
        for reason, count in counts.items():
            self.counters.rejected += count
            log.error(
                "InfluxDB rejects lines; they are kept in influx.sqlite, table rejected",
                lines=count,
                reason=reason,
            )
        load.move()

    async def _rewind(self) -> None:
        """Go back to where everything has settled; until that can be done, all is astray."""
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            with suppress(*TROUBLE):
                await ahead
        self._loads.clear()
        self._unsettled.clear()
        self._written_seq = self.log.cursor(READER)
        for track in self._tracks.values():
            await self._do(self._reading, track.rewind)
        self._astray = False

    def _trouble(self, exc: IngestError) -> float:
        """Note what is wrong, and say how long to wait [s]."""
        self.counters.retried += 1
        wait_s = self._backoff.next_s()
        if isinstance(exc, StoreThrottled) and exc.retry_after_s is not None:
            wait_s = max(exc.retry_after_s * self.rng.uniform(1.0, 1.1), SHORTEST_WAIT_S)
        if self.state.ok or self.state.reason != str(exc):
            log.warning("InfluxDB is behind", reason=str(exc), messages_waiting=self.backlog)
        self.state = WriterState(False, str(exc))
        return wait_s

    def _well(self) -> None:
        self._backoff.reset()
        if not self.state.ok:
            log.info("InfluxDB takes points again", messages_waiting=self.backlog)
            self.state = WriterState(True, "")

    # -- threads and time --------------------------------------------------------------

    def _write(self, lines: bytes) -> None:
        if self._halt.is_set():
            raise Stopping
        began_s = time.monotonic()
        self._store.write(lines)
        if self._store.renewed:
            self._suspect = True
        if not self._suspect:
            self._alive_s = began_s

    async def _do(self, executor: DaemonExecutor | None, function: Callable[[], T]) -> T:
        """Do something in a thread; when it is time to stop, wait for it no longer than grace."""

        assert executor is not None, "it runs"

        def measured() -> T:
            began = time.thread_time()
            try:
                return function()
            finally:
                self._cpu_s += time.thread_time() - began

        task = asyncio.create_task(executor.run(measured))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                await asyncio.wait({task}, timeout=GRACE_S)
            if not task.done():
                raise Stopping
            return task.result()
        finally:
            task.cancel()
            stopping.cancel()

    async def _pause(self, wait_s: float) -> None:
        if not wait_s:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), wait_s)

    def _leave(self) -> None:
        self._halt.set()
        if self._ahead is not None:
            self._ahead.cancel()
            self._ahead.add_done_callback(lambda task: task.cancelled() or task.exception())
        assert self._requests is not None
        assert self._reading is not None
        self._requests.end(self._store.close)
        self._reading.end()
        try:
            self.reporter.keep()
        except StoreUnavailable as exc:
            log.error("the last coverage and health is lost to InfluxDB", reason=str(exc))
        self.state = WriterState(False, "stopped")
