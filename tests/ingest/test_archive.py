"""The archive: files and tail are one record, whatever moment it is looked at."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bikes.roster import BikeKey
from bikes.telemetry import COLUMNS, TelemetryBatch
from geofence.intervals import Intervals
from ingest.archive import PORTION, Archive
from ingest.day_file import check_file, table_of
from ingest.errors import ArchiveDamaged
from tests.archives import DAY_S, EVER, archive, flush, ride, same, stems, times
from tests.rides import START_MS, batch
from tests.spans import one_span

SHANGHAI = ZoneInfo("Asia/Shanghai")


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
    rows = [ride(0, PORTION, bike=bike) for bike in range(3)]
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


def test_a_file_whose_groups_cut_bikes_is_read_and_merged(tmp_path: Path) -> None:
    """An older version cut groups anywhere, encoded otherwise and had no checksums."""
    kept = archive(tmp_path)
    rows = TelemetryBatch.concat([ride(0, 250, bike=bike) for bike in range(3)])
    file = kept.path / "hello" / "2025-11-23.parquet"
    file.parent.mkdir(parents=True)
    table = table_of(rows, kept.roster)
    pq.write_table(table, file, row_group_size=100, compression="zstd", use_dictionary=["bike_id"])
    assert not check_file(file)
    assert same(kept.read_file(file), rows)
    assert same(kept.within(one_span(1, *EVER)), ride(0, 250, bike=1))
    more = ride(250, 5, bike=1)
    kept.remember(1, more)
    flush(kept)
    assert check_file(file)
    whole = TelemetryBatch.concat([ride(0, 250, bike=1), more])
    assert same(kept.within(one_span(1, *EVER)), whole)
    metadata = pq.read_metadata(file)
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [755]


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
