"""The archive: files and tail are one record, whatever moment it is looked at."""

from __future__ import annotations

import sys
import threading
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bikes.roster import BikeKey, Roster
from bikes.telemetry import COLUMNS, TelemetryBatch
from geofence.intervals import Intervals
from ingest.archive import ROW_GROUP, Archive
from ingest.errors import ArchiveDamaged, StoreUnavailable
from tests.rides import START_MS, batch
from tests.servers import Program
from tests.spans import one_span

SHANGHAI = ZoneInfo("Asia/Shanghai")
EVER = (0, 1 << 42)
DAY_S = 86_400


def archive(folder: Path, **vendors: object) -> Archive:
    """An archive whose first vendor, unless others are given, is `hello` with three bikes."""
    roster = Roster(vendors or {"hello": ["HB0", "HB1", "HB2"]})  # type: ignore[arg-type]
    return Archive(folder / "archive", roster, "Asia/Shanghai")


def flush(kept: Archive) -> None:
    """Move the tail into files."""
    found = kept.begin_flush()
    assert found is not None
    kept.write(found)
    kept.end_flush(found)


def ride(first_s: float, fixes: int, *, bike: int = 0) -> TelemetryBatch:
    """A fix a second, from so long after 08:00 on."""
    at_s = [first_s + n for n in range(fixes)]
    return batch(at_s, [4.0 * n for n in range(fixes)], [0.0] * fixes, bike=bike)


def times(fixes: TelemetryBatch) -> list[float]:
    """Seconds after 08:00."""
    return [(ms - START_MS) / 1000 for ms in fixes.timestamp_ms.tolist()]


def same(fixes: TelemetryBatch, others: TelemetryBatch) -> bool:
    """Bit for bit, dtypes included."""
    return all(
        getattr(fixes, name).dtype == dtype == getattr(others, name).dtype
        and getattr(fixes, name).tobytes() == getattr(others, name).tobytes()
        for name, dtype in COLUMNS.items()
    )


def stems(kept: Archive) -> list[str]:
    """Names of the files, with their vendors."""
    return sorted(str(file.relative_to(kept.path)) for file in kept.path.rglob("*.*"))


def test_files_and_tail_are_one_record(tmp_path: Path) -> None:
    """A track is what was written, and what was not yet, in order of time."""
    kept = archive(tmp_path)
    kept.remember(1, ride(10, 5))
    flush(kept)
    kept.remember(2, ride(0, 5))
    kept.remember(3, ride(20, 2, bike=1))
    assert kept.tail_rows == 7
    assert times(kept.within(one_span(0, *EVER))) == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]
    assert times(kept.within(one_span(1, *EVER))) == [20, 21]
    assert times(kept.within(one_span(2, *EVER))) == []


def test_the_first_instant_is_in_and_the_last_is_not(tmp_path: Path) -> None:
    """A window holds its start and not its end, in files and in the tail."""
    kept = archive(tmp_path)
    kept.remember(1, ride(0, 10))
    window = (START_MS + 3_000, START_MS + 6_000)
    assert times(kept.within(one_span(0, *window))) == [3, 4, 5]
    flush(kept)
    assert times(kept.within(one_span(0, *window))) == [3, 4, 5]
    assert times(kept.within(one_span(0, window[1], window[0]))) == []


def test_one_row_per_bike_and_timestamp(tmp_path: Path) -> None:
    """Of two fixes with one timestamp the more accurate is kept, wherever each of them is."""
    bad, good = batch([7], [0], [0], accuracy_m=30.0), batch([7], [9], [0], accuracy_m=3.0)
    for first, second in ((bad, good), (good, bad)):
        kept = archive(tmp_path / f"{first is bad}")
        kept.remember(1, first)
        flush(kept)
        kept.remember(2, second)
        assert same(kept.within(one_span(0, *EVER)), good)
        flush(kept)
        assert same(kept.within(one_span(0, *EVER)), good)
        assert kept.tail_rows == 0


def test_a_file_holds_a_local_day(tmp_path: Path) -> None:
    """Midnight is the district's: a minute to twelve and a minute past are in two files."""
    kept = archive(tmp_path)
    midnight_s = 16 * 3600  # 08:00 and 16 hours
    kept.remember(1, ride(midnight_s - 2, 4))
    flush(kept)
    assert stems(kept) == ["hello/2025-11-23.parquet", "hello/2025-11-24.parquet"]
    before = kept.read_file(kept.path / "hello" / "2025-11-23.parquet")
    assert times(before) == [midnight_s - 2, midnight_s - 1]
    after_ms = START_MS + midnight_s * 1000
    assert datetime.fromtimestamp(after_ms / 1000, SHANGHAI).hour == 0
    assert times(kept.within(one_span(0, *EVER))) == [midnight_s + n for n in (-2, -1, 0, 1)]


def test_a_corrected_time_zone_hides_nothing(tmp_path: Path) -> None:
    """The days of files that exist stay as they are; what they hold is still found."""
    kept = archive(tmp_path)
    kept.remember(1, TelemetryBatch.concat([ride(-8 * 3600, 3), ride(15.9 * 3600, 3)]))
    flush(kept)
    for timezone in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"):
        moved = Archive(kept.path, kept.roster, timezone)
        for first_s in (-8 * 3600, 15.9 * 3600):
            from_ms = round(START_MS + first_s * 1000)
            assert len(moved.within(one_span(0, from_ms, from_ms + 3_000))) == 3


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


@settings(max_examples=25)
@given(st.data())
def test_every_bit_comes_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Every number is read as it was written: NaN, infinities, minus zero and the smallest."""
    n = data.draw(st.integers(1, 20))
    columns: dict[str, np.ndarray] = {
        "bike": np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), np.int32),
        "timestamp_ms": START_MS + np.arange(n, dtype=np.int64),
    }
    for name, dtype in COLUMNS.items():
        if dtype.kind == "f":
            numbers = st.floats(width=8 * dtype.itemsize)  # type: ignore[arg-type]
            drawn = data.draw(st.lists(numbers, min_size=n, max_size=n))
            columns[name] = np.array(drawn, dtype)
    fixes = TelemetryBatch(**columns).distinct()
    kept = archive(tmp_path_factory.mktemp("bits"))
    kept.remember(1, fixes)
    flush(kept)
    assert same(kept.read_file(kept.path / "hello" / "2025-11-23.parquet").distinct(), fixes)
    for bike in np.unique(fixes.bike).tolist():
        assert same(kept.within(one_span(bike, *EVER)), fixes.take(fixes.bike == bike))


def test_a_file_says_what_it_is_and_is_sorted(tmp_path: Path) -> None:
    """Anybody's tool can read it: names, types and units are in the file."""
    kept = archive(tmp_path, hello="any")
    for bike_id in ("b", "a"):
        kept.roster.index("hello", bike_id)
    kept.remember(1, TelemetryBatch.concat([ride(0, 2), ride(0, 2, bike=1)]))
    flush(kept)
    table = pq.read_table(kept.path / "hello" / "2025-11-23.parquet")
    assert table.schema.metadata[b"datum"] == b"WGS-84"
    assert table.column("bike_id").to_pylist() == ["a", "a", "b", "b"]
    stamps = table.column("timestamp").to_pylist()
    assert stamps[0].isoformat() == "2025-11-23T00:00:00+00:00"
    assert stamps == [stamps[0], stamps[1]] * 2


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


def test_a_bike_that_no_longer_exists_is_met_while_others_are_new(tmp_path: Path) -> None:
    """Two threads may meet bikes that are not on the roster yet; each gets one number."""
    old = archive(tmp_path, hello="any")
    old.roster.restore(BikeKey("hello", f"old{n}") for n in range(300))
    old.remember(1, TelemetryBatch.concat([ride(0, 1, bike=n) for n in range(300)]))
    flush(old)
    kept = archive(tmp_path, hello="any")
    file = kept.path / "hello" / "2025-11-23.parquet"
    reader = threading.Thread(target=lambda: [kept.read_file(file) for _ in range(5)])
    reader.start()
    for n in range(3_000):
        kept.roster.index("hello", f"new{n}")
    reader.join()
    keys = kept.roster.keys
    assert len(keys) == len(set(keys)) == 3_300
    assert [kept.roster.restore([key])[0] for key in keys] == list(range(3_300))


NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


@settings(max_examples=12)
@given(
    st.lists(NAMES, min_size=1, max_size=4, unique=True), st.lists(NAMES, min_size=1, max_size=6)
)
def test_names_of_any_allowed_characters(
    tmp_path_factory: pytest.TempPathFactory, vendors: list[str], bike_ids: list[str]
) -> None:
    """Vendors and bikes are told apart by every character, and may share ids."""
    folder = tmp_path_factory.mktemp("names")
    kept = archive(folder, **dict.fromkeys(vendors, "any"))
    parts = {}
    for bike_id in bike_ids:
        for vendor in vendors:
            bike = kept.roster.index(vendor, bike_id)
            parts[bike] = ride(bike, 2, bike=bike)
    kept.remember(1, TelemetryBatch.concat(list(parts.values())))
    flush(kept)
    again = archive(folder, **dict.fromkeys(vendors, "any"))
    for bike, fixes in parts.items():
        assert same(kept.within(one_span(bike, *EVER)), fixes)
        (now,) = again.roster.restore([kept.roster.key(bike)])
        assert times(again.within(one_span(now, *EVER))) == times(fixes)
    assert sum(len(again.read_file(file)) for file in again.newest(days=1)) == 2 * len(parts)


def test_a_name_that_looks_like_a_partition_is_a_folder(tmp_path: Path) -> None:
    """Where the archive lies says nothing about what is in it."""
    kept = archive(tmp_path / "year=2025" / "_hidden", _x=["HB0"])
    kept.remember(1, ride(0, 2))
    flush(kept)
    assert times(kept.within(one_span(0, *EVER))) == [0, 1]


def test_only_the_asked_bikes_part_of_a_file_is_read(tmp_path: Path) -> None:
    """Damage in one bike's rows is met by who asks for that bike, and by nobody else."""
    kept = archive(tmp_path)
    rows = [ride(0, ROW_GROUP, bike=bike) for bike in range(3)]
    kept.remember(1, TelemetryBatch.concat(rows))
    flush(kept)
    file = kept.path / "hello" / "2025-11-23.parquet"
    group = pq.read_metadata(file).row_group(1)
    start = group.column(0).dictionary_page_offset
    size = sum(group.column(n).total_compressed_size for n in range(group.num_columns))
    content = bytearray(file.read_bytes())
    content[start : start + size] = bytes(size)
    file.write_bytes(content)
    for bike in (0, 2):
        assert same(kept.within(one_span(bike, *EVER)), rows[bike])
    with pytest.raises(ArchiveDamaged):
        kept.within(one_span(1, *EVER))


@settings(max_examples=25)
@given(st.data())
def test_many_spans_at_once_are_each_one_by_itself(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Intervals of several bikes and days give what asking for each alone gives, and no more."""
    kept = archive(tmp_path_factory.mktemp("spans"), hello=["HB0", "HB1"], other="any")
    kept.roster.index("other", "HB0")
    seconds = st.integers(0, 60)
    hours = st.sampled_from([0, 15, 16, 30])
    fixes = st.tuples(st.integers(0, 2), hours, seconds)
    for n, part in enumerate(data.draw(st.lists(st.lists(fixes, max_size=12), max_size=12))):
        rows = [batch([3600 * hour + s], [s], [0.0], bike=bike) for bike, hour, s in part]
        kept.remember(n + 1, TelemetryBatch.concat(rows))
        if data.draw(st.booleans()) and kept.begin_flush() is not None:
            flush(kept)
    wanted = data.draw(st.lists(st.tuples(st.integers(0, 2), hours, seconds, seconds), max_size=6))
    asked = sorted({(bike, 3600 * h + min(a, b), 3600 * h + max(a, b)) for bike, h, a, b in wanted})
    ends = dict.fromkeys(range(3), 0)
    columns: list[tuple[int, int, int]] = []
    for bike, first_s, end_s in asked:
        if end_s >= ends[bike]:  # sorted by both ends, as late fixes are
            ends[bike] = end_s
            columns.append((bike, START_MS + 1000 * first_s, START_MS + 1000 * end_s))
    bike, from_ms, to_ms = np.array(columns, np.int64).reshape(-1, 3).T
    spans = Intervals.joined(bike.astype(np.int32), from_ms, to_ms)
    one_by_one = [
        kept.within(one_span(*span)) for span in zip(*(c.tolist() for c in spans), strict=True)
    ]
    assert same(kept.within(spans), TelemetryBatch.concat(one_by_one).distinct())


def broken(content: bytes, how: str) -> bytes:
    """A file that is not what was written."""
    return {
        "empty": b"",
        "cut": content[: len(content) // 2],
        "text": b"bike_id,timestamp\n",
        "foreign": content[:4] + bytes(len(content) - 8) + content[-4:],
    }[how]


@pytest.mark.parametrize("how", ["empty", "cut", "text", "foreign"])
def test_a_damaged_file_is_named(tmp_path: Path, how: str) -> None:
    """The error says which file it is and what to do, whoever meets it; nothing is lost."""
    kept = archive(tmp_path)
    kept.remember(1, ride(0, 1000))
    flush(kept)
    file = kept.path / "hello" / "2025-11-23.parquet"
    file.write_bytes(broken(file.read_bytes(), how))
    damaged = file.read_bytes()
    kept.remember(2, ride(1000, 5))
    found = kept.begin_flush()
    assert found is not None
    for meet in (
        lambda: kept.within(one_span(0, *EVER)),
        lambda: list(map(kept.read_file, kept.newest(days=1))),
        lambda: kept.write(found),
    ):
        with pytest.raises(ArchiveDamaged) as caught:
            meet()
        assert str(file) in str(caught.value)
        assert "restore it from a backup, or move it away" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert file.read_bytes() == damaged
    assert kept.tail_rows == 5
    file.rename(tmp_path / "away")
    flush(kept)
    assert len(kept.within(one_span(0, *EVER))) == 5


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    """A Parquet file without our columns is damaged, too."""
    kept = archive(tmp_path)
    kept.remember(1, ride(0, 2))
    flush(kept)
    file = kept.path / "hello" / "2025-11-23.parquet"
    pq.write_table(pq.read_table(file).select(["bike_id", "timestamp"]), file)
    with pytest.raises(ArchiveDamaged, match="lat_deg"):
        kept.within(one_span(0, *EVER))


def test_the_newest_days_come_in_order(tmp_path: Path) -> None:
    """Rebuilding reads only as many days as are remembered, older ones first."""
    kept = archive(tmp_path, hello=["HB0"], other=["HB0"])
    for day in (3, 0, 2, 1):
        kept.remember(day + 1, ride(day * DAY_S, 1, bike=day % 2))
    flush(kept)
    days = map(kept.read_file, kept.newest(days=3))
    found = [(times(day)[0] / DAY_S, day.bike[0]) for day in days]
    assert found == [(1, 1), (2, 0), (3, 1)]
