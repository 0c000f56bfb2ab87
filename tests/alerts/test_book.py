"""The book: durable, append-only, and the only way for people to change an alert."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from alerts.alert import Key
from alerts.duty_hours import Window
from alerts.errors import BookUnavailable, BookUnreadable, TransitionRefused, UnknownAlert
from alerts.findings import Step
from alerts.notify import Filter
from alerts.store.alert_rows import Opening
from alerts.store.book import AlertBook, Change


def raised(book, zone_id="Z01", at_ms=1000, rule="zone_unpatrolled", window=None):
    """A new active alert."""
    steps = (Step("raise", "idle_over_frequency", {"idle_s": 7300.0}), Step("activate", "idle", {}))
    opening = Opening(rule, "critical", zone_id, window)
    return book.record([Change(opening, steps)], at_ms)[-1].alert_id


def test_people_change_an_alert_and_every_row_says_who_when_and_why() -> None:
    book = AlertBook(":memory:")
    alert_id = raised(book)
    book.acknowledge(alert_id, "li", 2000, "seen")
    book.assign(alert_id, "li", 3000, to="wang")
    book.note(alert_id, "wang", 4000, reason="flat tyre")
    book.shelve(alert_id, "li", 5000, until_ms=9000, reason="tyre")
    assert book.unshelve(alert_id, "li", 6000).state == "active"
    book.record([Change(alert_id, (Step("return", "patrolled", {"bike": "hello/B01"}),))], 7000)
    closed = book.close(alert_id, "chen", 8000, "verified on site")
    assert (closed.state, closed.assigned_to, closed.evidence) == (
        "closed",
        "wang",
        {"bike": "hello/B01"},
    )
    assert book.get(alert_id) == closed
    assert book.current() == []
    assert [(r.event, r.actor, r.at_ms, r.reason) for r in closed.history][2:5] == [
        ("acknowledge", "li", 2000, "seen"),
        ("assign", "li", 3000, ""),
        ("note", "wang", 4000, "flat tyre"),
    ]
    assert closed.history[-1].reason == "verified on site"


def test_what_the_lifecycle_forbids_changes_nothing() -> None:
    book = AlertBook(":memory:")
    alert_id = raised(book)
    before = book.get(alert_id)
    for refused, reason in (
        (lambda: book.close(alert_id, "li", 2000), "not_returned"),
        (lambda: book.unshelve(alert_id, "li", 2000), "not_shelved"),
        (lambda: book.shelve(alert_id, "li", 2, until_ms=1, reason=""), "until_in_past"),
    ):
        with pytest.raises(TransitionRefused) as error:
            refused()
        assert error.value.reason == reason
    assert book.get(alert_id) == before
    for unknown in ("A000099", "x", "A", "A9999999999999999999999", "A²"):
        with pytest.raises(UnknownAlert):
            book.acknowledge(unknown, "li", 2000)


def test_unshelving_goes_back_to_returned_when_it_was() -> None:
    book = AlertBook(":memory:")
    alert_id = raised(book)
    book.record([Change(alert_id, (Step("return", "patrolled", {}),))], 2000)
    book.shelve(alert_id, "li", 3000, until_ms=9000, reason="later")
    assert book.unshelve(alert_id, "li", 4000).state == "returned"


def test_a_step_that_a_person_has_overtaken_is_left_out() -> None:
    """Shelved between the evaluation and its record: the next evaluation sees it."""
    book = AlertBook(":memory:")
    alert_id = raised(book)
    book.shelve(alert_id, "li", 2000, until_ms=9000, reason="later")
    assert book.record([Change(alert_id, (Step("return", "patrolled", {}),))], 2000) == []
    assert book.record([Change("A000077", (Step("void", "x", {}),))], 2000) == []
    assert book.get(alert_id).state == "shelved"


def test_the_second_of_two_changes_goes_on_from_the_first() -> None:
    """Two rules of an evaluation may speak of one alert: its record stays one walk."""
    book = AlertBook(":memory:")
    pending = (Step("raise", "idle_over_frequency", {}),)
    (row,) = book.record([Change(Opening("zone_unpatrolled", "critical", "Z01"), pending)], 1000)
    drop = Change(row.alert_id, (Step("drop", "patrolled", {}),))
    assert [made.event for made in book.record([drop, drop], 2000)] == ["drop"]
    alert_id = raised(book)
    ends = Change(alert_id, (Step("return", "patrolled", {}),))
    closes = Change(alert_id, (Step("close", "patrolled", {}),))
    made = book.record([ends, closes, closes], 3000)
    assert [(row.from_state, row.to_state) for row in made] == [
        ("active", "returned"),
        ("returned", "closed"),
    ]
    assert book.current() == []


def test_a_book_that_is_opened_again_is_the_same(tmp_path) -> None:
    path = tmp_path / "deep" / "alerts.db"
    book = AlertBook(path)
    first, second = raised(book), raised(book, "Z02")
    raised(book, "Z03", rule="coverage_short", window=Window(10, 20))
    book.acknowledge(first, "li", 2000)
    book.record(
        [Change(second, (Step("void", "late_telemetry", {"cells": 8}),))], 3000, judged_ms=77
    )
    current, gone, rows = book.current(), book.get(second), book.transitions()
    book.close_file()
    again = AlertBook(path)
    assert again.current() == current
    assert again.get(second) == gone
    assert again.transitions() == rows
    assert again.judged_ms == 77
    assert again.transitions(after_seq=rows[3].seq, limit=2) == rows[4:6]
    assert again.has(Key("coverage_short", "Z03", 10))
    assert not again.has(Key("coverage_short", "Z03", 20))
    assert again.has(Key("zone_unpatrolled", "Z02"))


def test_finding_alerts_page_by_page() -> None:
    book = AlertBook(":memory:")
    ids = [raised(book, f"Z0{i}") for i in range(1, 6)]
    book.acknowledge(ids[2], "li", 2000)
    book.record(
        [Change(Opening("coverage_short", "warning", "Z01"), (Step("raise", "", {}),))], 3000
    )
    dropped = book.current()[-1].alert_id
    book.record([Change(dropped, (Step("drop", "", {}),))], 4000)
    page = book.find(limit=2)
    assert [a.alert_id for a in page] == ids[:2:-1]
    assert [a.alert_id for a in book.find(before=page[-1].alert_id)] == ids[2::-1]
    assert [a.alert_id for a in book.find(state="acknowledged")] == [ids[2]]
    assert [a.alert_id for a in book.find(zone_id="Z01")] == [ids[0]]
    assert [a.alert_id for a in book.find(state="dropped")] == [dropped]
    assert book.find(rule="telemetry_silent") == []
    assert [a.alert_id for a in book.find(state="open", limit=3)] == ids[:1:-1]
    assert [a.alert_id for a in book.find(state="open", before=ids[2])] == ids[1::-1]
    assert [a.alert_id for a in book.find(state="open", zone_id="Z02")] == [ids[1]]
    with pytest.raises(ValueError, match="over"):
        book.find(state="over")


def test_rows_never_change(tmp_path) -> None:
    """Not even by somebody with an SQLite shell."""
    book = AlertBook(tmp_path / "alerts.db")
    raised(book)
    shell = sqlite3.connect(tmp_path / "alerts.db")
    for statement in (
        "UPDATE transition SET actor = 'nobody'",
        "DELETE FROM transition",
        "UPDATE alert SET zone_id = 'Z09'",
        "DELETE FROM alert",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            shell.execute(statement)
    shell.close()


def test_a_book_that_cannot_be_written_changes_nothing_and_recovers(tmp_path) -> None:
    book = AlertBook(tmp_path / "alerts.db")
    alert_id = raised(book)
    with book.file.reading() as db:
        db.execute("PRAGMA busy_timeout=0")
    other = sqlite3.connect(tmp_path / "alerts.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BookUnavailable, match="locked"):
        book.acknowledge(alert_id, "li", 2000)
    with pytest.raises(BookUnavailable):
        raised(book, "Z02")
    assert [a.state for a in book.current()] == ["active"]
    other.execute("ROLLBACK")
    assert book.acknowledge(alert_id, "li", 2000).state == "acknowledged"
    other.close()


def test_a_flipped_bit_ends_in_an_error_with_a_name_or_in_none(tmp_path) -> None:
    """SQLite cannot see a bit flipped in a value, but nothing that is read ends in a traceback."""
    path = tmp_path / "alerts.db"
    book = AlertBook(path)
    book.acknowledge(raised(book), "li", 2000, "seen")
    book.close_file()
    content, drawn, named = path.read_bytes(), random.Random(5), 0
    for at in drawn.sample([at for at, byte in enumerate(content) if byte], 200):
        for old in tmp_path.glob("alerts.db-*"):
            old.unlink()
        flipped = bytearray(content)
        flipped[at] ^= 1 << drawn.randrange(8)
        path.write_bytes(flipped)
        try:
            book = AlertBook(path)
            _ = book.current(), book.transitions(), book.find()
            book.close_file()
        except (BookUnavailable, BookUnreadable):
            named += 1
    assert named > 50


def test_what_is_not_a_book_is_refused_with_what_to_do(tmp_path) -> None:
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"not a database at all, but long enough to be looked at" * 40)
    with pytest.raises(BookUnreadable, match="restore it from a backup"):
        AlertBook(garbage)
    newer = tmp_path / "newer.db"
    AlertBook(newer).close_file()
    db = sqlite3.connect(newer)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(BookUnreadable, match="format 99"):
        AlertBook(newer)
    with pytest.raises(BookUnavailable, match="cannot be opened"):
        AlertBook(garbage / "below" / "a.db")


WRITER = textwrap.dedent(
    """
    import sys
    from alerts.store.book import AlertBook, Change
    from alerts.store.alert_rows import Opening
    from alerts.findings import Step
    from alerts.notify import Filter

    class Everything:
        name = "all"
        wants = Filter().passes

    book = AlertBook(sys.argv[1], [Everything()])
    for n in range(100000):
        steps = (Step("raise", "", {}), Step("activate", "", {}))
        rows = book.record([Change(Opening("zone_unpatrolled", "critical", f"Z{n}"), steps)], n)
        print(rows[-1].alert_id, flush=True)
    """
)


def test_the_book_survives_sigkill(tmp_path) -> None:
    """What a killed process reported as recorded is there, with its notification."""
    path = tmp_path / "alerts.db"
    for kill_after in (1, 7, 23):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        told = [writer.stdout.readline().strip() for _ in range(kill_after)]
        os.kill(writer.pid, signal.SIGKILL)
        told += [line.strip() for line in writer.stdout if line.endswith("\n")]
        writer.wait()
        book = AlertBook(path)
        known = {alert.alert_id: alert for alert in book.current()}
        assert set(told) <= set(known)
        assert all(a.state == "active" for a in known.values())
        with book.file.reading() as db:
            (queued,) = db.execute("SELECT COUNT(*) FROM outbox").fetchone()
        assert queued == len(known)
        book.close_file()


def test_listeners_hear_of_rows_that_are_on_disk() -> None:
    book = AlertBook(":memory:")
    heard = []
    book.listen(lambda rows: heard.append([r.event for r in rows]))
    alert_id = raised(book)
    book.acknowledge(alert_id, "li", 2000)
    with pytest.raises(TransitionRefused):
        book.acknowledge(alert_id, "li", 2000)
    assert heard == [["raise", "activate"], ["acknowledge"]]


def test_pending_alerts_leave_nothing_in_the_outbox() -> None:
    class Everything:
        name = "all"
        wants = Filter().passes

    book = AlertBook(":memory:", [Everything()])
    opening = Opening("zone_unpatrolled", "critical", "Z01")
    book.record([Change(opening, (Step("raise", "", {}),))], 1000)
    book.record([Change(book.current()[0].alert_id, (Step("drop", "", {}),))], 2000)
    with book.file.reading() as db:
        assert db.execute("SELECT COUNT(*) FROM outbox").fetchone() == (0,)
