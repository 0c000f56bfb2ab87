"""The retained topic of each zone: its status once a minute, and when its state changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from bikes import topics
from geofence.zone_state import ZoneStatus

EVERY_MS = 60_000


class ZoneStatusTopic:
    """Publishes the statuses of zones.

    Parameters
    ----------
    publish : callable
        Given topic, payload, and whether it is retained.
    zone_ids : iterable of str
        Zones with a retained message of an earlier run, perhaps; it is deleted once a zone is
        no more.
    """

    def __init__(self, publish: Callable[[str, bytes, bool], Any], zone_ids: Iterable[str]) -> None:
        self._publish = publish
        self._published = dict.fromkeys(zone_ids, (0, ""))

    def publish(self, statuses: Sequence[ZoneStatus], now_ms: int) -> None:
        """Publish the statuses that are due, out of those of all zones at `now_ms` [ms]."""
        for status in statuses:
            at_ms, state = self._published.get(status.zone_id, (0, ""))
            # A clock that was set back must not silence a zone until it has caught up.
            if status.state != state or not 0 <= now_ms - at_ms < EVERY_MS:
                self._published[status.zone_id] = now_ms, status.state
                payload = msgspec.json.encode({"at": now_ms, **msgspec.to_builtins(status)})
                self._publish(topics.coverage(status.zone_id), payload, True)
        for zone_id in self._published.keys() - {status.zone_id for status in statuses}:
            del self._published[zone_id]
            self._publish(topics.coverage(zone_id), b"", True)
