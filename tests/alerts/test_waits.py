"""Waits of alerts count once they are over and cannot be undone."""

from __future__ import annotations

from alerts.findings import Step
from alerts.store.alert_rows import Opening
from alerts.store.book import AlertBook, Change
from alerts.waits import settled_transitions


def raised(book: AlertBook) -> str:
    """An alert that has become active a second after its condition came true."""
    opening = Opening("zone_unpatrolled", "critical", "cy-01")
    book.record([Change(opening, (Step("raise", "idle_over_frequency", {}),))], 1_000)
    alert_id = book.current()[-1].alert_id
    book.record([Change(alert_id, (Step("activate", "idle_over_frequency", {}),))], 2_000)
    return alert_id


def test_a_wait_that_was_undone_has_not_ended() -> None:
    """Acknowledged and undone, then acknowledged: InfluxDB counts one."""
    book = AlertBook(":memory:")
    alert_id = raised(book)
    book.acknowledge(alert_id, "li", 10_000)
    book.undo(alert_id, "li", 15_000, within_ms=10_000)
    book.acknowledge(alert_id, "li", 20_000)
    found = [(step.to_state, step.after_s) for step in settled_transitions(book, 0, 100, 40_000)]
    assert found == [
        ("pending", None),
        ("active", 1.0),
        ("acknowledged", None),
        ("active", None),
        ("acknowledged", 18.0),
    ]


def test_what_may_still_be_undone_waits_and_so_does_what_follows() -> None:
    """In the order of the book; something that happened to the alert since settles it."""
    book = AlertBook(":memory:")
    first = raised(book)
    book.acknowledge(first, "li", 10_000)
    second = raised(book)

    def seen(now_ms: int) -> int:
        return len(settled_transitions(book, 0, 100, now_ms))

    assert seen(20_000) == 2
    assert seen(20_001) == 5
    book.note(second, "li", 30_000, reason="dog")
    assert seen(31_000) == 5
    book.acknowledge(second, "wang", 31_000)
    assert seen(31_000) == 6
    assert seen(41_001) == 7
