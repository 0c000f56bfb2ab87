"""Redrawing zones while the system runs: what is proposed, saved, and followed at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC
from typing import NamedTuple

from alerts.errors import PolicyError
from geofence.atlas import Atlas, Layout
from geofence.errors import ZonesError
from geofence.redrawing import feature_of
from geofence.zones import Zones


class Proposal(NamedTuple):
    """What would come of redrawn zones."""

    layout: Layout  # how they would lie
    live: bool
    """Whether they can be followed at once; else from the next start on, because the grid of this
    one does not reach so far."""


@dataclass
class Drawing:
    """Redraws zones. Everything but :meth:`propose` is called on the event loop."""

    atlas: Atlas  # follows what is drawn, while that stays on its grid
    write: Callable[[Zones], None]  # saves the zones; StoreUnavailable when they cannot be saved
    plans: Callable[[Zones], object]
    """Plans what is asked of the zones; PolicyError when that cannot be. Nothing follows yet."""
    follow: Callable[[int], None]
    """Lets everything else follow the atlas, which has changed from an instant on [ms]."""

    zones: Zones = field(init=False)
    """The zones as they are saved; some may take effect at the next start only."""
    version: str = field(init=False)  # a word that changes with the zones

    def __post_init__(self) -> None:
        self._keep(self.atlas.layout.zones)

    def _keep(self, zones: Zones) -> None:
        self.zones, self.version = zones, version_of(zones)

    def propose(self, zones: Zones) -> Proposal:
        """What would come of other zones; nothing changes yet. Called in a thread, one at a time.

        ZonesError: They cannot be: no cell, a policy that is wrong, or a grid that is too large.
        """
        atlas, live = self.atlas, self.atlas.holds(zones)
        cell_m = atlas.grid.cell_m
        layout = atlas.lay(zones) if live else Atlas(zones, cell_m=cell_m).layout
        try:
            self.plans(zones)
        except PolicyError as exc:
            raise ZonesError(exc.problems) from exc
        return Proposal(layout, live)

    def adopt(self, proposal: Proposal) -> None:
        """Save what was proposed, and let everything follow.

        StoreUnavailable: It cannot be saved; nothing was changed.
        """
        zones = proposal.layout.zones
        self.write(zones)
        self._keep(zones)
        if proposal.live and (from_ms := self.atlas.adopt(proposal.layout)) is not None:
            self.follow(from_ms)


def version_of(zones: Zones) -> str:
    """A word that differs when anything about the zones does."""
    features = json.dumps([feature_of(zone, UTC) for zone in zones.zones])
    return hashlib.sha256(features.encode()).hexdigest()[:16]
