"""What the HTTP API and the console read: one value, filled by the composition root.

Nothing in `dashboards` reaches further than this. What the worker's thread changes is read from
views that never change; the rest is read on the event loop that also changes it, so no read is
torn. Only `judged`, `last_believed` and `record` are called in a thread for requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from prometheus_client.registry import Collector

from alerts.alert import UNDO_S
from alerts.notify.apprise import AppriseNotifier
from alerts.orders import Orders
from alerts.plan import ZonePlan
from alerts.policy import Policy
from alerts.rules import RULES
from alerts.rules.registry import Registry
from alerts.store.book import AlertBook
from bikes.roster import BikeKey, Roster
from bikes.telemetry import TelemetryBatch
from dashboards.drawing import Drawing
from dashboards.vendor_desk import VendorDesk
from files.secret import harmless
from geofence.atlas import Atlas, Era
from geofence.coverage import View
from geofence.record import Record
from geofence.steps import JudgedFixes
from geofence.zone_state import ZoneStatus
from geofence.zonemap import ZoneMap
from ingest.mqtt.publisher import PublisherState
from ingest.rejects import RejectBook
from ingest.worker import WorkerView


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the system as /readyz shows it."""

    name: str  # such as ``inlet``, ``log``, ``alert book``
    ok: bool  # whether it does its work
    reason: str = ""  # why not, or what it is doing
    required: bool = True
    """Whether the system is not ready without it. It is without a copy that catches up later."""

    def __post_init__(self) -> None:
        # A library or another server may have said it.
        object.__setattr__(self, "reason", harmless(self.reason))


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the parts, and counters since the start."""

    parts: Sequence[Part]  # all parts
    received: int = 0  # items of telemetry that came in
    stored: int = 0  # of these, the accepted ones: in the log, and in the archive sooner or later
    rejected: int = 0  # of these, the rejected ones
    duplicates: int = 0  # of the stored, fixes that were there already
    published: int | None = None  # items that the simulator of the demo sent
    verdicts: Mapping[str, int] = field(default_factory=dict)
    """Stored fixes by quality verdict, once it is settled."""
    lag_s: float = 0.0
    """Age of the oldest message that is in the log but not yet in the coverage [s]."""
    log_head: int = 0  # number of the newest message in the log
    log_depth: Mapping[str, int] = field(default_factory=dict)
    """Messages each reader of the log has yet to read."""
    outgoing: PublisherState = field(default_factory=PublisherState)
    """Of the station's own messages: coverage, alerts, refusals."""
    evaluated_ms: int = 0
    """Time as of which zones and alerts were last judged [ms]; 0 before the first."""

    @property
    def ready(self) -> bool:
        """Whether every required part works."""
        return all(part.ok for part in self.parts if part.required)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the API and the console get what they show.

    It is asked on the event loop. Work in a thread may ask it too, but not for `health`, `rejects`,
    `orders` and `drawing`, which belong to the loop.
    """

    district: str  # name of the district
    timezone: str  # IANA name of the district's time zone; times are written in it
    atlas: Atlas
    """Grid, and zones through time. They can be redrawn: ask, and keep nothing."""
    in_force: Callable[[], Era]  # the zones as of the last assessment, and since when they are so
    drawing: Drawing  # the way to redraw them
    policies: Mapping[str, Policy]  # the policies there are, by name, without any campaign
    roster: Roster  # all bikes
    view: Callable[[], WorkerView]
    """State of the worker after its last step: coverage, fleet and counters of one moment. It never
    changes, so any thread may read it."""
    book: AlertBook  # alerts and their transitions
    orders: Orders  # pauses and campaigns
    rejects: RejectBook  # messages that were not accepted
    statuses: Callable[[], Mapping[str, ZoneStatus]]
    """The last assessment of every zone, by zone id."""
    record: Callable[[View, int], Record]
    """What was patrolled as of an instant [ms], by a view of the ledger as of it. Called in a
    worker thread."""
    plan: Callable[[str], ZonePlan]
    """What is asked of a zone (id) through time; KeyError when there is none."""
    known_from_ms: Callable[[], int]  # from when on it is known what was visited [ms]
    judged: Callable[[Sequence[BikeKey], int, int], JudgedFixes]
    """The fixes of some bikes in [from_ms, to_ms), with the steps between them. May read files:
    called in a worker thread. Raises ArchiveDamaged, or StoreUnavailable at a stop."""
    last_believed: Callable[[Sequence[BikeKey], int, int, int], Iterable[TelemetryBatch]]
    """The last believed fix of some bikes in each step of a time, some bikes after the others, by
    vendor and id: from, to and length of a step [ms]. Called, and raises, as `judged`."""
    recipients: Callable[[], Sequence[AppriseNotifier]] = lambda: ()
    """People who are told about alerts."""
    health: Callable[[], Health]  # state of the parts and counters
    vendors: VendorDesk  # the vendors, and their lists of bikes
    now_ms: Callable[[], int]
    """The one clock [ms]: the wall's, or in demo and replay the telemetry's."""
    meters: Sequence[Collector] = ()  # metrics that other parts keep themselves
    rules: Registry = field(default_factory=lambda: RULES)  # the alert rules
    demo_speed: float | None = None
    """How many times faster than the wall that clock runs; None when it is the wall's."""

    def ledger(self) -> View:
        """Visited cells, as of the last step, without what a further fix may take back.

        It may be called, and read, in any thread.
        """
        return self.view().ledger.certain(self.now_ms())

    @property
    def zones(self) -> ZoneMap:
        """The zones there are now: of one moment with :attr:`statuses`."""
        return self.in_force().zones

    def zones_at(self, at_ms: int) -> ZoneMap:
        """The zones of an instant [ms]."""
        return self.atlas.at(at_ms)

    @property
    def tz(self) -> ZoneInfo:
        """The district's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def undo_within_ms(self) -> int:
        """How long what somebody did to an alert can be taken back, on the one clock [ms]."""
        return round(UNDO_S * 1000 * (self.demo_speed or 1.0))
