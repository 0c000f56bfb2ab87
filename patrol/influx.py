"""The writer to InfluxDB, put together; there is one when [influx] is in the settings."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from alerts.errors import BookUnavailable
from alerts.store.book import AlertBook
from alerts.waits import TimedTransition, settled_transitions
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


def readers_of(settings: Settings) -> tuple[str, ...]:
    """The readers of the log. InfluxDB's cursor holds it back only while [influx] is there."""
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
        # Another decoder than the worker's, because a decoder is for one thread.
        decoder_of(district.settings, worker.roster),
        worker.roster,
        VerdictStream(district.judge, worker.archive, worker.pipeline.reorder_s),
        # Messages that the worker has read are in the archive, or in its tail.
        upto=lambda: worker.seq,
    )

    def transitions(after_seq: int, limit: int) -> Sequence[TimedTransition]:
        try:
            return settled_transitions(book, after_seq, limit, now_ms())
        except BookUnavailable as exc:
            raise StoreUnavailable(str(exc)) from exc

    reporter = Reporter(
        file,
        health,
        parts,
        lambda: bikes_inside(district.atlas.at(now_ms()), worker.view.fleet.live(now_ms())),
        now_ms,
        socket.gethostname(),
    )
    return InfluxWriter(
        lambda: InfluxStore(options), file, source, worker.log, reporter, transitions
    )
