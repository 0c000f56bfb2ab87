"""A file of the archive: the fixes of one vendor and day, in Parquet.

Rows are sorted by bike_id, then timestamp, in groups of whole bikes: who asks for a bike reads its
group. (Older versions cut groups anywhere.) Nothing is read whose checksum fails: pages have those
of Parquet, and the footer has one of ours.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO, Final
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bikes.roster import BikeKey, Roster
from bikes.telemetry import COLUMNS, TelemetryBatch
from ingest.errors import ArchiveDamaged

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
AT_ONCE: Final = 262_144
"""Rows of a file that are in memory at once when all of it is read, more or less."""
# What changes little from row to row is a quarter smaller so, and read in half the time. A
# dictionary of positions, hardly two of which are equal, is size and memory.
WRITING: Final[dict[str, Any]] = {
    "compression": "zstd",
    "use_dictionary": ["bike_id"],
    "column_encoding": {
        "timestamp": "DELTA_BINARY_PACKED",
        **dict.fromkeys(("lat_deg", "lng_deg"), "BYTE_STREAM_SPLIT"),
    },
    "write_page_checksum": True,
}
MARK: Final = b"ZXC2"
SEAL: Final = Struct("<4sI")
"""Before the footer, where readers of Parquet see nothing: the mark, and the footer's crc32."""


@dataclass(frozen=True, slots=True)
class DayFile:
    """A file that is open for reading; its folder names the vendor.

    ArchiveDamaged: it cannot be read, or what is asked of it.
    """

    path: Path
    sealed: bool  # whether it has checksums: one of an older version has none
    _parquet: pq.ParquetFile

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[DayFile]:
        """A file, until the end of the context."""
        with _damage_told(path):
            source = pa.OSFile(str(path))
        with source:
            with _damage_told(path):
                sealed = _sealed(source)
                parquet = pq.ParquetFile(
                    source, read_dictionary=["bike_id"], page_checksum_verification=True
                )
            yield cls(path, sealed, parquet)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self._parquet.metadata.num_rows)

    @property
    def seq(self) -> int:
        """How far the log was archived when the file was written; 0 when it does not say."""
        return int((self._parquet.metadata.metadata or {}).get(LOG_SEQ, 0))

    def span(self) -> tuple[int, int]:
        """The first and the last instant of its fixes [ms]; it has some."""
        ends = []
        with _damage_told(self.path):
            column = self._parquet.schema_arrow.names.index("timestamp")
            for group in range(self._parquet.num_row_groups):
                statistics = self._parquet.metadata.row_group(group).column(column).statistics
                if statistics is None or not statistics.has_min_max:
                    table = self._parquet.read_row_group(group, ["timestamp"], use_threads=False)
                    at_ms = table.column("timestamp").cast(pa.int64()).to_numpy()
                    ends += [int(at_ms.min()), int(at_ms.max())]
                else:
                    ends += [statistics.min_raw, statistics.max_raw]
        return min(ends), max(ends)

    def counts(self) -> Counter[str]:
        """Number of rows of each bike, by id."""
        found: Counter[str] = Counter()
        with _damage_told(self.path):
            ids = self._parquet.read(columns=["bike_id"], use_threads=False).column("bike_id")
            for part in ids.chunks:
                names = part.dictionary.to_pylist()
                counts = np.bincount(part.indices.to_numpy(), minlength=len(names))
                for name, count in zip(names, counts.tolist(), strict=True):
                    found[name] += count
        return found

    def of(
        self, bikes: Mapping[str, int], columns: Sequence[str] = VALUES, *, threads: bool = False
    ) -> TelemetryBatch:
        """Rows of some bikes, by id, and of others in their groups, which have the index -1.

        Values that are not among the columns are NaN.
        """
        groups = self._groups_of(sorted(bikes))
        return self._read(
            groups, lambda ids: [bikes.get(each, -1) for each in ids], columns, threads=threads
        )

    def parts(self, roster: Roster) -> Iterator[TelemetryBatch]:
        """All rows, some groups at a time: :data:`AT_ONCE` rows, or what one group has more."""
        vendor = self.path.parent.name

        def index(names: Sequence[str]) -> Sequence[int]:
            return roster.restore(BikeKey(vendor, name) for name in names)

        some: list[int] = []
        held = 0
        for group in range(self._parquet.num_row_groups):
            rows = self._parquet.metadata.row_group(group).num_rows
            if some and held + rows > AT_ONCE:
                yield self._read(some, index)
                some, held = [], 0
            some.append(group)
            held += rows
        if some:
            yield self._read(some, index)

    def _read(
        self,
        groups: Sequence[int],
        index: Callable[[Sequence[str]], Sequence[int]],
        columns: Sequence[str] = VALUES,
        *,
        threads: bool = False,
    ) -> TelemetryBatch:
        names = ["bike_id", "timestamp", *columns]
        with _damage_told(self.path):
            table = self._parquet.read_row_groups(groups, columns=names, use_threads=threads)
            found: dict[str, Any] = {
                name: table.column(name).to_numpy().astype(COLUMNS[name], copy=False)
                if name in columns
                else np.broadcast_to(COLUMNS[name].type(np.nan), len(table))
                for name in VALUES
            }
            found["timestamp_ms"] = table.column("timestamp").cast(pa.int64()).to_numpy()
            bike = [np.empty(0, np.int32)]
            for part in table.column("bike_id").chunks:
                known = np.array(index(part.dictionary.to_pylist()), np.int32)
                bike.append(known[part.indices.to_numpy()])
        return TelemetryBatch(bike=np.concatenate(bike), **found)

    def _groups_of(self, bike_ids: Sequence[str]) -> list[int]:
        """The row groups whose statistics do not exclude all of some bikes, by sorted id."""
        wanted = []
        for group in range(self._parquet.num_row_groups):
            statistics = self._parquet.metadata.row_group(group).column(0).statistics
            if statistics is not None and statistics.has_min_max:
                at = bisect_left(bike_ids, statistics.min)
                if at == len(bike_ids) or bike_ids[at] > statistics.max:
                    continue
            wanted.append(group)
        return wanted


def check_file(path: Path) -> bool:
    """Check a file to its last byte; False for one of an older version, without checksums.

    ArchiveDamaged: it is not as it was written, or cannot be read.
    """
    with DayFile.opened(path) as file:
        for _ in file.parts(Roster({})):
            pass
        return file.sealed


def table_of(fixes: TelemetryBatch, roster: Roster) -> pa.Table:
    """The rows of a file, by :data:`SCHEMA`, of fixes that are sorted by bike and time."""
    bikes, codes = np.unique(fixes.bike, return_inverse=True)
    names = np.array([roster.key(bike).bike_id for bike in bikes.tolist()], dtype=str)
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


def seal(out: BinaryIO) -> None:
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


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """What cannot be read of a file is ArchiveDamaged."""
    try:
        yield
    except (pa.ArrowException, OSError, LookupError, ValueError) as exc:
        raise ArchiveDamaged(path, str(exc).partition("\n")[0]) from exc
