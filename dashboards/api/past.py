"""How all zones stood at an instant: one pass over the ledger, in a thread."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.api import answers
from dashboards.api.background import Background
from dashboards.api.presence import presence_at
from dashboards.api.views import Views, by_urgency
from dashboards.sources import Sources
from geofence.coverage import Ledger


@dataclass(frozen=True, slots=True)
class Past:
    """Answers about instants."""

    sources: Sources
    views: Views
    background: Background

    async def coverage(self, at_ms: int) -> list[answers.ZoneCoverage]:
        """All zones that there were, the most urgent first, from what is known now."""
        sources = self.sources
        # Taken on the event loop, which also changes the ledger; the parts stay as they are.
        parts, zones = sources.ledger.parts(), sources.zones_at(at_ms)

        def look() -> list[answers.ZoneCoverage]:
            ledger = Ledger.as_of(parts, zones.grid.size, at_ms)
            statuses = sources.statuses_at(ledger, at_ms)
            presence = presence_at(ledger, zones, sources.roster)
            return [
                self.views.coverage_of(status, zones, presence)
                for status in sorted(statuses, key=by_urgency)
            ]

        return await self.background.run(look)
