"""The coverage ledger: which cells were visited, by whom, when.

One row per bike, 15-minute slot and cell, with the last visit in that slot and whether any was
observed. A window is the union of its slots, so every question about frequency, shift, bike or
what-if is answered from these rows. Rows are kept as sorted columns rather than as bitmaps per
slot: the time of the last visit has to be kept per cell anyway (docs/decisions/0003).

What a bike's newest fixes say is *provisional*, because the next fix can still change it; it is
kept beside the settled rows and replaced each time the bike is heard. Readers see both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geofence.runs import Visits
from geofence.spans import Spans, positions

SLOT_MS = 15 * 60 * 1000
"""Length of a slot [ms]; every local midnight on Earth begins one."""

_CELL_BITS, _SLOT_BITS = 20, 22
MAX_CELLS = 1 << _CELL_BITS
"""The largest grid a ledger can hold."""

Keys = NDArray[np.int64]


class Rows(NamedTuple):
    """Ledger rows as columns, sorted by key, one row per key.

    Attributes
    ----------
    key : ndarray of int64
        Bike, slot and cell packed so that sorting by key sorts by them in this order.
    last_ms : ndarray of int64
        Last visit in the slot [ms].
    observed : ndarray of bool
        Whether a fix in the slot lay in the cell.
    """

    key: Keys
    last_ms: NDArray[np.int64]
    observed: NDArray[np.bool_]

    @property
    def bike(self) -> NDArray[np.int32]:
        """Bike of each row."""
        return (self.key >> (_CELL_BITS + _SLOT_BITS)).astype(np.int32)

    @property
    def slot(self) -> NDArray[np.int64]:
        """Slot of each row: its start is `slot * SLOT_MS`."""
        return (self.key >> _CELL_BITS) & ((1 << _SLOT_BITS) - 1)

    @property
    def cell(self) -> NDArray[np.int32]:
        """Cell of each row."""
        return (self.key & (MAX_CELLS - 1)).astype(np.int32)

    def where(self, mask: NDArray[np.bool_] | NDArray[np.intp]) -> Rows:
        """The rows that `mask` selects; or at some positions, which must rise."""
        return Rows(self.key[mask], self.last_ms[mask], self.observed[mask])

    def between(self, from_ms: int, to_ms: int) -> Rows:
        """The rows of the slots of [from_ms, to_ms); both are rounded down to a slot.

        Those of one bike lie side by side and are found by bisection: a short window costs
        what it holds, however long the record is.
        """
        if not self.key.size:
            return self
        first, last = self.key[[0, -1]] >> (_CELL_BITS + _SLOT_BITS)
        bikes = np.arange(first, last + 1) << (_CELL_BITS + _SLOT_BITS)
        low, high = (
            np.searchsorted(self.key, bikes + (min(max(slot, 0), 1 << _SLOT_BITS) << _CELL_BITS))
            for slot in (from_ms // SLOT_MS, to_ms // SLOT_MS)
        )
        rows = positions(low, high)
        return self if rows.size == self.key.size else self.where(rows)

    @classmethod
    def empty(cls) -> Rows:
        """No rows."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_))

    @classmethod
    def of(cls, visits: Visits) -> Rows:
        """The rows that some visits make."""
        key = _pack(visits.bike, visits.at_ms // SLOT_MS, visits.cell)
        return cls._reduce(key, visits.at_ms, visits.observed)

    @classmethod
    def union(cls, parts: list[Rows]) -> Rows:
        """All rows; of equal keys the latest visit, observed when one of them is."""
        parts = [part for part in parts if part.key.size]
        if not parts:
            return cls.empty()
        if len(parts) == 1:
            return parts[0]
        return cls._reduce(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    @classmethod
    def _reduce(cls, key: Keys, last_ms: NDArray[np.int64], observed: NDArray[np.bool_]) -> Rows:
        if not key.size:
            return cls.empty()
        order = np.argsort(key, kind="stable")
        key, last_ms, observed = key[order], last_ms[order], observed[order]
        first = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
        return cls(
            key[first], np.maximum.reduceat(last_ms, first), np.logical_or.reduceat(observed, first)
        )


def union_between(parts: Iterable[Rows], from_ms: int, to_ms: int) -> Rows:
    """All rows of some parts in the slots of [from_ms, to_ms), see :meth:`Rows.between`."""
    return Rows.union([part.between(from_ms, to_ms) for part in parts])


def _pack(bike: NDArray[np.int32], slot: NDArray[np.int64], cell: NDArray[np.int32] | int) -> Keys:
    packed: Keys = (
        (bike.astype(np.int64) << (_CELL_BITS + _SLOT_BITS)) | (slot << _CELL_BITS) | cell
    )
    return packed


class Ledger:
    """Visited cells of one grid.

    Parameters
    ----------
    cells : int
        Number of cells of the grid; at most :data:`MAX_CELLS`.

    Attributes
    ----------
    version : int
        Rises with every change, so that readers can cache what they derive.
    """

    def __init__(self, cells: int) -> None:
        if cells > MAX_CELLS:
            raise ValueError(
                f"the grid has {cells} cells, a ledger holds {MAX_CELLS}: use larger cells "
                "(district.cell_m) or split the district"
            )
        self._cells = cells
        self._settled = Rows.empty()
        self._pending: list[Rows] = []
        self._pending_rows = 0
        self._provisional = Rows.empty()
        self._settled_ms: NDArray[np.int64] | None = None  # dense last visit of settled rows
        self._latest: tuple[int, NDArray[np.int64]] | None = None
        self.version = 0

    @classmethod
    def as_of(cls, parts: Iterable[Rows], cells: int, at_ms: int) -> Ledger:
        """A ledger of what is known of an instant, from the :meth:`parts` of another.

        In the slot the instant lies in, a cell that was visited again later in the slot counts
        only from its earlier slots.
        """
        found = cls(cells)
        rows = Rows.union(list(parts))
        found._settled = rows.where(rows.last_ms <= at_ms)
        return found

    def add(self, visits: Visits) -> None:
        """Add settled visits; adding one twice changes nothing."""
        rows = Rows.of(visits)
        if not rows.key.size:
            return
        self._pending.append(rows)
        self._pending_rows += rows.key.size
        if self._settled_ms is not None:
            np.maximum.at(self._settled_ms, rows.cell, rows.last_ms)
        self.version += 1
        # Merging costs the size of the ledger, so let additions gather first.
        if self._pending_rows > 4096 + self._settled.key.size // 8:
            self._fold()

    def provisional(self, bikes: NDArray[np.int32], visits: Visits) -> None:
        """Replace all that is provisional about `bikes` by `visits`."""
        kept = self._provisional.where(~np.isin(self._provisional.bike, bikes))
        self._provisional = Rows.union([kept, Rows.of(visits)])
        self.version += 1

    def replace(self, spans: Spans, visits: Visits) -> None:
        """Replace the settled rows in the slots of some spans by `visits`, which lie in them.

        Costs the size of the ledger once, however many spans there are.
        """
        self._fold()
        first, end = (
            np.searchsorted(self._settled.key, _pack(spans.bike, edge // SLOT_MS, 0))
            for edge in (spans.from_ms, spans.to_ms)
        )
        depth = np.zeros(self._settled.key.size + 1, np.int32)
        np.add.at(depth, first, 1)
        np.add.at(depth, end, -1)
        rest = self._settled.where(np.cumsum(depth[:-1]) == 0)
        rows = Rows.of(visits)
        at = np.searchsorted(rest.key, rows.key)
        self._settled = Rows(
            np.insert(rest.key, at, rows.key),
            np.insert(rest.last_ms, at, rows.last_ms),
            np.insert(rest.observed, at, rows.observed),
        )
        self._settled_ms = None
        self.version += 1

    def forget_before(self, at_ms: int) -> None:
        """Drop the slots that end at or before `at_ms`."""
        self._fold()
        kept = self._settled.slot >= at_ms // SLOT_MS
        if kept.all():
            return
        self._settled = self._settled.where(kept)
        self._settled_ms = None
        self.version += 1

    def rows(self) -> Rows:
        """All rows, settled and provisional."""
        self._fold()
        return Rows.union([self._settled, self._provisional])

    def between(self, from_ms: int, to_ms: int) -> Rows:
        """The rows of the slots of [from_ms, to_ms); both are rounded down to a slot."""
        return union_between(self.parts(), from_ms, to_ms)

    def parts(self) -> tuple[Rows, ...]:
        """All rows in a few parts, at little cost; a key may be in several.

        Rows never change in place, so parts taken here may be read in another thread.
        """
        if len(self._pending) > 1:
            self._pending = [Rows.union(self._pending)]
        return self._settled, *self._pending, self._provisional

    def last_visit_ms(self, at_ms: int | None = None) -> NDArray[np.int64]:
        """Last visit of each cell [ms], 0 where there was none; shape (cells,).

        With `at_ms`, of what is known of that instant: in the slot it lies in, a cell that was
        visited again later in the slot counts only from its earlier slots.
        """
        if at_ms is None:
            if self._latest is None or self._latest[0] != self.version:
                if self._settled_ms is None:
                    self._fold()
                    self._settled_ms = self._dense(self._settled)
                latest = self._settled_ms.copy()
                np.maximum.at(latest, self._provisional.cell, self._provisional.last_ms)
                self._latest = self.version, latest
            return self._latest[1]
        rows = self.rows()
        return self._dense(rows.where(rows.last_ms <= at_ms))

    def observed_ms(self) -> NDArray[np.int64]:
        """Last visit in a slot that holds a fix in the cell [ms], 0 for none; shape (cells,)."""
        rows = self.rows()
        return self._dense(rows.where(rows.observed))

    def covered(self, from_ms: int, to_ms: int) -> NDArray[np.bool_]:
        """Which cells were visited in [from_ms, to_ms); shape (cells,).

        When `to_ms` lies within a slot, a cell that was visited again later in that slot counts
        only from its earlier slots.
        """
        rows = self.between(from_ms, to_ms + SLOT_MS - 1)
        covered = np.zeros(self._cells, dtype=bool)
        covered[rows.cell[(rows.last_ms >= from_ms) & (rows.last_ms < to_ms)]] = True
        return covered

    def state(self) -> dict[str, NDArray[np.generic]]:
        """What a snapshot must hold; provisional rows follow from the fixes beside it."""
        self._fold()
        return dict(zip(Rows._fields, self._settled, strict=True))

    def restore(self, state: Mapping[str, NDArray[np.generic]], bikes: NDArray[np.int32]) -> None:
        """Take the rows of a snapshot, whose bike i is `bikes[i]` now."""
        rows = Rows(*(state[name] for name in Rows._fields))  # type: ignore[arg-type]
        key = _pack(bikes[rows.bike], rows.slot, rows.cell)
        order = np.argsort(key)
        self._settled = Rows(key[order], rows.last_ms[order], rows.observed[order])
        self._pending, self._pending_rows, self._provisional = [], 0, Rows.empty()
        self._settled_ms = None
        self.version += 1

    def _fold(self) -> None:
        if self._pending:
            self._settled = Rows.union([self._settled, *self._pending])
            self._pending, self._pending_rows = [], 0

    def _dense(self, rows: Rows) -> NDArray[np.int64]:
        last = np.zeros(self._cells, np.int64)
        np.maximum.at(last, rows.cell, rows.last_ms)
        return last
