"""When each subject's last alert of a rule was closed: what a look-back starts from."""

from __future__ import annotations

from typing import NamedTuple

from alerts.alert import Transition
from alerts.book import AlertBook
from alerts.book_rows import id_of

# What follows a closing in an alert's record can only be its undoing.
_LAST = (
    "SELECT a.rule, a.zone_id, a.number, MAX(t.at_ms) FROM transition t JOIN alert a "
    "USING (number) WHERE t.event = 'close' AND a.zone_id IS NOT NULL AND t.seq = "
    "(SELECT MAX(seq) FROM transition l WHERE l.number = t.number) GROUP BY a.rule, a.zone_id"
)


class Closing(NamedTuple):
    """An alert that was closed, and when [ms]."""

    alert_id: str
    at_ms: int


class Closings:
    """The last closing of each zone and rule that stands: read from the book, and kept up to date.

    It is read again when a closing was undone: then the one before it counts.
    """

    def __init__(self, book: AlertBook) -> None:
        self._file = book.file
        self._known = self._read()
        self._undone = False
        book.listen(self._hear)

    def last(self, rule: str, zone_id: str) -> Closing | None:
        """The last closing of an alert of this rule in the zone; may raise BookUnavailable."""
        if self._undone:
            self._known = self._read()
            self._undone = False
        return self._known.get((rule, zone_id))

    def _read(self) -> dict[tuple[str, str], Closing]:
        with self._file.reading() as db:
            return {
                (rule, zone_id): Closing(id_of(number), at_ms)
                for rule, zone_id, number, at_ms in db.execute(_LAST)
            }

    def _hear(self, rows: list[Transition]) -> None:
        for row in rows:
            if row.event == "close" and row.zone_id is not None:
                self._known[row.rule, row.zone_id] = Closing(row.alert_id, row.at_ms)
            self._undone |= row.event == "undo" and row.news == "close"
