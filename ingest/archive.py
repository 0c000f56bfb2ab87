"""The archive: every fix that was accepted, one Parquet file per vendor and local day.

The archive is a reader of the log. Fixes that are in the log but not yet in a file are its
*tail*, held in memory; a track is the files and the tail together, one row per bike and
timestamp. A file is written beside the old one, synced and renamed over it, and only then does
the log's cursor move: a crash in between writes the same rows again, which changes nothing.

    archive/{vendor}/{YYYY-MM-DD}.parquet     sorted by bike_id, then timestamp
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bikes.roster import BikeKey, Roster
from bikes.telemetry import COLUMNS, TelemetryBatch
from geofence.runs import Midnights

VALUES: Final = [name for name in COLUMNS if name not in ("bike", "timestamp_ms")]
SCHEMA: Final = pa.schema(
    [
        pa.field("bike_id", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("timestamp", pa.timestamp("ms", tz="UTC"), nullable=False),
        *(pa.field(name, pa.from_numpy_dtype(COLUMNS[name])) for name in VALUES),
    ],
    metadata={"datum": "WGS-84", "made_by": "zhixun"},
)
ROW_GROUP: Final = 16_384
"""Rows per group: a group is skipped when its statistics exclude the bike that is asked for."""


@dataclass(frozen=True, slots=True)
class Flush:
    """Rows to be written: a part of the tail up to a position of the log."""

    seq: int
    batches: int
    fixes: TelemetryBatch


@dataclass
class Archive:
    """Fixes of the past, in files and in the tail.

    Changes belong to one thread; :meth:`write` and the readers may run in others.

    Parameters
    ----------
    path : Path
        The folder of the files; made when missing.
    roster : Roster
        Names the bikes of the columns.
    timezone : str
        Whose days the files are.
    """

    path: Path
    roster: Roster
    timezone: str
    _tail: list[tuple[int, TelemetryBatch]] = field(default_factory=list)
    _tail_rows: int = 0
    _largest: int = 0

    def __post_init__(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self._zone = ZoneInfo(self.timezone)
        self._midnights = Midnights(self.timezone)

    @property
    def tail_rows(self) -> int:
        """How many rows only the log holds."""
        return self._tail_rows

    @property
    def wants_flush(self) -> bool:
        """Whether the tail is worth a rewrite of the day's file.

        Its share of the file is kept constant, so a day is written a bounded number of times.
        """
        return self._tail_rows > max(50_000, self._largest // 8)

    def remember(self, seq: int, fixes: TelemetryBatch) -> None:
        """Take in what the log holds up to `seq`; readers see it at once."""
        self._tail.append((seq, fixes))
        self._tail_rows += len(fixes)

    def begin_flush(self) -> Flush | None:
        """What a flush has to write; None when there is nothing."""
        if not self._tail:
            return None
        fixes = TelemetryBatch.concat([batch for _, batch in self._tail])
        return Flush(self._tail[-1][0], len(self._tail), fixes)

    def write(self, flush: Flush) -> None:
        """Merge the rows into their files, each atomically."""
        fixes = flush.fixes.distinct()
        keys = self.roster.keys
        vendors = np.array([key.vendor for key in keys], dtype=object)[fixes.bike]
        days = self._midnights.day(fixes.timestamp_ms)
        for vendor in sorted(set(vendors)):
            of_vendor = vendors == vendor
            for day in np.unique(days[of_vendor]):
                rows = fixes.take(of_vendor & (days == day))
                self._merge(self._file(vendor, int(rows.timestamp_ms[0])), rows)

    def end_flush(self, flush: Flush) -> None:
        """Let go of what :meth:`write` has written."""
        del self._tail[: flush.batches]
        self._tail_rows -= len(flush.fixes)

    def between(self, bike: int, from_ms: int, to_ms: int) -> TelemetryBatch:
        """Distinct fixes of a bike in [from_ms, to_ms), sorted by time."""
        parts = []
        # The tail is copied before the files are listed: a flush that ends in between moves rows
        # from one to the other, and they are then seen twice rather than not at all.
        for _, batch in list(self._tail):
            mine = (
                (batch.bike == bike)
                & (batch.timestamp_ms >= from_ms)
                & (batch.timestamp_ms < to_ms)
            )
            if mine.any():
                parts.append(batch.take(mine))
        key = self.roster.key(bike)
        for file in self._files_between(key.vendor, from_ms, to_ms):
            rows = self._read(file, [("bike_id", "=", key.bike_id)])
            inside = (rows.timestamp_ms >= from_ms) & (rows.timestamp_ms < to_ms)
            parts.append(rows.take(inside))
        return TelemetryBatch.concat(parts).distinct()

    def days(self, last: int) -> Iterator[TelemetryBatch]:
        """The rows of the newest `last` days, a file at a time, older first."""
        files = sorted(self.path.glob("*/????-??-??.parquet"), key=lambda file: file.stem)
        newest = sorted({file.stem for file in files})[-last:]
        for file in files:
            if file.stem in newest:
                yield self.read_file(file)

    def read_file(self, file: Path) -> TelemetryBatch:
        """All rows of one archive file, for replay; its folder names the vendor."""
        return self._read(file, None)

    def _files_between(self, vendor: str, from_ms: int, to_ms: int) -> Iterator[Path]:
        folder = self.path / vendor
        if not folder.is_dir():
            return
        first, last = self._date(from_ms), self._date(max(from_ms, to_ms - 1))
        for file in sorted(folder.glob("????-??-??.parquet")):
            if first <= file.stem <= last:
                yield file

    def _merge(self, file: Path, rows: TelemetryBatch) -> None:
        parts = [rows]
        if file.exists():
            parts.append(self._read(file, None))
        merged = TelemetryBatch.concat(parts).distinct()
        self._largest = max(self._largest, len(merged))
        file.parent.mkdir(exist_ok=True)
        beside = file.with_suffix(".tmp")
        with beside.open("wb") as out:
            pq.write_table(self._table(merged), out, compression="zstd", row_group_size=ROW_GROUP)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(file)
        _sync_folder(file.parent)

    def _table(self, fixes: TelemetryBatch) -> pa.Table:
        names = np.array([key.bike_id for key in self.roster.keys], dtype=object)
        order = np.lexsort((fixes.timestamp_ms, names[fixes.bike].astype(str)))
        fixes = fixes.take(order)
        columns: list[Any] = [
            pa.array(names[fixes.bike], pa.string()).dictionary_encode(),
            pa.array(fixes.timestamp_ms, pa.timestamp("ms", tz="UTC")),
            *(pa.array(getattr(fixes, name)) for name in VALUES),
        ]
        return pa.Table.from_arrays(
            [column.cast(kind.type) for column, kind in zip(columns, SCHEMA, strict=True)],
            schema=SCHEMA,
        )

    def _read(self, file: Path, filters: list[tuple[str, str, str]] | None) -> TelemetryBatch:
        table = pq.read_table(file, schema=SCHEMA, filters=filters, use_threads=False)
        ids = table.column("bike_id").combine_chunks()
        if isinstance(ids, pa.ChunkedArray):
            ids = pa.concat_arrays(ids.chunks) if ids.num_chunks else ids.cast(pa.string())
        names = ids.dictionary.to_pylist() if len(ids) else []
        vendor = file.parent.name
        index = np.array(self.roster.restore(BikeKey(vendor, name) for name in names), np.int32)
        codes: NDArray[np.integer] = np.asarray(ids.indices) if len(ids) else np.empty(0, np.intp)
        columns: dict[str, Any] = {
            name: table.column(name).to_numpy().astype(COLUMNS[name], copy=False) for name in VALUES
        }
        columns["bike"] = index[codes].astype(np.int32)
        columns["timestamp_ms"] = table.column("timestamp").cast(pa.int64()).to_numpy()
        return TelemetryBatch(**columns)

    def _file(self, vendor: str, at_ms: int) -> Path:
        return self.path / vendor / f"{self._date(at_ms)}.parquet"

    def _date(self, at_ms: int) -> str:
        return datetime.fromtimestamp(at_ms / 1000, self._zone).date().isoformat()


def _sync_folder(folder: Path) -> None:
    """Make a rename durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
