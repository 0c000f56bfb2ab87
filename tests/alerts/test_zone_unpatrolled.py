"""Whether late telemetry shows that a breach never was, against a slow obvious twin."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.alert import Alert
from alerts.plan import Policies
from alerts.rules.cases import OpenAlerts, Windows, ZoneCase
from alerts.rules.zone_unpatrolled import evaluate
from alerts.store.book import AlertBook
from geofence.record import CellAges, VisitBy
from geofence.windows import Zone
from geofence.zone_state import state_of

from .district import POLICY, SHANGHAI, FakePatrols, at

MINUTE = 60_000
KEYS = {**POLICY, "frequency": "40m", "hours": ["Mon-Sun 08:00-18:00", "Mon-Sun 20:00-23:00"]}
PLAN = Policies.parse({"Z01": "core"}, {"core": KEYS}, SHANGHAI).plan("Z01")


class PatrolledAt(FakePatrols):
    """A record in which the instants of patrols are given outright."""

    def __init__(self, instants: list[int], now_ms: int) -> None:
        super().__init__("Z01", since="23 07:00")
        self.instants = instants
        self.now_ms = now_ms

    def last_patrolled_ms(self, zone_id, *, min_cells, now_ms):
        return max((t for t in self.instants if t <= now_ms), default=None)

    def last_visit_by(self, zone_id, since_ms):
        return None if not self.instants else VisitBy("hello/B01", max(self.instants))

    def cell_ages(self, zone_id):
        return CellAges(None, None)


@settings(max_examples=150)
@given(
    minutes=st.lists(st.integers(60, 15 * 60), max_size=25),
    opened=st.integers(90, 14 * 60),
    later=st.integers(0, 300),
)
def test_void_only_what_never_held_and_return_the_rest(minutes, opened, later) -> None:
    """A patrol just now ends the condition; it is void if at no instant since it was true."""
    begin = at("23 07:00")
    opened_ms, now_ms = begin + opened * MINUTE, begin + (opened + later) * MINUTE
    patrols = PatrolledAt([t for m in minutes if (t := begin + m * MINUTE) < now_ms], now_ms)
    patrols.instants.append(now_ms)
    held = False
    for instant in range(opened_ms, now_ms + 1, MINUTE // 2):
        last = patrols.last_patrolled_ms("Z01", min_cells=5, now_ms=instant)
        held = held or PLAN.duty_s(max(last or 0, patrols.since_ms), instant) > 2400
    zone = Zone(patrols.refs[0], PLAN, patrols)
    alert = Alert(
        alert_id="A000001",
        rule="zone_unpatrolled",
        severity="critical",
        subject="zone",
        zone_id="Z01",
        bike=None,
        window_from_ms=None,
        window_to_ms=None,
        state="active",
        opened_at_ms=opened_ms,
    )
    windows, book = Windows(now_ms, now_ms, now_ms), AlertBook(":memory:")
    case = ZoneCase(zone, state_of(zone, now_ms), OpenAlerts([alert]), windows, book)
    finding = evaluate(case)
    assert finding.verdict == ("clear" if held else "never")
