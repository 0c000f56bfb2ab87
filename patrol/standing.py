"""How zones stand, on the topics that programs read: once a minute, and when a state changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from alerts.rules import ZoneStatus
from bikes import topics

EVERY_MS = 60_000


class Standing:
    """Publishes the retained topic of each zone.

    Parameters
    ----------
    publish : callable
        Given topic, payload, and whether it is retained.
    zone_ids : iterable of str
        Zones that an earlier life may have told of; those that are no more are taken back.
    """

    def __init__(self, publish: Callable[[str, bytes, bool], Any], zone_ids: Iterable[str]) -> None:
        self._publish = publish
        self._told = dict.fromkeys(zone_ids, (0, ""))

    def tell(self, statuses: Sequence[ZoneStatus], now_ms: int) -> None:
        """Publish what is due of all zones that there are, as they stand now [ms]."""
        for status in statuses:
            told_ms, told_state = self._told.get(status.zone_id, (0, ""))
            # A clock that was set back must not silence a zone until it has caught up.
            if status.state != told_state or not 0 <= now_ms - told_ms < EVERY_MS:
                self._told[status.zone_id] = now_ms, status.state
                payload = msgspec.json.encode({"at": now_ms, **msgspec.to_builtins(status)})
                self._publish(topics.coverage(status.zone_id), payload, True)
        for zone_id in self._told.keys() - {status.zone_id for status in statuses}:
            del self._told[zone_id]
            self._publish(topics.coverage(zone_id), b"", True)
