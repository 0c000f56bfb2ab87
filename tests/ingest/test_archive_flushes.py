"""Flushes of the archive: whatever happens while files are written, no row is lost or twice."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from bikes.telemetry import TelemetryBatch
from ingest.errors import StoreUnavailable
from tests.archives import DAY_S, EVER, archive, flush, ride, same, stems, times
from tests.rides import batch
from tests.servers import Program
from tests.spans import one_span


def test_writing_the_same_rows_again_changes_nothing(tmp_path: Path) -> None:
    """After a crash between the rename and the log's cursor everything comes once more."""
    kept = archive(tmp_path)
    rows = TelemetryBatch.concat([ride(0, 100), ride(0, 100, bike=1)])
    kept.remember(1, rows)
    flush(kept)
    file = kept.path / "hello" / "2025-11-23.parquet"
    content = file.read_bytes()
    again = archive(tmp_path)
    again.remember(1, rows.take(np.random.default_rng(1).permutation(200)[:150]))
    flush(again)
    assert file.read_bytes() == content


def test_a_kill_while_a_file_is_written_leaves_a_whole_one(tmp_path: Path) -> None:
    """kill -9 at any moment: the old file or the new one, and the rest of the try is removed."""
    kept = archive(tmp_path)
    rows = TelemetryBatch.concat([ride(0, 40_000), ride(0, 40_000, bike=1)])
    kept.remember(1, rows)
    flush(kept)
    program = (
        "import sys; from pathlib import Path\n"
        "from bikes.roster import Roster; from ingest.archive import Archive\n"
        "kept = Archive(Path(sys.argv[1]), Roster({'hello': ['HB0', 'HB1']}), 'Asia/Shanghai')\n"
        "kept.remember(1, kept.read_file(Path(sys.argv[2])))\n"
        "while True: kept.write(kept.begin_flush())\n"
    )
    file = kept.path / "hello" / "2025-11-23.parquet"
    beside = file.with_suffix(".tmp")
    with Program([sys.executable, "-c", program, kept.path, file], tmp_path / "said") as writer:
        writer.wait(beside.exists, every_s=0.001)
    after = archive(tmp_path)
    after.take_over()
    assert stems(after) == ["hello/2025-11-23.parquet"]
    assert same(after.read_file(file), rows)


def test_what_is_left_of_a_try_is_no_file_of_the_archive(tmp_path: Path) -> None:
    """A half-written file is never read, and removed when the only writer starts."""
    kept = archive(tmp_path)
    kept.remember(1, ride(0, 3))
    flush(kept)
    beside = kept.path / "hello" / "2025-11-24.tmp"
    beside.write_bytes(b"PAR1 half")
    assert [len(kept.read_file(file)) for file in kept.newest(days=7)] == [3]
    assert len(kept.within(one_span(0, *EVER))) == 3
    kept.take_over()
    assert not beside.exists()


def test_when_a_flush_is_worth_it(tmp_path: Path) -> None:
    """Fifty thousand rows, or an eighth of the largest file when that is more."""
    kept = archive(tmp_path)
    kept.remember(1, ride(0, 50_000))
    assert not kept.wants_flush
    kept.remember(2, ride(50_000, 1))
    assert kept.wants_flush
    kept.remember(3, TelemetryBatch.concat([ride(n * DAY_S / 2, 30_000, bike=2) for n in (1, 0)]))
    flush(kept)
    assert not kept.wants_flush
    # The largest file is now a day of some eighty thousand rows: an eighth of it is less.
    kept.remember(4, ride(0, 50_001, bike=1))
    assert kept.wants_flush
    assert kept.flushes_quickly


def test_a_large_day_is_written_when_the_tail_is_worth_it(tmp_path: Path) -> None:
    """An eighth of the largest file must have gathered, also in the next life."""
    kept = archive(tmp_path)
    day = batch([n / 20 for n in range(440_000)], [0.0] * 440_000, [0.0] * 440_000)
    kept.remember(2, day)
    flush(kept)
    again = archive(tmp_path)
    again.take_over()
    again.remember(3, day.take(slice(55_000)))
    assert not again.wants_flush
    again.remember(4, day.take(slice(1)))
    assert again.wants_flush
    assert again.flushes_quickly


def test_a_flush_reaches_what_holds_no_fix(tmp_path: Path) -> None:
    """Messages that are all rejected are passed too, or the log could never be trimmed."""
    kept = archive(tmp_path)
    assert kept.begin_flush() is None
    kept.remember(7, TelemetryBatch.empty())
    found = kept.begin_flush()
    assert found is not None
    assert found.seq == 7
    kept.write(found)
    kept.end_flush(found)
    assert kept.begin_flush() is None
    assert stems(kept) == []


def test_what_comes_during_a_flush_stays(tmp_path: Path) -> None:
    """Rows that are remembered while others are written are in the next flush, not lost."""
    kept = archive(tmp_path)
    for n in range(20):
        kept.remember(n + 1, ride(10 * n, 10))
    found = kept.begin_flush()
    assert found is not None
    for n in range(20, 60):
        kept.remember(n + 1, ride(10 * n, 10))
    kept.write(found)
    assert len(kept.within(one_span(0, *EVER))) == 600
    kept.end_flush(found)
    assert kept.tail_rows == 400
    assert times(kept.within(one_span(0, *EVER))) == list(range(600))
    flush(kept)
    assert times(kept.within(one_span(0, *EVER))) == list(range(600))


def test_a_flush_that_failed_is_done_with_the_next(tmp_path: Path) -> None:
    """A full disk costs nothing: the rows stay in the tail, and the old file stays."""
    kept = archive(tmp_path)
    kept.remember(1, ride(0, 3))
    folder = kept.path / "hello"
    folder.write_text("in the way")
    first = kept.begin_flush()
    assert first is not None
    with pytest.raises(StoreUnavailable, match=r"2025-11-23\.parquet cannot be written now"):
        kept.write(first)
    folder.unlink()
    kept.remember(2, ride(3, 3))
    flush(kept)
    assert kept.tail_rows == 0
    assert times(kept.within(one_span(0, *EVER))) == list(range(6))


def test_at_the_end_only_a_long_flush_is_given_up(tmp_path: Path) -> None:
    """One that takes a second or two is done all the same; the log has the rows of the other."""
    kept = archive(tmp_path)
    kept.remember(1, ride(0, 600_000))
    assert kept.flushes_quickly
    kept.hurry()
    flush(kept)
    assert kept.tail_rows == 0
    files = stems(kept)
    kept.remember(2, ride(0, 950_000, bike=1))
    assert not kept.flushes_quickly
    kept.hurry()
    with pytest.raises(StoreUnavailable, match="given up for the end of the program"):
        flush(kept)
    assert kept.tail_rows == 950_000
    assert stems(kept) == files


def test_readers_see_everything_while_flushes_end(tmp_path: Path) -> None:
    """In another thread a row is seen all the time from when it was remembered."""
    kept = archive(tmp_path)
    kept.remember(0, ride(0, 1))
    remembered = 1
    wrong: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            least = remembered
            found = times(kept.within(one_span(0, *EVER)))
            if found != list(range(len(found))) or len(found) < least:
                wrong.append(f"{len(found)} of {least}")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for n in range(30):
            for _ in range(9):
                kept.remember(n + 1, ride(remembered, 5))
                remembered += 5
            flush(kept)
    finally:
        done.set()
        reader.join()
    assert wrong == []
