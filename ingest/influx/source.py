"""The log as points of InfluxDB, step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bikes.roster import BikeKey, Roster
from bikes.telemetry import TelemetryBatch
from ingest.contexts import Judged
from ingest.daemon_executor import Stopping
from ingest.decode import Decoded, DecodedEntry, Decoder, RecentlyDecoded
from ingest.influx.line_protocol import reject_lines, status_lines, telemetry_lines
from ingest.log import SqliteLog
from ingest.verdict_stream import VerdictStream

LINES = 10_000
"""Lines of a request at most. A line of telemetry has under 300 bytes, so it is under 5 MB."""

STATUS_LINES = 2_000
"""Lines of connections, events and rejects of a request."""

AT_LEAST, AT_MOST = 20_000, 250_000
"""Messages of a step, when there are as many."""


class Points(NamedTuple):
    """Lines and progress of one step.

    Attributes
    ----------
    seq : int
        Number of the last message it has read.
    requests : list of bytes
        Lines, in portions that InfluxDB takes at once.
    newest_ms : list
        Bikes that were heard, and the newest fix of each [ms].
    """

    seq: int
    requests: list[bytes]
    newest_ms: list[tuple[BikeKey, int]]


@dataclass
class Source:
    """Reads the log; everything but :meth:`restore` may be called in a thread.

    Parameters
    ----------
    log : SqliteLog
        The log that is read.
    decoder : Decoder
        Used by nobody else.
    roster : Roster
        The decoder's. All its bikes must be known by the time a message is read.
    stream : VerdictStream
        Used by nobody else.
    recent : RecentlyDecoded
        Entries that the worker has decoded, which need not be read and decoded again.
    upto : callable
        Number of the last message that may be read: history must know all up to it.
    halted : callable
        Whether a step is to be left undone; asked during it.
    """

    log: SqliteLog
    decoder: Decoder
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

    def restore(self, seq: int, newest_ms: Mapping[BikeKey, int]) -> None:
        """Go on after a message, from where an earlier life has left bikes."""
        stream = self.stream
        self.stream = VerdictStream(stream.judge, stream.history, stream.reorder_s)
        self.stream.restore(
            dict(zip(self.roster.restore(newest_ms), newest_ms.values(), strict=True))
        )
        self.seq = seq

    def step(self) -> Points | None:
        """Read on, and return the points; None at the head of the log.

        Raises
        ------
        LogCorrupt, StoreUnavailable, ArchiveDamaged
            Log or history cannot be read; nothing was changed.
        Stopping
            The step was halted; the source must be restored.
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
        self.seq = entries[-1].seq
        return Points(
            self.seq,
            [*self._telemetry(judged, keys), *portions(said, STATUS_LINES)],
            [(keys[bike], at_ms) for bike, at_ms in zip(bikes.tolist(), newest_ms, strict=True)],
        )

    def _read(self, upto: int) -> list[DecodedEntry]:
        found = []
        for entry in self.log.read(self.seq, self._limit):
            if self.halted():
                raise Stopping
            if entry.seq <= upto:
                found.append(DecodedEntry(entry.seq, self.decoder.decode(entry.messages)))
        return found

    def _rejects(self, decoded: Sequence[Decoded]) -> bytes:
        """Lines with the numbers of rejects, by vendor, reason and time of receipt."""
        counts: dict[int, Counter[tuple[str, str]]] = {}
        for part in decoded:
            if part.rejects:
                count = counts.setdefault(part.received_at_ms, Counter())
                # A vendor that is not configured can have any name: it makes no series.
                count.update(
                    (item.vendor if item.vendor in self.roster.vendors else "", item.reason)
                    for item in part.rejects
                )
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


def portions(lines: bytes, count: int) -> list[bytes]:
    """Lines in portions of at most so many."""
    parts = lines.splitlines(keepends=True)
    return [b"".join(parts[at : at + count]) for at in range(0, len(parts), count)]
