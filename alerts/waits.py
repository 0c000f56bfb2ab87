"""Waiting times of alerts, for figures that nobody can take back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from alerts.alert import UNDO_S, Transition, undo_until_ms
from alerts.lifecycle import UNDOABLE, Event
from alerts.store.book import AlertBook

SINCE: Final[Mapping[Event, tuple[Event, ...]]] = {
    "activate": ("raise",),
    "acknowledge": ("activate", "reopen"),
    "return": ("activate", "reopen"),
    "close": ("activate",),
}
"""Event that ends a wait, and the events that begin it."""


class TimedTransition(Transition, frozen=True, kw_only=True):
    """A row of the book, and how long its alert had waited for it [s]; None: it ends no wait."""

    after_s: float | None


def settled_transitions(
    book: AlertBook, after_seq: int, limit: int, now_ms: int, within_ms: int = round(UNDO_S * 1000)
) -> list[TimedTransition]:
    """Rows of the book after a row, in order, up to the first that may still be undone.

    InfluxDB counts the waits that have ended, and nothing can take a count back. So a row that
    somebody may take back within `within_ms` waits for so long, and those after it with it.

    BookUnavailable: it cannot be read now.
    """
    found = []
    for row in book.transitions(after_seq, limit):
        history = book.get(row.alert_id).history if row.event in UNDOABLE | SINCE.keys() else ()
        until_ms = undo_until_ms(row, within_ms)
        if until_ms is not None and now_ms <= until_ms and history[-1].seq == row.seq:
            break
        fields = msgspec.structs.asdict(row)
        found.append(TimedTransition(**fields, after_s=after_s(row, history)))
    return found


def after_s(row: Transition, history: Sequence[Transition]) -> float | None:
    """How long an alert had waited for a row [s]; None when it ends no wait, or was undone."""
    if any(later.event == "undo" and later.evidence["undone"] == row.seq for later in history):
        return None
    began = [
        earlier.at_ms
        for earlier in history
        if earlier.seq < row.seq and earlier.event in SINCE.get(row.event, ())
    ]
    return (row.at_ms - began[-1]) / 1000 if began else None
