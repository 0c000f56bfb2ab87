"""From fixes to verdicts and visits: the one function that both live intake and replay use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from bikes.telemetry import TelemetryBatch
from geofence import quality
from geofence.atlas import Atlas
from geofence.path import pieces
from geofence.quality import Limits, Mask, Metres, Times
from geofence.steps import Steps

Run = NDArray[np.intp]
"""Number of the run of each believed fix, not decreasing."""

Placed = tuple[Metres, Metres, NDArray[np.int32]]
"""Places of fixes on the plane of the grid, x and y [m], and their cells; each of shape (n,)."""

OnShift = Callable[[NDArray[np.int64]], NDArray[np.bool_]]
"""Tells at which of some times inspectors are on duty [ms]."""


class Visits(NamedTuple):
    """Visits of bikes to patrollable cells, as columns of shape (k,)."""

    bike: NDArray[np.int32]  # index into the roster
    cell: NDArray[np.int32]  # the visited cell; always one that belonged to a zone then
    at_ms: NDArray[np.int64]  # when: the time of the fix, or when the path left the cell [ms]
    # True when a fix lies in the cell, False when only the path between fixes does.
    observed: NDArray[np.bool_]
    # Time of the fix that the visit hangs on [ms]; never before `at_ms`.
    settles_ms: NDArray[np.int64]
    # From when on no further fix can take the visit back [ms]; never before `settles_ms`, and
    # mostly the time of the next fix: one at a place where the bike will be parked is no visit.
    certain_ms: NDArray[np.int64]

    @classmethod
    def empty(cls) -> Visits:
        """No visits."""
        i4, i8 = np.empty(0, np.int32), np.empty(0, np.int64)
        return cls(i4, i4, i8, np.empty(0, np.bool_), i8, i8)

    @classmethod
    def concat(cls, parts: Sequence[Visits]) -> Visits:
        """All visits of `parts`, one after the other."""
        if not parts:
            return cls.empty()
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def where(self, mask: NDArray[np.bool_] | NDArray[np.intp]) -> Visits:
        """The visits that `mask` selects, or those at some positions."""
        return Visits._make(column[mask] for column in self)


class Midnights:
    """The local days of a district."""

    def __init__(self, timezone: str) -> None:
        self._zone = ZoneInfo(timezone)

    def day(self, at_ms: NDArray[np.int64]) -> NDArray[np.intp]:
        """A number per time, shape (n,), equal exactly when the local date is; rises with time."""
        if not at_ms.size:
            return np.empty(0, np.intp)
        midnights = [self.starts(int(at_ms.min()))]
        last = int(at_ms.max())
        while (following := self.ends(midnights[-1])) <= last:
            midnights.append(following)
        # Count from the epoch so that a day has one number whatever else is in the array.
        first = datetime.fromtimestamp(midnights[0] / 1000, self._zone).date().toordinal()
        return np.searchsorted(midnights, at_ms, side="right") - 1 + first

    def end_of(self, day: int) -> int:
        """The midnight that ends a day, by its number as :meth:`day` has it [ms]."""
        return self._ms(datetime.fromordinal(day + 1).replace(tzinfo=self._zone))

    def starts(self, at_ms: int) -> int:
        """Local midnight at or before `at_ms` [ms]."""
        local = datetime.fromtimestamp(at_ms / 1000, self._zone)
        return self._ms(local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0))

    def ends(self, at_ms: int) -> int:
        """The first local midnight after `at_ms` [ms]."""
        local = datetime.fromtimestamp(at_ms / 1000, self._zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        return self._ms(midnight + timedelta(days=1))

    @staticmethod
    def _ms(local: datetime) -> int:
        return round(local.timestamp() * 1000)


class OtherPath(NamedTuple):
    """The least path that makes a visit of some zones for a time, instead of their policy's."""

    zone_ids: frozenset[str]
    from_ms: int
    to_ms: int  # not included
    min_cell_m: float  # path in a cell that makes a visit [m]; positive


class Judgement(NamedTuple):
    """Fixes with their verdicts, and what visits and tails follow from.

    Columns of n fixes, of the u usable ones among them, of the k believed ones and of r runs.
    """

    fixes: TelemetryBatch  # distinct, sorted by bike and time
    verdict: NDArray[np.uint8]  # shape (n,): positions in `geofence.quality.VERDICTS`
    x_m: Metres  # shape (n,): places on the plane of the grid [m]
    y_m: Metres
    cell: NDArray[np.int32]  # shape (n,): -1 outside the grid
    usable: NDArray[np.intp]  # shape (u,): rows of fixes that make up runs
    run: Run  # shape (u,): the run of each
    short: Mask  # shape (r,): runs that have not lasted for as long as a stay yet
    believed: NDArray[np.intp]  # shape (k,): positions among the usable
    stays: Mask  # shape (k,): whether it is parked
    agreed_ms: Times  # shape (k,): from when on it is certain that the fix is believed [ms]
    moves_ms: Times  # shape (k,): and from when on that it moves, or else never [ms]
    held: NDArray[np.intp]  # shape (k,): the last believed fix that the stay from it holds


@dataclass(frozen=True)
class Judge:
    """Turns fixes into verdicts and visits; the same fixes into the same, in any thread."""

    atlas: Atlas  # cells and zones of the district; a visit is judged by the zones of its time
    limits: Limits
    midnights: Midnights  # the district's days; runs are cut at midnight
    # How much path in a cell makes a visit, by the policy of its zone [m]; positive.
    min_cell_m: dict[str, float]
    on_shift: OnShift | None = None  # when inspectors are on duty; None for always
    # Where campaigns say otherwise; of two at once the later counts.
    other_path: Sequence[OtherPath] = ()

    def assess(
        self, fixes: TelemetryBatch, begins: Mask | None = None
    ) -> tuple[NDArray[np.uint8], Visits]:
        """Verdict of each fix, and the visits that follow; columns of shape (n,).

        Fixes are distinct and sorted by bike and time (:meth:`TelemetryBatch.distinct`). Near the
        ends of a bike's fixes, closer than the limits' `before_ms` and `after_ms`, verdicts can
        differ from those of a longer record. `begins` are the fixes before which nothing was
        recorded: no path leads to them.

        Verdicts are positions in :data:`geofence.quality.VERDICTS`. Visits are in no particular
        order; one cell may be visited many times.
        """
        judgement = self.judge(fixes, begins=begins)
        return judgement.verdict, self.visits(judgement)

    def verdicts(self, fixes: TelemetryBatch) -> NDArray[np.uint8]:
        """Verdicts, shape (n,), as :meth:`assess` returns them; visits cost half as much again."""
        return self.judge(fixes).verdict

    def believed(self, fixes: TelemetryBatch) -> tuple[Mask, Mask]:
        """Which fixes are usable, and which are believed; each of shape (n,)."""
        verdict, usable, *_ = self._agreed(fixes)
        found = np.zeros(len(fixes), dtype=bool)
        found[usable] = True
        return found, verdict == quality.OK

    def _agreed(
        self, fixes: TelemetryBatch, begins: Mask | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.intp], Mask, Times, Placed]:
        """Verdicts, save of what is parked; of usable ones the row, run's start and certainty."""
        grid, limits, at_ms = self.atlas.grid, self.limits, fixes.timestamp_ms
        x_m, y_m = grid.plane(fixes.lat_deg, fixes.lng_deg)
        cell = grid.cell_at(x_m, y_m)
        on_shift = None if self.on_shift is None else self.on_shift(at_ms)
        verdict = quality.gate(fixes.accuracy_m, cell >= 0, on_shift, limits)
        usable = np.flatnonzero(verdict == quality.OK)
        usable_ms = at_ms[usable]
        starts = quality.run_starts(
            fixes.bike[usable], usable_ms, self.midnights.day(usable_ms), limits
        )
        if begins is not None:
            part = np.cumsum(begins)[usable]
            starts[1:] |= part[1:] != part[:-1]
        verdict[usable], agreed_ms = quality.agreement(
            usable_ms, x_m[usable], y_m[usable], starts, limits
        )
        return verdict, usable, starts, agreed_ms, (x_m, y_m, cell)

    def judge(
        self, fixes: TelemetryBatch, lead: Mask | None = None, begins: Mask | None = None
    ) -> Judgement:
        """Judge fixes as :meth:`assess`, of which some may be there as neighbours only.

        These, the `lead`, of shape (n,), are the first fixes of bikes whose run began earlier, and
        has lasted for as long as a stay: the others are compared with them. Nothing is said of
        them; see :mod:`geofence.tails`.
        """
        limits, at_ms = self.limits, fixes.timestamp_ms
        verdict, usable, starts, agreed_ms, placed = self._agreed(fixes, begins)
        usable_ms, (x_m, y_m, _) = at_ms[usable], placed
        run = np.cumsum(starts) - 1
        first = np.flatnonzero(starts)
        end_ms = usable_ms[np.append(first, usable.size)[1:] - 1]
        took_ms = end_ms - usable_ms[first]
        believed = np.flatnonzero(verdict[usable] == quality.OK)
        if lead is not None:
            took_ms[run[lead[usable]]] = limits.parked_after_ms
            believed = believed[~lead[usable[believed]]]
        rows, of, agreed_ms = usable[believed], run[believed], agreed_ms[believed]
        places = x_m[rows], y_m[rows], fixes.accuracy_m[rows]
        stays, moves_ms, held = quality.parked(
            at_ms[rows], *places, agreed_ms, of, end_ms[of], limits
        )
        stays |= quality.standing(*places, fixes.speed_mps[rows], of, took_ms[of], limits)
        verdict[rows[stays]] = quality.PARKED
        short = took_ms < limits.parked_after_ms
        return Judgement(
            fixes, verdict, *placed, usable, run, short, believed, stays, agreed_ms, moves_ms, held
        )

    def visits(self, judgement: Judgement) -> Visits:
        """Visits by moving fixes, and by the path between believed ones; in no particular order."""
        fixes, _, x_m, y_m, cell, *_ = judgement
        rows, run = judgement.usable[judgement.believed], judgement.run[judgement.believed]
        stays, agreed_ms, moves_ms = judgement.stays, judgement.agreed_ms, judgement.moves_ms
        at_ms = fixes.timestamp_ms
        moves = np.flatnonzero(~stays)
        moves = moves[np.isfinite(self._least_m(cell[rows[moves]], at_ms[rows[moves]]))]
        moving = rows[moves]
        a, b = rows[:-1], rows[1:]
        # A step within one cell between two moving fixes adds nothing to what the fixes say.
        tells = (cell[a] != cell[b]) | stays[:-1] | stays[1:]
        connected, rides, _ = self._step(at_ms, x_m, y_m, rows, run, stays)
        path = connected & rides & tells
        never = np.iinfo(np.int64).max
        rode_ms = np.where(stays, never, moves_ms)
        certain_ms = np.maximum(agreed_ms[:-1], agreed_ms[1:])
        certain_ms = np.maximum(certain_ms, np.minimum(rode_ms[:-1], rode_ms[1:]))[path]
        a, b = a[path], b[path]
        cut = pieces(self.atlas.grid, x_m[a], y_m[a], x_m[b], y_m[b])
        began_ms, took_ms = at_ms[a], at_ms[b] - at_ms[a]
        left_ms = began_ms[cut.segment] + np.floor(cut.leaves * took_ms[cut.segment]).astype(
            np.int64
        )
        long_enough = cut.length_m >= self._least_m(cut.cell, left_ms)
        b, left_ms = b[cut.segment[long_enough]], left_ms[long_enough]
        certain_ms = certain_ms[cut.segment[long_enough]]
        return Visits(
            bike=np.concatenate([fixes.bike[moving], fixes.bike[b]]),
            cell=np.concatenate([cell[moving], cut.cell[long_enough]]),
            at_ms=np.concatenate([at_ms[moving], left_ms]),
            observed=np.repeat([True, False], [moving.size, left_ms.size]),
            settles_ms=np.concatenate([at_ms[moving], at_ms[b]]),
            certain_ms=np.concatenate(
                [np.maximum(agreed_ms, moves_ms)[moves], np.maximum(certain_ms, at_ms[b])]
            ),
        )

    def _least_m(self, cell: NDArray[np.int32], at_ms: NDArray[np.int64]) -> NDArray[np.float64]:
        """The least path that makes a visit of each cell at an instant of its own [m].

        Infinite where the cell is of no zone then. -1 is no cell: a piece midway can leave the
        grid by rounding at its very edge.
        """
        least_m = np.full(cell.size, np.inf)
        for era, rows in self.atlas.layout.split(at_ms):
            zones = era.zones
            by_zone = np.array([*(self.min_cell_m[z.policy] for z in zones.zones), np.inf])
            here = cell[rows]
            # Index -1, of no zone, reads the last.
            zone = np.where(here >= 0, zones.cell_zone[here], -1)
            least = by_zone[zone]
            for other in self.other_path:
                named = np.array([*(z.zone_id in other.zone_ids for z in zones.zones), False])
                then = (at_ms[rows] >= other.from_ms) & (at_ms[rows] < other.to_ms)
                least[named[zone] & then] = other.min_cell_m
            least_m[rows] = least
        return least_m

    def steps(self, fixes: TelemetryBatch, verdict: NDArray[np.uint8]) -> Steps:
        """The steps between judged fixes, by the rule that coverage follows too.

        There is none through a gap, over a midnight or faster than a bike can ride. Verdicts, of
        shape (n,), are as :meth:`assess` returned them for the fixes.
        """
        usable = np.flatnonzero(np.isin(verdict, quality.USABLE))
        at_ms = fixes.timestamp_ms
        day = self.midnights.day(at_ms[usable])
        starts = quality.run_starts(fixes.bike[usable], at_ms[usable], day, self.limits)
        run = np.cumsum(starts) - 1
        believed = np.isin(verdict[usable], quality.BELIEVED)
        rows, run = usable[believed], run[believed]
        x_m, y_m = self.atlas.grid.plane(fixes.lat_deg, fixes.lng_deg)
        stays = verdict[rows] == quality.PARKED
        connected, rides, squared = self._step(at_ms, x_m, y_m, rows, run, stays)
        return Steps(
            rows[:-1][connected], rows[1:][connected], np.sqrt(squared[connected]), rides[connected]
        )

    def _step(
        self, at_ms: Times, x_m: Metres, y_m: Metres, rows: NDArray[np.intp], run: Run, stays: Mask
    ) -> tuple[Mask, Mask, Metres]:
        """Of steps between consecutive believed fixes: whether it is one, rides, and length².

        A bike that stays where it is parked drifts, and does not ride.
        """
        a, b = rows[:-1], rows[1:]
        dt = at_ms[b] - at_ms[a]
        dx, dy = x_m[b] - x_m[a], y_m[b] - y_m[a]
        squared = dx * dx + dy * dy
        reach = dt * (self.limits.max_speed_mps / 1000)
        connected: Mask = (
            (run[1:] == run[:-1])
            & (dt <= self.limits.max_gap_ms)
            & (squared <= self.limits.max_gap_m**2)
            & (squared <= reach * reach)
        )
        return connected, ~(stays[:-1] & stays[1:]), squared
