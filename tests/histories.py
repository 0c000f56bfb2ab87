"""The history that pipelines are tested with; it passes the contract of the archive."""

from __future__ import annotations

from bikes.telemetry import TelemetryBatch
from geofence.intervals import Intervals


class Everything:
    """An :class:`ingest.contexts.History` that is simply all that was taken in."""

    def __init__(self) -> None:
        self.fixes = TelemetryBatch.empty()
        self.asked: list[Intervals] = []

    def take(self, fixes: TelemetryBatch) -> None:
        self.fixes = TelemetryBatch.concat([self.fixes, fixes])

    def within(self, spans: Intervals) -> TelemetryBatch:
        self.asked.append(spans)
        at_ms = self.fixes.timestamp_ms
        parts = []
        for bike, from_ms, to_ms in zip(*spans, strict=True):
            mine = (self.fixes.bike == bike) & (at_ms >= from_ms) & (at_ms < to_ms)
            parts.append(self.fixes.take(mine))
        return TelemetryBatch.concat(parts).distinct()
