"""Recorded telemetry: files of NDJSON, GPX and OwnTracks .rec, read in pieces of bounded size.

| file | bike | vendor |
| --- | --- | --- |
| ``.ndjson .jsonl .json`` | ``device_id`` of the item | ``vendor`` of the item, else the default |
| ``.gpx`` | the default, else the file's name | the default, else one that has or may have it |
| ``.rec`` | the default, else its folders (``rec/user/device/2026-05.rec``) or name | the default |
| ``.parquet`` | ``bike_id`` of the row | the folder, as in the archive |

JSON is a fix on each line, or one value: a fix, an array, or ``{"telemetry": [...]}`` as in MDS.
NDJSON and .rec hold what the vendor sent, so their positions are in the vendor's datum; those
of GPX and of the archive are WGS-84.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import SEEK_END
from pathlib import Path
from typing import IO, NamedTuple, TypeVar, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from bikes.errors import DecodeError
from bikes.formats import owntracks
from bikes.formats.gpx import GpxReader
from bikes.formats.reading import Reader, explain, foreign, read_each, without_nan
from bikes.roster import BikeKey, Roster
from bikes.telemetry import Telemetry, TelemetryBatch
from bikes.topics import NAME
from geofence.datum import Datum
from ingest.archive import Archive
from ingest.checks import PLAUSIBLE, to_columns
from ingest.errors import ArchiveDamaged
from ingest.rejects import shortened
from ingest.vendors import VendorFormat, in_wgs84, index_of

BLOCK_BYTES = 4 << 20
"""Bytes of a file that are read at once."""

MAX_LINE_BYTES = 262_144
"""A longer line is no telemetry."""

MAX_VALUE_BYTES = 64 << 20
"""A JSON value that is longer is not read, as it has to be read as a whole."""

VALUE_ITEMS = 20_000
"""Items of a value that are read at once."""

NO_POSITION = "no_position"
"""What is noted of a message of a recording that says something else than where a bike is."""

_BOM = b"\xef\xbb\xbf"
_MONTH = re.compile(r"\d{4}-\d{2}")
T = TypeVar("T", bound=Telemetry)


class Problem(NamedTuple):
    """A part of a file that could not be used.

    Attributes
    ----------
    path : Path
    line : int
        Counted from 1; 0 when it is the file as a whole.
    reason : str
        A reject reason of the contract, or ``unreadable``.
    detail : str
        The fault.
    """

    path: Path
    line: int
    reason: str
    detail: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{where}: {self.reason}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A piece of a file.

    Attributes
    ----------
    path : Path
        The file.
    telemetry : TelemetryBatch
        Usable fixes of the piece, WGS-84.
    problems : list of Problem
        Unusable parts, by line.
    read_bytes : int
        Size of the piece in the file, for showing progress.
    notes : Counter
        Values that are unknown because they cannot be used, by field; and NO_POSITION.
    segment : ndarray of int64, shape (fixes,)
        Of each fix its part of the file; nothing was recorded between two of them.
    """

    path: Path
    telemetry: TelemetryBatch
    problems: list[Problem]
    read_bytes: int
    notes: Counter[str] = field(default_factory=Counter)
    segment: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def items(self) -> int:
        """Items seen: usable ones and problems."""
        return len(self.telemetry) + len(self.problems)


class RecordingReader:
    """Reads recordings of the configured vendors.

    The roster grows by the bikes of vendors that may have any. Of a vendor its datum counts; the
    kind of file says the format. The default vendor is that of items that name none; it is needed
    only when more than one is configured. The default bike is that of items and files that name
    none, and of those whose name alone is a bike's.
    """

    def __init__(
        self,
        roster: Roster,
        vendors: Mapping[str, VendorFormat],
        *,
        default_vendor: str | None = None,
        default_bike: str | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        if default_vendor is None and len(vendors) == 1:
            (default_vendor,) = vendors
        self._roster = roster
        self._vendors = dict(vendors)
        self._default_vendor = default_vendor
        self._default_bike = default_bike
        self._devices: dict[str, tuple[str, str]] = {}
        self._block_bytes = block_bytes
        self._bikes: dict[tuple[str | None, str | None], int] = {}

    def read(self, path: Path) -> Iterator[Recorded]:
        """A file, piece by piece. Nothing in it, and no trouble with it, raises an error."""
        read = _READERS.get(path.suffix.lower())
        if read is None:
            detail = f"not a kind of recording; these are: {' '.join(SUFFIXES)}"
            yield _unusable(path, "unreadable", detail)
            return
        try:
            with path.open("rb") as stream:
                what = foreign(stream.peek(4)) if read in _OF_TEXT else None
                if what is None:
                    yield from read(self, path, stream)
                else:
                    yield _unusable(path, "not_json", what)
        except OSError as exc:
            yield _unusable(path, "unreadable", exc.strerror or str(exc))

    def _ndjson(self, path: Path, stream: IO[bytes]) -> Iterator[Recorded]:
        try:
            blocks = _json_items(stream) or self._lines(stream)
        except DecodeError as exc:
            yield _unusable(path, exc.reason, exc.detail)
            return
        for block in blocks:
            piece = _Piece(path, block.read_bytes)
            items, lines = piece.items_of(block, _quick_line, _read_line)
            keys = [(item.vendor, item.device_id) for item in items]
            bikes = list(map(self._bikes.get, keys))
            if None in bikes:
                bikes = [
                    self._bike_or_problem(piece, line, *key)
                    for line, key in zip(lines, keys, strict=True)
                ]
            yield self._recorded(piece, items, lines, bikes)

    def _rec(self, path: Path, stream: IO[bytes]) -> Iterator[Recorded]:
        try:
            name = self._device(path)
        except DecodeError as exc:
            yield _unusable(path, exc.reason, exc.detail)
            return
        bike = self._bike_or_problem(piece := _Piece(path, 0), 0, None, name)
        if bike is None:
            yield self._recorded(piece, [], [], [])
            return
        for block in self._lines(stream):
            piece = _Piece(path, block.read_bytes)
            items, lines = piece.items_of(block, owntracks.quick_rec, owntracks.decode_rec)
            yield self._recorded(piece, items, lines, [bike] * len(items), in_seconds=True)

    def _gpx(self, path: Path, stream: IO[bytes]) -> Iterator[Recorded]:
        name = self._default_bike or path.stem
        rider = self._rider(path, name)
        bike = self._bike_or_problem(piece := _Piece(path, 0), 0, rider, name)
        if bike is None:
            yield self._recorded(piece, [], [], [])
            return
        reader, last = GpxReader(), False
        while not (last or reader.broken):
            block = stream.read(self._block_bytes)
            last = not block
            piece = _Piece(path, len(block))
            points = []
            for point in reader.feed(block, last=last):
                if isinstance(point.item, DecodeError):
                    piece.problem(point.line, point.item)
                else:
                    points.append(point)
            lines, items, segments = zip(*points, strict=True) if points else ((), (), ())
            bikes = [bike] * len(items)
            yield self._recorded(piece, items, lines, bikes, datum="wgs84", segments=segments)

    def _parquet(self, path: Path, stream: IO[bytes]) -> Iterator[Recorded]:
        """A file of the archive, in one piece."""
        file = path.absolute()
        if file.parent.name not in self._vendors:
            detail = f"its folder is named {file.parent.name!r}, and no vendor is"
            yield _unusable(path, "unknown_vendor", detail)
            return
        try:
            fixes = Archive(file.parent.parent, self._roster, "UTC").read_file(file)
        except ArchiveDamaged as exc:
            yield _unusable(path, "unreadable", str(exc))
            return
        segment = np.zeros(len(fixes), np.int64)
        yield Recorded(path, fixes, [], stream.seek(0, SEEK_END), segment=segment)

    def _recorded(
        self,
        piece: _Piece,
        items: Sequence[Telemetry],
        lines: Sequence[int],
        bikes: Sequence[int | None],
        *,
        datum: Datum | None = None,
        segments: Sequence[int] = (),
        in_seconds: bool = False,
    ) -> Recorded:
        """A piece whose items are of `bikes`, None for those that are of none."""
        rows = [row for row, bike in enumerate(bikes) if bike is not None]
        if len(rows) < len(bikes):
            items, lines = [items[row] for row in rows], [lines[row] for row in rows]
        known = np.array([bike for bike in bikes if bike is not None], np.int32)
        batch, faults, notes = to_columns(known, items, PLAUSIBLE, in_seconds=in_seconds)
        kept = [segment for row, segment in enumerate(segments) if row not in faults]
        for row, fault in faults.items():
            piece.problem(lines[row], fault)
        parts = [
            in_wgs84(part, datum or self._vendors[vendor].datum)
            for vendor, part in self._by_vendor(batch)
        ]
        problems = sorted(piece.problems, key=lambda problem: problem.line)
        return Recorded(
            piece.path,
            TelemetryBatch.concat(parts),
            problems,
            piece.read_bytes,
            piece.notes + notes,
            np.array(kept or np.zeros(len(batch)), np.int64),
        )

    def _rider(self, path: Path, bike_id: str) -> str | None:
        """The vendor of a GPX file, which is WGS-84 whoever rode.

        The default; else the one its folder is named after, one that has the bike, or may have it.
        """
        keys = [BikeKey(vendor, bike_id) for vendor in self._vendors]
        may = [key for key in keys if key in self._roster or self._roster.admits(key)]
        may.sort(
            key=lambda key: (key.vendor != path.absolute().parent.name, key not in self._roster)
        )
        return self._default_vendor or (may[0].vendor if may else None)

    def _device(self, path: Path) -> str:
        """The bike of a .rec file: the Recorder names it by month, in folders of user and device.

        Where a topic of the vendor says how it calls that device, it is called so.
        """
        if self._default_bike or not _MONTH.fullmatch(path.stem):
            return self._default_bike or path.stem
        user, device = ("", *path.absolute().parts)[-3:-1]
        name, vendor = f"{user}-{device}", self._vendors.get(self._default_vendor or "")
        if vendor is not None:
            key, topic = BikeKey(vendor.vendor, name), f"owntracks/{user}/{device}"
            if key not in self._roster and not self._roster.admits(key):
                name = device
            name = next(filter(None, (each.bike_id(topic) for each in vendor.topics)), name)
        if self._devices.setdefault(name, (user, device)) != (user, device):
            other = "/".join(self._devices[name])
            raise DecodeError("unknown_bike", f"{name!r} is {other} already; name it with --bike")
        return name

    def _lines(self, stream: IO[bytes]) -> Iterator[Lines]:
        return whole_lines(stream, self._block_bytes, MAX_LINE_BYTES)

    def _by_vendor(self, batch: TelemetryBatch) -> Iterator[tuple[str, TelemetryBatch]]:
        names = list(self._vendors)
        numbers = {name: number for number, name in enumerate(names)}
        of_bike = np.array([numbers.get(key.vendor, -1) for key in self._roster.keys], np.int32)
        mine = of_bike[batch.bike]
        for number in np.unique(mine).tolist():
            yield names[number], batch.take(mine == number)

    def _bike_or_problem(
        self, piece: _Piece, line: int, vendor: str | None, bike_id: str | None
    ) -> int | None:
        known = self._bikes.get((vendor, bike_id))
        if known is not None:
            return known
        try:
            bike = self._bike(vendor or self._default_vendor, bike_id or self._default_bike)
        except DecodeError as exc:
            piece.problem(line, exc)
            return None
        self._bikes[vendor, bike_id] = bike
        return bike

    def _bike(self, vendor: str | None, bike_id: str | None) -> int:
        if vendor is None:
            known = ", ".join(sorted(self._vendors))
            detail = f"vendor: required, as more than one is configured: {known}; see --vendor"
            raise DecodeError("schema", detail)
        if bike_id is None:
            detail = "device_id: required, as it names the bike; see --bike"
            raise DecodeError("schema", detail)
        if NAME.fullmatch(bike_id) is None:
            detail = f"{bike_id!r} cannot be a bike's id: use 1 to 64 of A-Z a-z 0-9 _ -"
            raise DecodeError("unknown_bike", detail)
        return index_of(self._roster, vendor, bike_id)


class _Line(Telemetry, gc=False, kw_only=True):
    """A line of NDJSON: telemetry that may say whose it is."""

    vendor: str | None = None


_line: Reader[_Line] = Reader(_Line, envelope="telemetry")
_quick_line = msgspec.json.Decoder(_Line).decode
_read_line = partial(_line.decode, max_items=sys.maxsize)


@dataclass(slots=True)
class _Piece:
    """A piece being read, and what was wrong with it so far."""

    path: Path
    read_bytes: int
    problems: list[Problem] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    def problem(self, line: int, error: DecodeError) -> None:
        self.problems.append(Problem(self.path, line, error.reason, shortened(error.detail)))

    def items_of(
        self,
        block: Lines,
        quick: Callable[[bytes], T],
        decode: Callable[[bytes], T | Sequence[T | DecodeError]],
    ) -> tuple[list[T], list[int]]:
        """The items of lines and the number of each one's line; blank lines hold none."""
        found, failed = read_each(quick, block.lines)
        if not failed and max(map(len, block.lines), default=0) <= MAX_LINE_BYTES:
            # Nearly always: every line an item.
            return cast("list[T]", found), list(block.numbers)
        items: list[T] = []
        numbers: list[int] = []
        for number, line, item in zip(block.numbers, block.lines, found, strict=True):
            try:
                if len(line) > MAX_LINE_BYTES:
                    detail = f"the line has over {MAX_LINE_BYTES} bytes"
                    raise DecodeError("too_large", detail)
                if item is None and not line.strip():
                    continue
                read = decode(line) if item is None else item
            except DecodeError as exc:
                read = [exc]
            said = [read] if isinstance(read, Telemetry) else read
            self.notes[NO_POSITION] += not said
            for each in said:
                if isinstance(each, DecodeError):
                    self.problem(number, each)
                else:
                    items.append(each)
                    numbers.append(number)
        return items, numbers


_READERS: dict[str, Callable[[RecordingReader, Path, IO[bytes]], Iterator[Recorded]]] = {
    ".ndjson": RecordingReader._ndjson,
    ".jsonl": RecordingReader._ndjson,
    ".json": RecordingReader._ndjson,
    ".gpx": RecordingReader._gpx,
    ".rec": RecordingReader._rec,
    ".parquet": RecordingReader._parquet,
}

_OF_TEXT = {RecordingReader._ndjson, RecordingReader._rec}

SUFFIXES: tuple[str, ...] = tuple(_READERS)
"""Suffixes of the files that can be read, in lower case."""


def files(paths: Iterable[Path], suffixes: Collection[str] = SUFFIXES) -> list[Path]:
    """The files meant by paths: themselves, and of folders all that have a suffix, sorted.

    A path that does not exist is among them: to read it gives the problem.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = (p for p in path.rglob("*") if p.suffix.lower() in suffixes and p.is_file())
            found += sorted(inside)
        else:
            found.append(path)
    return found


def _unusable(path: Path, reason: str, detail: str) -> Recorded:
    return Recorded(path, TelemetryBatch.empty(), [Problem(path, 0, reason, detail)], 0)


class Lines(NamedTuple):
    """Consecutive lines, without their ends.

    Attributes
    ----------
    numbers : sequence of int
        Their numbers, counted from 1.
    lines : list of bytes
    read_bytes : int
        Bytes of the stream that were read for them.
    """

    numbers: Sequence[int]
    lines: list[bytes]
    read_bytes: int


def whole_lines(stream: IO[bytes], block_bytes: int, max_line_bytes: int) -> Iterator[Lines]:
    """The lines of a stream, as many at a time as end in a block.

    A line that is longer than `max_line_bytes` is cut, to one byte more than that if it spans
    blocks, so that its reader sees that it is too long and the memory for it is bounded. A
    byte order mark is left out, as it is of files, not of lines.
    """
    first, rest = 1, b""
    while block := stream.read(block_bytes):
        lines = block.split(b"\n")
        lines[0] = rest + lines[0]
        rest = lines.pop()[: max_line_bytes + 1]
        if lines and first == 1:
            lines[0] = lines[0].removeprefix(_BOM)
        yield Lines(range(first, first + len(lines)), lines, len(block))
        first += len(lines)
    if rest:
        yield Lines([first], [rest.removeprefix(_BOM) if first == 1 else rest], 0)


def _json_items(stream: IO[bytes]) -> Iterator[Lines] | None:
    """The items of a file that is one JSON value; None when it is lines.

    Raises DecodeError when it is cut off, or too long.
    """
    read = iter(partial(stream.readline, MAX_LINE_BYTES), b"")
    first = next((line for line in read if line.strip()), b"")
    stream.seek(0)
    try:
        said = msgspec.json.decode(first.removeprefix(_BOM))
        one, cut = isinstance(said, list) or (isinstance(said, dict) and "telemetry" in said), False
    except (ValueError, RecursionError) as exc:
        one = cut = "truncated" in str(exc)
    if not (one and first):
        return None
    data = without_nan(stream.read(MAX_VALUE_BYTES + 1).removeprefix(_BOM))
    size = stream.tell()
    stream.seek(0)
    if size > MAX_VALUE_BYTES and cut:
        detail = f"one JSON value of over {MAX_VALUE_BYTES} bytes; write a fix on each line"
        raise DecodeError("too_large", detail)
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (ValueError, RecursionError) as exc:
        # Several values, an array on each line: lines.
        if not cut or "trailing" in str(exc):
            return None
        raise explain(exc, data) from exc
    items = _line.items(data)
    return _numbered(data, [msgspec.Raw(data)] if items is None else items, size)


def _numbered(data: bytes, items: Sequence[msgspec.Raw], size: int) -> Iterator[Lines]:
    """Items of a value with the number of the line on which each begins, some at a time."""
    at, number = 0, 1
    for first in range(0, len(items), VALUE_ITEMS):
        numbers, lines = [], list(map(bytes, items[first : first + VALUE_ITEMS]))
        for line in lines:
            begins = data.index(line, at)
            number += data.count(b"\n", at, begins)
            numbers.append(number)
            at = begins + len(line)
            number += line.count(b"\n")
        yield Lines(numbers, lines, 0 if first else size)
