"""Three tracks to InfluxDB, each with a place of its own to go on from.

| track | comes from | place, on disk |
| --- | --- | --- |
| alerts | the book of alerts | the number of the last transition that was written |
| figures | coverage and health, kept in the file | they are deleted |
| telemetry | the log | its cursor |

A track reads on from where it is in memory: ``next`` gives the next load, None when there is
nothing, and raises StoreUnavailable when its source cannot be read now. The place on disk moves
only when everything before it was written (or rejected for good) and has settled
(:data:`ingest.influx.writer.SETTLE_S`); a track can be rewound to it. Both block, and are called
in a thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from bikes.roster import BikeKey, Roster
from bikes.telemetry import TelemetryBatch
from ingest.contexts import Judged
from ingest.daemon_executor import Stopping
from ingest.decode import Decoded, DecodedEntry, Decoder, Decodings, RecentlyDecoded
from ingest.influx.delivery import Delivery, Rejected
from ingest.influx.file import InfluxFile
from ingest.influx.line_protocol import (
    AlertStep,
    alert_lines,
    reject_lines,
    status_lines,
    telemetry_lines,
)
from ingest.log import Position, SqliteLog
from ingest.rejects import OTHER
from ingest.verdict_stream import VerdictStream

LINES = 10_000
"""Lines of a request at most. A line of telemetry has under 300 bytes, so it is under 5 MB."""

STATUS_LINES = 2_000
"""Lines of connections, events and rejects of a request."""

AT_LEAST, AT_MOST = 20_000, 250_000
"""Messages of a step, when there are as many."""

READER = "influx"
"""The cursor in the log."""

ALERT, LOG = "alert", "log"
"""The places in the file. That in the log repeats the cursor, and tells when the log was cut."""

FIGURE_BYTES = 1_000_000
"""Size of a load of figures [bytes]."""

FIGURE_LINES = 2_000

PAGE = 1_000
"""Transitions of a load."""

SAME_MOMENT = 100
"""Transitions before the new ones that are read again, for milliseconds that are taken."""


@dataclass
class Load:
    """Lines on their way to the store."""

    deliveries: list[Delivery]  # the lines, request by request
    move: Callable[[], None]  # Moves the track's place behind them. Blocks; called in a thread.
    seq: int  # that place

    @classmethod
    def of(cls, requests: Sequence[bytes], move: Callable[[], None], seq: int) -> Load:
        """A load of requests, each of whole lines."""
        return cls([Delivery(lines) for lines in requests], move, seq)

    @property
    def rejected(self) -> list[Rejected]:
        """Lines that the store does not take."""
        return [item for delivery in self.deliveries for item in delivery.rejected]

    def forget_rejected(self) -> None:
        """Drop the rejected lines, once they are kept elsewhere."""
        for delivery in self.deliveries:
            delivery.rejected.clear()


@dataclass
class Alerts:
    """Transitions of the book of alerts.

    `transitions` gives rows of the book after a number, in order, at most so many.
    """

    file: InfluxFile
    transitions: Callable[[int, int], Sequence[AlertStep]]
    _after: int = 0

    def next(self) -> Load | None:
        """The next transitions; None when there are none yet."""
        after = self._after
        steps = self.transitions(max(0, after - SAME_MOMENT), PAGE)
        if not steps or steps[-1].seq <= after:
            return None
        self._after = seq = steps[-1].seq
        lines = alert_lines(steps, after_seq=after)
        return Load.of([lines], partial(self.file.move, ALERT, seq), seq)

    def rewind(self) -> None:
        """Go back to the last transition that was written."""
        self._after = self.file.place(ALERT)


@dataclass
class Figures:
    """Coverage and health."""

    file: InfluxFile
    _after: int = 0

    def next(self) -> Load | None:
        """The oldest lines that wait and were not given yet; None when there are none."""
        found = self.file.waiting(self._after, FIGURE_BYTES)
        if found is None:
            return None
        self._after = found.seq
        requests = portions(found.lines, FIGURE_LINES)
        return Load.of(requests, partial(self.file.gone, found.seq), found.seq)

    def rewind(self) -> None:
        """Go back to the oldest that waits."""
        self._after = 0


@dataclass
class Source:
    """Telemetry, connections, events and numbers of rejects, out of the log.

    Decoder and stream are used by nobody else. All bikes of the decoder's roster must be known by
    the time a message is read. `recent` holds entries that the worker has decoded already. `upto`
    is the last message that may be read: history must know all up to it. `halted` is asked while a
    load is made, and says whether to leave it undone.
    """

    file: InfluxFile
    log: SqliteLog
    decoder: Decoder | Decodings
    roster: Roster
    stream: VerdictStream
    recent: RecentlyDecoded
    upto: Callable[[], int]
    halted: Callable[[], bool] = lambda: False
    seq: int = 0

    @property
    def behind(self) -> bool:
        """Whether more is waiting than a step takes."""
        return self.upto() - self.seq > self._limit

    @property
    def _limit(self) -> int:
        # Judging costs by the contexts as well: when they are large, more is read at once.
        return min(max(self.stream.context_rows // 4, AT_LEAST), AT_MOST)

    def rewind(self) -> None:
        """Go back to the log's cursor, and to where verdicts were then."""
        newest_ms = self.file.newest_ms()
        stream = self.stream
        self.stream = VerdictStream(stream.judge, stream.history, stream.reorder_s)
        self.stream.restore(
            dict(zip(self.roster.restore(newest_ms), newest_ms.values(), strict=True))
        )
        self.seq = self.log.cursor(READER)

    def next(self) -> Load | None:
        """Read on, and return the points; None at the head of the log.

        LogCorrupt, StoreUnavailable, ArchiveDamaged: log or history cannot be read; nothing was
        changed.
        Stopping: it was halted; the track must be rewound.
        """
        upto = self.upto()
        if upto <= self.seq:
            return None
        entries = self.recent.after(self.seq, self._limit) or self._read(upto)
        if not entries:
            return None
        decoded = [entry.decoded for entry in entries]
        fixes = TelemetryBatch.concat([part.telemetry for part in decoded])
        judged = self.stream.step(fixes)
        keys = self.roster.keys
        said = self._rejects(decoded) + status_lines(
            (status for part in decoded for status in part.statuses),
            (event for part in decoded for event in part.events),
            keys=keys,
        )
        bikes = np.unique(fixes.bike)
        newest_ms = self.stream.newest_ms(bikes).tolist()
        self.seq = seq = entries[-1].seq
        written = list(zip((keys[bike] for bike in bikes.tolist()), newest_ms, strict=True))
        requests = [*self._telemetry(judged, keys), *portions(said, STATUS_LINES)]
        return Load.of(requests, partial(self._move, written, seq), seq)

    def _move(self, newest_ms: list[tuple[BikeKey, int]], seq: int) -> None:
        # In this order: a bike's newest fix may be ahead of the cursor, never behind it.
        self.file.set_newest_ms(newest_ms)
        self.file.move(LOG, seq)
        self.log.commit(READER, seq)

    def known(self) -> Position:
        """How far InfluxDB has the log, by another file than the log."""
        return Position.of(Path(self.file.path), self.file.place(LOG))

    def _read(self, upto: int) -> list[DecodedEntry]:
        found = []
        for entry in self.log.read(self.seq, self._limit):
            if self.halted():
                raise Stopping
            if entry.seq <= upto:
                decoded = self.decoder.decode_entry(entry, again=True)
                found.append(DecodedEntry(entry.seq, decoded))
        return found

    def _rejects(self, decoded: Sequence[Decoded]) -> bytes:
        """Lines with the numbers of rejects, by vendor, reason and time of receipt."""
        counts: dict[int, Counter[tuple[str, str]]] = {}
        for part in decoded:
            for (_, vendor, reason), items in part.refused.items():
                count = counts.setdefault(part.received_at_ms, Counter())
                count["" if vendor == OTHER else vendor, reason] += items
        return b"".join(reject_lines(count, at_ms) for at_ms, count in counts.items())

    def _telemetry(self, judged: Judged, keys: Sequence[BikeKey]) -> list[bytes]:
        fixes, verdicts = judged
        layout = self.stream.judge.atlas.layout
        zones = layout.zone_of(fixes.lat_deg, fixes.lng_deg, fixes.timestamp_ms)
        requests = []
        for at in range(0, len(fixes), LINES):
            rows = slice(at, at + LINES)
            requests.append(
                telemetry_lines(
                    fixes.take(rows),
                    verdicts[rows],
                    zones[rows],
                    keys=keys,
                    zone_ids=layout.zone_ids,
                )
            )
        return requests


Track = Alerts | Figures | Source


def portions(lines: bytes, count: int) -> list[bytes]:
    """Lines in portions of at most so many."""
    parts = lines.splitlines(keepends=True)
    return [b"".join(parts[at : at + count]) for at in range(0, len(parts), count)]
