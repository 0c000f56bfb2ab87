"""A small record of patrols in memory, and times on the district's clock, for tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from alerts.evaluator import Evaluation, Evaluator
from alerts.fleet import BikeFacts, VendorFacts
from alerts.plan import Policies
from alerts.store.book import AlertBook
from geofence.record import CellAges, VisitBy, ZoneRef

SHANGHAI = ZoneInfo("Asia/Shanghai")
HALF_HOUR_MS = 1_800_000
POLICY = {
    "frequency": "2h",
    "target": 0.8,
    "window": "shift",
    "min_cells": 5,
    "hours": ["Mon-Sun 08:00-18:00"],
}
OFF = ("coverage_at_risk", "look_back_due")
"""Rules that timelines of other rules do not want to hear of."""


def at(text: str, tz: ZoneInfo = SHANGHAI) -> int:
    """ "23 14:30" of November 2026 (the 23rd is a Monday), or an ISO time, in ms."""
    iso = text if len(text) > 12 else f"2026-11-{text}"
    return round(datetime.fromisoformat(iso).replace(tzinfo=tz).timestamp() * 1000)


class FakePatrols:
    """A record from a list of visits; slow and obvious."""

    def __init__(
        self, *zone_ids: str, since: str = "23 00:00", cells: int = 10, policy: str = "core"
    ) -> None:
        self.since_ms = at(since)
        self.behind_ms = 0
        self.known_again_ms = 0
        self.refs = [ZoneRef(z, f"Zone {z}", f"{z}片区", policy, cells) for z in zone_ids]
        self.cells = dict.fromkeys(zone_ids, cells)
        self.visits: dict[str, list[tuple[int, int, str]]] = {z: [] for z in zone_ids}
        self.heard: int | None = None
        self.always_heard = True
        self.now_ms = 0
        self.calls = 0
        self.settled: dict[object, object] = {}

    def patrol(self, zone_id: str, when: str, *, cells: int = 6, bike: str = "hello/B01") -> None:
        """Visit `cells` cells, one a minute, the last of them at `when`."""
        end = at(when)
        self.visits[zone_id] += [(end - 60_000 * i, i, bike) for i in range(cells)]

    def zones(self) -> list[ZoneRef]:
        return self.refs

    def cells_total(self, zone_id: str, to_ms: int) -> int:
        return self.cells.get(zone_id, 0)

    def remember(self, key: object, until_ms: int, find: object) -> object:
        if until_ms >= 0:
            return find()
        if key not in self.settled:
            self.settled[key] = find()
        return self.settled[key]

    def last_patrolled_ms(self, zone_id: str, *, min_cells: int, now_ms: int) -> int | None:
        visits = [v for v in self.visits[zone_id] if v[0] <= now_ms]
        for end in sorted({v[0] for v in visits}, reverse=True):
            if len({c for t, c, _ in visits if end - HALF_HOUR_MS < t <= end}) >= min_cells:
                return end
        return None

    def covered(self, zone_id: str, from_ms: int, to_ms: int) -> int:
        self.calls += 1
        return len({c for t, c, _ in self.visits[zone_id] if from_ms <= t < to_ms})

    def cell_ages(self, zone_id: str) -> CellAges:
        return CellAges(None, None)

    @property
    def heard_ms(self) -> int | None:
        return self.now_ms if self.always_heard else self.heard

    def silences(self, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
        begins_ms = max(from_ms, self.heard_ms or 0)
        return [(begins_ms, to_ms)] if begins_ms < to_ms else []

    def last_visit_by(self, zone_id: str, since_ms: int) -> VisitBy | None:
        found = [v for v in self.visits[zone_id] if v[0] >= since_ms]
        return VisitBy(max(found)[2], max(found)[0]) if found else None


class FakeFleet:
    """Bikes and vendors as tests say they are."""

    def __init__(self) -> None:
        self.known: dict[str, BikeFacts] = {}
        self.sent: dict[str, VendorFacts] = {}
        self.lost_s: float | None = None

    def put(self, bike: str = "hello/B01", *, heard: str | None = None, **facts: object) -> None:
        """Something new is known of a bike; times as in :func:`at`."""
        for key in ("fix", "battery"):
            if key in facts:
                facts[f"{key}_ms"] = at(str(facts.pop(key)))
        if heard is not None:
            facts["heard_ms"] = at(heard)
        self.known[bike] = self.known.get(bike, BikeFacts(bike))._replace(**facts)

    def bikes(self) -> list[str]:
        return list(self.known)

    def heard_between(self, from_ms: int, to_ms: int) -> list[str]:
        return self._where(lambda facts: from_ms <= (facts.heard_ms or 0) < to_ms)

    def charged_at_most(self, percent: float) -> list[str]:
        return self._where(lambda facts: (facts.battery_percent or 100) <= percent)

    def outside_by(self, metres: float, now_ms: int) -> list[str]:
        return self._where(lambda facts: (facts.outside_m or 0) > metres)

    def _where(self, beyond: Callable[[BikeFacts], bool]) -> list[str]:
        return [bike for bike, facts in self.known.items() if beyond(facts)]

    def bike(self, bike: str) -> BikeFacts | None:
        return self.known.get(bike)

    def heard(self, since_ms: int) -> int:
        return sum((facts.heard_ms or 0) >= since_ms for facts in self.known.values())

    def vendors(self, since_ms: int) -> dict[str, VendorFacts]:
        return self.sent

    def line_lost_s(self) -> float | None:
        return self.lost_s


def evaluated(evaluator: Evaluator, now_ms: int) -> Evaluation:
    """All parts of an evaluation as one."""
    parts = list(evaluator.in_parts(now_ms))
    return Evaluation(parts[0].statuses, [row for part in parts for row in part.transitions])


class District:
    """Zones, a book and an evaluator on one clock: tests read as timelines."""

    def __init__(
        self,
        *zone_ids: str,
        book: AlertBook | None = None,
        since: str = "23 00:00",
        cells: int = 10,
        campaigns: dict[str, dict[str, object]] | None = None,
        calendars: dict[str, str] | None = None,
        off: tuple[str, ...] = OFF,
        fleet: object = None,
        recipients: tuple[object, ...] = (),
        **policy: object,
    ) -> None:
        zone_ids = zone_ids or ("Z01",)
        self.patrols = FakePatrols(*zone_ids, since=since, cells=cells)
        self.book = book or AlertBook(":memory:")
        self.policies = Policies.parse(
            dict.fromkeys(zone_ids, "core"),
            {"core": {**POLICY, **policy}},
            SHANGHAI,
            campaigns=campaigns,
            calendars=calendars,
        )
        self.evaluator = Evaluator(
            self.policies, self.record, self.book, off=off, fleet=fleet, recipients=recipients
        )

    def record(self, now_ms: int) -> FakePatrols:
        """The record as of now."""
        self.patrols.now_ms = now_ms
        return self.patrols

    def evaluate(self, when: str | int):
        """One evaluation; events as ``zone/rule event``."""
        now_ms = at(when) if isinstance(when, str) else when
        self.last = evaluated(self.evaluator, now_ms)
        return [
            f"{t.zone_id or t.bike or t.vendor}/{t.rule} {t.event}" for t in self.last.transitions
        ]

    def run(self, start: str, end: str, *, step_s: int = 60):
        """Evaluate at regular times; ``(local time, zone/rule event)`` of what happened."""
        happened = []
        for now_ms in range(at(start), at(end) + 1, step_s * 1000):
            local = datetime.fromtimestamp(now_ms / 1000, SHANGHAI).strftime("%d %H:%M")
            happened += [(local, event) for event in self.evaluate(now_ms)]
        return happened

    def status(self, zone_id: str = "Z01"):
        return next(s for s in self.last.statuses if s.zone_id == zone_id)

    def alert(self, rule: str = "zone_unpatrolled", zone_id: str = "Z01"):
        found = self.book.find(zone_id=zone_id, rule=rule, limit=1)
        return found[0] if found else None
