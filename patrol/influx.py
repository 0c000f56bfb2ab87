"""The writer to InfluxDB, put together; there is one when [influx] is in the settings."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from alerts.alert import UNDO_S, Transition, undo_until_ms
from alerts.errors import BookUnavailable
from alerts.lifecycle import UNDOABLE, Event
from alerts.store.book import AlertBook
from geofence.presence import bikes_inside
from ingest.errors import StoreUnavailable
from ingest.influx.figures import HealthFigures
from ingest.influx.file import InfluxFile
from ingest.influx.reporter import Reporter
from ingest.influx.source import Source
from ingest.influx.store import InfluxOptions, InfluxStore
from ingest.influx.tracks import READER
from ingest.influx.writer import InfluxWriter
from ingest.verdict_stream import VerdictStream
from ingest.worker import READERS, Worker
from patrol.assembly import District, decoder_of
from patrol.config.fields import read_secret
from patrol.config.settings import Settings

UNDO_MS = round(UNDO_S * 1000)


def readers_of(settings: Settings) -> tuple[str, ...]:
    """Who reads the log. InfluxDB's cursor holds it back only while [influx] is there."""
    return READERS if settings.influx is None else (*READERS, READER)


def influx_writer_of(
    district: District,
    worker: Worker,
    folder: Path,
    *,
    book: AlertBook,
    health: Callable[[], HealthFigures],
    parts: Callable[[], Iterable[tuple[str, bool, str]]],
    now_ms: Callable[[], int],
) -> InfluxWriter | None:
    """The writer as configured; None when nothing is to be sent to InfluxDB.

    Parameters
    ----------
    folder : Path
        Where ``influx.sqlite`` is kept.
    book : AlertBook
        Where transitions come from.
    health : callable
        Counters of the intake as they are now.
    parts : callable
        Name of each part of the station, whether it works, and why not.
    now_ms : callable
        The clock [ms].
    """
    influx = district.settings.influx
    if influx is None:
        return None

    def token_now() -> str | None:
        return None if influx.token_file is None else read_secret(influx.token_file)

    options = InfluxOptions(str(influx.url), influx.org, influx.bucket, token_now(), token_now)
    file = InfluxFile(folder / "influx.sqlite")
    source = Source(
        worker.log,
        # Of its own, because a decoder is for one thread.
        decoder_of(district.settings, worker.roster),
        worker.roster,
        VerdictStream(district.judge, worker.archive, worker.pipeline.reorder_s),
        # What the worker has read is in the archive, or in its tail.
        upto=lambda: worker.seq,
    )

    def transitions(after_seq: int, limit: int) -> Sequence[Step]:
        try:
            return steps(book, after_seq, limit, now_ms())
        except BookUnavailable as exc:
            raise StoreUnavailable(str(exc)) from exc

    reporter = Reporter(
        file,
        health,
        parts,
        lambda: bikes_inside(district.atlas.at(now_ms()), worker.fleet.live(now_ms())),
        now_ms,
        socket.gethostname(),
    )
    return InfluxWriter(
        lambda: InfluxStore(options), file, source, worker.log, reporter, transitions
    )


class Step(NamedTuple):
    """A row of the book, and how long it took; see :class:`ingest.influx.figures.AlertStep`."""

    seq: int
    alert_id: str
    rule: str
    severity: str
    zone_id: str | None
    from_state: str
    to_state: str
    actor: str
    reason: str
    at_ms: int
    after_s: float | None


def steps(
    book: AlertBook, after_seq: int, limit: int, now_ms: int, within_ms: int = UNDO_MS
) -> list[Step]:
    """Rows of the book after a row, in order, up to the first that may still be undone.

    InfluxDB counts the waits that have ended, and nothing can take a count back. So a row that
    somebody may take back within `within_ms` waits for so long, and those after it with it.

    Raises
    ------
    BookUnavailable
        It cannot be read now.
    """
    found = []
    for row in book.transitions(after_seq, limit):
        history = book.get(row.alert_id).history if row.event in UNDOABLE | SINCE.keys() else ()
        until_ms = undo_until_ms(row, within_ms)
        if until_ms is not None and now_ms <= until_ms and history[-1].seq == row.seq:
            break
        found.append(_step(row, after_s(row, history)))
    return found


def _step(row: Transition, after_s: float | None) -> Step:
    return Step(
        seq=row.seq,
        alert_id=row.alert_id,
        rule=row.rule,
        severity=row.severity,
        zone_id=row.zone_id,
        from_state=row.from_state,
        to_state=row.to_state,
        actor=row.actor,
        reason=row.reason,
        at_ms=row.at_ms,
        after_s=after_s,
    )


SINCE: Final[Mapping[Event, tuple[Event, ...]]] = {
    "activate": ("raise",),
    "acknowledge": ("activate", "reopen"),
    "return": ("activate", "reopen"),
    "close": ("activate",),
}
"""What ends a wait, and what began it."""


def after_s(row: Transition, history: Sequence[Transition]) -> float | None:
    """How long an alert has waited for this row [s]; None when the row ends no wait.

    One that was undone has ended none.
    """
    if any(later.event == "undo" and later.evidence["undone"] == row.seq for later in history):
        return None
    began = [
        earlier.at_ms
        for earlier in history
        if earlier.seq < row.seq and earlier.event in SINCE.get(row.event, ())
    ]
    return (row.at_ms - began[-1]) / 1000 if began else None
