"""What programs read of the zones."""

from __future__ import annotations

import json

from alerts.notify.mqtt import ZoneStatusTopic
from geofence.zone_state import ZoneState, ZoneStatus

AT_MS = 1_763_856_000_000


def status(zone_id: str, state: ZoneState = "due") -> ZoneStatus:
    return ZoneStatus(
        zone_id=zone_id,
        policy="core",
        state=state,
        reason="idle_over_80_percent",
        detail="",
        covered_ratio=0.5,
        cells_covered=1,
        cells_total=2,
        target=0.8,
        window_from_ms=None,
        window_to_ms=None,
        idle_s=0.0,
        frequency_s=7200,
        due_in_s=None,
        oldest_cell_age_s=None,
        mean_cell_age_s=None,
        last_patrolled_ms=None,
    )


class Published(list[tuple[str, object]]):
    def __call__(self, topic: str, payload: bytes, retain: bool) -> None:
        assert retain
        self.append((topic.rpartition("/")[2], json.loads(payload)["at"] if payload else None))


def told(topic: ZoneStatusTopic, published: Published, at_ms: int, *statuses: ZoneStatus) -> object:
    published.clear()
    topic.publish(statuses, at_ms)
    return list(published)


def test_once_a_minute_and_when_the_state_changes() -> None:
    """Each zone by itself."""
    published = Published()
    topic = ZoneStatusTopic(published, [])
    a, b = status("a"), status("b")
    assert told(topic, published, AT_MS, a, b) == [("a", AT_MS), ("b", AT_MS)]
    assert told(topic, published, AT_MS + 59_999, a, b) == []
    late = status("b", state="overdue")
    assert told(topic, published, AT_MS + 59_999, a, late) == [("b", AT_MS + 59_999)]
    assert told(topic, published, AT_MS + 60_000, a, late) == [("a", AT_MS + 60_000)]


def test_a_clock_that_was_set_back_silences_nobody() -> None:
    """A machine that starts in the wrong time zone is hours ahead until it is told the time."""
    published = Published()
    topic = ZoneStatusTopic(published, [])
    told(topic, published, AT_MS + 8 * 3_600_000, status("a"))
    assert told(topic, published, AT_MS, status("a")) == [("a", AT_MS)]
    assert told(topic, published, AT_MS + 1_000, status("a")) == []


def test_zones_that_are_no_more_are_taken_back() -> None:
    """Also those that only an earlier life can have told of."""
    published = Published()
    topic = ZoneStatusTopic(published, ["a", "gone"])
    assert told(topic, published, AT_MS, status("a")) == [("a", AT_MS), ("gone", None)]
    assert told(topic, published, AT_MS + 1) == [("a", None)]
    assert told(topic, published, AT_MS + 2) == []
