"""The port through which alerts learn what was patrolled.

What implements it belongs to the coverage side; this package knows nothing of fixes, paths
or cells beyond these questions. All answers are facts of the record as known now: late
telemetry may change the answer to a question about the past, and then `revision` changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class ZoneRef(NamedTuple):
    """A zone, as far as alerts need to know it."""

    zone_id: str
    name: str
    name_zh: str | None
    policy: str
    cells_total: int
    valid_from_ms: int | None = None


class CellAges(NamedTuple):
    """Ages of a zone's cells [s]; None when no cell was ever visited."""

    oldest_cell_age_s: float | None
    mean_cell_age_s: float | None


class VisitBy(NamedTuple):
    """Evidence: which bike (``vendor/bike_id``) visited, and when."""

    bike: str
    at_ms: int


class Patrols(Protocol):
    """What was patrolled when. Called by one evaluation at a time, many times a second."""

    @property
    def since_ms(self) -> int:
        """The start of the record: coverage is known from this instant on."""

    @property
    def behind_ms(self) -> int:
        """How far the pipeline is behind what has been received."""

    def zones(self) -> Sequence[ZoneRef]:
        """All zones in force now.

        Their `valid_from_ms` is since when they have been there, in whatever outline.
        """

    def cells_total(self, zone_id: str, to_ms: int) -> int:
        """Patrollable cells of a zone when a window ended, or now while it is on.

        0 when there was no such zone. Zones are redrawn: one may have other cells now.
        """

    def revision(self, zone_id: str) -> int:
        """A number that changes whenever a visit in the zone was added, moved or removed.

        It changes as well when the zone is redrawn.

        One number for all zones is allowed, and costs speed only.
        """

    def last_patrolled_ms(self, zone_id: str, *, min_cells: int, now_ms: int) -> int | None:
        """The last instant, up to `now_ms`, at which the zone was patrolled.

        It is patrolled at t when at least `min_cells` distinct cells were visited in
        the 30 min before t. None when that never was so.
        """

    def covered(self, zone_id: str, from_ms: int, to_ms: int) -> int:
        """Distinct patrollable cells visited in ``[from_ms, to_ms)``.

        Of the cells that :meth:`cells_total` counts.
        """

    def idle_cells(self, zone_id: str, now_ms: int) -> CellAges:
        """Ages of the zone's cells."""

    def last_heard_ms(self, zone_id: str) -> int | None:
        """Device time of the newest telemetry of any bike that may serve the zone."""

    def last_visit_by(self, zone_id: str, since_ms: int) -> VisitBy | None:
        """The newest visit in the zone at or after `since_ms`, as evidence."""


class CoverageMemo:
    """Remembers `covered` per zone and window until the zone's revision changes.

    A window that ended is asked about at every evaluation while an alert depends on it;
    nearly always nothing has changed.
    """

    def __init__(self, patrols: Patrols) -> None:
        self._patrols = patrols
        self._known: dict[str, tuple[int, dict[tuple[int, int], int]]] = {}

    def covered(self, zone_id: str, from_ms: int, to_ms: int) -> int:
        """As :meth:`Patrols.covered`."""
        revision = self._patrols.revision(zone_id)
        known = self._known.get(zone_id)
        if known is None or known[0] != revision or len(known[1]) > 64:
            known = self._known[zone_id] = (revision, {})
        count = known[1].get((from_ms, to_ms))
        if count is None:
            count = known[1][from_ms, to_ms] = self._patrols.covered(zone_id, from_ms, to_ms)
        return count
