"""The log keeps what it was given, in order, for every reader, until all have passed it."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import set_aside
from ingest.errors import LogCorrupt, StoreUnavailable
from ingest.log import NOWHERE, TRIM_ENTRIES, Messages, Position, SqliteLog


def batch(first: int, count: int, payload: bytes = b"{}") -> Messages:
    """Messages whose topics are their numbers."""
    return Messages(1_700_000_000_000, [str(first + i) for i in range(count)], [payload] * count)


def numbers(log: SqliteLog, after_seq: int = 0, limit: int = 10**9) -> list[int]:
    entries = log.read(after_seq, limit)
    return [int(topic) for entry in entries for topic in entry.messages.topics]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "log.db"


@pytest.fixture
def log(path: Path) -> Iterator[SqliteLog]:
    with closing(SqliteLog(path, ("coverage", "archive"))) as log:
        yield log


def test_messages_are_numbered_from_one_and_come_back_as_they_were(log: SqliteLog) -> None:
    messages = Messages(5, ["a", "智"], [b"\x00\xff", b""])
    assert log.append(messages) == 2
    assert log.append(batch(3, 3)) == 5
    assert log.head == 5
    entries = log.read(0, 100)
    assert [entry.seq for entry in entries] == [2, 5]
    assert entries[0].messages == messages


def test_an_empty_batch_stores_nothing(log: SqliteLog) -> None:
    assert log.append(Messages(5, [], [])) == 0
    assert log.read(0, 1) == []


def test_a_batch_with_more_topics_than_payloads_is_refused(log: SqliteLog) -> None:
    with pytest.raises(ValueError, match="2 topics but 1 payloads"):
        log.append(Messages(5, ["a", "b"], [b""]))


def test_read_returns_whole_entries_until_the_limit_is_reached(log: SqliteLog) -> None:
    for first in (1, 4, 7):
        log.append(batch(first, 3))
    assert [e.seq for e in log.read(0, 1)] == [3]
    assert [e.seq for e in log.read(0, 4)] == [3, 6]
    assert [e.seq for e in log.read(3, 100)] == [6, 9]
    assert log.read(9, 100) == []


def test_read_from_within_an_entry_returns_the_whole_entry(log: SqliteLog) -> None:
    log.append(batch(1, 3))
    assert numbers(log, after_seq=2) == [1, 2, 3]


def test_everything_is_there_after_the_log_is_opened_again(path: Path) -> None:
    with closing(SqliteLog(path, ("coverage",))) as log:
        log.append(batch(1, 3))
        log.commit("coverage", 2)
    with closing(SqliteLog(path, ("coverage",))) as log:
        assert (log.head, log.cursor("coverage"), log.depth("coverage")) == (3, 2, 1)
        assert numbers(log) == [1, 2, 3]


def test_numbers_are_never_given_out_twice_even_when_everything_was_trimmed(path: Path) -> None:
    with closing(SqliteLog(path, ("coverage",))) as log:
        log.append(batch(1, 3))
        log.commit("coverage", 3)
        assert log.trim() == 3
    with closing(SqliteLog(path, ("coverage",))) as log:
        assert log.head == 3
        assert log.append(batch(4, 1)) == 4


def test_a_cursor_starts_at_zero_and_never_goes_back(log: SqliteLog) -> None:
    log.append(batch(1, 10))
    assert log.cursor("archive") == 0
    log.commit("archive", 7)
    log.commit("archive", 3)
    assert log.cursor("archive") == 7
    assert log.depth("archive") == 3


def test_an_unknown_reader_and_a_number_that_is_not_there_yet_are_mistakes(log: SqliteLog) -> None:
    log.append(batch(1, 1))
    with pytest.raises(KeyError):
        log.commit("nobody", 1)
    with pytest.raises(ValueError, match="ends at 1"):
        log.commit("archive", 2)


def test_trim_keeps_what_the_slowest_reader_needs(log: SqliteLog) -> None:
    for first in (1, 4, 7):
        log.append(batch(first, 3))
    log.commit("coverage", 9)
    log.commit("archive", 5)  # within the second entry: the whole entry stays
    assert log.trim() == 3
    assert numbers(log) == [4, 5, 6, 7, 8, 9]
    assert log.trim() == 0


def test_a_reader_that_never_committed_holds_everything(log: SqliteLog) -> None:
    log.append(batch(1, 3))
    log.commit("coverage", 3)
    assert log.trim() == 0
    assert numbers(log) == [1, 2, 3]


def test_a_reader_that_is_not_registered_any_more_holds_nothing(path: Path) -> None:
    with closing(SqliteLog(path, ("coverage", "influx"))) as log:
        log.append(batch(1, 3))
        log.commit("influx", 1)
    with closing(SqliteLog(path, ("coverage",))) as log:
        log.commit("coverage", 3)
        assert log.trim() == 3


def test_trim_deletes_more_entries_than_fit_one_transaction(log: SqliteLog) -> None:
    count = TRIM_ENTRIES + 3
    for first in range(1, count + 1):
        log.append(batch(first, 1))
    log.commit("coverage", count)
    log.commit("archive", count)
    assert log.trim() == count
    assert log.read(0, 1) == []


APPENDER = """
import sys
from ingest.log import NOWHERE, Position, Messages, SqliteLog
log = SqliteLog(sys.argv[1], ("coverage",))
number = log.head
while True:
    messages = Messages(1, [str(number + i + 1) for i in range(7)], [b"x" * 200] * 7)
    number = log.append(messages)
    print(number, flush=True)
"""


def test_what_append_returned_survives_sigkill(path: Path) -> None:
    """Every number that was printed after its append is readable; there are no gaps."""
    for appends in (40, 3, 25):
        process = subprocess.Popen(
            [sys.executable, "-c", APPENDER, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        with process:
            assert process.stdout is not None
            for _ in range(appends):
                printed = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().splitlines()
        last = max(printed, *(int(line) for line in rest if line), 0)
        with closing(SqliteLog(path, ("coverage",))) as log:
            assert log.head >= last
            assert numbers(log) == list(range(1, log.head + 1))


def test_threads_append_read_commit_and_trim_at_once(log: SqliteLog) -> None:
    """Readers see every message once and in order while others write and delete."""
    appends, writers = 60, 2
    total = appends * writers * 10
    seen: dict[str, list[int]] = {"coverage": [], "archive": []}
    failures: list[BaseException] = []

    def guarded(work: object, *args: object) -> None:
        try:
            work(*args)  # type: ignore[operator]
        except BaseException as exc:  # noqa: BLE001 - shown by the test
            failures.append(exc)

    def write() -> None:
        for _ in range(appends):
            log.append(Messages(1, ["t"] * 10, [b"x" * 50] * 10))

    def read(reader: str) -> None:
        at = 0
        while at < total and not failures:
            for entry in log.read(at, 35):
                seen[reader] += range(at + 1, at + len(entry.messages.topics) + 1)
                at = entry.seq
            log.commit(reader, at)
            log.trim()

    threads = [threading.Thread(target=guarded, args=(write,)) for _ in range(writers)]
    threads += [threading.Thread(target=guarded, args=(read, reader)) for reader in seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert seen["coverage"] == seen["archive"] == list(range(1, total + 1))
    assert log.trim() == 0


def test_what_a_reader_sees_it_can_commit(log: SqliteLog) -> None:
    """However quick it is: an append that is in the file and has not returned is not seen yet."""
    appends, at = 200, 0

    def write() -> None:
        for _ in range(appends):
            log.append(Messages(1, ["t"] * 10, [b"x"] * 10))

    writing = threading.Thread(target=write)
    writing.start()
    try:
        while at < appends * 10:
            for entry in log.read(at, 35):
                at = entry.seq
            log.commit("coverage", at)
            assert log.depth("coverage") >= 0
    finally:
        writing.join()


def damage(path: Path, seq: int) -> None:
    with closing(sqlite3.connect(path)) as db:
        (body,) = db.execute("SELECT body FROM entry WHERE seq = ?", (seq,)).fetchone()
        body = body[:-1] + bytes([body[-1] ^ 1])
        db.execute("UPDATE entry SET body = ? WHERE seq = ?", (body, seq))
        db.commit()


def test_a_damaged_entry_is_set_aside_and_passed(log: SqliteLog, path: Path) -> None:
    """Readers go on behind it; a file keeps it, and it is told until a person removes that."""
    for first in (1, 4, 7):
        log.append(batch(first, 3))
    assert set_aside.trouble(log.aside) == ""
    damage(path, 6)
    assert numbers(log) == [1, 2, 3]
    assert numbers(log, after_seq=3) == [7, 8, 9]
    assert numbers(log) == [1, 2, 3, 7, 8, 9]
    (file,) = log.aside.glob("*.txt")
    (text,) = set_aside.findings(log.aside)
    assert "messages 4 to 6 of the log, received between" in text
    assert "fail their checksum" in text
    assert str(file) in set_aside.trouble(log.aside)
    assert file.with_suffix(".body").stat().st_size > 0
    assert file.stat().st_mode & 0o077 == 0
    file.unlink()
    assert set_aside.trouble(log.aside) == ""


def test_two_readers_that_meet_damage_at_once_keep_it_once(log: SqliteLog, path: Path) -> None:
    """What the first has kept is not replaced by what it has put in its place."""
    for number in range(1, 61):
        log.append(batch(number, 1, bytes(1_000)))
        damage(path, number)
    ready = threading.Barrier(2)

    def read() -> None:
        ready.wait()
        at = 0
        while found := log.read(at, 1):
            at = found[-1].seq

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    bodies = list(log.aside.glob("*.body"))
    assert len(bodies) == 60
    assert all(body.stat().st_size > 1_000 for body in bodies)


def test_a_damaged_entry_at_the_end_leaves_its_numbers_used(log: SqliteLog, path: Path) -> None:
    """Who reads comes to the head, and what follows gets numbers of its own."""
    log.append(batch(1, 3))
    log.append(batch(4, 3))
    damage(path, 6)
    assert numbers(log) == [1, 2, 3]
    assert [entry.seq for entry in log.read(3, 100)] == [6]
    assert log.append(batch(7, 2)) == 8
    assert numbers(log) == [1, 2, 3, 7, 8]


@pytest.mark.parametrize("count", [0, -5, 1 << 40, "x"])
def test_an_entry_whose_count_is_damaged_is_set_aside(
    log: SqliteLog, path: Path, count: int | str
) -> None:
    """Whatever it says, its numbers are its own: nobody else's are taken for damaged."""
    for number in (1, 2, 3):
        log.append(batch(number, 1))
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE entry SET count = ? WHERE seq = 2", (count,))
        db.commit()
    assert numbers(log) == [1]
    assert numbers(log, after_seq=1) == [3]
    (text,) = set_aside.findings(log.aside)
    assert "messages 2 to 2 of the log" in text


def test_numbers_that_are_missing_are_told_and_passed(log: SqliteLog, path: Path) -> None:
    """In the middle and at the end, where somebody else knows of them; said once."""
    for first in (1, 4, 7):
        log.append(batch(first, 3))
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM entry WHERE seq = 6")
        db.commit()
    assert log.find_lost(9, NOWHERE) == []
    lost = log.find_lost(0, Position(12, 99_000))
    assert [last for last, _, _ in lost] == [6, 12]
    assert lost[1][2] == 99_000
    assert log.head == 12
    assert len(list(set_aside.findings(log.aside))) == 2
    assert log.find_lost(0, Position(12, 99_000)) == []
    assert log.append(batch(13, 1)) == 13
    assert numbers(log) == [1, 2, 3, 7, 8, 9, 13]


def test_a_file_that_is_not_a_log_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(b"this is a diary, not a database" * 400)
    with pytest.raises(LogCorrupt, match=r"log\.db is damaged.*patrol log export"):
        SqliteLog(path, ("coverage",))


def test_a_second_program_is_turned_away(log: SqliteLog, path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="running already"):
        SqliteLog(path, ("coverage",))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        SqliteLog(tmp_path / "file" / "log.db", ("coverage",))


def test_a_full_disk_refuses_the_batch_and_a_later_try_stores_it(
    log: SqliteLog, path: Path
) -> None:
    """A failed append stores nothing, says so, and gives out no numbers."""
    log.append(batch(1, 1))
    wal = path.with_name(path.name + "-wal")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size + 50_000, hard))
    try:
        with pytest.raises(StoreUnavailable, match="cannot be used now"):
            log.append(batch(2, 10, os.urandom(100_000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert log.head == 1
    assert log.append(batch(2, 10, os.urandom(100_000))) == 11
    assert numbers(log) == list(range(1, 12))


def test_a_million_messages_come_back(log: SqliteLog) -> None:
    for first in range(1, 1_000_001, 20_000):
        log.append(batch(first, 20_000, b"x" * 60))
    at = count = 0
    while entries := log.read(at, 5_000):
        count += sum(len(entry.messages.topics) for entry in entries)
        at = entries[-1].seq
    assert count == at == 1_000_000


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(0, 9), max_size=12),
    after=st.integers(0, 60),
    limit=st.integers(1, 30),
)
def test_read_is_what_a_list_would_give(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], after: int, limit: int
) -> None:
    """Any sizes, start and limit: the entries from `after`, cut behind the limit."""
    path = tmp_path_factory.mktemp("log") / "log.db"
    with closing(SqliteLog(path, ("coverage",))) as log:
        ends = [log.append(batch(log.head + 1, size)) for size in sizes]
        expected: list[int] = []
        held = 0
        for size, end in zip(sizes, ends, strict=True):
            if size and end > after and held < limit:
                expected.append(end)
                held += size
        assert [entry.seq for entry in log.read(after, limit)] == expected
