"""Write answers from the state of the system: zones, bikes, alerts."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import numpy as np
import shapely
from numpy.typing import NDArray
from sortedcontainers import SortedList

from alerts.alert import Alert, undo_until_ms
from bikes.fleet import LIVENESS, FleetState, Liveness
from bikes.roster import BikeKey, Roster
from dashboards.api import answers, bike_answers
from dashboards.api.precision import POSITION
from dashboards.api.times import Times
from dashboards.sources import Sources
from geofence.coverage import View
from geofence.geojson import Outline
from geofence.presence import Visitors, bikes_inside, visitors
from geofence.record import VisitBy
from geofence.zone_state import ZoneStatus
from geofence.zonemap import ZoneMap
from geofence.zones import Exclusion, Zone

URGENCY = ("overdue", "short", "due", "unmeasurable", "compliant", "paused", "off_duty")
"""Zone states, the most urgent first."""


Indices = NDArray[np.integer[Any]]


def by_urgency(status: ZoneStatus) -> tuple[int, float, str]:
    """Sort key: the state, then the time that is left [s], infinite for none, then the id."""
    left_s = math.inf if status.due_in_s is None else status.due_in_s
    return URGENCY.index(status.state), left_s, status.zone_id


AT_ONCE = 500
"""Bikes that are written without a pause: it takes some 5 ms."""


class Present(NamedTuple):
    """Presence in one zone."""

    bikes_inside: int | None
    """Live bikes in it; None when it is not known, as of an instant of the past."""
    last_visit_by: VisitBy | None
    """Its newest visit; None when there was none since the record began."""


class Presence:
    """Who is in the zones now.

    It is as old as the last assessment of the zones, with which it is sent: between two of
    them a coverage event stays the same, so that watching it makes the stream no longer.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._known: _Known | None = None

    def now(self) -> Mapping[str, Present]:
        """Presence in every zone, by its id; in any thread, as a large fleet takes a while."""
        sources, known = self._sources, self._known
        statuses, zones = sources.statuses(), sources.zones
        if known is not None and known.statuses is statuses and known.zones is zones:
            return known.now
        before = known.found if known is not None and known.zones is zones else None
        view = sources.view()
        found = visitors(sources.ledger(), zones, before)
        live = view.fleet.live(sources.now_ms())
        now = _by_zone(zones, sources.roster, found, bikes_inside(zones, live))
        self._known = _Known(statuses, zones, found, now)
        return now


class _Known(NamedTuple):
    """Presence as it was found with an assessment."""

    statuses: Mapping[str, ZoneStatus]
    zones: ZoneMap
    found: Visitors
    now: Mapping[str, Present]


def presence_at(ledger: View, zones: ZoneMap, roster: Roster) -> Mapping[str, Present]:
    """Presence in every zone, by its id, from a ledger as of an instant."""
    return _by_zone(zones, roster, visitors(ledger, zones), None)


def _by_zone(
    zones: ZoneMap, roster: Roster, found: Visitors, inside: Mapping[str, int] | None
) -> dict[str, Present]:
    return {
        zone.zone_id: Present(
            None if inside is None else inside.get(zone.zone_id, 0),
            None if bike < 0 else VisitBy(str(roster.key(bike)), at_ms),
        )
        for zone, bike, at_ms in zip(
            zones.zones, found.bike.tolist(), found.at_ms.tolist(), strict=True
        )
    }


class Views:
    """Writes answers with the names, times and zones of one set of sources."""

    def __init__(self, sources: Sources, times: Times) -> None:
        self._sources = sources
        self._times = times
        self.presence = Presence(sources)
        self._keys: SortedList[BikeKey] = SortedList()
        self._all: tuple[Mapping[str, Present], list[answers.ZoneCoverage], msgspec.Raw] | None = (
            None
        )
        self._coverage: dict[str, tuple[tuple[object, ...], answers.ZoneCoverage]] = {}

    def coverage(self, status: ZoneStatus) -> answers.ZoneCoverage:
        """The state of a zone now, and presence in it; it is not to be changed."""
        zones, presence = self._sources.zones, self.presence.now()
        of = (status, zones, presence.get(status.zone_id))
        known = self._coverage.get(status.zone_id)
        # Written once for all that ask for it before the next assessment.
        if known is None or any(a is not b for a, b in zip(known[0], of, strict=True)):
            known = of, self.coverage_of(status, zones, presence)
            self._coverage[status.zone_id] = known
        return known[1]

    def coverages(self) -> tuple[list[answers.ZoneCoverage], msgspec.Raw]:
        """All zones now, the most urgent first, and their JSON: once for each assessment."""
        presence = self.presence.now()
        if self._all is None or self._all[0] is not presence:
            statuses = sorted(self._sources.statuses().values(), key=by_urgency)
            found = [self.coverage(status) for status in statuses]
            self._all = presence, found, msgspec.Raw(msgspec.json.encode(found))
        return self._all[1:]

    def coverage_of(
        self, status: ZoneStatus, zones: ZoneMap, presence: Mapping[str, Present]
    ) -> answers.ZoneCoverage:
        """State of one of `zones`, and presence in it."""
        zone = zones.zones[zones.index(status.zone_id)]
        present = presence[status.zone_id]
        visit = present.last_visit_by
        return self._times.answer(
            answers.ZoneCoverage,
            status,
            name=zone.name,
            name_zh=zone.name_zh,
            bikes_inside=present.bikes_inside,
            last_visit_by=visit and self._times.answer(answers.VisitBy, visit),
        )

    async def keys(self) -> SortedList[BikeKey]:
        """All bikes of the roster, sorted by vendor and id; it is not to be changed."""
        roster = self._sources.roster
        while len(self._keys) < len(roster):
            # In parts: others do not wait for the first look at a large fleet.
            first = len(self._keys)
            self._keys.update(map(roster.key, range(first, min(first + AT_ONCE, len(roster)))))
            await asyncio.sleep(0)
        return self._keys

    def bikes(self, bikes: Indices) -> list[bike_answers.Bike]:
        """Bikes as of now, by their indices in the roster, in this order."""
        sources, zones = self._sources, self._sources.zones
        fleet = sources.view().fleet.some(bikes)
        alive, zone = fleet.liveness(sources.now_ms()), zones.zone_of(*fleet.position())
        return self.written(fleet, alive, zone, zones)

    def written(
        self, fleet: FleetState, alive: Indices, zone: Indices, zones: ZoneMap
    ) -> list[bike_answers.Bike]:
        """All n bikes of a fleet; liveness and place among `zones` by number, shape (n,)."""
        names = [*(each.zone_id for each in zones.zones), None]  # of -1, the last: of no zone
        return [
            self._times.answer(
                bike_answers.Bike,
                state,
                **self._sources.roster.key(state.bike)._asdict(),
                liveness=LIVENESS[code],
                at=self._times.write_or_none(state.last_ms),
                zone_id=names[number],
            )
            for state, code, number in zip(
                fleet.states(), alive.tolist(), zone.tolist(), strict=True
            )
        ]

    def alive(self) -> dict[Liveness, int]:
        """How many bikes are live, stale, silent and offline."""
        codes = self._sources.view().fleet.liveness(self._sources.now_ms())
        found = np.bincount(codes, minlength=len(LIVENESS)).tolist()
        counts = dict(zip(LIVENESS, found, strict=True))
        counts["silent"] += len(self._sources.roster) - codes.size  # never heard
        return counts

    def grid(self) -> answers.GridBox:
        """The box of the grid."""
        return self._times.answer(answers.GridBox, self._sources.atlas.grid)

    def alert(self, alert: Alert) -> answers.Alert:
        """An alert without its history."""
        undo_ms = undo_until_ms(alert.history[-1], self._sources.undo_within_ms)
        undo_until = self._times.write_or_none(undo_ms)
        return self._times.answer(answers.Alert, alert, undo_until=undo_until)

    def record(self, alert: Alert) -> answers.AlertRecord:
        """An alert with its history."""
        rows = [
            self._times.answer(answers.AlertTransition, row, undone=row.seq in alert.undone)
            for row in alert.history
        ]
        return {**self.alert(alert), "history": rows}


def feature(zone: Zone, more: Mapping[str, object]) -> dict[str, Any]:
    """A zone and what else is known of it; `label` is where its name can stand, [lng, lat]."""
    geometry, label = _shape(zone.geometry)
    return {
        "type": "Feature",
        "id": zone.zone_id,
        "geometry": geometry,
        "properties": {
            "zone_id": zone.zone_id,
            "name": zone.name,
            "name_zh": zone.name_zh,
            "policy": zone.policy,
            **more,
            "code": zone.code,
            "label": label,
        },
    }


def excluded(place: Exclusion) -> dict[str, Any]:
    """A place that cannot be patrolled, as a feature."""
    names = {"name": place.name, "name_zh": place.name_zh}
    return {"type": "Feature", "geometry": _shape(place.geometry)[0], "properties": names}


def draw(zones: Iterable[Zone]) -> None:
    """Make the outlines of zones ready, of which a thousand take a second: in a thread."""
    for zone in zones:
        _shape(zone.geometry)


@lru_cache(maxsize=16_384)
def _shape(geometry: Outline) -> tuple[msgspec.Raw, list[float]]:
    """A zone's outline as GeoJSON, and a point inside it; the same for all who ask."""
    label = shapely.maximum_inscribed_circle(geometry).coords[0]
    known = shapely.transform(geometry, lambda degrees: degrees.round(POSITION))
    outline = msgspec.Raw(msgspec.json.encode(shapely.geometry.mapping(known)))
    return outline, [round(degrees, POSITION) for degrees in label]
