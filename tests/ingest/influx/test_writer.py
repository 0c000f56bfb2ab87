"""The writer brings everything there is, in any weather, and says how it is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from bikes.roster import BikeKey
from ingest.errors import StoreThrottled, StoreUnavailable
from ingest.influx.file import InfluxFile, Outgoing
from ingest.influx.line_protocol import AlertStep
from tests.full_disk import full_disk
from tests.influx_line import Line, caught_up, ride, run_until, until
from tests.ingest.influx.test_line_protocol import AT_MS, Point, Step, Zone, points


@dataclass
class Memory:
    """A store that keeps the last point of each key; it can be told to fail.

    Attributes
    ----------
    errors : list
        Raised by the next requests, one each; None for no error.
    """

    errors: list[Exception | None] = field(default_factory=list)
    has: dict[tuple[object, ...], Point] = field(default_factory=dict)
    ever: dict[tuple[object, ...], Point] = field(default_factory=dict)
    requests: int = 0
    opened: int = 0
    renewed: bool = False

    def open(self) -> Memory:
        self.opened += 1
        return self

    def write(self, lines: bytes) -> None:
        self.requests += 1
        if self.errors and (error := self.errors.pop(0)) is not None:
            raise error
        assert lines.count(b"\n") <= 10_000
        assert len(lines) <= 5_000_000
        for point in points(lines):
            key = (point.measurement, tuple(sorted(point.tags.items())), point.at_ms)
            assert self.ever.setdefault(key, point) == point, "a point never changes"
            self.has[key] = point

    def close(self) -> None:
        pass

    def of(self, measurement: str) -> list[Point]:
        return [point for point in self.has.values() if point.measurement == measurement]


def line_to(
    store: Memory,
    folder: Path,
    *,
    settle_s: float = 0.0,
    file: Callable[[Path], InfluxFile] = InfluxFile,
) -> Line:
    line = Line(folder, store=store.open, file=file)
    line.writer.settle_s = settle_s
    line.writer.first_wait_s = 0.02
    line.writer.reporter.health_every_s = 0.5
    return line


def with_steps(line: Line, count: int) -> Line:
    # In pairs, as when an alert is raised and activated by one evaluation.
    steps: list[AlertStep] = [Step(seq, AT_MS + seq // 2 * 1_000) for seq in range(1, count + 1)]
    line.transitions = steps
    return line


def test_every_transition_arrives_once(tmp_path: Path) -> None:
    """In pages, over restarts, also those of one millisecond."""
    store = Memory()
    for count in (5, 5, 2_300):
        line = with_steps(line_to(store, tmp_path), count)
        run_until(line, lambda count=count: len(store.of("alert")) == count)
        line.close()
    written = store.requests
    line = with_steps(line_to(store, tmp_path), 2_300)
    run_until(line, lambda: len(store.of("ingest_health")) > 0 and store.requests > written)
    assert len(store.of("alert")) == 2_300


def test_coverage_that_nobody_took_waits(tmp_path: Path) -> None:
    """Over an outage and a restart in it."""
    store = Memory(errors=[StoreUnavailable("away")] * 1_000)
    line = line_to(store, tmp_path)
    line.writer.reporter.coverage([Zone()], 1_000)
    run_until(line, lambda: line.writer.counters.retried > 2)
    assert not line.writer.state.ok
    line.close()
    store.errors.clear()
    line = line_to(store, tmp_path)
    line.writer.reporter.coverage([Zone(state="due")], 2_000)
    run_until(line, lambda: len(store.of("zone_coverage")) == 2)
    assert sorted(point.at_ms for point in store.of("zone_coverage")) == [1_000, 2_000]


def test_the_state_says_what_is_wrong_until_it_is_not(tmp_path: Path) -> None:
    """For /readyz: the store's own words."""
    store = Memory(errors=[StoreUnavailable("refuses the token (401)")] * 3)
    line = line_to(store, tmp_path)
    line.take(ride(1, bikes=2, fixes=2))
    assert line.writer.state == (False, "connecting")

    async def scenario() -> None:
        writing = asyncio.create_task(line.writer.run())
        await until(lambda: line.writer.state.reason == "refuses the token (401)")
        assert line.writer.backlog == 4
        await until(lambda: caught_up(line))
        assert line.writer.state == (True, "")
        line.writer.stop()
        await writing

    asyncio.run(scenario())
    assert line.writer.state == (False, "stopped")
    assert line.writer.counters.retried == 3


def test_a_pause_that_is_asked_for_is_kept(tmp_path: Path) -> None:
    """And no shorter."""
    store = Memory(errors=[StoreThrottled("busy", 0.5)])
    line = line_to(store, tmp_path)
    line.take(ride(1, bikes=2, fixes=2))
    times = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        writing = asyncio.create_task(line.writer.run())
        await until(lambda: store.requests == 1)
        times.append(loop.time())
        await until(lambda: store.requests > 1)
        times.append(loop.time())
        line.writer.stop()
        await writing

    asyncio.run(scenario())
    assert times[1] - times[0] >= 0.45


def test_the_cursor_waits_until_what_was_written_has_settled(tmp_path: Path) -> None:
    """A server may forget what it has just acknowledged: the log keeps it so long."""
    store = Memory()
    line = line_to(store, tmp_path, settle_s=60.0)
    line.take(ride(1, bikes=2, fixes=50))
    run_until(line, lambda: caught_up(line))
    assert line.log.cursor("influx") == 0
    line.close()
    line = line_to(store, tmp_path)
    line.read()
    requests = store.requests
    run_until(line, lambda: line.log.cursor("influx") == 100)
    assert store.requests > requests, "it was written again"
    assert len(store.of("bike_telemetry")) == 100


def test_a_new_connection_makes_the_last_seconds_be_written_again(tmp_path: Path) -> None:
    """Whatever had settled is not."""
    store = Memory()
    line = line_to(store, tmp_path, settle_s=60.0)
    line.take(ride(1, bikes=2, fixes=50))

    async def scenario() -> None:
        writing = asyncio.create_task(line.writer.run())
        await until(lambda: caught_up(line))
        store.has.clear()
        store.renewed = True
        line.take(ride(2, bikes=2, fixes=1, from_s=100))
        await until(lambda: len(store.of("bike_telemetry")) == 102)
        store.renewed = False
        line.writer.stop()
        await writing

    asyncio.run(scenario())


def test_it_can_be_started_again(tmp_path: Path) -> None:
    """After a failure that nobody foresaw the station starts it once more; it begins anew."""
    store = Memory(errors=[None, RuntimeError("unforeseen")])
    line = line_to(store, tmp_path)
    line.take(ride(1, bikes=2, fixes=2))

    async def scenario() -> None:
        with pytest.raises(RuntimeError, match="unforeseen"):
            await line.writer.run()
        assert line.writer.state == (False, "stopped")
        writing = asyncio.create_task(line.writer.run())
        await until(lambda: line.log.cursor("influx") == 4 or writing.done())
        line.writer.stop()
        await asyncio.wait_for(writing, 5.0)

    asyncio.run(scenario())
    assert store.opened == 2
    assert len(store.of("bike_telemetry")) == 4
    assert line.log.cursor("influx") == 4


def test_a_disk_that_is_full_for_a_while_costs_nothing(tmp_path: Path) -> None:
    """How far it got cannot be kept: it says so, and goes on once it can."""
    store = Memory()
    line = with_steps(line_to(store, tmp_path), 2_300)
    line.take(ride(1, bikes=2, fixes=50))

    async def scenario() -> None:
        with full_disk(tmp_path / "influx.sqlite-wal"):
            writing = asyncio.create_task(line.writer.run())
            await until(lambda: line.writer.counters.retried > 1 or writing.done())
            assert not writing.done()
            assert not line.writer.state.ok
            assert "influx.sqlite cannot be used now" in line.writer.state.reason
            assert line.log.cursor("influx") == line.file.place("alert") == 0
        await until(lambda: line.log.cursor("influx") == 100 and line.writer.state.ok)
        line.writer.stop()
        await asyncio.wait_for(writing, 5.0)

    asyncio.run(scenario())
    assert len(store.of("bike_telemetry")) == 100
    assert len(store.of("alert")) == 2_300
    keys = {bike.key for bike in line.file.bikes()}
    assert keys == {BikeKey("hello", "HB0000"), BikeKey("hello", "HB0001")}


class Unreadable(InfluxFile):
    """A file on a disk that can be told to give nothing back."""

    gives = True

    def outgoing(self, after_id: int) -> Outgoing | None:
        if not self.gives:
            raise StoreUnavailable("the disk does not answer")
        return super().outgoing(after_id)


def test_what_a_crash_has_lost_is_looked_up_as_soon_as_that_can_be(tmp_path: Path) -> None:
    """InfluxDB forgets its last seconds while our own disk cannot say where to go back to."""
    store = Memory()
    line = line_to(store, tmp_path, settle_s=60.0, file=Unreadable)
    assert isinstance(line.file, Unreadable)
    file = line.file
    line.take(ride(1, bikes=2, fixes=50))

    async def scenario() -> None:
        writing = asyncio.create_task(line.writer.run())
        await until(lambda: caught_up(line))
        file.gives = False
        store.has.clear()
        store.renewed = True
        line.take(ride(2, bikes=2, fixes=1, from_s=100))
        await until(lambda: line.writer.counters.retried > 1 or writing.done())
        assert line.writer.state == (False, "the disk does not answer")
        store.renewed = False
        file.gives = True
        await until(lambda: len(store.of("bike_telemetry")) == 102)
        line.writer.stop()
        await asyncio.wait_for(writing, 5.0)

    asyncio.run(scenario())


def test_a_damaged_file_of_the_archive_is_waited_for(tmp_path: Path) -> None:
    """A late fix cannot be judged without it: it says so, and goes on once it is restored."""
    store = Memory()
    line = line_to(store, tmp_path)
    line.take(ride(1, bikes=2, fixes=2_000))
    flush = line.worker.archive.begin_flush()
    assert flush is not None
    line.worker.write_archive(flush)
    line.worker.archive.end_flush(flush)
    (file,) = line.worker.archive.path.glob("hello/*.parquet")
    whole = file.read_bytes()

    async def scenario() -> None:
        writing = asyncio.create_task(line.writer.run())
        await until(lambda: len(store.of("bike_telemetry")) == 4_000)
        file.write_bytes(whole[:1_000])
        line.take(ride(2, bikes=2, fixes=1, from_s=10.5))
        await until(lambda: not line.writer.state.ok or writing.done())
        assert f"the archive file {file} cannot be read" in line.writer.state.reason
        file.write_bytes(whole)
        await until(lambda: caught_up(line) or writing.done())
        line.writer.stop()
        await asyncio.wait_for(writing, 5.0)

    asyncio.run(scenario())
    assert len(store.of("bike_telemetry")) == 4_002


def test_rejects_are_counted_by_vendor_and_reason(tmp_path: Path) -> None:
    """A vendor that is not configured makes no series of its own."""
    store = Memory()
    line = line_to(store, tmp_path)
    sent = ride(1, bikes=3, fixes=1).messages
    broken = msgspec.structs.replace(
        sent,
        topics=[*sent.topics[:2], "patrol/v1/stranger/X/telemetry"],
        payloads=[b"{", b"[]x", sent.payloads[2]],
    )
    line.log.append(broken)
    line.read()
    run_until(line, lambda: len(store.of("ingest_rejects")) == 2)
    counts = {
        (point.tags.get("vendor"), point.tags["reason"]): point.fields["rejected"]
        for point in store.of("ingest_rejects")
    }
    assert counts == {("hello", "not_json"): 2, (None, "unknown_vendor"): 1}
