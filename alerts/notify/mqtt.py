"""Retained topics on MQTT: alerts as CloudEvents 1.0 while they are open, and statuses of zones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from alerts.alert import Notice
from alerts.errors import NotificationFailed
from alerts.lifecycle import FINAL
from alerts.notify import Filter
from bikes import topics
from geofence.zone_state import ZoneStatus

EVERY_MS = 60_000
"""The status of a zone is published so often, and when its state changes [ms]."""
EVENT_TYPE = "zhixun.alert.transition.v1"

Publish = Callable[[str, bytes, bool], Awaitable[bool]]
"""``publish(topic, payload, retain)``: whether the broker has it, or will have it for certain."""


class MqttNotifier:
    """Publishes every transition of alerts about zones, but for pending ones.

    The topic holds the last transition of the alert. An alert that is closed or voided is
    told once, not retained, and then leaves an empty retained message, or the last
    transition of another open alert of the same zone and rule.
    """

    name = "mqtt"

    def __init__(
        self,
        publish: Publish,
        latest_open: Callable[[str, str], Notice | None],  # of :class:`AlertBook`
    ) -> None:
        self._publish = publish
        self._latest_open = latest_open

    def wants(self, notice: Notice) -> bool:
        """All notices of alerts about zones, but pending ones: topics are those of zones only."""
        return notice.alert.zone_id is not None and Filter().passes(notice)

    async def send(self, *notices: Notice, count: int = 1) -> None:
        """Publish; NotificationFailed when it did not go."""
        (notice,) = notices
        alert = notice.alert
        assert alert.zone_id is not None
        topic = f"patrol/v1/alerts/{alert.zone_id}/{alert.rule}"
        over = alert.state in FINAL
        await self._put(topic, cloud_event(notice), retain=not over)
        if over:
            other = self._latest_open(alert.zone_id, alert.rule)
            await self._put(topic, cloud_event(other) if other else b"", retain=True)

    async def _put(self, topic: str, payload: bytes, *, retain: bool) -> None:
        try:
            went = await self._publish(topic, payload, retain)
        except (OSError, RuntimeError, ValueError) as exc:
            raise NotificationFailed(f"publishing to {topic}: {exc}") from exc
        if not went:
            raise NotificationFailed(f"publishing to {topic}: not connected to the broker")


class ZoneStatusTopic:
    """Publishes the statuses of zones.

    The zones given first may have a retained message of an earlier run, which is deleted once a
    zone is no more.
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


def cloud_event(notice: Notice) -> bytes:
    """A transition as a CloudEvents 1.0 event in structured JSON.

    Its `id` is the number of the row, so a duplicate can be told from a new one.
    """
    alert, row = notice
    event = {
        "specversion": "1.0",
        "id": f"{alert.alert_id}.{row.seq}",
        "source": "/zhixun",
        "type": EVENT_TYPE,
        "subject": notice.lane,
        "time": _time(row.at_ms),
        "datacontenttype": "application/json",
        "data": {
            **alert.about,
            "state": row.to_state,
            "from_state": row.from_state,
            "event": row.event,
            "actor": row.actor,
            "reason": row.reason,
            "evidence": row.evidence,
            "opened_at": _time(alert.opened_at_ms),
            "window_from": _time(alert.window_from_ms),
            "window_to": _time(alert.window_to_ms),
            "acknowledged_by": alert.acknowledged_by,
            "assigned_to": alert.assigned_to,
            "shelved_until": _time(alert.shelved_until_ms),
            "escalated_to": alert.escalated_to,
            "reopened": alert.reopened,
        },
    }
    return msgspec.json.encode(event)


def _time(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
