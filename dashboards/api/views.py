"""Write answers from the state of the system: zones, bikes, alerts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import shapely

from alerts.alert import Alert, undo_until_ms
from bikes.fleet import BikeState, Liveness, liveness
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


def by_urgency(status: ZoneStatus) -> tuple[int, float, str]:
    """Sort key: the state, then the time that is left [s], infinite for none, then the id."""
    left_s = math.inf if status.due_in_s is None else status.due_in_s
    return URGENCY.index(status.state), left_s, status.zone_id


AT_ONCE = 500
"""Bikes that are looked at without a pause: it takes some 10 ms."""

bike_key = itemgetter("vendor", "bike_id")
"""Sort and page key of a bike."""


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
        self._of: Mapping[str, ZoneStatus] | None = None
        self._now: Mapping[str, Present] = {}
        self._visitors: tuple[ZoneMap, Visitors] | None = None

    def now(self) -> Mapping[str, Present]:
        """Presence in every zone, by its id; on the event loop."""
        sources = self._sources
        statuses, zones = sources.statuses(), sources.zones
        known = self._visitors
        if statuses is self._of and known is not None and known[0] is zones:
            return self._now
        before = known[1] if known is not None and known[0] is zones else None
        view = sources.view()
        found = visitors(sources.ledger(), zones, before)
        live = view.fleet.live(sources.now_ms())
        self._of, self._visitors = statuses, (zones, found)
        self._now = _by_zone(zones, sources.roster, found, bikes_inside(zones, live))
        return self._now


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
        self._presence = Presence(sources)
        self._bikes: dict[
            BikeKey, tuple[tuple[BikeState, Liveness, str | None], bike_answers.Bike]
        ] = {}

    def coverage(self, status: ZoneStatus) -> answers.ZoneCoverage:
        """The state of a zone now, and presence in it."""
        return self.coverage_of(status, self._sources.zones, self._presence.now())

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

    def bikes(self) -> list[bike_answers.Bike]:
        """All bikes of the roster, sorted by vendor and id."""
        return sorted(chain.from_iterable(self.bikes_in_parts()), key=bike_key)

    def bikes_in_parts(self) -> Iterator[list[bike_answers.Bike]]:
        """All bikes as of now, by index, some at a time: so that others need not wait for all."""
        sources = self._sources
        of, now_ms, zones = sources.view().fleet.of, sources.now_ms(), sources.zones
        keys = sources.roster.keys
        for first in range(0, len(keys), AT_ONCE):
            rows = range(first, min(first + AT_ONCE, len(keys)))
            yield self._some_bikes([(keys[row], of(row)) for row in rows], now_ms, zones)

    def bike(self, key: BikeKey) -> bike_answers.Bike:
        """One bike, which the roster has."""
        state = self._sources.view().fleet.of(self._sources.roster.at(key))
        (found,) = self._some_bikes([(key, state)], self._sources.now_ms(), self._sources.zones)
        return found

    def _some_bikes(
        self, states: Sequence[tuple[BikeKey, BikeState]], now_ms: int, zones: ZoneMap
    ) -> list[bike_answers.Bike]:
        lat, lng = (
            np.array([getattr(state, name) for _, state in states], np.float64)  # None is NaN
            for name in ("lat_deg", "lng_deg")
        )
        bikes = []
        for (key, state), zone in zip(states, zones.zone_of(lat, lng).tolist(), strict=True):
            alive = liveness(state, now_ms)
            zone_id = zones.zones[zone].zone_id if zone >= 0 else None
            seen = (state, alive, zone_id)
            known = self._bikes.get(key)
            # Most bikes are as they were at the last look, half a second ago.
            if known is None or known[0] != seen:
                known = self._bikes[key] = seen, self._bike(key, *seen)
            bikes.append(known[1])
        return bikes

    def _bike(
        self, key: BikeKey, state: BikeState, alive: Liveness, zone_id: str | None
    ) -> bike_answers.Bike:
        at = self._times.write_or_none(state.last_ms)
        more = {"liveness": alive, "at": at, "zone_id": zone_id}
        return self._times.answer(bike_answers.Bike, state, **key._asdict(), **more)

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


@lru_cache(maxsize=4096)
def _shape(geometry: Outline) -> tuple[dict[str, Any], list[float]]:
    """A zone's outline as GeoJSON, and a point inside it; the same for all who ask."""
    label = shapely.maximum_inscribed_circle(geometry).coords[0]
    known = shapely.transform(geometry, lambda degrees: degrees.round(POSITION))
    outline: dict[str, Any] = shapely.geometry.mapping(known)
    return outline, [round(degrees, POSITION) for degrees in label]
