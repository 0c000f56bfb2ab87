"""The archive: every fix that was accepted, one Parquet file per vendor and local day.

The archive is a reader of the log. Fixes that are in the log but not yet in a file are its
*tail*, held in memory; a track is the files and the tail together, one row per bike and
timestamp. A file is written beside the old one, synced and renamed over it, and only then does
the log's cursor move: a crash in between writes the same rows again, which changes nothing.
Nothing is read, and nothing merged, whose checksum fails: pages have those of Parquet, and the
footer has one of ours.

    archive/{vendor}/{YYYY-MM-DD}.parquet     sorted by bike_id, then timestamp
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from os import SEEK_END
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO, Final
from zlib import crc32
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bikes.roster import BikeKey, Roster
from bikes.telemetry import COLUMNS, TelemetryBatch
from files.atomic_write import SUFFIX, atomic_write
from files.checkpoint import checkpoint
from geofence.intervals import Intervals, keys
from geofence.runs import Judge, Midnights
from geofence.steps import JudgedFixes
from ingest.errors import ArchiveDamaged, StoreUnavailable
from ingest.log import NOWHERE, Position

MERGE: Final = 8
"""Pieces of one generation that are merged into one of the next: a question then looks at few
pieces, and a fix is copied a few times."""


@dataclass(slots=True)
class Piece:
    """Some fixes of the tail; sorted at the first question, and then for good."""

    fixes: TelemetryBatch
    generation: int = 0
    _sorted: tuple[TelemetryBatch, NDArray[np.int64]] | None = None

    def within(self, spans: Intervals) -> TelemetryBatch:
        """Its distinct fixes in some spans, sorted by bike, then time."""
        found = self._sorted
        if found is None:
            # Two threads may both do this: they come to the same, and either stays.
            distinct = self.fixes.distinct()
            found = distinct, keys(distinct.bike, distinct.timestamp_ms)
            self.fixes, self._sorted = distinct, found
        fixes, sorted_keys = found
        return fixes.take(spans.rows_among(sorted_keys))


@dataclass(slots=True)
class Tail:
    """Fixes that only the log holds, in pieces, by order of arrival.

    Changes belong to one thread; questions may be asked in any: the list of pieces is replaced,
    never changed.
    """

    _pieces: list[Piece] = field(default_factory=list)
    _held: int = 0

    def __len__(self) -> int:
        return sum(len(piece.fixes) for piece in self._pieces)

    def append(self, fixes: TelemetryBatch) -> None:
        """Take in fixes, in any order, duplicates included."""
        if not len(fixes):
            return
        pieces = [*self._pieces, Piece(fixes)]
        while len(pieces) - self._held >= MERGE:
            youngest = pieces[-MERGE:]
            generation = youngest[0].generation
            if youngest[-1].generation != generation:
                break
            merged = TelemetryBatch.concat([piece.fixes for piece in youngest])
            pieces[-MERGE:] = [Piece(merged, generation + 1)]
        self._pieces = pieces

    def hold(self) -> list[Piece]:
        """All there is now, in pieces that stay as they are until they are dropped."""
        self._held = len(self._pieces)
        return self._pieces

    def drop(self, pieces: int) -> None:
        """Let go of so many of the oldest pieces, which :meth:`hold` gave."""
        self._pieces = self._pieces[pieces:]
        self._held = max(0, self._held - pieces)

    def within(self, spans: Intervals) -> list[TelemetryBatch]:
        """Fixes in some spans, in no order, a fix maybe more than once."""
        return [piece.within(spans) for piece in self._pieces]


VALUES: Final = [name for name in COLUMNS if name not in ("bike", "timestamp_ms")]
SCHEMA: Final = pa.schema(
    [
        pa.field("bike_id", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("timestamp", pa.timestamp("ms", tz="UTC"), nullable=False),
        *(pa.field(name, pa.from_numpy_dtype(COLUMNS[name])) for name in VALUES),
    ],
    metadata={"datum": "WGS-84", "made_by": "zhixun"},
)
LOG_SEQ: Final = b"log_seq"
"""Key in a file's metadata: the number of the last message that was in some file by then."""
ROWS_AT_ONCE: Final = 65_536
"""Rows of a file that are in memory at once while it is written."""
ROW_GROUP: Final = 16_384
"""Rows per group: a group is skipped when its statistics exclude the bikes that are asked for."""
MARK: Final = b"ZXC2"
SEAL: Final = Struct("<4sI")
"""Before the footer, where readers of Parquet see nothing: the mark, and the footer's crc32."""


@dataclass(frozen=True, slots=True)
class Flush:
    """The part of the tail that a flush writes: up to a position of the log."""

    seq: int
    pieces: Sequence[Piece]


@dataclass
class Archive:
    """Fixes of the past, in files and in the tail.

    Changes belong to one thread; :meth:`write` and the readers may run in others.

    The folder is made when missing; `timezone` says whose days the files are.
    """

    path: Path
    roster: Roster
    timezone: str
    _tail: Tail = field(default_factory=Tail)
    _seq: int = 0
    _written: int = 0
    _largest: int = 0
    _giving_up: bool = False

    def __post_init__(self) -> None:
        # Arrow's own allocator keeps some 30 MB of what it was given for one flush.
        pa.set_memory_pool(pa.system_memory_pool())
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._zone = ZoneInfo(self.timezone)
        self._midnights = Midnights(self.timezone)

    @property
    def tail_rows(self) -> int:
        """Number of rows that only the log holds."""
        return len(self._tail)

    @property
    def wants_flush(self) -> bool:
        """Whether the tail is worth a rewrite of the day's file.

        Its share of the file is kept constant, so a day is written a bounded number of times.
        """
        return self.tail_rows > max(50_000, self._largest // 8)

    @property
    def flushes_quickly(self) -> bool:
        """Whether a flush takes a second or two at most, as at an end that must come soon."""
        return self._largest + self.tail_rows < 1_000_000

    def take_over(self) -> Position:
        """Begin as the only writer: see how large files are, and remove what a crash has left.

        Return how far the log has been written into files, as far as the newest of them tell.
        """
        for leftover in self.path.glob(f"*/*{SUFFIX}"):
            leftover.unlink(missing_ok=True)
        position = NOWHERE
        for folder in self.path.iterdir():
            newest = max(folder.glob("????-??-??.parquet"), default=None)
            # One that is damaged is met, and told, when it is needed.
            with suppress(ArchiveDamaged):
                if newest is not None:
                    with _opened(newest) as (parquet, _):
                        self._largest = max(self._largest, parquet.metadata.num_rows)
                        seq = int((parquet.metadata.metadata or {}).get(LOG_SEQ, 0))
                    position = max(position, Position.of(newest, seq))
        return position

    def hurry(self) -> None:
        """The end has come: a flush that takes long is given up. The log has what it writes."""
        self._giving_up = not self.flushes_quickly

    def remember(self, seq: int, fixes: TelemetryBatch) -> None:
        """Take in what the log holds up to `seq`, be it nothing; readers see it at once."""
        self._tail.append(fixes)
        self._seq = max(self._seq, seq)

    def begin_flush(self) -> Flush | None:
        """Begin a flush of the tail, which :meth:`end_flush` ends; None when nothing is new."""
        if self._seq <= self._written:
            return None
        return Flush(self._seq, self._tail.hold())

    def write(self, flush: Flush) -> None:
        """Merge the rows into their files, each atomically.

        StoreUnavailable: a file cannot be written now; some may have been, and it can be tried
        again.
        ArchiveDamaged: a file that rows belong into cannot be read.
        """
        vendors, codes = np.unique([key.vendor for key in self.roster.keys], return_inverse=True)
        by_file: dict[Path, list[TelemetryBatch]] = {}
        for piece in flush.pieces:
            fixes = piece.fixes
            vendor, days = codes[fixes.bike], self._midnights.day(fixes.timestamp_ms)
            for code in np.unique(vendor):
                for day in np.unique(days[vendor == code]):
                    its_own = (vendor == code) & (days == day)
                    rows = fixes if its_own.all() else fixes.take(its_own)
                    file = self._file(str(vendors[code]), int(rows.timestamp_ms[0]))
                    by_file.setdefault(file, []).append(rows)
        for file, parts in by_file.items():
            self._merge(file, parts, flush.seq)

    def end_flush(self, flush: Flush) -> None:
        """Let go of what :meth:`write` has written."""
        self._tail.drop(len(flush.pieces))
        self._written = max(self._written, flush.seq)

    def within(self, spans: Intervals) -> TelemetryBatch:
        """Distinct fixes in some spans, sorted by bike, then time.

        ArchiveDamaged: a file of these days cannot be read.
        """
        # The tail is asked before the files are listed: a flush that ends in between moves rows
        # from one to the other, and they are then seen twice rather than not at all.
        parts = self._tail.within(spans)
        by_vendor: dict[str, dict[str, int]] = {}
        for bike in np.unique(spans.bike).tolist():
            key = self.roster.key(bike)
            by_vendor.setdefault(key.vendor, {})[key.bike_id] = bike
        for vendor, bikes in by_vendor.items():
            wanted = spans.where(np.isin(spans.bike, list(bikes.values())))
            for file in self._files_of(vendor, wanted):
                checkpoint()
                rows = self.read_file(file, bikes)
                parts.append(rows.take(wanted.contain(rows.bike, rows.timestamp_ms)))
        return TelemetryBatch.concat(parts).distinct()

    def judged(
        self, judge: Judge, keys: Sequence[BikeKey], from_ms: int, to_ms: int
    ) -> JudgedFixes:
        """The fixes of some bikes in [from_ms, to_ms), with their verdicts and steps.

        More is read than is shown, so that the verdicts at both ends are those of the whole run.

        ArchiveDamaged: a file of these days cannot be read.
        """
        bikes = np.sort(self.roster.restore([key for key in keys if key in self.roster]))
        ends = np.full(bikes.size, from_ms), np.full(bikes.size, to_ms)
        spans = Intervals(bikes.astype(np.int32), *ends)
        limits = judge.limits
        fixes = self.within(spans.widened(limits.before_ms, limits.after_ms))
        codes = judge.verdicts(fixes)
        found = JudgedFixes(fixes, codes, judge.steps(fixes, codes))
        return found.where((fixes.timestamp_ms >= from_ms) & (fixes.timestamp_ms < to_ms))

    def newest(self, days: int) -> list[Path]:
        """The files of the newest days, older first."""
        files = sorted(self.path.glob("*/????-??-??.parquet"), key=lambda file: file.stem)
        newest = sorted({file.stem for file in files})[-days:]
        return [file for file in files if file.stem in newest]

    def day_of(self, file: Path) -> tuple[int, int]:
        """The beginning and the end of the day of a file [ms]."""
        midnight = datetime.fromisoformat(file.stem).replace(tzinfo=self._zone)
        ends = midnight, midnight + timedelta(days=1)
        return round(ends[0].timestamp() * 1000), round(ends[1].timestamp() * 1000)

    def _files_of(self, vendor: str, spans: Intervals) -> Iterator[Path]:
        """The files that can hold something of some spans."""
        for file in sorted((self.path / vendor).glob("????-??-??.parquet")):
            first_ms, end_ms = _anywhere(file.stem)
            if ((spans.from_ms < end_ms) & (spans.to_ms > first_ms)).any():
                yield file

    def _merge(self, file: Path, new: Sequence[TelemetryBatch], seq: int) -> None:
        """Put rows into a file, some bikes at a time: a long day takes no more memory.

        The file says that it was written when the log was archived up to `seq`.
        """
        counts = self._counts(file) if file.exists() else Counter()
        old = bool(counts)
        for rows in new:
            for bike, count in zip(*np.unique(rows.bike, return_counts=True), strict=True):
                counts[self.roster.key(int(bike)).bike_id] += int(count)
        with atomic_write(file, StoreUnavailable) as out:
            # A dictionary of positions, hardly two of which are equal, is size and memory.
            with pq.ParquetWriter(
                out,
                SCHEMA,
                compression="zstd",
                use_dictionary=["bike_id"],
                write_page_checksum=True,
            ) as writer:
                for ids in _portions(counts):
                    if self._giving_up:
                        raise StoreUnavailable(f"{file} was given up for the end of the program")
                    indices = self.roster.restore(BikeKey(file.parent.name, name) for name in ids)
                    parts = [rows.take(np.isin(rows.bike, indices)) for rows in new]
                    if old:
                        kept = self.read_file(file, dict(zip(ids, indices, strict=True)))
                        parts.append(kept.take(kept.bike >= 0))
                    merged = TelemetryBatch.concat(parts).distinct()
                    writer.write_table(self._table(merged), row_group_size=ROW_GROUP)
                writer.add_key_value_metadata({LOG_SEQ: str(seq)})
            _seal(out)
        self._largest = max(self._largest, counts.total())

    def _counts(self, file: Path) -> Counter[str]:
        """Number of rows of each bike in a file."""
        found: Counter[str] = Counter()
        with _opened(file) as (parquet, _):
            ids = parquet.read(columns=["bike_id"], use_threads=False).column("bike_id")
            for part in ids.chunks:
                names = part.dictionary.to_pylist()
                counts = np.bincount(part.indices.to_numpy(), minlength=len(names))
                for name, count in zip(names, counts.tolist(), strict=True):
                    found[name] += count
        return found

    def _table(self, fixes: TelemetryBatch) -> pa.Table:
        bikes, codes = np.unique(fixes.bike, return_inverse=True)
        names = np.array([self.roster.key(bike).bike_id for bike in bikes.tolist()], dtype=str)
        by_name = np.argsort(names)
        ranks = np.empty(by_name.size, np.int32)
        ranks[by_name] = np.arange(by_name.size)
        # They are sorted by bike and time already; bikes only need to be sorted by name.
        rank = ranks[codes]
        order = np.argsort(rank, kind="stable")
        fixes, rank = fixes.take(order), rank[order]
        ids = pa.DictionaryArray.from_arrays(pa.array(rank), pa.array(names[by_name].tolist()))
        columns: list[Any] = [
            ids,
            pa.array(fixes.timestamp_ms, pa.timestamp("ms", tz="UTC")),
            *(pa.array(getattr(fixes, name)) for name in VALUES),
        ]
        return pa.Table.from_arrays(columns, schema=SCHEMA)

    def read_file(self, file: Path, bikes: Mapping[str, int] | None = None) -> TelemetryBatch:
        """Rows of some bikes, by id, in the groups that hold them; of all bikes with None.

        The file's folder names the vendor. Groups hold more than what is asked for: rows of other
        bikes have the index -1.

        ArchiveDamaged: the file cannot be read.
        """
        vendor = file.parent.name
        with _opened(file) as (parquet, _):
            groups = list(range(parquet.num_row_groups))
            if bikes is not None:
                groups = _groups_of(parquet.metadata, sorted(bikes))
            table = parquet.read_row_groups(groups, columns=SCHEMA.names, use_threads=False)
            columns: dict[str, Any] = {
                name: table.column(name).to_numpy().astype(COLUMNS[name], copy=False)
                for name in VALUES
            }
            columns["timestamp_ms"] = table.column("timestamp").cast(pa.int64()).to_numpy()
            index = [np.empty(0, np.int32)]
            for part in table.column("bike_id").chunks:
                names = part.dictionary.to_pylist()
                if bikes is None:
                    known = self.roster.restore(BikeKey(vendor, name) for name in names)
                else:
                    known = [bikes.get(name, -1) for name in names]
                index.append(np.array(known, np.int32)[part.indices.to_numpy()])
        return TelemetryBatch(bike=np.concatenate(index), **columns)

    def _file(self, vendor: str, at_ms: int) -> Path:
        date = datetime.fromtimestamp(at_ms / 1000, self._zone).date()
        return self.path / vendor / f"{date.isoformat()}.parquet"


def _portions(counts: Mapping[str, int]) -> Iterator[list[str]]:
    """Bikes by id, in order, with some :data:`ROWS_AT_ONCE` rows together."""
    some: list[str] = []
    held = 0
    for name in sorted(counts):
        some.append(name)
        held += counts[name]
        if held >= ROWS_AT_ONCE:
            yield some
            some, held = [], 0
    if some:
        yield some


def _groups_of(metadata: Any, bike_ids: Sequence[str]) -> list[int]:
    """The row groups whose statistics do not exclude all of some bikes, by sorted id."""
    wanted = []
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(0).statistics
        if statistics is not None and statistics.has_min_max:
            at = bisect_left(bike_ids, statistics.min)
            if at == len(bike_ids) or bike_ids[at] > statistics.max:
                continue
        wanted.append(group)
    return wanted


def _anywhere(date: str) -> tuple[int, int]:
    """The first beginning and the last end of a date anywhere on Earth [ms].

    The time zone of the district may be corrected; the files of before keep their days.
    """
    midnight = datetime.fromisoformat(date).replace(tzinfo=UTC)
    first, end = midnight - timedelta(hours=14), midnight + timedelta(hours=36)
    return round(first.timestamp() * 1000), round(end.timestamp() * 1000)


def check_file(file: Path) -> bool:
    """Check a file to its last byte; False for one of an older version, without checksums.

    ArchiveDamaged: it is not as it was written, or cannot be read.
    """
    with _opened(file) as (parquet, sealed):
        for group in range(parquet.num_row_groups):
            parquet.read_row_group(group, use_threads=False)
        return sealed


@contextmanager
def _opened(file: Path) -> Iterator[tuple[pq.ParquetFile, bool]]:
    """A file, and whether it has checksums; what cannot be read of it is ArchiveDamaged."""
    try:
        with pa.OSFile(str(file)) as source:
            sealed = _sealed(source)
            parquet = pq.ParquetFile(
                source, read_dictionary=["bike_id"], page_checksum_verification=True
            )
            yield parquet, sealed
    except (pa.ArrowException, OSError, LookupError, ValueError) as exc:
        reason = str(exc).partition("\n")[0]
        raise ArchiveDamaged(file, reason) from exc


def _seal(out: BinaryIO) -> None:
    """Put the checksum of its footer before it into a file that was just written."""
    begin = out.seek(-_footer_bytes(out), SEEK_END)
    footer = out.read()
    out.seek(begin)
    out.write(SEAL.pack(MARK, crc32(footer)) + footer)


def _sealed(source: BinaryIO) -> bool:
    """Whether there is such a checksum; ValueError when the footer is not as it was written."""
    length = _footer_bytes(source)
    source.seek(-length - SEAL.size, SEEK_END)
    mark, checksum = SEAL.unpack(source.read(SEAL.size))
    if mark == MARK and checksum != crc32(source.read(length)):
        raise ValueError("its footer fails its checksum")
    return bool(mark == MARK)


def _footer_bytes(file: BinaryIO) -> int:
    """The size of the footer of a file of Parquet, with its length and mark at the end."""
    file.seek(-8, SEEK_END)
    return int.from_bytes(file.read(4), "little") + 8
