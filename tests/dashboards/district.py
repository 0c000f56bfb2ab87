"""The sample district with a fleet that a test moves by hand: real parts, a settable clock."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from alerts.findings import Step
from alerts.fleet import VendorFacts
from alerts.orders import Orders
from alerts.plan import Policies
from alerts.policy import parse_policy
from alerts.store.alert_rows import Opening
from alerts.store.book import AlertBook, Change
from bikes.fleet import FleetState
from bikes.formats import FORMATS
from bikes.roster import BikeKey, Roster
from bikes.telemetry import COLUMNS, TelemetryBatch
from dashboards.drawing import Drawing
from dashboards.sources import Health, Part, Sources
from dashboards.vendor_desk import VendorDesk
from geofence.atlas import Atlas
from geofence.coverage import Ledger, View
from geofence.quality import Limits
from geofence.record import Record
from geofence.runs import Judge, Midnights, Visits
from geofence.zone_state import ZoneState, ZoneStatus
from geofence.zonemap import ZoneMap
from geofence.zones import Zones, parse_zones
from ingest.accounts import Accounts
from ingest.archive import Archive
from ingest.first_message import first_message
from ingest.mqtt.connection import MqttOptions
from ingest.rejects import Refused, Reject, RejectBook
from ingest.vendors import VendorFormat
from ingest.worker import WorkerView
from tests.rides import zone_map

SAMPLE = Path(__file__).parents[2] / "samples" / "chengyang"
NINE_MS = 1_763_859_600_000  # 2025-11-23T09:00:00+08:00
TIMEZONE = "Asia/Shanghai"
POLICIES = ("core", "residential", "industrial", "arterial", "waterfront")


@cache
def sample_drawn() -> Zones:
    """The 9 zones of the sample district."""
    geojson = (SAMPLE / "zones.geojson").read_bytes()
    exclusions = (SAMPLE / "exclusions.geojson").read_bytes()
    return parse_zones(geojson, exclusions, POLICIES)


@cache
def sample_zones() -> ZoneMap:
    """:func:`sample_drawn` on a grid."""
    return zone_map(sample_drawn())


@cache
def _laid() -> Atlas:
    return Atlas(sample_drawn())


def sample_atlas() -> Atlas:
    """:func:`sample_drawn` laid out, to redraw: laid once, for a layout never changes."""
    return copy(_laid())


def sections() -> dict[str, dict[str, object]]:
    """The policies of the sample configuration."""
    found: dict[str, dict[str, object]] = tomllib.loads(
        (SAMPLE / "patrol.toml").read_text("utf-8")
    )["policies"]
    return found


def sample_policies(**campaigns: dict[str, object]) -> Policies:
    """What the sample configuration asks of the zones, with campaigns."""
    written = sections()
    zones = {zone.zone_id: zone.policy for zone in sample_zones().zones}
    return Policies.parse(zones, written, ZoneInfo(TIMEZONE), campaigns=campaigns)


@dataclass
class District:
    """Parts that a test changes, and the sources over them."""

    book: AlertBook
    atlas: Atlas = field(default_factory=sample_atlas)
    saved: list[Zones] = field(default_factory=list)
    roster: Roster = field(
        default_factory=lambda: Roster(
            {"hello": [f"bike-{n:02}" for n in range(28)], "other": "any"}
        )
    )
    rejects: RejectBook = field(default_factory=RejectBook)
    now_ms: int = NINE_MS
    seq: int = 0
    accounts: Accounts = field(default_factory=dict)
    statuses: dict[str, ZoneStatus] = field(default_factory=dict)
    health: Health = field(default_factory=lambda: Health([Part("inlet", ok=True)]))
    demo_speed: float | None = None
    policies: Policies = field(default_factory=sample_policies)
    known_from_ms: int = NINE_MS - 30 * 86_400_000
    kept: list[Sequence[BikeKey]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fleet = FleetState(self.roster)
        broker = MqttOptions("127.0.0.1", 1)
        formats = {name: VendorFormat(name, FORMATS["mds"]) for name in self.roster.vendors}
        self.vendors = VendorDesk(
            formats=lambda: formats,
            counts=lambda since_ms: {name: VendorFacts(600, 60) for name in formats},
            first_message=lambda name: first_message(
                formats[name], "B1", 36.3, 120.4, self.now_ms, broker
            ),
            listen=lambda name, for_s: ([f"patrol/v1/{name}/#"], []),
            save=self.kept.append,
            follow=self._list,
        )
        self.archive = Archive(Path(self.book.file.path).parent / "archive", self.roster, TIMEZONE)
        self.ledger = Ledger(self.zones.grid.size)
        self.orders = Orders(self.book.file, self.policies, ZoneInfo(TIMEZONE))
        least_m = dict.fromkeys(POLICIES, 20.0)
        self.judge = Judge(self.atlas, Limits(), Midnights(TIMEZONE), least_m)
        self.drawing = Drawing(self.atlas, self.saved.append, lambda zones: None, lambda ms: None)
        for zone, total in zip(self.zones.zones, self.zones.cells_total.tolist(), strict=True):
            self.statuses[zone.zone_id] = ZoneStatus(
                zone_id=zone.zone_id,
                policy=zone.policy,
                state="compliant",
                reason="patrolled",
                detail="",
                covered_ratio=0.0,
                cells_covered=0,
                cells_total=total,
                target=0.8,
                window_from_ms=NINE_MS - 3_600_000,
                window_to_ms=NINE_MS + 8 * 3_600_000,
                idle_s=600.0,
                frequency_s=7200,
                due_in_s=6600.0,
                oldest_cell_age_s=None,
                mean_cell_age_s=None,
                last_patrolled_ms=NINE_MS - 600_000,
            )

    def _list(self, key: BikeKey, listed: bool) -> None:
        bikes = {bike for bike in self.roster.lists(key.vendor) or () if bike != key.bike_id}
        bikes |= {key.bike_id} if listed else set()
        self.roster.follow({"hello": bikes, "other": "any"})

    @property
    def zones(self) -> ZoneMap:
        """The zones there are now."""
        return self.atlas.at(self.now_ms)

    def sources(self) -> Sources:
        """What the API reads."""
        return Sources(
            district="Chengyang (sample)",
            timezone=TIMEZONE,
            atlas=self.atlas,
            in_force=lambda: self.atlas.layout.era_at(self.now_ms),
            drawing=self.drawing,
            vendors=self.vendors,
            policies={
                name: parse_policy(name, keys, ZoneInfo(TIMEZONE))
                for name, keys in sections().items()
            },
            roster=self.roster,
            view=lambda: WorkerView(
                self.ledger.view(), self.fleet.view(), seq=self.seq, accounts=self.accounts
            ),
            book=self.book,
            orders=self.orders,
            rejects=self.rejects,
            statuses=lambda: dict(self.statuses),
            record=self.record,
            plan=self.policies.plan,
            known_from_ms=lambda: self.known_from_ms,
            judged=partial(self.archive.judged, self.judge),
            last_believed=partial(self.archive.last_believed, self.judge),
            health=lambda: self.health,
            now_ms=lambda: self.now_ms,
            demo_speed=self.demo_speed,
        )

    def ride(
        self,
        bike: int,
        lat: float,
        lng: float,
        *,
        at_ms: int | None = None,
        heading: float = 90.0,
        observed: bool = True,
        battery: float = 80.0,
    ) -> None:
        """A bike sends a fix; the cell it lies in counts as visited."""
        at = self.now_ms if at_ms is None else at_ms
        values = {
            "bike": bike, "timestamp_ms": at, "lat_deg": lat, "lng_deg": lng, "accuracy_m": 5,
            "speed_mps": 4, "heading_deg": heading, "altitude_m": np.nan,
            "battery_percent": battery,
        }  # fmt: skip
        batch = TelemetryBatch(**{n: np.array([values[n]], t) for n, t in COLUMNS.items()})
        self.fleet.update(batch, heard_at_ms=at)
        self.archive.remember(0, batch)
        self.ledger.hear(batch.bike, batch.timestamp_ms)
        cell = self.zones.grid.cell_of(batch.lat_deg, batch.lng_deg)
        if self.zones.cell_zone[cell[0]] >= 0:
            times = batch.timestamp_ms
            self.ledger.add(Visits(batch.bike, cell, times, np.array([observed]), times, times))

    def stand(self, zone_id: str, state: ZoneState, **changes: object) -> None:
        """A zone is assessed anew."""
        before = self.statuses[zone_id]
        self.statuses[zone_id] = msgspec.structs.replace(before, state=state, **changes)

    def raise_alert(self, zone_id: str, rule: str = "zone_unpatrolled") -> str:
        """An alert comes and is active; its id."""
        steps = (Step("raise", "idle_over_frequency", {}), Step("activate", "delay_over", {}))
        rows = self.book.record([Change(Opening(rule, "critical", zone_id), steps)], self.now_ms)
        return rows[0].alert_id

    def return_alert(self, alert_id: str) -> None:
        """A patrol ends the condition of an alert."""
        proof = {"bike": "hello/bike-01", "at_ms": self.now_ms}
        self.book.record([Change(alert_id, (Step("return", "patrolled", proof),))], self.now_ms)

    def reject(self, bike_id: str = "bike-01", payload: str = "{") -> None:
        """A message is not accepted."""
        topic = f"patrol/v1/hello/{bike_id}/telemetry"
        self.rejects.add(
            [
                Reject(
                    reason="not_json",
                    detail="truncated",
                    received_at_ms=self.now_ms,
                    topic=topic,
                    payload=payload,
                    vendor="hello",
                    bike_id=bike_id,
                )
            ],
            {Refused("telemetry", "hello", "not_json"): 1},
        )

    def patrol(self, bike: int, zone_id: str, *, at_ms: int, fixes: int = 60) -> TelemetryBatch:
        """A bike rides east along the longest row of a zone, 20 m and 5 s from fix to fix.

        Parameters
        ----------
        at_ms : int
            Time of the last fix [ms].
        """
        cells, grid = self.zones.cells(zone_id), self.zones.grid
        longest = np.bincount(cells // grid.cols).argmax()
        lat, lng = grid.centre(cells[cells // grid.cols == longest][:1])
        steps = np.arange(fixes)
        ride = TelemetryBatch(
            bike=np.full(fixes, bike, np.int32),
            timestamp_ms=at_ms - (fixes - 1 - steps) * 5000,
            lat_deg=np.repeat(lat, fixes),
            lng_deg=lng + steps * 20 / grid.metres_per_lng,
            accuracy_m=np.full(fixes, 5, np.float32),
            speed_mps=np.full(fixes, 4, np.float32),
            heading_deg=np.full(fixes, np.nan, np.float32),
            altitude_m=np.full(fixes, np.nan, np.float32),
            battery_percent=np.full(fixes, 80, np.float32),
        )
        self.fleet.update(ride, heard_at_ms=at_ms)
        self.archive.remember(0, ride)
        self.ledger.hear(ride.bike, ride.timestamp_ms)
        self.ledger.add(self.judge.assess(ride)[1])
        return ride

    def record(self, ledger: View, at_ms: int) -> Record:
        """What was patrolled as of an instant."""
        layout, since_ms = self.atlas.layout, self.known_from_ms
        return Record(layout, ledger, self.roster, since_ms=since_ms, now_ms=at_ms)


@contextmanager
def new_district(folder: Path, **parts: Any) -> Iterator[District]:
    """A district whose book is a file in `folder`; `parts` are other attributes of it."""
    book = AlertBook(folder / "alerts.sqlite")
    try:
        yield District(book, **parts)
    finally:
        book.close_file()
