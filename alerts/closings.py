"""When each subject's last alert of a rule was closed: what a look-back starts from."""

from __future__ import annotations

from typing import NamedTuple

from alerts.alert import Transition
from alerts.book import AlertBook
from alerts.book_rows import id_of

_LAST = (
    "SELECT a.rule, a.zone_id, a.number, MAX(t.at_ms) FROM transition t JOIN alert a "
    "USING (number) WHERE t.event = 'close' AND a.zone_id IS NOT NULL GROUP BY a.rule, a.zone_id"
)


class Closing(NamedTuple):
    """An alert that was closed, and when [ms]."""

    alert_id: str
    at_ms: int


class Closings:
    """The last closing of each zone and rule: read from the book once, then kept up to date."""

    def __init__(self, book: AlertBook) -> None:
        with book.file.reading() as db:
            self._last = {
                (rule, zone_id): Closing(id_of(number), at_ms)
                for rule, zone_id, number, at_ms in db.execute(_LAST)
            }
        book.listen(self._hear)

    def last(self, rule: str, zone_id: str) -> Closing | None:
        """The last closing of an alert of this rule in the zone."""
        return self._last.get((rule, zone_id))

    def _hear(self, rows: list[Transition]) -> None:
        for row in rows:
            if row.event == "close" and row.zone_id is not None:
                self._last[row.rule, row.zone_id] = Closing(row.alert_id, row.at_ms)
