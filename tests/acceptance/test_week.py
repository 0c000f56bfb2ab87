"""A week as it was told live, asked again: a replay is evidence only when it says the same."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import starmap
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
import shapely

from alerts.periods import period_of
from bikes.simulator import SimulatedMessage, SimulationPlan, Simulator
from geofence.coverage import SLOT_MS
from geofence.redrawing import redrawn
from geofence.zone_state import ZoneStatus, states_of
from ingest.influx.line_protocol import coverage_lines, window_line
from ingest.log import Messages
from ingest.mqtt.connection import MqttOptions
from patrol.assembly import district_of
from patrol.clock import Clock
from patrol.config.settings import load_with_zones
from patrol.replay import judged_by, record_of
from patrol.simulate import sim_zones
from patrol.station import Station
from tests.dashboards.conftest import Api
from tests.dashboards.grafana.grafana import Range, Viewer
from tests.dashboards.grafana.looking import SHOWN
from tests.influx_servers import Influx1
from tests.patience import until
from tests.recorded import CONFIG

pytestmark = pytest.mark.timeout(1800)  # a week takes two minutes, and longer in company

SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTE_MS = 60_000
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "End"]


def at(text: str) -> int:
    """An instant of the week, such as ``Wed 14:00`` [ms]; the week begins on 2 March 2026."""
    day, clock = text.split()
    hour, minute = map(int, clock.split(":"))
    date = datetime(2026, 3, 2 + DAYS.index(day), hour, minute, tzinfo=SHANGHAI)
    return round(date.timestamp() * 1000)


BEGIN, END = at("Mon 00:00"), at("End 00:00")
SILENT = range(at("Tue 13:00"), at("Tue 18:30"))
"""Nobody hears anything, and nothing is handed in later."""
AWAY = range(at("Wed 14:00"), at("Wed 16:00"))
"""Half of the bikes are out of reach; they hand in all of it at the end."""
SHUNNED = range(at("Thu 13:00"), at("Thu 18:30"))
"""Nobody goes to cy-04."""


def minutes() -> Iterator[int]:
    """Every minute in and around patrol hours, every tenth of the others [ms]."""
    for at_ms in range(BEGIN, END, MINUTE_MS):
        clock = datetime.fromtimestamp(at_ms / 1000, SHANGHAI)
        hour = clock.hour + clock.minute / 60
        if 7.8 <= hour <= 12.2 or 13.3 <= hour <= 18.2 or clock.minute % 10 == 0:
            yield at_ms


class Told(NamedTuple):
    """State, reason and covered ratio that were told of a zone at a minute."""

    state: str
    reason: str
    covered_ratio: float


Minutes = dict[int, dict[str, Told]]


def told(statuses: Iterable[ZoneStatus]) -> dict[str, Told]:
    """What statuses say, by zone."""
    return {
        status.zone_id: Told(status.state, status.reason, status.covered_ratio)
        for status in statuses
    }


def telemetry() -> list[SimulatedMessage]:
    """What the fleet sends in the week; every fix arrives at the instant of it."""
    settings, zones = load_with_zones(CONFIG)
    plan = SimulationPlan(
        seed=7,
        vendor="hello",
        bike_ids=list(settings.vendors["hello"].bikes),
        zones=sim_zones(zones),
        start_ms=BEGIN,
        interval_s=30.0,
        dropouts_per_hour=1e-9,
        bad=0.0,
    )
    (shunned,) = [zone.geometry for zone in zones.at(BEGIN) if zone.zone_id == "cy-04"]
    shapely.prepare(shunned)

    found = []
    for message in Simulator(plan).messages(BEGIN, END):
        if not message.items or message.at_ms in SILENT:
            continue
        fix = json.loads(message.payload)
        place = fix["location"]
        if message.at_ms in SHUNNED and shapely.contains_xy(shunned, place["lng"], place["lat"]):
            continue
        found.append(message._replace(at_ms=fix["timestamp"]))
    return found


def delayed(messages: Sequence[SimulatedMessage]) -> list[SimulatedMessage]:
    """The same, of which some arrives late."""
    return [
        message._replace(at_ms=AWAY.stop)
        if message.at_ms in AWAY and message.topic.split("/")[3] < "HB015"
        else message
        for message in messages
    ]


class ShownClock(Clock):
    """A clock that shows what it is told."""

    at_ms = BEGIN

    def now_ms(self) -> int:
        return self.at_ms


class Week:
    """A station that lives through the week, looking at the zones at some instants.

    Attributes
    ----------
    told : dict
        What it said at each of them.
    """

    def __init__(
        self, folder: Path, messages: Sequence[SimulatedMessage], looks: Iterable[int]
    ) -> None:
        settings, zones = load_with_zones(CONFIG)
        self.clock = ShownClock()
        nowhere = MqttOptions("127.0.0.1", 1, protocol="3.1.1", client_id="nobody", filters=("#",))
        self.station = Station(
            district_of(settings, zones, BEGIN), folder, nowhere, nowhere, clock=self.clock
        )
        self.told: Minutes = {}
        self._live(messages, looks)

    def _live(self, messages: Sequence[SimulatedMessage], looks: Iterable[int]) -> None:
        messages = sorted(messages, key=lambda message: message.at_ms)
        station = self.station
        station.worker.restore(BEGIN)
        acts: dict[int, Callable[[], object]] = {
            at("Thu 09:00"): self._pause,
            at("Fri 13:30"): self._campaign,
            at("Sat 10:07"): self._redraw,
        }
        following = 0
        for now_ms in sorted({*looks, *acts, END}):
            self.clock.at_ms = now_ms
            first = following
            while following < len(messages) and messages[following].at_ms <= now_ms:
                following += 1
            if some := messages[first:following]:
                topics, payloads = [m.topic for m in some], [m.payload for m in some]
                station.log.append(Messages(now_ms, topics, payloads))
                while station.worker.step(50_000):
                    pass
            if act := acts.get(now_ms):
                act()
            station.evaluate()
            self.told[now_ms] = told(station.judging.statuses.values())

    def close(self) -> None:
        """Close its files."""
        self.station.book.close_file()
        self.station.log.close()

    def statuses(self, at_ms: int) -> list[ZoneStatus]:
        """How it says at the end of the week that zones stood at an instant."""
        station = self.station
        record = station.judging.record(station.worker.view.ledger.as_of(at_ms), at_ms)
        return states_of(record, station.district.policies.plan)

    def asked(self, at_ms: int) -> dict[str, Told]:
        """What it says at the end of the week of an instant."""
        return told(self.statuses(at_ms))

    def _pause(self) -> None:
        self.station.orders.pause(
            "cy-02", "dispatcher", self.clock.now_ms(), reason="flood", until="2026-03-05T11:30"
        )

    def _campaign(self) -> None:
        keys = {"zones": ["cy-08"], "to": "2026-03-07T12:00", "frequency": "20m", "target": 0.9}
        self.station.orders.start("spring", keys, "dispatcher", self.clock.now_ms())

    def _redraw(self) -> None:
        drawing, now_ms = self.station.drawing, self.clock.now_ms()
        (zone,) = [zone for zone in drawing.zones.at(now_ms) if zone.zone_id == "cy-01"]
        west, south, east, north = zone.geometry.bounds
        half = zone.geometry.intersection(shapely.box(west, south, (west + east) / 2, north))
        feature = {
            "geometry": shapely.geometry.mapping(half),
            "properties": {"name": zone.name, "policy": zone.policy},
        }
        policies = list(self.station.district.settings.policies)
        zones = redrawn(
            drawing.zones, "cy-01", feature, now_ms, policies=policies, timezone=SHANGHAI
        )
        before = self.station.worker.view
        drawing.adopt(drawing.propose(zones))
        # The worker's own thread judges again; nobody else may use the worker meanwhile.
        until(lambda: self.station.worker.view is not before)


@pytest.fixture(scope="module")
def sent() -> list[SimulatedMessage]:
    """What the fleet sends."""
    return telemetry()


@pytest.fixture(scope="module")
def week(sent: list[SimulatedMessage], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    """The week in which some telemetry came late."""
    lived = Week(tmp_path_factory.mktemp("week"), delayed(sent), minutes())
    yield lived
    lived.close()


def differences(live: Minutes, asked: Minutes) -> list[str]:
    """Where two tellings differ, to be read."""
    return [
        f"{datetime.fromtimestamp(at_ms / 1000, SHANGHAI):%a %H:%M} {zone_id}: "
        f"{live[at_ms][zone_id]} became {then}"
        for at_ms, zones in asked.items()
        for zone_id, then in zones.items()
        if then != live[at_ms][zone_id]
    ]


def test_an_instant_is_told_as_it_was(week: Week) -> None:
    """At every minute, of every zone: state, reason and covered ratio of `?at=` are what was told
    live, except while half of the fleet was out of reach."""
    assert {zone.state for zones in week.told.values() for zone in zones.values()} >= {
        "compliant", "due", "overdue", "short", "unmeasurable", "off_duty", "paused",
    }  # fmt: skip
    asked = {at_ms: week.asked(at_ms) for at_ms in week.told if at_ms not in AWAY}
    assert differences(week.told, asked) == []


def test_late_telemetry_is_told_as_if_it_had_not_been_late(
    week: Week, sent: list[SimulatedMessage], tmp_path: Path
) -> None:
    """As by a station that had all of it at once; live nobody could know it."""
    fresh = Week(tmp_path, sent, [])
    fresh.close()
    asked = {at_ms: week.asked(at_ms) for at_ms in week.told if at_ms in AWAY}
    assert differences(week.told, asked) != []
    assert differences({at_ms: fresh.asked(at_ms) for at_ms in asked}, asked) == []


def counted(found: dict[str, int]) -> Counter[str]:
    """Windows by verdict, without verdicts that none has."""
    return +Counter({verdict: found[verdict] for verdict in ("reached", "short", "unknown")})


def test_everybody_counts_the_same_windows(week: Week, tmp_path: Path) -> None:
    """Calendar, weekly bulletin, what-if with the same policies, and Grafana's compliance."""
    station, api = week.station, Api(week.station.app)
    period = period_of("weekly", datetime(2026, 3, 4, tzinfo=SHANGHAI).date(), SHANGHAI)
    bulletin = {
        zone.zone_id: counted(
            {"reached": zone.reached, "short": zone.short or 0,
             "unknown": sum(zone.unknown.values())}
        )
        for zone in station.judging.desk.compile(period, END).coverage
    }  # fmt: skip
    assert len(bulletin) == 9
    assert sum(bulletin.values(), Counter()).keys() == {"reached", "short", "unknown"}
    for zone_id in ("cy-04", "cy-08"):  # of a shift nobody heard anything
        assert bulletin[zone_id]["unknown"] == 1

    calendar = {}
    for zone_id in bulletin:
        answer = api.get(f"/api/v1/coverage/{zone_id}/days?from=2026-03-02&to=2026-03-08")
        windows = [Counter(day["windows"]) for day in answer.json()["days"]]
        calendar[zone_id] = counted(sum(windows, Counter()))
    assert calendar == bulletin

    keys = list(station.worker.roster.keys)
    judged = station.worker.judged(keys, BEGIN, END)
    _, visits = station.district.judge.assess(judged.fixes)
    record = record_of(station.district, BEGIN, END)
    seen = record.hear(judged.fixes.bike, judged.fixes.timestamp_ms, visits)
    record.pass_([seen], END + SLOT_MS)
    what_if = {
        zone.zone_id: counted(
            {"reached": zone.windows - zone.windows_short - zone.windows_unknown,
             "short": zone.windows_short, "unknown": zone.windows_unknown}
        )
        for zone in judged_by(record.ended())
    }  # fmt: skip
    assert what_if == bulletin

    with Influx1(tmp_path / "influx") as store:
        noon = coverage_lines(week.statuses(at("Sun 11:00")), at("Sun 11:00"), bikes_inside={})
        status, text = store.write(
            noon + b"".join(starmap(window_line, station.judging.evaluator.windows(BEGIN, END)))
        )
        assert status == 204, text
        until = datetime.fromtimestamp(END / 1000, SHANGHAI)
        viewer = Viewer(store, SHOWN["coverage"], Range(until - timedelta(days=7), until), {})
        assert compliance(viewer) == bulletin


def compliance(viewer: Viewer) -> dict[str, Counter[str]]:
    """Windows by verdict in Grafana's panel, of each zone."""
    (frame,) = viewer.sees(viewer.panel("Compliance of the month"))
    rows: list[dict[str, Any]] = [
        dict(zip(frame, row, strict=True)) for row in zip(*frame.values(), strict=True)
    ]
    return {row["zone_id"]: counted(row) for row in rows}
