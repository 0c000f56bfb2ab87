"""Log, worker and writer without a broker: what InfluxDB sees of the whole line."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bikes.roster import Roster
from files.secret import Secret
from geofence.runs import Judge
from ingest.influx.file import InfluxFile
from ingest.influx.line_protocol import AlertStep, HealthFigures
from ingest.influx.reporter import Reporter
from ingest.influx.store import InfluxOptions, InfluxStore
from ingest.influx.tracks import READER, Source
from ingest.influx.writer import InfluxWriter
from ingest.log import Messages, SqliteLog
from ingest.verdict_stream import VerdictStream
from ingest.worker import READERS
from tests.patience import until_async as until
from tests.rides import START_MS, judge
from tests.workers import decodings, new_worker, patient_decoder

Key = tuple[str, int]
"""A bike's id and a timestamp [ms]."""


class Sent(NamedTuple):
    """Messages, and what must be in the store because of them."""

    messages: Messages
    keys: set[Key]


def ride(seed: int, *, bikes: int, fixes: int, from_s: float = 0.0, every_s: float = 1.0) -> Sent:
    """Messages of bikes that ride about, in the order of time.

    Parameters
    ----------
    from_s : float
        Time of the first fix after :data:`tests.rides.START_MS` [s].
    """
    rng = np.random.default_rng(seed)
    grid = judge().atlas.grid
    east = rng.uniform(-2_000, 2_000, bikes)[:, None] + np.cumsum(
        rng.normal(0, 3, (bikes, fixes)), axis=1
    )
    lng = np.round(120.40 + east / grid.metres_per_lng, 7).T.ravel().tolist()
    at_ms = START_MS + np.round((from_s + every_s * np.arange(fixes)) * 1000).astype(np.int64)
    rows = np.repeat(at_ms, bikes).tolist()
    ids = [f"HB{bike:04d}" for bike in range(bikes)] * fixes
    payloads = [
        b'{"timestamp":%d,"location":{"lat":36.3,"lng":%.7f,"horizontal_accuracy":5,'
        b'"speed":3.25,"heading":90},"battery_percent":81}' % (when, where)
        for when, where in zip(rows, lng, strict=True)
    ]
    topics = [f"patrol/v1/hello/{bike_id}/telemetry" for bike_id in ids]
    messages = Messages(rows[-1] + 1_000, topics, payloads)
    return Sent(messages, set(zip(ids, rows, strict=True)))


class Line:
    """What is between the log and a store.

    Parameters
    ----------
    folder : Path
        Where everything is kept; what is there is taken up.
    url : str
        Of the store.
    store : callable, optional
        What makes another store.
    file : callable
        Opens what the writer keeps.
    """

    def __init__(
        self,
        folder: Path,
        url: str = "",
        *,
        store: Callable[[], InfluxStore] | None = None,
        file: Callable[[Path], InfluxFile] = InfluxFile,
        judged_by: Judge | None = None,
        bikes: int = 50,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        judged_by = judged_by or judge()
        self.transitions: list[AlertStep] = []
        self.log = SqliteLog(folder / "log.sqlite", (*READERS, READER))
        roster = Roster({"hello": [f"HB{bike:04d}" for bike in range(bikes)]})
        decoder = patient_decoder(roster)
        self.worker = new_worker(
            folder, self.log, judged_by=judged_by, roster=roster, decoder=decoder
        )
        self.worker.restore(START_MS)
        self.file = file(folder / "influx.sqlite")
        self.worker.tell_repeats = self.file.repeat
        source = Source(
            self.file,
            self.log,
            decodings(self.log, patient_decoder(roster)),
            roster,
            VerdictStream(judged_by, self.worker.archive),
            self.worker.recent,
            upto=lambda: self.worker.seq,
        )
        self.now_ms = START_MS
        reporter = Reporter(
            file=self.file,
            health=self.health,
            parts=lambda: [("inlet", True, "")],
            bikes_inside=lambda: {"west": 2},
            now_ms=lambda: self.now_ms,
            host="testbed",
        )
        self.writer = InfluxWriter(
            store or (lambda: InfluxStore(InfluxOptions(url, "org", "patrol", Secret("secret")))),
            source,
            reporter,
            self.book,
            rng=random.Random(1),
        )

    def health(self) -> HealthFigures:
        self.now_ms += 1
        worker = self.worker
        total = worker.view.total
        return HealthFigures(total.received, total.accepted, total.rejected, 0, 0, 0.0)

    def book(self, after_seq: int, limit: int) -> Sequence[AlertStep]:
        return [row for row in self.transitions if row.seq > after_seq][:limit]

    def take(self, sent: Sent, size: int = 2_000) -> set[Key]:
        """Put messages into the log, and let the worker read them; what must be in the store."""
        at_ms, topics, payloads = (
            sent.messages.received_at_ms,
            sent.messages.topics,
            sent.messages.payloads,
        )
        for at in range(0, len(topics), size):
            rows = slice(at, at + size)
            self.log.append(Messages(at_ms, topics[rows], payloads[rows]))
        self.read()
        return sent.keys

    def read(self) -> None:
        """Let the worker read what is in the log."""
        while self.worker.step(100_000):
            pass

    def close(self) -> None:
        self.file.close()
        self.log.close()


def run_until(line: Line, condition: Callable[[], bool]) -> None:
    """Let the writer run until a condition holds, then stop it."""

    async def scenario() -> None:
        writing = asyncio.create_task(line.writer.run())
        await until(lambda: condition() or writing.done())
        line.writer.stop()
        await asyncio.wait_for(writing, 5.0)

    asyncio.run(scenario())


def caught_up(line: Line) -> bool:
    """Whether the store has all that was received."""
    return line.writer.backlog == 0 and line.writer.state.ok


def main(folder: str, url: str, bikes: str) -> None:
    """Write what is in the log until killed: a process of its own for those who kill it."""
    line = Line(Path(folder), url, bikes=int(bikes))
    line.read()
    asyncio.run(line.writer.run())


if __name__ == "__main__":
    main(*sys.argv[1:])
