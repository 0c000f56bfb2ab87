"""The way in: what is acknowledged is on disk, and all of it is computed before the end."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from bikes import topics
from ingest import set_aside
from ingest.decode import Decoded
from ingest.errors import StoreUnavailable
from ingest.intake import READ_MESSAGES, Intake
from ingest.log import Messages, SqliteLog
from ingest.worker import ARCHIVE, COVERAGE, READERS, Worker
from tests.inlets import MemoryInlet
from tests.patience import PATIENCE_S
from tests.rides import batch
from tests.workers import RECEIVED_MS, ledger, messages, new_log, new_worker

HOUR_MS = 3_600_000


class SmallDisk(SqliteLog):
    """A log that can be full."""

    full = False

    def append(self, messages: Messages) -> int:
        if self.full:
            raise StoreUnavailable("the disk is full")
        return super().append(messages)


def ride(first_s: int, *, at_ms: int = RECEIVED_MS) -> Messages:
    """Five fixes of a ride."""
    at_s = [first_s + 5.0 * n for n in range(5)]
    return messages(batch(at_s, [4 * s for s in at_s], [0.0] * 5), at_ms=at_ms)


RIDES = [ride(25 * n) for n in range(8)]


def during(
    intake: Intake, inlet: MemoryInlet, test: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """Run a test while the intake runs, then stop it."""

    async def main() -> None:
        running = asyncio.create_task(intake.run())
        try:
            await test()
            await inlet.stop()
        finally:
            await running

    async def with_timeout() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await main()

    asyncio.run(with_timeout())


def assembled(
    folder: Path, inlet: MemoryInlet, log: SqliteLog | None = None, **changes: Any
) -> tuple[Intake, Worker]:
    """An intake and its worker, restored."""
    log = log or new_log(folder)
    worker = new_worker(folder, log)
    worker.restore(RECEIVED_MS)
    return Intake(inlet, log, worker, **changes), worker


def calm_ledger(folder: Path, parts: list[Messages]) -> object:
    """What reading some entries gives."""
    log = new_log(folder)
    for part in parts:
        log.append(part)
    worker = new_worker(folder, log)
    worker.restore(RECEIVED_MS)
    worker.step(1 << 30)
    log.close()
    return ledger(worker)


def test_a_stop_computes_everything_and_saves_it(tmp_path: Path) -> None:
    """What came in last is in the ledger, the snapshot and the archive, and the log is trimmed."""
    inlet = MemoryInlet()
    read: list[Decoded] = []
    intake, worker = assembled(tmp_path, inlet, on_read=read.extend)

    async def test() -> None:
        inlet.send(*RIDES)

    during(intake, inlet, test)
    log = worker.log
    assert inlet.acknowledged == RIDES
    assert sum(part.received.total() for part in read) == worker.view.total.received == 40
    assert worker.seq == log.head == log.cursor(COVERAGE) == log.cursor(ARCHIVE) == 40
    assert log.read(0, 1) == []
    assert worker.archive.tail_rows == 0
    assert ledger(worker) == calm_ledger(tmp_path / "calm", RIDES)
    log.close()
    again = new_worker(tmp_path, new_log(tmp_path))
    again.restore(RECEIVED_MS)
    assert again.seq == 40
    assert ledger(again) == ledger(worker)
    again.log.close()


def test_what_is_acknowledged_is_in_the_file(tmp_path: Path) -> None:
    """At the moment of the acknowledgement another process would find the batch."""
    found: list[int] = []

    def look(_: Messages) -> None:
        with sqlite3.connect(tmp_path / "log.sqlite") as other:
            found.extend(other.execute("SELECT max(seq) FROM entry").fetchone())

    inlet = MemoryInlet(look)
    intake, worker = assembled(tmp_path, inlet)

    async def test() -> None:
        inlet.send(*RIDES)

    during(intake, inlet, test)
    assert found == [5 * n for n in range(1, 9)]
    worker.log.close()


def test_a_full_log_is_waited_for(tmp_path: Path) -> None:
    """Nothing is acknowledged that could not be kept; it is kept once when it can be again."""
    inlet = MemoryInlet()
    log = SmallDisk(tmp_path / "log.sqlite", READERS)
    intake, worker = assembled(tmp_path, inlet, log)

    async def test() -> None:
        inlet.send(RIDES[0])
        await inlet.all_acknowledged(1)
        log.full = True
        inlet.send(*RIDES[1:])
        await inlet.until(lambda: inlet.state.phase == "holding")
        assert "disk is full" in inlet.state.reason
        assert len(inlet.acknowledged) == 1
        log.full = False
        await inlet.all_acknowledged(8)

    during(intake, inlet, test)
    assert log.head == worker.view.total.received == 40
    assert ledger(worker) == calm_ledger(tmp_path / "calm", RIDES)
    log.close()


def test_caught_up_means_that_the_past_has_been_read(tmp_path: Path) -> None:
    """Nobody judges zones before what was in the log at the start is in the ledger."""
    log = new_log(tmp_path)
    for part in RIDES:
        log.append(part)
    inlet = MemoryInlet()
    seqs: list[tuple[int, bool]] = []
    intake, worker = assembled(
        tmp_path,
        inlet,
        log,
        on_read=lambda _: seqs.append((worker.seq, intake.caught_up.is_set())),
    )
    assert not intake.caught_up.is_set()

    async def test() -> None:
        await intake.caught_up.wait()
        assert worker.seq == 40
        inlet.send(ride(200))
        await inlet.all_acknowledged(1)

    during(intake, inlet, test)
    assert seqs == [(40, False), (45, True)]
    log.close()


def test_a_stop_does_not_wait_for_the_past(tmp_path: Path) -> None:
    """What an earlier life has left may take long to read; the next one goes on where we leave."""
    log = new_log(tmp_path)
    for part in RIDES:
        times = READ_MESSAGES // len(part.topics) + 1
        log.append(Messages(RECEIVED_MS, part.topics * times, part.payloads * times))
    inlet = MemoryInlet()
    read = asyncio.Event()
    intake, worker = assembled(tmp_path, inlet, log, on_read=lambda _: read.set())

    async def test() -> None:
        await read.wait()

    during(intake, inlet, test)
    assert not intake.caught_up.is_set()
    assert READ_MESSAGES <= worker.seq < log.head
    assert log.cursor(COVERAGE) == log.cursor(ARCHIVE) == worker.seq
    log.close()
    again = new_worker(tmp_path, new_log(tmp_path))
    assert again.restore(RECEIVED_MS)
    while again.step(1 << 30):
        pass
    assert ledger(again) == calm_ledger(tmp_path / "calm", RIDES)
    again.log.close()


def test_an_empty_log_is_caught_up_at_once(tmp_path: Path) -> None:
    """The first start has no past."""
    inlet = MemoryInlet()
    intake, worker = assembled(tmp_path, inlet)
    during(intake, inlet, intake.caught_up.wait)  # type: ignore[arg-type]
    worker.log.close()


def test_being_behind_is_the_age_of_what_waits(tmp_path: Path) -> None:
    """After a quiet night the first message is not a night behind."""
    evening, morning = RECEIVED_MS, RECEIVED_MS + 10 * HOUR_MS
    behind: list[int] = []

    def look(part: Messages) -> None:
        # The worker has slept until now, so this one has not been read.
        behind.append(intake.behind_ms(part.received_at_ms + 70))

    inlet = MemoryInlet(look)
    read = asyncio.Event()
    intake, worker = assembled(tmp_path, inlet, on_read=lambda _: read.set())

    async def test() -> None:
        await intake.caught_up.wait()
        assert intake.behind_ms(evening) == 0
        inlet.send(ride(0, at_ms=evening))
        await inlet.all_acknowledged(1)
        await read.wait()
        assert worker.seq == worker.log.head
        assert intake.behind_ms(morning) == 0
        inlet.send(ride(25, at_ms=morning))

    during(intake, inlet, test)
    assert behind == [70, 70]
    worker.log.close()


def test_bad_messages_block_nobody(tmp_path: Path) -> None:
    """Poison is acknowledged, counted and passed; what is around it counts."""
    poison = Messages(
        RECEIVED_MS,
        [
            topics.of_bike("telemetry", "hello", "HB0"),
            "patrol/v1/nobody/x/telemetry",
            "what is this",
        ],
        [b"\xff\x00", b"[[[[", b"1e999"],
    )
    inlet = MemoryInlet()
    intake, worker = assembled(tmp_path, inlet)

    async def test() -> None:
        inlet.send(RIDES[0], poison, RIDES[1])

    during(intake, inlet, test)
    assert len(inlet.acknowledged) == 3
    total = worker.view.total
    assert (total.accepted, total.rejected) == (10, total.received - 10)
    assert total.rejected >= 2
    assert ledger(worker) == calm_ledger(tmp_path / "calm", RIDES[:2])
    worker.log.close()


def test_state_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """The log keeps what snapshot and archive could not take, and the trouble is told."""
    inlet = MemoryInlet()
    intake, worker = assembled(tmp_path, inlet)
    (tmp_path / "coverage.tmp").mkdir()
    (tmp_path / "archive" / "hello").write_text("in the way")

    async def test() -> None:
        inlet.send(*RIDES)

    during(intake, inlet, test)
    assert "coverage.npz cannot be written now" in intake.trouble
    assert "2025-11-23.parquet cannot be written now" in intake.trouble
    assert worker.log.depth(COVERAGE) == worker.log.depth(ARCHIVE) == 40
    worker.log.close()
    (tmp_path / "coverage.tmp").rmdir()
    (tmp_path / "archive" / "hello").unlink()
    inlet = MemoryInlet()
    again, next_worker = assembled(tmp_path, inlet)
    during(again, inlet, again.caught_up.wait)  # type: ignore[arg-type]
    assert again.trouble == ""
    assert next_worker.log.depth(COVERAGE) == next_worker.log.depth(ARCHIVE) == 0
    assert ledger(next_worker) == ledger(worker)
    next_worker.log.close()


def test_state_without_a_damaged_day_is_not_saved(tmp_path: Path) -> None:
    """The snapshot of before stays, so that the next life judges what could not be judged."""
    first = MemoryInlet()
    intake, worker = assembled(tmp_path, first)

    async def early_and_late() -> None:
        first.send(ride(0), messages(batch([7200], [0], [0])))

    during(intake, first, early_and_late)
    worker.log.close()
    (file,) = (tmp_path / "archive").rglob("*.parquet")
    file.write_bytes(file.read_bytes()[:50])
    second = MemoryInlet()
    intake, worker = assembled(tmp_path, second)

    async def late() -> None:
        second.send(messages(batch([7], [30], [0])))

    during(intake, second, late)
    assert str(file) in intake.trouble
    assert worker.log.depth(COVERAGE) == worker.log.depth(ARCHIVE) == 1
    worker.log.close()


def test_a_damaged_entry_does_not_end_the_intake(tmp_path: Path) -> None:
    """It is set aside and said; what was received before and after is taken in."""
    log = new_log(tmp_path)
    for part in RIDES[:2]:
        log.append(part)
    with sqlite3.connect(tmp_path / "log.sqlite") as other:
        other.execute("UPDATE entry SET body = x'00' WHERE seq = (SELECT min(seq) FROM entry)")
    inlet = MemoryInlet()
    intake, worker = assembled(tmp_path, inlet, log)

    async def more() -> None:
        inlet.send(RIDES[2])

    during(intake, inlet, more)
    assert worker.seq == log.head
    assert worker.view.total.received == sum(len(part.topics) for part in RIDES[1:3])
    assert f"messages 1 to {len(RIDES[0].topics)}" in set_aside.trouble(log.aside)
    log.close()
