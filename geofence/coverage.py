"""The coverage ledger: which cells were visited, by whom, when, and which bikes were heard.

One row per bike, 15-minute slot and cell, with the first and the last visit in that slot and
whether any was observed. A window is the union of its slots, so every question about frequency,
shift, bike or what-if is answered from these rows. Rows are kept as sorted columns rather than as
bitmaps per slot: the times of visits have to be kept per cell anyway (docs/decisions/0003). Beside
them stands one row per bike and slot with its first and last fix, whatever the verdicts: it tells
"not patrolled" from "not known" (docs/decisions/0019).

Visits by the newest fixes of a bike are *provisional*, because the next fix can still change them;
they are kept beside the settled rows and replaced each time the bike is heard. Readers see both.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geofence.intervals import Intervals, positions
from geofence.runs import Visits

SLOT_MS = 15 * 60 * 1000
"""Length of a slot [ms]; every local midnight on Earth begins one."""

_SLOT_BITS = 22
_CELL_BITS = 20
"""Bits of a cell in a key, unless the grid has more cells: what is left is for the bike."""

Keys = NDArray[np.int64]


class Rows(NamedTuple):
    """Ledger rows as columns of shape (n,), sorted by key, one row per key."""

    key: Keys  # bike, slot and cell packed so that sorting by key sorts by them in this order
    # Last visit in the slot [ms]; of rows of what was heard, the last fix.
    last_ms: NDArray[np.int64]
    observed: NDArray[np.bool_]  # whether a fix in the slot lay in the cell
    # When the first visit in the slot was certain [ms], see `geofence.runs.Visits`: it may lie some
    # steps after the visit. Of rows of what was heard, the first fix.
    first_ms: NDArray[np.int64]
    cell_bits: int = _CELL_BITS  # how many bits of the keys are the cell, the same in a ledger

    @property
    def bike(self) -> NDArray[np.int32]:
        """Bike of each row."""
        return (self.key >> (self.cell_bits + _SLOT_BITS)).astype(np.int32)

    @property
    def slot(self) -> NDArray[np.int64]:
        """Slot of each row: its start is `slot * SLOT_MS`."""
        return (self.key >> self.cell_bits) & ((1 << _SLOT_BITS) - 1)

    @property
    def cell(self) -> NDArray[np.int32]:
        """Cell of each row."""
        return (self.key & ((1 << self.cell_bits) - 1)).astype(np.int32)

    def where(self, mask: NDArray[np.bool_] | NDArray[np.intp]) -> Rows:
        """The rows that `mask` selects; or at some positions, which must rise."""
        return Rows._make((*(column[mask] for column in self[:4]), self.cell_bits))

    def as_of(self, at_ms: int) -> Rows:
        """The rows as they were when all fixes up to an instant were known, and no later one.

        In the slot of the instant, a visit between the first and the last one is forgotten: the
        last visit may come out earlier than it was, by less than a slot.
        """
        rows = self.where(self.first_ms <= at_ms)
        return rows._replace(last_ms=np.where(rows.last_ms <= at_ms, rows.last_ms, rows.first_ms))

    def visited(self, from_ms: int, to_ms: int) -> Rows:
        """The rows with a visit in [from_ms, to_ms), which becomes their last.

        Exact where both ends lie between two slots, or one does and the other is in the slot of
        the newest visit.
        """
        first_ms = np.minimum(self.first_ms, self.last_ms)
        last = (self.last_ms >= from_ms) & (self.last_ms < to_ms)
        found = last | ((first_ms >= from_ms) & (first_ms < to_ms))
        last_ms = np.where(last, self.last_ms, first_ms)
        return self._replace(last_ms=last_ms).where(found)

    def between(self, from_ms: int, to_ms: int) -> Rows:
        """The rows of the slots of [from_ms, to_ms); both are rounded down to a slot.

        Those of one bike lie side by side and are found by bisection: a short window costs
        what it holds, however long the record is.
        """
        if not self.key.size:
            return self
        bits = self.cell_bits
        first, last = self.key[[0, -1]] >> (bits + _SLOT_BITS)
        bikes = np.arange(first, last + 1) << (bits + _SLOT_BITS)
        low, high = (
            np.searchsorted(self.key, bikes + (min(max(slot, 0), 1 << _SLOT_BITS) << bits))
            for slot in (from_ms // SLOT_MS, to_ms // SLOT_MS)
        )
        rows = positions(low, high)
        return self if rows.size == self.key.size else self.where(rows)

    def renumbered(self, bikes: NDArray[np.int32]) -> Rows:
        """The rows, of bikes of which number i has become `bikes[i]`; shape (bikes,)."""
        key = _pack(bikes[self.bike], self.slot, self.cell, self.cell_bits)
        order = np.argsort(key)
        return self._replace(key=key).where(order)

    @classmethod
    def empty(cls) -> Rows:
        """No rows."""
        none = np.empty(0, np.int64)
        return cls(none, none, np.empty(0, np.bool_), none)

    @classmethod
    def of(cls, visits: Visits, cell_bits: int = _CELL_BITS) -> Rows:
        """The rows that some visits make."""
        key = _pack(visits.bike, visits.at_ms // SLOT_MS, visits.cell, cell_bits)
        return cls._reduce(
            key, visits.at_ms, visits.observed, visits.certain_ms, cell_bits=cell_bits
        )

    @classmethod
    def heard(cls, bike: NDArray[np.int32], at_ms: NDArray[np.int64]) -> Rows:
        """The rows of what was heard that some fixes make, one per bike and slot; cell is 0."""
        key = _pack(bike, at_ms // SLOT_MS, 0, _CELL_BITS)
        return cls._reduce(key, at_ms, np.zeros(key.size, np.bool_), at_ms, cell_bits=_CELL_BITS)

    @classmethod
    def union(cls, parts: Sequence[Rows]) -> Rows:
        """All rows; of equal keys the first and the last visit, observed when one of them is."""
        parts = [part for part in parts if part.key.size]
        if not parts:
            return cls.empty()
        largest, *others = sorted(parts, key=lambda part: -part.key.size)
        if not others:
            return largest
        columns = map(np.concatenate, zip(*(part[:4] for part in others), strict=True))
        few = others[0] if len(others) == 1 else cls._reduce(*columns, cell_bits=largest.cell_bits)
        return largest._and(few)

    def _and(self, few: Rows) -> Rows:
        """These rows and fewer others, merged without sorting: that takes half of the memory."""
        at = np.searchsorted(self.key, few.key)
        there = self.key[np.minimum(at, self.key.size - 1)] == few.key
        to = at + np.cumsum(~there) - ~there  # where each of the few comes to lie
        mine = np.ones(self.key.size + few.key.size - np.count_nonzero(there), np.bool_)
        mine[to[~there]] = False

        def merged(own: NDArray[Any], theirs: NDArray[Any], join: np.ufunc) -> NDArray[Any]:
            column = np.empty(mine.size, own.dtype)
            column[mine] = own
            column[to] = np.where(there, join(column[to], theirs), theirs)
            return column

        return Rows(
            merged(self.key, few.key, np.maximum),
            merged(self.last_ms, few.last_ms, np.maximum),
            merged(self.observed, few.observed, np.logical_or),
            merged(self.first_ms, few.first_ms, np.minimum),
            self.cell_bits,
        )

    @classmethod
    def _reduce(
        cls,
        key: Keys,
        last_ms: NDArray[np.int64],
        observed: NDArray[np.bool_],
        first_ms: NDArray[np.int64],
        *,
        cell_bits: int,
    ) -> Rows:
        if not key.size:
            return cls.empty()
        order = np.argsort(key, kind="stable")
        key = key[order]
        first = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
        return cls(
            key[first],
            np.maximum.reduceat(last_ms[order], first),
            np.logical_or.reduceat(observed[order], first),
            np.minimum.reduceat(first_ms[order], first),
            cell_bits,
        )


def union_between(parts: Iterable[Rows], from_ms: int, to_ms: int) -> Rows:
    """All rows of some parts in the slots of [from_ms, to_ms), see :meth:`Rows.between`."""
    return Rows.union([part.between(from_ms, to_ms) for part in parts])


def _pack(
    bike: NDArray[np.int32],
    slot: NDArray[np.int64],
    cell: NDArray[np.int32] | int,
    cell_bits: int,
) -> Keys:
    if bike.size and int(bike.max()) >= (most := most_bikes(1 << cell_bits)):
        raise OverflowError(f"a grid of {1 << cell_bits:,} cells can have {most:,} bikes at most")
    bits = bike.astype(np.int64) << (cell_bits + _SLOT_BITS)
    packed: Keys = bits | (slot << cell_bits) | cell
    return packed


def _bits_of(cells: int) -> int:
    return max(_CELL_BITS, (cells - 1).bit_length())


def most_bikes(cells: int) -> int:
    """How many bikes there can be in a grid of so many cells.

    2,097,152, and half as many each time that the cells double from 1,048,576.
    """
    return 1 << (63 - _SLOT_BITS - _bits_of(cells))


class LastVisits(NamedTuple):
    """The last visit of each cell that was ever visited, as columns of shape (k,); not to change.

    They are as long as what was visited, however large the grid is.
    """

    cell: NDArray[np.int32]  # rises
    at_ms: NDArray[np.int64]  # [ms]

    def of(self, cell: NDArray[np.integer]) -> NDArray[np.int64]:
        """The last visit of some cells [ms], 0 where there was none; of their shape."""
        if not self.cell.size:
            return np.zeros(cell.shape, np.int64)
        at = np.minimum(np.searchsorted(self.cell, cell), self.cell.size - 1)
        return np.where(self.cell[at] == cell, self.at_ms[at], 0)

    def and_of(self, rows: Rows) -> LastVisits:
        """These and the visits of some rows."""
        cell, cells, last_ms = rows.cell, self.cell, self.at_ms.copy()
        at = np.searchsorted(cells, cell)
        new = np.append(cells, np.int32(-1))[at] != cell
        if new.any():
            added = np.unique(cell[new])
            places = np.searchsorted(cells, added)
            cells, last_ms = np.insert(cells, places, added), np.insert(last_ms, places, 0)
            at = np.searchsorted(cells, cell)
        np.maximum.at(last_ms, at, rows.last_ms)
        return LastVisits(cells, last_ms)


NO_VISITS = LastVisits(np.empty(0, np.int32), np.empty(0, np.int64))


@dataclass(frozen=True, eq=False)
class View:
    """All rows of a ledger as of one version: it never changes, so any thread may read it."""

    version: int  # rises with every change of the ledger, for caches of what is derived
    # Rows of visits, and of what was heard; a key may be in several parts.
    parts: tuple[Rows, ...]
    heard: tuple[Rows, ...]
    changes: tuple[tuple[int, int], ...] = ()  # see `changed_since`
    settled: LastVisits | None = None  # those of all parts but the last, when they are known
    open_ms: int = 1 << 62  # from here on something was not certain yet [ms], see `certain`

    def as_of(self, at_ms: int) -> View:
        """The view that the fixes up to an instant alone give; see :meth:`Rows.as_of`."""
        parts, heard = (
            tuple(part.as_of(at_ms) for part in table) for table in (self.parts, self.heard)
        )
        return replace(self, parts=parts, heard=heard, settled=None)

    def certain(self, now_ms: int) -> View:
        """As :meth:`as_of` for now: only the last part, the provisional one, is cut."""
        *settled, newest = self.parts
        uncertain = newest.where(newest.first_ms > now_ms)
        if not uncertain.key.size:
            return self
        parts = *settled, newest.as_of(now_ms)
        return replace(self, parts=parts, open_ms=int(uncertain.slot.min()) * SLOT_MS)

    def rows(self) -> Rows:
        """All rows, settled and provisional."""
        return Rows.union(self.parts)

    def between(self, from_ms: int, to_ms: int) -> Rows:
        """The rows of the slots of [from_ms, to_ms); both are rounded down to a slot."""
        return union_between(self.parts, from_ms, to_ms)

    @cached_property
    def last_visits(self) -> LastVisits:
        """Last visit of each cell in all parts."""
        if self.settled is not None:
            return self.settled.and_of(self.parts[-1])
        return reduce(LastVisits.and_of, self.parts, NO_VISITS)

    def changed_since(self, version: int) -> int:
        """The earliest instant about which something has changed since a version [ms].

        What was derived from the rows before it still holds. Far ahead when nothing has changed.
        """
        at = bisect_right(self.changes, version, key=lambda change: change[0])
        return self.changes[at][1] if at < len(self.changes) else 1 << 62


class _Table:
    """Rows that are added to often: additions gather, because merging costs the whole table."""

    def __init__(self, settled: Rows | None = None) -> None:
        self.settled = Rows.empty() if settled is None else settled
        self._pending: list[Rows] = []
        self._pending_rows = 0

    def add(self, rows: Rows) -> None:
        self._pending.append(rows)
        self._pending_rows += rows.key.size
        if self._pending_rows > 4096 + self.settled.key.size // 8:
            self.fold()

    def fold(self) -> Rows:
        """All rows in one part."""
        if self._pending:
            self.settled = Rows.union([self.settled, *self._pending])
            self._pending, self._pending_rows = [], 0
        return self.settled

    def parts(self) -> tuple[Rows, ...]:
        """All rows in two parts at most, at little cost."""
        if len(self._pending) > 1:
            self._pending = [Rows.union(self._pending)]
        return self.settled, *self._pending


class Ledger:
    """Visited cells of one grid, and which bikes were heard; for one thread, save its views.

    The version rises with every change. `cells` is the number of cells of the grid.
    """

    def __init__(self, cells: int) -> None:
        self._cell_bits = _bits_of(cells)
        self._visits, self._heard = _Table(), _Table()
        self._provisional = Rows.empty()
        self._settled: LastVisits | None = None  # of settled rows
        self._changes: list[tuple[int, int]] = []
        self._view: View | None = None
        self.version = 0

    def add(self, visits: Visits) -> None:
        """Add settled visits; adding one twice changes nothing."""
        rows = Rows.of(visits, self._cell_bits)
        if not rows.key.size:
            return
        self._visits.add(rows)
        if self._settled is not None:
            self._settled = self._settled.and_of(rows)
        self._changed(rows)

    def hear(self, bike: NDArray[np.int32], at_ms: NDArray[np.int64]) -> None:
        """Note when bikes were heard, by the times of their fixes [ms]; both of shape (n,)."""
        rows = Rows.heard(bike, at_ms)
        self._heard.add(rows)
        self._changed(rows)

    def provisional(self, bikes: NDArray[np.int32], visits: Visits) -> None:
        """Replace all that is provisional about `bikes`, of shape (k,), by `visits`."""
        gone = np.isin(self._provisional.bike, bikes)
        rows = Rows.of(visits, self._cell_bits)
        self._changed(self._provisional.where(gone), rows)
        self._provisional = Rows.union([self._provisional.where(~gone), rows])

    def replace(self, spans: Intervals, visits: Visits) -> None:
        """Replace the settled rows in the slots of some spans by `visits`, which lie in them.

        Costs the size of the ledger once, however many spans there are.
        """
        settled = self._visits.fold()
        first, end = (
            np.searchsorted(settled.key, _pack(spans.bike, edge // SLOT_MS, 0, self._cell_bits))
            for edge in (spans.from_ms, spans.to_ms)
        )
        depth = np.zeros(settled.key.size + 1, np.int32)
        np.add.at(depth, first, 1)
        np.add.at(depth, end, -1)
        rest = settled.where(np.cumsum(depth[:-1]) == 0)
        rows = Rows.of(visits, self._cell_bits)
        at = np.searchsorted(rest.key, rows.key)
        columns = (np.insert(old, at, new) for old, new in zip(rest[:4], rows[:4], strict=True))
        self._visits = _Table(Rows._make((*columns, self._cell_bits)))
        self._settled = None
        self._change(int(spans.from_ms.min(initial=1 << 62)))

    def forget_before(self, at_ms: int) -> None:
        """Drop the slots that end at or before `at_ms`."""
        for name in ("_visits", "_heard"):
            rows = getattr(self, name).fold()
            kept = rows.slot >= at_ms // SLOT_MS
            if not kept.all():
                setattr(self, name, _Table(rows.where(kept)))
                self._settled = None
                self._change(0)

    def view(self) -> View:
        """All rows as they are now, for any thread; what comes later is not in it."""
        if self._view is None or self._view.version != self.version:
            parts = self._visits.parts()
            if self._settled is None:
                self._settled = reduce(LastVisits.and_of, parts, NO_VISITS)
            self._view = View(
                self.version,
                (*parts, self._provisional),
                self._heard.parts(),
                tuple(self._changes),
                self._settled,
            )
        return self._view

    def state(self) -> dict[str, NDArray[np.generic]]:
        """The columns of a snapshot, which no change touches; provisional rows follow from the
        fixes beside it."""
        visits, heard = self._visits.fold()._asdict(), self._heard.fold()._asdict()
        del visits["cell_bits"], heard["cell_bits"], heard["observed"]
        return {**visits, **{f"heard_{name}": column for name, column in heard.items()}}

    def restore(self, state: Mapping[str, NDArray[np.generic]], bikes: NDArray[np.int32]) -> None:
        """Take the rows of a snapshot, whose bike i is `bikes[i]` now; shape (bikes,).

        One of an older version says neither when the first visit in a slot was, which is taken
        to be the last, nor who was heard: a bike that visited a cell was.
        """
        columns: dict[str, NDArray[Any]] = {"first_ms": state["last_ms"], **state}
        rows = Rows._make((*(columns[name] for name in Rows._fields[:4]), self._cell_bits))
        if "heard_key" in state:
            heard = Rows(
                columns["heard_key"],
                columns["heard_last_ms"],
                np.zeros(columns["heard_key"].size, np.bool_),
                columns["heard_first_ms"],
            )
        else:
            heard = Rows.heard(rows.bike, rows.last_ms)
        self._visits, self._heard = (_Table(table.renumbered(bikes)) for table in (rows, heard))
        self._provisional = Rows.empty()
        self._settled = None
        self._change(0)

    def _changed(self, *tables: Rows) -> None:
        slots = [int(rows.slot.min()) for rows in tables if rows.key.size]
        self._change(min(slots) * SLOT_MS if slots else 1 << 62)

    def _change(self, at_ms: int) -> None:
        """Something about an instant is not as it was; see :meth:`View.changed_since`."""
        self.version += 1
        # A later change of an earlier instant says all that the ones before it say.
        while self._changes and self._changes[-1][1] >= at_ms:
            self._changes.pop()
        self._changes.append((self.version, at_ms))
