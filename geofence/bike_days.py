"""The day of a bike: its distance, its time in zones, and its share in the coverage.

Zones may be redrawn on the day: everything belongs to the zone that it was made in.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geofence.atlas import Layout
from geofence.coverage import Rows
from geofence.grid import MAX_CELLS
from geofence.quality import VERDICTS
from geofence.steps import JudgedFixes


class Rides(NamedTuple):
    """Distance, time in zones and verdicts of some bikes, a row a bike."""

    # Shape (k,): along the believed path [m]: through no gap, no teleport, no drift of a parked
    # bike.
    distance_m: NDArray[np.float64]
    # Shape (k, zones): time in each zone, by its number, riding or parked [s]. Each end of a step
    # has half of its time.
    zone_s: NDArray[np.float64]
    verdicts: NDArray[np.int64]  # shape (k, len(VERDICTS)): fixes by verdict


def rides(judged: JudgedFixes, bikes: NDArray[np.int32], layout: Layout) -> Rides:
    """Distance, time in zones and verdicts of some bikes, whose fixes `judged` holds.

    `bikes` are rising indices into the roster, of shape (k,).
    """
    fixes, verdict, steps = judged
    k, n = bikes.size, len(layout.zone_ids)
    row = np.searchsorted(bikes, fixes.bike)
    rider = row[steps.a]
    distance_m = np.zeros(k)
    np.add.at(distance_m, rider[steps.rides], steps.length_m[steps.rides])
    zone = np.full(len(fixes), -1, np.int64)
    believed = np.flatnonzero(judged.believed)
    zone[believed] = layout.zone_of(
        fixes.lat_deg[believed], fixes.lng_deg[believed], fixes.timestamp_ms[believed]
    )
    half_s = (fixes.timestamp_ms[steps.b] - fixes.timestamp_ms[steps.a]) / 2000.0
    zone_s = np.zeros(k * n)
    for end in (steps.a, steps.b):
        inside = zone[end] >= 0
        at = rider[inside] * n + zone[end][inside]
        zone_s += np.bincount(at, half_s[inside], minlength=k * n)
    of = row * len(VERDICTS) + verdict
    verdicts = np.bincount(of, minlength=k * len(VERDICTS)).reshape(k, len(VERDICTS))
    return Rides(distance_m, zone_s.reshape(k, n), verdicts)


class Contributions(NamedTuple):
    """Cells that some bikes added to the coverage of a day, a row a bike."""

    # Shape (k, zones): distinct cells of each zone, by its number, that the bike visited.
    zone_cells: NDArray[np.int64]
    # Shape (k,): cells, of all zones, that no other bike had visited earlier that day.
    first: NDArray[np.int64]

    @property
    def cells(self) -> NDArray[np.int64]:
        """Cells of all zones; one that two zones had in turn may be two. Shape (k,)."""
        cells: NDArray[np.int64] = self.zone_cells.sum(axis=1)
        return cells

    @property
    def redundant_share(self) -> NDArray[np.float64]:
        """Share of a bike's cells that another had visited earlier; NaN without. Shape (k,)."""
        cells = self.cells
        share = np.full(cells.size, np.nan)
        some = cells > 0
        share[some] = 1 - self.first[some] / cells[some]
        return share


def contributions(rows: Rows, bikes: NDArray[np.int32], layout: Layout) -> Contributions:
    """Cells of some bikes, and those they were the first to visit.

    Of each bike, cell and quarter hour the last visit is taken for the first: who came first
    within a quarter of an hour may be wrong when both went on visiting the cell. Two bikes at one
    instant are both first.

    `rows` are the day's, of all bikes; `bikes` are rising indices into the roster, of shape (k,).
    """
    pairs = first_visits(rows, layout)
    asked = np.isin(pairs.bike, bikes)
    row, zone = np.searchsorted(bikes, pairs.bike[asked]), pairs.zone[asked]
    k, n = bikes.size, len(layout.zone_ids)
    zone_cells = np.bincount(row * n + zone, minlength=k * n).reshape(k, n)
    first = np.bincount(row[pairs.first[asked]], minlength=k)
    return Contributions(zone_cells, first)


class FirstVisits(NamedTuple):
    """Each bike with each patrollable cell it visited, once for each zone that had the cell.

    Columns of shape (n,).
    """

    bike: NDArray[np.int32]  # indices into the roster
    cell: NDArray[np.int32]  # cells of the grid
    zone: NDArray[np.int32]  # number of the zone that it belonged to when it was visited
    first: NDArray[np.bool_]  # whether no other bike had visited the zone's cell earlier that day


def first_visits(rows: Rows, layout: Layout) -> FirstVisits:
    """Find the visitors of each cell and the first of them; limits: :func:`contributions`."""
    owner = layout.owner(rows.cell, rows.last_ms)
    rows, owner = rows.where(owner >= 0), owner[owner >= 0]
    place = owner.astype(np.int64) * MAX_CELLS + rows.cell
    visited, place = np.unique(place, return_inverse=True)
    pair = rows.bike.astype(np.int64) * max(visited.size, 1) + place
    # Rows are sorted by bike, then slot: the first of a pair is the earliest.
    _, at = np.unique(pair, return_index=True)
    place, at_ms = place[at], rows.last_ms[at]
    earliest_ms = np.full(visited.size, np.iinfo(np.int64).max)
    np.minimum.at(earliest_ms, place, at_ms)
    first = at_ms == earliest_ms[place]
    return FirstVisits(rows.bike[at], rows.cell[at], owner[at], first)
