"""Recorded fixes by local day, some bikes at a time, in bounded memory.

What recordings of other kinds hold may be in any order: it is sorted into days as it is read, and
what memory has no room for lies in a temporary file. Files of the archive stay where they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bikes.roster import BikeKey, Roster
from bikes.telemetry import COLUMNS, TelemetryBatch
from geofence.intervals import keys
from geofence.quality import Mask
from geofence.runs import Midnights
from ingest.day_file import DayFile
from ingest.errors import ArchiveDamaged

ROW: Final = np.dtype([*COLUMNS.items(), ("begins", np.bool_)])
BIKES: Final = 8
"""Bikes, by number, whose fixes of a day are in memory at once."""
JUDGED: Final = ["lat_deg", "lng_deg", "accuracy_m", "speed_mps"]
"""Columns of files that are read: those that are judged, and that choose one of two fixes."""

Some = tuple[int, int]
"""A day, as :class:`Midnights` counts them, and some bikes: their numbers divided by BIKES."""


class DayPart(NamedTuple):
    """Fixes of some bikes on a day, distinct, sorted by bike and time."""

    fixes: TelemetryBatch
    begins: Mask | None  # before which fixes nothing was recorded, if any; shape (n,)
    duplicates: int  # fixes of these bikes and times that there were besides


class RecordedDays:
    """Takes in recordings, and gives their days.

    It holds at most `held_bytes` of fixes in memory, besides what is asked for, and the others in
    the empty file `spill`. `on_damage` is told why fixes are missing.
    """

    def __init__(
        self,
        roster: Roster,
        midnights: Midnights,
        held_bytes: int,
        spill: BinaryIO,
        on_damage: Callable[[ArchiveDamaged], None],
    ) -> None:
        self.roster, self._midnights, self._on_damage = roster, midnights, on_damage
        self._room = held_bytes // ROW.itemsize
        self._held: dict[Some, list[NDArray[np.void]]] = defaultdict(list)
        self._held_rows = 0
        self._spilled: dict[Some, list[tuple[int, int]]] = defaultdict(list)
        self._file = spill
        self._archived: dict[int, list[Path]] = defaultdict(list)
        # The first and the last instant of all that was taken in [ms].
        self.from_ms, self.to_ms = 1 << 62, -1
        self.damaged = False  # whether fixes are missing
        self.rows = 0  # fixes that were taken in, duplicates included

    def add(self, fixes: TelemetryBatch, begins: Mask | bool = False) -> None:
        """Take in fixes of any time; `begins`, of shape (n,), are as of :class:`DayPart`."""
        if not len(fixes):
            return
        rows = np.empty(len(fixes), ROW)
        for name in COLUMNS:
            rows[name] = getattr(fixes, name)
        rows["begins"] = begins
        day, some = self._midnights.day(fixes.timestamp_ms), fixes.bike // BIKES
        order = np.lexsort((some, day))
        cuts = np.flatnonzero(np.diff(day[order]) | np.diff(some[order])) + 1
        for low, high in pairwise([0, *cuts.tolist(), len(rows)]):
            part = order[low:high]
            self._held[int(day[part[0]]), int(some[part[0]])].append(rows[part])
        self._took(len(rows), int(fixes.timestamp_ms.min()), int(fixes.timestamp_ms.max()))
        self._held_rows += len(rows)
        if self._held_rows > self._room:
            for place, parts in self._held.items():
                for held in parts:
                    self._spilled[place].append((self._file.tell(), len(held)))
                    held.tofile(self._file)
            self._held.clear()
            self._held_rows = 0

    def add_file(self, path: Path) -> None:
        """Take in a file of the archive. ArchiveDamaged: it cannot be read."""
        with DayFile.opened(path) as file:
            if not file.rows:
                return
            from_ms, to_ms = file.span()
            self._bikes(file)
        first, last = self._midnights.day(np.array([from_ms, to_ms])).tolist()
        for day in range(first, last + 1):
            self._archived[day].append(path)
        self._took(file.rows, from_ms, to_ms)

    def _bikes(self, file: DayFile) -> dict[str, int]:
        """The numbers of a file's bikes, by id."""
        ids = sorted(file.counts())
        keys = [BikeKey(file.path.parent.name, name) for name in ids]
        return dict(zip(ids, self.roster.restore(keys), strict=True))

    def _took(self, rows: int, from_ms: int, to_ms: int) -> None:
        self.rows += rows
        self.from_ms, self.to_ms = min(self.from_ms, from_ms), max(self.to_ms, to_ms)

    def days(self) -> list[int]:
        """The days of which there is something, as :class:`Midnights` counts them; they rise."""
        return sorted({day for day, _ in (*self._held, *self._spilled)} | self._archived.keys())

    def of(self, day: int) -> Iterator[DayPart]:
        """All of a day, some bikes after the others."""
        with ExitStack() as stack:
            wanted = {some for at, some in (*self._held, *self._spilled) if at == day}
            files = []
            for path in self._archived.get(day, ()):
                with self._damage_told():
                    file = stack.enter_context(DayFile.opened(path))
                    bikes = self._bikes(file)
                    files.append((file, bikes))
                    wanted |= {bike // BIKES for bike in bikes.values()}
            for some in sorted(wanted):
                sorted_in = self._sorted_in((day, some))
                parts = [_batch(sorted_in)] if sorted_in.size else []
                for file, bikes in files:
                    mine = {name: bike for name, bike in bikes.items() if bike // BIKES == some}
                    with self._damage_told():
                        rows = file.of(mine, JUDGED)
                        here = (rows.bike >= 0) & (self._midnights.day(rows.timestamp_ms) == day)
                        parts.append(rows if here.all() else rows.take(here))
                every = TelemetryBatch.concat(parts)
                fixes = every.distinct()
                first = _batch(sorted_in[sorted_in["begins"]])
                begins = None
                if len(first):
                    begins = np.isin(
                        keys(fixes.bike, fixes.timestamp_ms), keys(first.bike, first.timestamp_ms)
                    )
                yield DayPart(fixes, begins, len(every) - len(fixes))

    def _sorted_in(self, place: Some) -> NDArray[np.void]:
        """What was sorted into a place, from file and memory."""
        parts = [np.empty(0, ROW), *self._held.get(place, ())]
        for offset, count in self._spilled.get(place, ()):
            self._file.seek(offset)
            parts.append(np.fromfile(self._file, ROW, count))
        return np.concatenate(parts)

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        try:
            yield
        except ArchiveDamaged as exc:
            self.damaged = True
            self._on_damage(exc)


def _batch(rows: NDArray[np.void]) -> TelemetryBatch:
    return TelemetryBatch(*(np.ascontiguousarray(rows[name]) for name in COLUMNS))
