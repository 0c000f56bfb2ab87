"""Who is in the zones and who was there last, as answers about coverage say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bikes.roster import Roster
from dashboards.sources import Sources
from geofence.coverage import View
from geofence.presence import Visitors, bikes_inside, visitors
from geofence.record import VisitBy
from geofence.zone_state import ZoneStatus
from geofence.zonemap import ZoneMap


class Present(NamedTuple):
    """Of one zone.

    Attributes
    ----------
    bikes_inside : int, optional
        Live bikes in it; None when it is not known, as of an instant of the past.
    last_visit_by : VisitBy, optional
        Its newest visit; None when there was none since the record began.
    """

    bikes_inside: int | None
    last_visit_by: VisitBy | None


class Presence:
    """Who is in the zones now.

    It is as old as the last assessment of the zones, with which it is sent: between two of
    them a coverage event stays the same, so that watching it makes the stream no longer.

    Parameters
    ----------
    sources : Sources
        What there is.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._of: Mapping[str, ZoneStatus] | None = None
        self._now: Mapping[str, Present] = {}
        self._visitors: tuple[ZoneMap, Visitors] | None = None

    def now(self) -> Mapping[str, Present]:
        """Of every zone, by its id."""
        sources = self._sources
        statuses, zones = sources.statuses(), sources.zones
        known = self._visitors
        if statuses is self._of and known is not None and known[0] is zones:
            return self._now
        before = known[1] if known is not None and known[0] is zones else None
        found = visitors(sources.ledger(), zones, before)
        live = sources.fleet().live(sources.now_ms())
        self._of, self._visitors = statuses, (zones, found)
        self._now = _by_zone(zones, sources.roster, found, bikes_inside(zones, live))
        return self._now


def presence_at(ledger: View, zones: ZoneMap, roster: Roster) -> Mapping[str, Present]:
    """Of every zone, by its id, by a ledger as of an instant."""
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
