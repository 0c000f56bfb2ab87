"""The archive: every fix that was accepted, one Parquet file per vendor and local day.

The archive is a reader of the log. Fixes that are in the log but not yet in a file are its
*tail*, held in memory; a track is the files and the tail together, one row per bike and
timestamp. A file is written beside the old one, synced and renamed over it, and only then does
the log's cursor move: a crash in between writes the same rows again, which changes nothing.

    archive/{vendor}/{YYYY-MM-DD}.parquet     sorted by bike_id, then timestamp
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bikes.roster import BikeKey, Roster
from bikes.telemetry import TelemetryBatch
from files.atomic_write import SUFFIX, atomic_write
from files.checkpoint import checkpoint
from geofence.frames import last_believed
from geofence.intervals import Intervals, keys
from geofence.runs import Judge, Midnights
from geofence.steps import JudgedFixes
from ingest.day_file import LOG_SEQ, SCHEMA, WRITING, DayFile, seal, table_of
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

    def now(self) -> Tail:
        """All there is now, whatever is dropped from here later."""
        return Tail(self._pieces)

    def within(self, spans: Intervals) -> list[TelemetryBatch]:
        """Fixes in some spans, in no order, a fix maybe more than once."""
        return [piece.within(spans) for piece in self._pieces]


BIKES_AT_ONCE: Final = 32
"""Bikes whose fixes of a day are in memory at once for frames."""
OF_FRAMES: Final = ["lat_deg", "lng_deg", "accuracy_m", "speed_mps", "heading_deg"]
"""Columns that are read for frames: those that choose one of two fixes, up to what is shown."""
PORTION: Final = 32_768
"""Rows of a file that are in memory at once while it is written, of whole bikes: its groups."""


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
                    with DayFile.opened(newest) as opened:
                        self._largest = max(self._largest, opened.rows)
                        position = max(position, Position.of(newest, opened.seq))
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
        # The tail is looked at before the files are listed: a flush that ends in between moves
        # rows from one to the other, and they are then seen twice rather than not at all.
        parts = self._tail.within(spans)
        for bikes, wanted, files in self._by_vendor(spans):
            for file in files:
                checkpoint()
                with DayFile.opened(file) as opened:
                    rows = opened.of(bikes)
                parts.append(rows.take(wanted.contain(rows.bike, rows.timestamp_ms)))
        return TelemetryBatch.concat(parts).distinct()

    def last_believed(
        self, judge: Judge, keys: Sequence[BikeKey], from_ms: int, to_ms: int, step_ms: int
    ) -> Iterator[TelemetryBatch]:
        """The last believed fix of bikes in each step from an instant on, before another one.

        Some bikes of one vendor at a time, by their ids: sorted by bike, then time. Of what is no
        part of a frame, altitude and state of charge, nothing is known. Times in ms.

        ArchiveDamaged: a file of these days cannot be read.
        """
        tail, limits = self._tail.now(), judge.limits
        first_ms, end_ms = from_ms - limits.before_ms, to_ms + limits.after_ms
        for bikes, wanted, files in self._by_vendor(self._spans(keys, first_ms, end_ms)):
            with ExitStack() as stack:
                opened = [stack.enter_context(DayFile.opened(file)) for file in files]
                ids = sorted(bikes)
                for at in range(0, len(ids), BIKES_AT_ONCE):
                    checkpoint()
                    some = {name: bikes[name] for name in ids[at : at + BIKES_AT_ONCE]}
                    spans = wanted.where(np.isin(wanted.bike, list(some.values())))
                    parts = tail.within(spans)
                    for day in opened:
                        rows = day.of(some, OF_FRAMES, threads=True)
                        at_ms = rows.timestamp_ms
                        here = (rows.bike >= 0) & (at_ms >= first_ms) & (at_ms < end_ms)
                        parts.append(rows if here.all() else rows.take(here))
                    fixes = TelemetryBatch.concat(parts).distinct()
                    yield fixes.take(last_believed(judge, fixes, from_ms, to_ms, step_ms))

    def _by_vendor(
        self, spans: Intervals
    ) -> Iterator[tuple[dict[str, int], Intervals, Iterator[Path]]]:
        """The bikes of some spans by vendor, by id, with their spans and files."""
        by_vendor: dict[str, dict[str, int]] = {}
        for bike in np.unique(spans.bike).tolist():
            key = self.roster.key(bike)
            by_vendor.setdefault(key.vendor, {})[key.bike_id] = bike
        for vendor, bikes in by_vendor.items():
            wanted = spans.where(np.isin(spans.bike, list(bikes.values())))
            yield bikes, wanted, self._files_of(vendor, wanted)

    def judged(
        self, judge: Judge, keys: Sequence[BikeKey], from_ms: int, to_ms: int
    ) -> JudgedFixes:
        """The fixes of some bikes in [from_ms, to_ms), with their verdicts and steps.

        ArchiveDamaged: a file of these days cannot be read.
        """
        # More is read than is shown, so that verdicts at both ends are those of the whole run.
        limits = judge.limits
        first_ms, end_ms = from_ms - limits.before_ms, to_ms + limits.after_ms
        fixes = self.within(self._spans(keys, first_ms, end_ms))
        codes = judge.verdicts(fixes)
        found = JudgedFixes(fixes, codes, judge.steps(fixes, codes))
        return found.where((fixes.timestamp_ms >= from_ms) & (fixes.timestamp_ms < to_ms))

    def _spans(self, keys: Sequence[BikeKey], from_ms: int, to_ms: int) -> Intervals:
        """The same time of some bikes; of those that are known."""
        bikes = np.sort(self.roster.restore([key for key in keys if key in self.roster]))
        ends = np.full(bikes.size, from_ms), np.full(bikes.size, to_ms)
        return Intervals(bikes.astype(np.int32), *ends)

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
        with ExitStack() as stack:
            old = stack.enter_context(DayFile.opened(file)) if file.exists() else None
            counts = old.counts() if old else Counter()
            for rows in new:
                for bike, count in zip(*np.unique(rows.bike, return_counts=True), strict=True):
                    counts[self.roster.key(int(bike)).bike_id] += int(count)
            out = stack.enter_context(atomic_write(file, StoreUnavailable))
            with pq.ParquetWriter(out, SCHEMA, **WRITING) as writer:
                for ids in _portions(counts):
                    if self._giving_up:
                        raise StoreUnavailable(f"{file} was given up for the end of the program")
                    indices = self.roster.restore(BikeKey(file.parent.name, name) for name in ids)
                    parts = [rows.take(np.isin(rows.bike, indices)) for rows in new]
                    if old:
                        kept = old.of(dict(zip(ids, indices, strict=True)))
                        parts.append(kept.take(kept.bike >= 0))
                    merged = TelemetryBatch.concat(parts).distinct()
                    writer.write_table(table_of(merged, self.roster), row_group_size=len(merged))
                writer.add_key_value_metadata({LOG_SEQ: str(seq)})
            seal(out)
        self._largest = max(self._largest, counts.total())

    def read_file(self, file: Path) -> TelemetryBatch:
        """All rows of a file. ArchiveDamaged: it cannot be read."""
        return TelemetryBatch.concat(list(self.parts_of(file)))

    def parts_of(self, file: Path) -> Iterator[TelemetryBatch]:
        """All rows of a file, some bikes at a time. ArchiveDamaged: it cannot be read."""
        with DayFile.opened(file) as opened:
            yield from opened.parts(self.roster)

    def _file(self, vendor: str, at_ms: int) -> Path:
        date = datetime.fromtimestamp(at_ms / 1000, self._zone).date()
        return self.path / vendor / f"{date.isoformat()}.parquet"


def _portions(counts: Mapping[str, int]) -> Iterator[list[str]]:
    """Bikes by id, in order, with some :data:`PORTION` rows together."""
    some: list[str] = []
    held = 0
    for name in sorted(counts):
        some.append(name)
        held += counts[name]
        if held >= PORTION:
            yield some
            some, held = [], 0
    if some:
        yield some


def _anywhere(date: str) -> tuple[int, int]:
    """The first beginning and the last end of a date anywhere on Earth [ms].

    The time zone of the district may be corrected; the files of before keep their days.
    """
    midnight = datetime.fromisoformat(date).replace(tzinfo=UTC)
    first, end = midnight - timedelta(hours=14), midnight + timedelta(hours=36)
    return round(first.timestamp() * 1000), round(end.timestamp() * 1000)
