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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ingest.influx.delivery import Delivery, Rejected
from ingest.influx.file import InfluxFile
from ingest.influx.line_protocol import AlertStep, alert_lines
from ingest.influx.source import Points, Source, portions
from ingest.log import SqliteLog

READER = "influx"
"""The cursor in the log."""

ALERT = "alert"
"""The place in the file."""

FIGURE_BYTES = 1_000_000
"""Size of a load of figures [bytes]."""

FIGURE_LINES = 2_000

PAGE = 1_000
"""Transitions of a load."""

SAME_MOMENT = 100
"""Transitions before the new ones that are read again, for milliseconds that are taken."""


@dataclass
class Load:
    """Lines on their way to the store.

    Attributes
    ----------
    deliveries : list of Delivery
        The lines, request by request.
    move : callable
        Moves the track's place behind them. Blocks; called in a thread.
    seq : int
        That place.
    """

    deliveries: list[Delivery]
    move: Callable[[], None]
    seq: int

    @classmethod
    def of(cls, requests: Sequence[bytes], move: Callable[[], None], seq: int) -> Load:
        """A load of requests."""
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

    Parameters
    ----------
    transitions : callable
        Rows of the book after a number, in order, at most so many.
    """

    file: InfluxFile
    transitions: Callable[[int, int], Sequence[AlertStep]]
    _after: int = 0

    def next(self) -> Load | None:
        """The next transitions."""
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
        """The oldest lines that wait."""
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
class Telemetry:
    """Telemetry, connections and events, out of the log."""

    file: InfluxFile
    log: SqliteLog
    source: Source

    def next(self) -> Load | None:
        """The next step of the source."""
        points = self.source.step()
        if points is None:
            return None
        return Load.of(points.requests, partial(self._move, points), points.seq)

    def rewind(self) -> None:
        """Go back to the log's cursor."""
        self.source.restore(self.log.cursor(READER), self.file.newest_ms())

    def _move(self, points: Points) -> None:
        # In this order: a bike's newest fix may be ahead of the cursor, never behind it.
        self.file.set_newest_ms(points.newest_ms)
        self.log.commit(READER, points.seq)


Track = Alerts | Figures | Telemetry
