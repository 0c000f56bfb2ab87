"""Three tracks to InfluxDB, each with a place of its own to go on from.

| track | comes from | place, on disk |
| --- | --- | --- |
| alerts | the book of alerts | the number of the last transition that was written |
| figures | coverage and health, kept in the file | they are deleted |
| telemetry | the log, by way of the file | its cursor, once they are deleted from the file |

A track reads on from where it is in memory: ``next`` gives the next load, None when there is
nothing, and raises StoreUnavailable when its source cannot be read now. The place on disk moves
only when everything before it was written (or rejected for good) and has settled
(:data:`ingest.influx.writer.SETTLE_S`); a track can be rewound to it. Both block, and are called
in a thread.

What is written again is the very same: lines of figures and of telemetry are in the file before
they are sent for the first time (docs/decisions/0023), and the book of alerts never changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bikes.roster import BikeKey, Roster
from bikes.telemetry import TelemetryBatch
from ingest.daemon_executor import Stopping
from ingest.decode import Decoded, DecodedEntry, Decodings, RecentlyDecoded
from ingest.errors import IngestError
from ingest.influx.delivery import Delivery, Rejected
from ingest.influx.file import InfluxFile, Outgoing, Times
from ingest.influx.line_protocol import (
    AlertStep,
    alert_lines,
    reject_lines,
    status_lines,
    telemetry_lines,
    verdict_lines,
)
from ingest.log import Position, SqliteLog
from ingest.rejects import OTHER
from ingest.verdict_stream import WAIT_MS, Bike, Said, VerdictStream

LINES = 10_000
"""Lines of a request at most. A line of telemetry has under 300 bytes, so it is under 5 MB."""

FEW_LINES = 2_000
"""Lines of a request of anything but telemetry."""

AT_LEAST, AT_MOST = 20_000, 250_000
"""Messages of a step, when there are as many."""

READER = "influx"
"""The cursor in the log."""

ALERT, LOG = "alert", "log"
"""The places in the file. That in the log is where telemetry goes on, and tells when the log was
cut."""

HEARD, CORRECTED = "heard", "corrected"
"""Beside the places, times [ms]: of the newest receipt, and of the last correction."""

FIGURE_BYTES = 1_000_000
"""Size of a load of figures [bytes]."""

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
        requests = portions(found.lines, FEW_LINES)
        return Load.of(requests, partial(self.file.gone, found.seq), found.seq)

    def rewind(self) -> None:
        """Go back to the oldest that waits."""
        self._after = 0


@dataclass
class Source:
    """Telemetry, connections, events and numbers of rejects, out of the log.

    Decoder and stream are used by nobody else. All bikes of the decoder's roster must be known by
    the time a message is read. `recent` holds entries that the worker has decoded already. `upto`
    is the last message that may be read: history must know all up to it, and the file which fixes
    were repeated. `halted` is asked while a load is made, and says whether to leave it undone.
    """

    file: InfluxFile
    log: SqliteLog
    decoder: Decodings
    roster: Roster
    stream: VerdictStream
    recent: RecentlyDecoded
    upto: Callable[[], int]
    halted: Callable[[], bool] = lambda: False
    seq: int = 0
    _given: int = 0  # number in the file of the last request that was given
    _known: bool = False  # whether stream and times are those that the file tells
    _heard_ms: int = 0
    _corrected_ms: int = 0

    @property
    def behind(self) -> bool:
        """Whether more is waiting than a step takes."""
        return self.upto() - self.seq > self._limit

    @property
    def _limit(self) -> int:
        # Judging costs by the contexts as well: when they are large, more is read at once.
        return min(max(self.stream.context_rows // 4, AT_LEAST), AT_MOST)

    def rewind(self) -> None:
        """Go back to the oldest in the file; to what it tells when a step has failed midway."""
        if not self._known:
            stream, index = self.stream, self.roster.restore
            self.stream = VerdictStream(stream.judge, stream.history, stream.reorder_s)
            bikes = self.file.bikes()
            self.stream.restore(
                index(bike.key for bike in bikes),
                bikes,
                (
                    (index([key])[0], at_ms, times)
                    for at_ms, rows in self.file.undecided()
                    for key, times in rows.items()
                ),
            )
            self.seq = max(self.file.place(LOG), self.log.cursor(READER))
            self._heard_ms, self._corrected_ms = map(self.file.place, (HEARD, CORRECTED))
            self._known = True
        self._given = 0

    def next(self) -> Load | None:
        """Read on, and return the points; None at the head of the log.

        LogCorrupt, StoreUnavailable, ArchiveDamaged: log, history or file cannot be used; nothing
        was changed that is on disk.
        Stopping: it was halted; the track must be rewound.
        """
        if not self._known:
            self.rewind()
        found = self.file.outgoing(self._given) or self._decide()
        if found is None:
            return None
        self._given = found.last_id
        return Load.of(found.requests, partial(self._move, found), found.seq)

    def _decide(self) -> Outgoing | None:
        """Decide for good what is said of the next messages."""
        upto = self.upto()
        if upto <= self.seq:
            return None
        entries = self.recent.after(self.seq, self._limit) or self._read(upto)
        if not entries:
            return None
        decoded, seq = [entry.decoded for entry in entries], entries[-1].seq
        fixes = TelemetryBatch.concat([part.telemetry for part in decoded])
        again = self._again(entries)
        received_at_ms = max(part.received_at_ms for part in decoded)
        self._known = False  # until the file tells the same
        try:
            said = self.stream.step(fixes, again, received_at_ms)
        except IngestError:
            self._known = True
            raise
        keys = self.roster.keys
        lines = self._rejects(decoded) + status_lines(
            (status for part in decoded for status in part.statuses),
            (event for part in decoded for event in part.events),
            keys=keys,
        )
        requests = [*self._telemetry(said, keys), *portions(lines, FEW_LINES)]
        places = {LOG: seq, HEARD: self._heard_ms, CORRECTED: self._corrected_ms}
        bikes = np.unique(np.concatenate([fixes.bike, said.final.fixes.bike]))
        newest_ms = self.stream.newest_ms(bikes).tolist()
        decided_ms = self.stream.decided_ms[bikes].tolist()
        rows = map(Bike, (keys[bike] for bike in bikes.tolist()), newest_ms, decided_ms)
        received = seq, self._heard_ms, _by_bike(said.first.fixes, keys)
        found = self.file.decide(requests, places, rows, received, self._heard_ms - WAIT_MS)
        self.seq, self._known = seq, True
        return found

    def _again(self, entries: Sequence[DecodedEntry]) -> NDArray[np.bool_]:
        """Which fixes of some entries were there before them."""
        known = self.file.repeated(self.seq, entries[-1].seq)
        parts = [np.empty(0, dtype=bool)]
        for entry in entries:
            size = len(entry.decoded.telemetry)
            rows = known.get(entry.seq, parts[0])
            # Another number of fixes is what another configuration has made of the messages.
            parts.append(rows if rows.size == size else np.zeros(size, dtype=bool))
        return np.concatenate(parts)

    def _move(self, found: Outgoing) -> None:
        self.file.sent(found.last_id)
        self.log.commit(READER, found.seq)

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
            # Two entries of one millisecond are a millisecond apart; a clock may be set back.
            apart = not 0 <= self._heard_ms - part.received_at_ms < 1_000
            self._heard_ms = part.received_at_ms if apart else self._heard_ms + 1
            for (_, vendor, reason), items in part.refused.items():
                count = counts.setdefault(self._heard_ms, Counter())
                count["" if vendor == OTHER else vendor, reason] += items
        return b"".join(reject_lines(count, at_ms) for at_ms, count in counts.items())

    def _telemetry(self, said: Said, keys: Sequence[BikeKey]) -> list[bytes]:
        layout = self.stream.judge.atlas.layout
        names: dict[str, Any] = {"keys": keys, "zone_ids": layout.zone_ids}
        first_ms = max(self._heard_ms, self._corrected_ms + 1)
        requests = []
        for judged in said.first, said.final, said.corrected:
            fixes = judged.fixes
            zones = layout.zone_of(fixes.lat_deg, fixes.lng_deg, fixes.timestamp_ms)
            for at in range(0, len(zones), LINES):
                rows = slice(at, at + LINES)
                part = fixes.take(rows), judged.verdicts[rows]
                if judged is said.first:
                    lines = telemetry_lines(*part, said.interval_s[rows], zones[rows], **names)
                elif judged is said.final:
                    lines = verdict_lines(*part, zones[rows], **names)
                else:
                    lines = verdict_lines(*part, zones[rows], **names, corrected_ms=first_ms + at)
                    self._corrected_ms = first_ms + at + len(zones[rows]) - 1
                requests.append(lines)
        return requests


def _by_bike(fixes: TelemetryBatch, keys: Sequence[BikeKey]) -> Times:
    """Times of fixes, which are sorted by bike, then time."""
    bikes, starts = np.unique(fixes.bike, return_index=True)
    times = np.split(fixes.timestamp_ms, starts[1:])
    return dict(zip((keys[bike] for bike in bikes.tolist()), times, strict=False))


Track = Alerts | Figures | Source


def portions(lines: bytes, count: int) -> list[bytes]:
    """Lines in portions of at most so many."""
    parts = lines.splitlines(keepends=True)
    return [b"".join(parts[at : at + count]) for at in range(0, len(parts), count)]
