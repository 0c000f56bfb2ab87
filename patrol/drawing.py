"""Redrawing zones while the station runs: what is saved, and what follows it at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

from alerts.errors import PolicyError
from alerts.orders import Orders
from alerts.plan import Policies
from dashboards.sources import Proposal
from geofence.atlas import Atlas
from geofence.coverage import MAX_CELLS
from geofence.errors import Problem, ZonesError
from geofence.redrawing import feature_of
from geofence.zonemap import grid_over
from geofence.zones import Zones
from patrol.assembly import District, policies_of
from patrol.config.drawn_zones import NAME, DrawnZones, digest_of


@dataclass
class Drawing:
    """Implements :class:`dashboards.sources.Drawing`.

    Parameters
    ----------
    atlas : Atlas
        Follows what is drawn, while that stays on its grid.
    write : callable
        Saves the zones; StoreUnavailable when they cannot be saved.
    plans : callable
        Plans what is asked of the zones; PolicyError when that cannot be. Nothing follows yet.
    follow : callable
        Lets everything else follow the atlas, which has changed from an instant on [ms].
    """

    atlas: Atlas
    write: Callable[[Zones], None]
    plans: Callable[[Zones], object]
    follow: Callable[[int], None]

    def __post_init__(self) -> None:
        self._zones = self.atlas.layout.zones
        self._version = version_of(self._zones)

    @property
    def zones(self) -> Zones:
        """As they are saved: some may take effect at the next start only."""
        return self._zones

    @property
    def version(self) -> str:
        """Changes with them."""
        return self._version

    def propose(self, zones: Zones) -> Proposal:
        """What would come of other zones; nothing changes yet.

        Raises
        ------
        ZonesError
            They cannot be.
        """
        atlas, live = self.atlas, self.atlas.holds(zones)
        cell_m = atlas.grid.cell_m
        if not live and (cells := grid_over(zones, cell_m=cell_m).size) > MAX_CELLS:
            message = f"would need a grid of {cells:,} cells; at most {MAX_CELLS:,} are possible"
            raise ZonesError([Problem("zones", message)])
        layout = atlas.lay(zones) if live else Atlas(zones, cell_m=cell_m).layout
        try:
            self.plans(zones)
        except PolicyError as exc:
            raise ZonesError(Problem(*problem) for problem in exc.problems) from exc
        return Proposal(layout, live)

    def adopt(self, proposal: Proposal) -> None:
        """Save what was proposed, and let everything follow.

        Raises
        ------
        StoreUnavailable
            It cannot be saved; nothing was changed.
        """
        zones = proposal.layout.zones
        self.write(zones)
        self._zones, self._version = zones, version_of(zones)
        if proposal.live and (from_ms := self.atlas.adopt(proposal.layout)) is not None:
            self.follow(from_ms)


def drawing_of(
    district: District,
    redrawn: Callable[[int, str], None],
    orders: Orders,
    folder: Path,
    then: Callable[[], None],
) -> Drawing:
    """The way to redraw the zones of a station.

    Parameters
    ----------
    district : District
        Its atlas and policies follow.
    redrawn : callable
        Judges again, soon, what lies after an instant [ms], such as fixes of a bike whose clock is
        ahead; the second argument is the new fingerprint.
    orders : Orders
        What people have ordered stays so.
    folder : Path
        Where the file of drawn zones is kept.
    then : callable
        Called when all of these have followed.
    """
    settings = district.settings
    configured = digest_of(settings.district.zones.read_bytes())
    file = DrawnZones(folder / NAME, configured, ZoneInfo(settings.district.timezone))

    def plans(zones: Zones) -> Policies:
        return policies_of(settings, district.calendars, zones, orders.campaigns)

    def follow(from_ms: int) -> None:
        district.policies.follow(plans(district.atlas.layout.zones))
        redrawn(from_ms, district.fingerprint)
        then()

    return Drawing(district.atlas, file.write, plans, follow)


def version_of(zones: Zones) -> str:
    """A word that differs when anything about the zones does."""
    features = json.dumps([feature_of(zone, UTC) for zone in zones.zones])
    return hashlib.sha256(features.encode()).hexdigest()[:16]
