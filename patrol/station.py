"""The station: all parts in one process, with one event loop and a thread for the worker.

    intake      inlet ─▶ log ─▶ worker          (ingest)
    evaluation  ledger ─▶ rules ─▶ alert book   (alerts), once a second, by :mod:`patrol.judging`
    outbox      alert book ─▶ MQTT, Apprise     (alerts)
    publisher   coverage, rejects ─▶ MQTT       (ingest)
    influx      log, alert book, coverage, health ─▶ InfluxDB   (ingest), if configured
    web         API and console                 (dashboards)
    canary      publisher ─▶ broker ─▶ evaluation, and systemd's watchdog

Only this file and :mod:`patrol.assembly` wire parts together. The supervisor starts evaluation,
outbox and influx again when they fail (:mod:`patrol.supervisor`), and /readyz names the failure.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from prometheus_client import Histogram

from alerts.notify import Notifier
from alerts.notify.mqtt import MqttNotifier, ZoneStatusTopic
from alerts.notify.outbox import Outbox
from alerts.orders import Orders
from alerts.store.book import AlertBook
from bikes import topics
from dashboards.access.access import Access
from dashboards.api.loopback import LOOPBACK
from dashboards.app import create_app
from dashboards.console.pages import ConsoleOptions, mount
from dashboards.sources import Health, Part, Sources
from geofence.zone_state import ZoneStatus
from ingest import set_aside
from ingest.decode import Decoded
from ingest.intake import Intake
from ingest.log import NOWHERE, SqliteLog
from ingest.mqtt.connection import MqttOptions
from ingest.mqtt.inlet import make_inlet
from ingest.mqtt.publisher import Publisher
from ingest.rejects import RejectBook, payload_json
from ingest.worker import Worker, rejects_of
from patrol import watchdog
from patrol.assembly import (
    District,
    bikes_of,
    drawing_of,
    filters_of,
    influx_writer_of,
    policies_named,
    readers_of,
    recipients_of,
    vendor_desk_of,
    worker_of,
)
from patrol.canary import EVERY_S, Canary
from patrol.clock import Clock
from patrol.data_folder import keep_private
from patrol.judging import Judging
from patrol.loop_watch import loop_watch, watch
from patrol.reload import Reload
from patrol.supervisor import Supervisor
from patrol.web import WebServer, hosts, refuse_strangers, tokens_of

STOP_WEB_S = 1.0
STUCK_S = 120.0
"""An evaluation that is due for so long hangs [s]."""


@dataclass
class Station:
    """The running system."""

    district: District
    folder: Path  # folder of everything that is stored; made when missing
    inlet: MqttOptions
    publisher: MqttOptions
    host: str = "127.0.0.1"
    port: int = 8080  # port of the web; it must be free
    clock: Clock = field(default_factory=Clock)
    config: Path | None = None  # the file that SIGHUP reads again; None: there is none
    access: Access | None = None
    """Users and tokens. None lets in everybody on this machine, as in the demo."""
    published: Callable[[], int | None] = lambda: None
    supervisor: Supervisor = field(default_factory=Supervisor)
    loop_held: Histogram = field(default_factory=loop_watch)
    canary_every_s: float = EVERY_S

    def __post_init__(self) -> None:
        refuse_strangers(self.district.settings.http, self.access)
        keep_private(self.folder)
        self.readers = readers_of(self.district.settings)
        self.log = SqliteLog(self.folder / "log.sqlite", self.readers)
        self.worker: Worker = worker_of(self.district, self.log, self.folder)
        self.rejects = RejectBook(self.worker.roster.vendors)
        self.to_itself = topics.canary(self.inlet.client_id)
        self.inlet = replace(self.inlet, filters=(*self.inlet.filters, self.to_itself))
        self.intake = Intake(
            make_inlet(self.inlet, self.clock.now_ms),
            self.log,
            self.worker,
            self._on_read,
            self._answer,
        )
        self.sender = Publisher(self.publisher)
        # At QoS 0: a broker that closes the connection for it gets it once, not again and again.
        send = partial(self.sender.publish, self.to_itself, qos=0)
        self.canary = Canary(send, self._open_line, self.canary_every_s)
        zone_ids = self.district.atlas.layout.zone_ids
        self.zone_statuses = ZoneStatusTopic(self.sender.publish, zone_ids)
        self.people = recipients_of(self.district, self.clock.now_ms)
        self.notifiers: list[Notifier] = [self._mqtt(), *self.people]
        self.book = AlertBook(self.folder / "alerts.sqlite", self.notifiers)
        self.outbox = Outbox(self.book.file, self.notifiers, Clock().now_ms)
        self.book.listen(self.outbox.wake)
        self._watched_seq = -1  # what had been read when the watchdog was fed last
        zone = self.district.settings.district.tz
        self.orders = Orders(self.book.file, self.district.policies, zone)
        self.judging = Judging(
            self.district,
            self.intake,
            self.book,
            self.people,
            self.clock,
            line_lost_s=lambda: self.canary.lost_s,
            shown=self._shown,
            done=self._judged,
            wake=self.outbox.wake,
        )
        self.influx = influx_writer_of(
            self.district, self.worker, self.folder, self.book, self.health, self.clock.now_ms
        )
        self.policies = policies_named(self.district)
        self.drawing = drawing_of(
            self.district, self.intake.redrawn, self.orders, self.folder, self.judging.follow_zones
        )
        self.reload: Reload | None = None
        if self.config is not None:
            self.reload = Reload(
                self.config,
                self.district,
                self.clock.now_ms,
                self.log,
                self.orders,
                self.policies,
                self._follow_settings,
            )
        recent = self.judging.fleet.vendors
        self.vendors = vendor_desk_of(
            self.district, self.worker, self.folder, self.publisher, recent, self.clock.now_ms
        )
        self._stopping = asyncio.Event()
        self.web = self._web()

    async def run(self) -> None:
        """Run until :meth:`stop`; then everything received is on disk, and computed if it has been
        up to date with the log.

        Raises Unreachable when the web cannot listen, and the errors of :meth:`Intake.run`.
        """
        if self.reload is not None:  # what is asked while the log is read is done after it
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hang_up)
        restore, halted = self.worker.restore, self._stopping.is_set
        known = NOWHERE if self.influx is None else self.influx.source.known()
        if not await asyncio.to_thread(restore, self.clock.now_ms(), halted, known):
            self._close()
            return
        self.sender.start()
        intake = asyncio.create_task(self.intake.run())
        if self.reload is not None:
            self.supervisor.start("reload", self.reload.run)
        self.supervisor.start("loop", partial(watch, self.loop_held))
        self.supervisor.start("evaluation", self.judging.run)
        self.supervisor.start("outbox", self.outbox.run)
        self.supervisor.start("canary", self.canary.run)
        self.supervisor.start("watchdog", partial(watchdog.feed, self._stuck))
        if self.influx is not None:
            self.supervisor.start("influx", self.influx.run)
        web = self.supervisor.start_once("web", self.web.run_until_told())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            # The intake ends by itself only when the log cannot be read: nothing goes on then.
            await asyncio.wait({intake, stopping, web}, return_when=asyncio.FIRST_COMPLETED)
            await self.intake.stop()
            await intake
            if self.intake.caught_up.is_set() and not self.judging.doubted:
                self.evaluate()
            if web.done():
                web.result()
        finally:
            watchdog.tell("STOPPING=1")
            stopping.cancel()
            await self._end()

    def stop(self) -> None:
        """Let :meth:`run` end in order; on its event loop."""
        self._stopping.set()
        self.app.state.background.close()

    def evaluate(self) -> None:
        """Judge everything now, and publish what changed; see :meth:`Judging.evaluate`."""
        self.judging.evaluate()

    def _shown(self, statuses: Sequence[ZoneStatus], now_ms: int) -> None:
        self.zone_statuses.publish(statuses, now_ms)
        if self.influx is not None:
            self.influx.reporter.coverage(statuses, now_ms)

    def _judged(self, now_ms: int) -> None:
        if self.influx is not None:
            windows = partial(self.judging.evaluator.windows, now_ms=now_ms)
            self.influx.reporter.windows(windows, now_ms)
        self.canary.seen(self.judging.view.canary)

    def health(self) -> Health:
        """State of the parts, and counters; on the event loop."""
        inlet, sender = self.intake.inlet.state, self.sender.state
        caught_up = self.intake.caught_up.is_set()
        reading = f"reading the log: {self.worker.seq} of {self.log.head} messages"
        view = self.worker.view
        total = view.total
        connected = inlet.phase == "connected"
        phase = inlet.phase if total.received or not connected else "connected, no message yet"
        return Health(
            parts=[
                Part("inlet", connected, inlet.reason or phase),
                Part("coverage", caught_up, "" if caught_up else reading),
                Part("storage", not self.intake.trouble, self.intake.trouble),
                Part("data", not (damage := set_aside.trouble(self.log.aside)), damage, False),
                Part("publisher", sender.connected, sender.reason),
                *self._left_out(),
                self._part("evaluation", self.judging.unbooked, self.judging.doubted),
                self._part("outbox", self.outbox.trouble),
                *self._influx_part(),
                self.canary.part(self.inlet),
                *([] if self.reload is None else [self.reload.part]),
            ],
            received=total.received,
            stored=total.accepted,
            rejected=total.rejected,
            duplicates=total.duplicate,
            verdicts=view.verdicts,
            published=self.published(),
            lag_s=self.intake.behind_ms(self.clock.now_ms()) / 1000,
            log_head=self.log.head,
            log_depth={name: self.log.depth(name) for name in self.readers},
            outgoing=sender,
            evaluated_ms=self.judging.evaluated_ms,
        )

    def _part(self, name: str, trouble: str, doing: str = "") -> Part:
        """A part that the supervisor runs; `doing` is no trouble."""
        trouble = self.supervisor.failure(name) or trouble
        return Part(name, not trouble, trouble or doing)

    def _left_out(self) -> list[Part]:
        """What is left out because it cannot be computed, while all else goes on."""
        zones = (f"{name}: {why}" for name, why in self.judging.evaluator.apart.troubles.items())
        found = "; ".join((*self.district.policies.troubles, *zones))
        return [Part("left_out", False, found, required=False)] if found else []

    def _influx_part(self) -> list[Part]:
        """InfluxDB is a copy that catches up: nobody has to wait for it."""
        if self.influx is None:
            return []
        failure = self.supervisor.failure("influx")
        state = self.influx.state
        return [Part("influx", state.ok and not failure, failure or state.reason, required=False)]

    def _open_line(self) -> bool:
        """Whether every part says that messages come through."""
        inlet, sender = self.intake.inlet.state, self.sender.state
        return inlet.phase == "connected" and sender.connected and self.intake.caught_up.is_set()

    def _stuck(self) -> str:
        """What has come to a stand and may go on after a restart; empty when nothing has."""
        seq, self._watched_seq = self._watched_seq, self.worker.seq
        if not self.intake.caught_up.is_set():
            return ""
        if time.monotonic() - self.judging.due_s > STUCK_S:
            return f"nothing was judged for {STUCK_S:.0f} s"
        # What never came back in this life would not in the next.
        if self.canary.came and self.canary.lost_s and seq == self.worker.seq:
            return "nothing comes through the line"
        return ""

    def _mqtt(self) -> MqttNotifier:
        """The notifier that tells programs about alerts."""

        async def publish(topic: str, payload: bytes, retain: bool) -> bool:
            return await asyncio.wrap_future(self.sender.publish(topic, payload, retain))

        return MqttNotifier(publish, lambda zone_id, rule: self.book.latest_open(zone_id, rule))

    def _on_read(self, decoded: list[Decoded]) -> None:
        """Book what came and what was rejected."""
        for part in decoded:
            at_ms, unknown = part.received_at_ms, part.unknown
            self.rejects.add(part.rejects, part.refused, part.notes, unknown, at_ms)
            self.judging.fleet.add(at_ms, part.received, part.rejected)

    def _answer(self, decoded: list[Decoded]) -> None:
        """Tell vendors what was rejected; called in the worker's thread."""
        for reject in rejects_of(decoded):
            if topic := topics.rejected(reject.vendor, reject.bike_id):
                self.sender.publish(topic, payload_json(reject))

    async def _follow_settings(self) -> None:
        """The settings of the district are others: go by them."""
        settings = self.district.settings
        self.worker.roster.follow(bikes_of(settings))
        self.rejects.follow(settings.vendors)
        if self.access is not None:
            self.access.follow(tokens_of(settings))
        self.people[:] = recipients_of(self.district, self.clock.now_ms)
        self.notifiers[1:] = self.people
        self.outbox.follow(self.notifiers)
        await self.intake.inlet.follow((*filters_of(settings), self.to_itself))

    def _hang_up(self) -> None:
        """SIGHUP came: read again what is in files."""
        self.web.renew_certificate()
        if self.reload is not None:
            self.reload.ask()

    async def _end(self) -> None:
        self.outbox.stop()
        if self.influx is not None:
            self.influx.stop()
        self.app.state.feed.close()
        self.web.should_exit = True
        for name, task in self.supervisor.tasks.items():
            if name not in ("outbox", "influx", "web"):  # which end when they are told
                task.cancel()
        await self.supervisor.end(within_s=STOP_WEB_S)
        await asyncio.to_thread(self.sender.close, 1.0)
        self._close()

    def _close(self) -> None:
        """Close the files."""
        if self.influx is not None:
            self.influx.file.close()
        self.book.close_file()
        self.log.close()

    def _web(self) -> WebServer:
        settings = self.district.settings
        sources = Sources(
            district=settings.district.name,
            timezone=settings.district.timezone,
            atlas=self.district.atlas,
            in_force=lambda: self.judging.era,
            drawing=self.drawing,
            policies=self.policies,
            roster=self.worker.roster,
            view=lambda: self.worker.view,
            book=self.book,
            orders=self.orders,
            rejects=self.rejects,
            statuses=lambda: self.judging.statuses,
            record=self.judging.record,
            plan=self.district.policies.plan,
            known_from_ms=self.judging.known_from_ms,
            judged=self.worker.judged,
            last_believed=self.worker.last_believed,
            recipients=lambda: self.people,
            health=self.health,
            vendors=self.vendors,
            meters=[self.loop_held, *self.canary.meters],
            now_ms=self.clock.now_ms,
            demo_speed=None if self.clock.speed == 1.0 else self.clock.speed,
        )
        http = settings.http
        reached = LOOPBACK if self.access is None else hosts(http)
        self.app = create_app(sources, self.access, reached)
        console = settings.console
        options = ConsoleOptions(
            language=console.language,
            tile_url=console.tile_url,
            tile_datum=console.tile_datum or "wgs84",
            max_gap_s=settings.quality.max_gap_s,
            battery_low_percent=settings.rules.limits["battery_low_percent"],
        )
        mount(self.app, sources, options)
        return WebServer(self.app, self.host, self.port, http, console.tile_url)
