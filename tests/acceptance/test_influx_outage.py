"""Whatever happens to InfluxDB, or to us: nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from ingest.influx.tracks import READER
from tests.fault_proxy import FaultProxy
from tests.influx_line import Key, Line, caught_up, ride, until
from tests.influx_servers import VictoriaMetrics, visible
from tests.patience import PATIENCE_S
from tests.servers import Answer, Program

BIKES = 50


@pytest.fixture
def store(tmp_path: Path) -> Iterator[VictoriaMetrics]:
    """A VictoriaMetrics that counts a point that was written twice once, as InfluxDB does."""
    with VictoriaMetrics(tmp_path / "store", dedup=True) as store:
        yield store


def points(store: VictoriaMetrics) -> list[Key]:
    """What the store shows now."""
    return [(tags["bike_id"], at_ms) for tags, at_ms, _ in store.export("bike_telemetry_lat")]


def assert_has(store: VictoriaMetrics, keys: set[Key]) -> None:
    """Nothing is lost, nothing is there twice."""
    found = visible(lambda: points(store), lambda found: len(found) == len(keys))
    assert len(found) == len(set(found))
    assert set(found) == keys


class Load:
    """Messages that keep coming while something else happens: 50 bikes, 1,000 messages/s."""

    def __init__(self, line: Line, from_s: int) -> None:
        self.keys: set[Key] = set()
        self._line = line
        self._from_s = from_s

    def more(self, fixes: int) -> None:
        """So many fixes of every bike, at once."""
        sent = ride(self._from_s, bikes=BIKES, fixes=fixes, from_s=self._from_s)
        self._from_s += fixes
        self.keys |= self._line.take(sent)

    async def always(self) -> None:
        while True:
            self.more(2)
            await asyncio.sleep(0.1)


def under_load(
    folder: Path,
    url: str,
    happens: Callable[[Line, Load], Awaitable[None]],
    *,
    settle_s: float = 10.0,
    from_s: int = 0,
) -> tuple[Line, set[Key]]:
    """Let something happen while telemetry comes in and is written; then catch up and stop.

    Returns
    -------
    tuple
        The line, stopped, and what must be in the store.
    """

    async def scenario() -> set[Key]:
        writing = asyncio.create_task(line.writer.run())
        load = Load(line, from_s)
        loading = asyncio.create_task(load.always())
        await until(lambda: line.worker.seq > 0)
        await happens(line, load)
        loading.cancel()
        await until(lambda: caught_up(line) or writing.done())
        if settle_s < 1:
            await until(lambda: line.log.depth(READER) == 0 or writing.done())
        line.writer.stop()
        await asyncio.wait_for(writing, 2.0)
        return load.keys

    line = Line(folder, url, bikes=BIKES)
    line.writer.settle_s = settle_s
    line.writer.first_wait_s = 0.2
    line.writer.reporter.health_every_s = 1.0
    keys = asyncio.run(scenario())
    line.close()
    return line, keys


async def nothing(line: Line, load: Load) -> None:
    """Nothing happens."""


def test_stopped_for_a_while(store: VictoriaMetrics, tmp_path: Path) -> None:
    """While it is away intake goes on, and the state says why; then everything is written."""

    async def away(line: Line, load: Load) -> None:
        await until(lambda: line.writer.counters.written > 500)
        store.stop()
        await until(lambda: not line.writer.state.ok)
        assert "cannot be reached" in line.writer.state.reason
        before = line.worker.view.total.accepted
        load.more(400)
        await until(lambda: line.worker.view.total.accepted - before >= 20_000)
        await until(lambda: line.writer.backlog > 20_000)
        store.start()

    _, keys = under_load(tmp_path / "line", store.url, away)
    assert_has(store, keys)


def test_killed(store: VictoriaMetrics, tmp_path: Path) -> None:
    """What it has acknowledged and forgotten in the crash is written again."""

    async def crashes(line: Line, load: Load) -> None:
        for _ in range(2):
            written = line.writer.counters.written
            await until(lambda written=written: line.writer.counters.written > written + 2_000)
            store.kill()
            await until(lambda: not line.writer.state.ok)
            store.start()
        await until(lambda: line.writer.state.ok)

    _, keys = under_load(tmp_path / "line", store.url, crashes)
    assert_has(store, keys)


def test_a_crash_that_no_request_has_seen(store: VictoriaMetrics, tmp_path: Path) -> None:
    """It was away between two requests only; the new connection gives it away."""

    async def crashes(line: Line, load: Load) -> None:
        await until(lambda: line.writer.counters.written > 2_000)
        written = line.writer.counters.written
        await until(lambda: line.writer.counters.written > written)  # then a rest of a second
        store.kill()
        store.start()
        await until(lambda: line.writer.counters.written > written + 3_000)

    line, keys = under_load(tmp_path / "line", store.url, crashes)
    assert line.writer.counters.retried <= 1
    assert_has(store, keys)


def test_throttled_and_rejected_in_turn(store: VictoriaMetrics, tmp_path: Path) -> None:
    """503 with Retry-After and 400 for whatever it is given: good lines are not blamed for it."""
    with FaultProxy(store.host, store.port) as proxy:

        async def in_turn(line: Line, load: Load) -> None:
            await until(lambda: line.writer.counters.written > 500)
            busy = Answer(503, "", {"Retry-After": "0.2"})
            wrong = Answer(400, '{"code":"invalid","message":"not today"}')
            proxy.fault = lambda number, lines: busy if number % 2 else wrong
            await until(lambda: line.writer.counters.retried > 4)
            proxy.fault = lambda number, lines: (busy, wrong, None)[number % 3]
            retried = line.writer.counters.retried
            await until(lambda: line.writer.counters.retried > retried)
            proxy.fault = lambda number, lines: None

        line, keys = under_load(tmp_path / "line", proxy.url, in_turn, settle_s=0.5)
    assert_has(store, keys)
    assert line.writer.counters.rejected == 0


def test_one_line_in_a_thousand_is_rejected(store: VictoriaMetrics, tmp_path: Path) -> None:
    """The offending lines are kept with the reason, and all others are written."""

    def bad(line: bytes) -> bool:
        return b"bike_id=HB0007," in line and line.endswith(
            (b"07000", b"27000", b"47000", b"67000", b"87000")
        )

    def picky(number: int, lines: bytes) -> Answer | None:
        if any(map(bad, lines.splitlines())):
            return Answer(400, '{"code":"invalid","message":"I do not like sevens"}')
        return None

    with FaultProxy(store.host, store.port, picky) as proxy:

        async def much(line: Line, load: Load) -> None:
            load.more(400)
            await until(lambda: line.writer.counters.rejected >= 20)

        _, keys = under_load(tmp_path / "line", proxy.url, much, settle_s=0.5)
    bad_keys = {
        (bike, at_ms) for bike, at_ms in keys if bike == "HB0007" and at_ms % 20_000 == 7_000
    }
    assert 0.0009 < len(bad_keys) / len(keys) < 0.0011
    assert_has(store, keys - bad_keys)
    with Line(tmp_path / "line", store.url).file.reading() as db:
        kept = db.execute("SELECT at_ms, reason, line FROM rejected").fetchall()
    assert {(bike_of(text), int(text.split()[-1])) for _, _, text in kept} == bad_keys
    assert {reason.rpartition(": ")[2] for _, reason, _ in kept} == {"I do not like sevens)"}


def bike_of(line: str) -> str:
    return line.partition("bike_id=")[2].partition(",")[0]


def test_slow(store: VictoriaMetrics, tmp_path: Path) -> None:
    """An answer that does not come delays InfluxDB only: what comes in is stored meanwhile."""
    with FaultProxy(store.host, store.port, delay_s=0.5) as proxy:

        async def slowly(line: Line, load: Load) -> None:
            await until(lambda: line.writer.counters.written > 0)
            proxy.delay_s = PATIENCE_S
            asked, before = len(proxy.requests), line.worker.view.total.accepted
            await until(lambda: len(proxy.requests) > asked)
            answered = proxy.answered
            await until(lambda: line.worker.view.total.accepted > before + 1_000)
            assert proxy.answered == answered
            proxy.hurry()

        _, keys = under_load(tmp_path / "line", proxy.url, slowly)
    assert_has(store, keys)


def test_leaves_in_the_middle_of_a_slow_request(store: VictoriaMetrics, tmp_path: Path) -> None:
    """SIGTERM does not wait for InfluxDB; what was under way is written in the next life."""
    with FaultProxy(store.host, store.port, delay_s=PATIENCE_S) as proxy:

        async def scenario(line: Line) -> None:
            writing = asyncio.create_task(line.writer.run())
            await until(lambda: len(proxy.requests) > 0)
            line.writer.stop()
            await writing
            assert proxy.answered == 0

        line = Line(tmp_path / "line", proxy.url)
        keys = line.take(ride(1, bikes=BIKES, fixes=20))
        asyncio.run(scenario(line))
        line.close()
    _, more = under_load(tmp_path / "line", store.url, nothing, from_s=20)
    assert_has(store, keys | more)


def test_away_at_the_start(tmp_path: Path) -> None:
    """It is not missed until it is there."""
    store = VictoriaMetrics(tmp_path / "store", dedup=True)

    async def comes_late(line: Line, load: Load) -> None:
        await until(lambda: not line.writer.state.ok)
        store.start()

    with store:
        store.stop()
        _, keys = under_load(tmp_path / "line", store.url, comes_late)
        assert_has(store, keys)


def test_killed_while_it_drains(store: VictoriaMetrics, tmp_path: Path) -> None:
    """SIGKILL in the middle of a backlog, twice: the next life goes on."""
    folder = tmp_path / "line"
    line = Line(folder, store.url)
    keys = line.take(ride(1, bikes=BIKES, fixes=1_000))
    line.close()
    with FaultProxy(store.host, store.port, delay_s=0.1) as proxy:
        command = [sys.executable, "-m", "tests.influx_line", folder, proxy.url, BIKES]
        for requests in (4, 8):
            with Program(command, tmp_path / "output") as killed:
                killed.wait(lambda requests=requests: len(proxy.requests) >= requests)
            found = set(points(store))
            assert found < keys, "it was killed in the middle"
    _, more = under_load(folder, store.url, nothing, from_s=1_000)
    assert_has(store, keys | more)
