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
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import SEEK_END
from pathlib import Path
from typing import IO, NamedTuple, TypeVar, cast

import msgspec
import numpy as np

from bikes.errors import DecodeError
from bikes.formats import owntracks
from bikes.formats.gpx import GpxReader
from bikes.formats.lookalikes import foreign
from bikes.formats.reading import Reader, read_each
from bikes.roster import BikeKey, Roster
from bikes.telemetry import Telemetry, TelemetryBatch
from bikes.topics import BIKE_FORM, is_bike
from geofence.datum import Datum
from ingest.checks import PLAUSIBLE, to_columns
from ingest.recorded_lines import MAX_LINE_BYTES, Lines, one_value, whole_lines
from ingest.rejects import shortened
from ingest.vendors import VendorFormat, in_wgs84, index_of

BLOCK_BYTES = 256 << 10
"""Bytes of a file that are read at once: the items of so many stay in the processor's cache."""

NO_POSITION = "no_position"
"""What is noted of a message of a recording that says something else than where a bike is."""

NO_TRACK_POINT = "no_track_point"
"""What is noted of a waypoint or a point of a route: nobody says that a bike was there."""

_nfc = partial(unicodedata.normalize, "NFC")  # macOS takes the letters of file names apart
_MONTH = re.compile(r"\d{4}-\d{2}")
T = TypeVar("T", bound=Telemetry)


class Problem(NamedTuple):
    """A part of a file that could not be used."""

    path: Path
    line: int  # counted from 1; 0 when it is the file as a whole
    reason: str  # a reject reason of the contract, or ``unreadable``
    detail: str  # the fault

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{where}: {self.reason}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A piece of a file."""

    path: Path  # the file
    telemetry: TelemetryBatch  # usable fixes of the piece, WGS-84
    problems: list[Problem]  # unusable parts, by line
    read_bytes: int  # size of the piece in the file, for showing progress
    # Values that are unknown because they cannot be used, by field; NO_POSITION, NO_TRACK_POINT.
    notes: Counter[str] = field(default_factory=Counter)
    # Of each fix its part of the file, if it has parts: between two nothing was recorded.
    segments: list[int] = field(default_factory=list)
    archived: Path | None = None  # a file of the archive, whose fixes are not read yet

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
            yield unusable(path, "unreadable", detail)
            return
        try:
            with path.open("rb") as stream:
                # XML says itself in which encoding it is.
                what = foreign(stream.peek(4), xml=read is RecordingReader._gpx)
                bad = [unusable(path, "not_json", what)] if what else None
                yield from bad or read(self, path, stream)
        except DecodeError as exc:
            yield unusable(path, exc.reason, shortened(exc.detail))
        except OSError as exc:
            yield unusable(path, "unreadable", exc.strerror or str(exc))

    def _ndjson(self, path: Path, stream: IO[bytes]) -> Iterator[Recorded]:
        blocks = one_value(stream, _line.items)
        for block in blocks or whole_lines(stream, self._block_bytes, MAX_LINE_BYTES):
            piece = _Piece(path, block.read_bytes)
            items, lines = piece.items_of(block, _quick_line, _read_line)
            keys = [(item.vendor, item.device_id) for item in items]
            bikes = list(map(self._bikes.get, keys))
            if None in bikes:
                for row in [row for row, bike in enumerate(bikes) if bike is None]:
                    bikes[row] = self._bike_or_problem(piece, lines[row], *keys[row])
            yield self._recorded(piece, items, lines, bikes)

    def _rec(self, path: Path, stream: IO[bytes]) -> Iterator[Recorded]:
        bike = self._bike(None, self._device(path))
        for block in whole_lines(stream, self._block_bytes, MAX_LINE_BYTES):
            piece = _Piece(path, block.read_bytes)
            items, lines = piece.items_of(block, owntracks.quick_rec, owntracks.decode_rec)
            yield self._recorded(piece, items, lines, [bike] * len(items), in_seconds=True)

    def _gpx(self, path: Path, stream: IO[bytes]) -> Iterator[Recorded]:
        name = self._default_bike or _nfc(path.stem)
        bike = self._bike(self._rider(path, name), name)
        reader, last = GpxReader(), False
        while not (last or reader.broken):
            block = stream.read(self._block_bytes)
            last = not block
            piece = _Piece(path, len(block))
            points = []
            before, found = reader.passed, reader.feed(block, last=last)
            piece.notes += Counter({NO_TRACK_POINT: reader.passed - before})
            for point in found:
                if isinstance(point.item, DecodeError):
                    piece.problem(point.line, point.item)
                else:
                    points.append(point)
            lines, items, segments = zip(*points, strict=True) if points else ((), (), ())
            bikes = [bike] * len(items)
            yield self._recorded(piece, items, lines, bikes, datum="wgs84", segments=segments)

    def _parquet(self, path: Path, stream: IO[bytes]) -> Iterator[Recorded]:
        """A file of the archive, which is read later: by days, and some bikes at a time."""
        file = path.absolute()
        if file.parent.name not in self._vendors:
            detail = f"its folder is named {file.parent.name!r}, and no vendor is"
            raise DecodeError("unknown_vendor", detail)
        yield Recorded(path, TelemetryBatch.empty(), [], stream.seek(0, SEEK_END), archived=file)

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
        if None in bikes:
            rows = [row for row, bike in enumerate(bikes) if bike is not None]
            items, lines = [items[row] for row in rows], [lines[row] for row in rows]
            bikes = [bikes[row] for row in rows]
        known = np.array(bikes, np.int32)
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
            kept,
        )

    def _rider(self, path: Path, bike_id: str) -> str | None:
        """The vendor of a GPX file, which is WGS-84 whoever rode; the best guess comes first."""
        folder, keys = path.absolute().parent.name, [BikeKey(v, bike_id) for v in self._vendors]
        named = [key for key in keys if key.vendor == folder]
        has = [key for key in keys if key in self._roster]
        may = [key for key in keys if self._roster.admits(key)]
        guesses = (key.vendor for key in (*named, *has, *may))
        return self._default_vendor or next(guesses, None)

    def _device(self, path: Path) -> str:
        """The bike of a .rec file: the Recorder names it by month, in folders of user and device.

        Where a topic of the vendor says how it calls that device, it is called so.
        """
        if self._default_bike or not _MONTH.fullmatch(path.stem):
            return self._default_bike or _nfc(path.stem)
        user, device = map(_nfc, ("", *path.absolute().parts)[-3:-1])
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
            bike = self._bike(vendor, bike_id or self._default_bike)
        except DecodeError as exc:
            piece.problem(line, exc)
            return None
        self._bikes[vendor, bike_id] = bike
        return bike

    def _bike(self, vendor: str | None, bike_id: str | None) -> int:
        vendor = vendor or self._default_vendor
        if vendor is None:
            known = ", ".join(sorted(self._vendors))
            detail = f"vendor: required, as more than one is configured: {known}; see --vendor"
            raise DecodeError("schema", detail)
        if bike_id is None:
            detail = "device_id: required, as it names the bike; see --bike"
            raise DecodeError("schema", detail)
        if not is_bike(bike_id):
            detail = f"{bike_id!r} cannot be a bike's id: use {BIKE_FORM}"
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

SUFFIXES: tuple[str, ...] = tuple(_READERS)
"""Suffixes of the files that can be read, in lower case."""


def files(paths: Iterable[Path]) -> list[Path]:
    """The files meant by paths: themselves, and all in folders that are not hidden, sorted.

    What does not exist, or is no recording, is among them: to read it gives the problem.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.is_file() and p.name[:1] != ".")
        else:
            found.append(path)
    return found


def unusable(path: Path, reason: str, detail: str) -> Recorded:
    """A file that cannot be used as a whole, or of which that is all there is to say."""
    return Recorded(path, TelemetryBatch.empty(), [Problem(path, 0, reason, detail)], 0)
