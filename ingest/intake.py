"""The way in, running: inlet to log, log to worker, worker to disk.

    event loop      inlet ──batch──▶ ┐            ┌──▶ PUBACK
    thread log                       └─▶ fsync ───┘
                                           │ wakes
    thread worker                          ▼
                                       worker.step ──▶ worker.view, for everybody else
    thread save                            │
                                           └─▶ snapshot, archive ──▶ log.trim

The two halves share nothing but the log: the inlet never waits for the worker, and the worker
reads what was there before a crash exactly as it reads what has just come. The worker's state
belongs to its thread: whatever changes or copies it is called there, one after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from ingest.archive import Flush
from ingest.decode import Decoded
from ingest.errors import ArchiveDamaged, StoreUnavailable
from ingest.log import Messages, SqliteLog
from ingest.mqtt.inlet import MqttInlet
from ingest.snapshot import Arrays, Header
from ingest.worker import COVERAGE, Worker

log = structlog.get_logger(__name__)

T = TypeVar("T")

READ_MESSAGES = 131_072
"""Messages the worker takes at once when it is behind: more is faster, because the tail of each
bike's record is judged once a step."""

GATHER_S = 0.1
MAX_GATHER_S = 2.0
GATHER_FACTOR = 12
"""Time from one step of the worker to the next, for messages to gather [s]: the first while a step
costs little, and under load so many times what judging cost in the last step, up to the second: a
twelfth of a core will do. After a pause the first message is read at once. Decoding costs the same
however many are gathered: so the fixes of other vendors do not wait for one that floods."""

SAVE_EVERY_S = 30.0
SAVE_EVERY_MESSAGES = 500_000
"""A snapshot is due after this time [s] or number of messages: a crash makes us read them again."""

SWITCH_S = 0.002
"""Longest turn of a thread in the interpreter while another waits for its own [s]. With
the interpreter's 5 ms an acknowledgement, which takes several turns, waits for most of a step."""

LAST_READ_S = 3.0
"""Time for which the worker reads on after a stop [s]; the next start reads the rest."""

ARCHIVE_EVERY_S = 300.0
"""The day's files are written at least this often while something is new [s]."""


@dataclass
class Intake:
    """Runs the inlet, the log and the worker.

    The worker is restored already. After each step the decoded entries are given to `answer` in the
    worker's thread, and then to `on_read` on the event loop.
    """

    inlet: MqttInlet
    log: SqliteLog
    worker: Worker
    on_read: Callable[[list[Decoded]], None] = lambda decoded: None
    answer: Callable[[list[Decoded]], None] = lambda decoded: None
    # Set once the worker has read the log up to its head at the start.
    caught_up: asyncio.Event = field(default_factory=asyncio.Event)
    read_until_ms: int = 0  # the worker has read all messages that were received before [ms]
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _ending: bool = False
    _finished: bool = False
    _read_until_s: float = float("inf")
    _troubles: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # One thread each, so that neither a step nor a snapshot holds up an acknowledgement.
        self._appending = ThreadPoolExecutor(1, "log")
        self._computing = ThreadPoolExecutor(1, "worker")
        self._saving = ThreadPoolExecutor(1, "save")

    @property
    def trouble(self) -> str:
        """Reason why state cannot be written or history not be read; empty when there is none."""
        return "; ".join(filter(None, self._troubles.values()))

    def behind_ms(self, now_ms: int) -> int:
        """Age of the oldest unread message [ms]; 0 when there is none."""
        return max(0, now_ms - self.read_until_ms) if self.worker.seq < self.log.head else 0

    async def run(self) -> None:
        """Take in until :meth:`stop`; then everything received is computed and on disk.

        A backlog of an earlier start, or one that would hold the stop up for long, is left to the
        next start: it is on disk already.

        LogCorrupt, StoreUnavailable: the log cannot be read; nothing more is taken in.
        """
        interval_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        try:
            await self._take_in()
        except ExceptionGroup as group:
            # The first to fail is the cause; the others were cancelled for it.
            raise group.exceptions[0] from None
        finally:
            sys.setswitchinterval(interval_s)
        # The log holds the tail; a large city's day is not rewritten while somebody waits.
        await self._save(flush=self.worker.archive.flushes_quickly)
        self._finished = True
        for executor in (self._appending, self._computing, self._saving):
            executor.shutdown()

    def redrawn(self, from_ms: int, fingerprint: str) -> None:
        """The zones have changed from an instant on [ms]: judge again what lies after it, soon.

        Returns at once; history that cannot be read is told by :attr:`trouble`.
        """
        if not self._finished:
            self._computing.submit(self.worker.redrawn, from_ms, fingerprint)

    async def stop(self) -> None:
        """Take no more messages, and let :meth:`run` finish."""
        await self.inlet.stop()

    async def _take_in(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._read())
            saving = tasks.create_task(self._save_now_and_then())
            try:
                await self.inlet.run(self._keep)
            finally:
                self._ending = True
                self._read_until_s = time.monotonic() + LAST_READ_S
                saving.cancel()
                self.worker.archive.hurry()
                self._wake.set()
            await reading

    async def _keep(self, messages: Messages) -> None:
        if self.worker.seq == self.log.head:
            # After a quiet night the first message is not a night behind.
            self.read_until_ms = messages.received_at_ms
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._appending, self.log.append, messages)
        self._wake.set()

    async def _read(self) -> None:
        head_at_start = self.log.head
        while True:
            began_s = time.monotonic()
            decoded = await self._compute(self._step)
            if decoded:
                self.read_until_ms = decoded[-1].received_at_ms
                self.on_read(decoded)
                if self.worker.unsaved > SAVE_EVERY_MESSAGES and not self.trouble:
                    await self._save()
            if self.worker.seq >= head_at_start:
                self.caught_up.set()
            if self._ending and self._read_enough():
                return
            gather_s = min(MAX_GATHER_S, max(GATHER_S, GATHER_FACTOR * self.worker.judging_s))
            await self._gather(began_s + gather_s)

    def _step(self) -> list[Decoded]:
        decoded = self.worker.step(READ_MESSAGES)
        self.answer(decoded)
        return decoded

    def _read_enough(self) -> bool:
        """Whether the worker may leave, now that nothing more comes."""
        return (
            self.worker.seq == self.log.head
            or not self.caught_up.is_set()
            or time.monotonic() >= self._read_until_s
        )

    async def _gather(self, until_s: float) -> None:
        """Wait for messages, and until then for more [s], unless there are enough already."""
        if self.worker.seq == self.log.head:
            self._wake.clear()
            await self._wake.wait()
        elif not self.caught_up.is_set():
            return  # what was there before the start is all there already
        while not self._ending and self.log.head - self.worker.seq < READ_MESSAGES:
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._wake.wait()

    async def _compute(self, function: Callable[..., T], *args: object) -> T:
        """Call something of the worker's in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._computing, function, *args)

    async def _save_now_and_then(self) -> None:
        archived_s = time.monotonic()
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            due = time.monotonic() - archived_s > ARCHIVE_EVERY_S
            flush = self.worker.archive.wants_flush or due
            if self.worker.unsaved or flush:
                await self._save(flush=flush)
            if flush:
                archived_s = time.monotonic()
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._saving, return_freed_memory)

    async def _save(self, *, flush: bool = False) -> None:
        """Take a snapshot, and with `flush` write the archive and trim the log.

        State is copied in the worker's thread, written in another.
        """

        def copied() -> tuple[tuple[Header, Arrays] | None, Flush | None]:
            # Of one moment: the archive has nothing then that the snapshot has not counted.
            wanted = (self.worker.unsaved or self._ending) and not self.worker.trouble
            state = self.worker.begin_save() if wanted else None
            return state, self.worker.archive.begin_flush() if flush else None

        state, tail = await self._compute(copied)
        # Late fixes that could not be judged are read again at the next start.
        self._tell("coverage", self.worker.trouble)
        if state is not None:
            await self._write_snapshot(*state)
        del state
        if flush:
            await self._write_archive(tail)

    async def _write_snapshot(self, header: Header, arrays: Arrays) -> None:
        """One that cannot be written is tried again: until then a crash makes us read more."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._saving, self.worker.write_snapshot, header, arrays)
        except StoreUnavailable as exc:
            self._tell("snapshot", str(exc))
            return
        self._tell("snapshot", "")
        log.debug("snapshot", seq=header.seq, behind=self.log.depth(COVERAGE))

    async def _write_archive(self, flush: Flush | None) -> None:
        """Move the tail into the day's files, and trim the log.

        Rows that cannot be written stay in the log, and are tried again.
        """
        loop = asyncio.get_running_loop()
        try:
            if flush is not None:
                await loop.run_in_executor(self._saving, self.worker.write_archive, flush)
                await self._compute(self.worker.archive.end_flush, flush)
            await loop.run_in_executor(self._saving, self.log.trim)
        except (StoreUnavailable, ArchiveDamaged) as exc:
            self._tell("archive", str(exc))
            return
        self._tell("archive", "")

    def _tell(self, part: str, trouble: str) -> None:
        if trouble:
            log.error("storage", part=part, trouble=trouble)
        self._troubles[part] = trouble


def return_freed_memory() -> None:
    """Return freed memory to the system now, which glibc would hold for ever; takes milliseconds.

    Where the C library has no such call nothing happens.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
