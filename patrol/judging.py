"""Judging: coverage ─▶ states of zones ─▶ rules ─▶ alerts and bulletins, once a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import structlog

from alerts.desk import BulletinDesk
from alerts.errors import BookUnavailable
from alerts.evaluator import Evaluator
from alerts.fleet import Fleet
from alerts.notify.apprise import AppriseNotifier
from alerts.store.book import AlertBook
from geofence.atlas import Era
from geofence.coverage import View
from geofence.record import Record
from geofence.zone_state import ZoneStatus
from ingest.intake import Intake
from ingest.worker import WorkerView
from patrol.assembly import District
from patrol.clock import Clock, Doubt
from words.times import DAY_MS

log = structlog.get_logger(__name__)

EVALUATE_EVERY_S = 1.0


@dataclass
class Judging:
    """Judges zones, bikes and vendors by what the intake's worker knows; on the event loop."""

    district: District
    intake: Intake
    book: AlertBook
    people: list[AppriseNotifier]
    clock: Clock
    line_lost_s: Callable[[], float | None]  # see :class:`alerts.fleet.Fleet`
    shown: Callable[[Sequence[ZoneStatus], int], None]  # told of the zones as of an instant [ms]
    done: Callable[[int], None]  # told when all was judged as of an instant [ms]
    wake: Callable[[], None]  # told that there are bulletins to be delivered
    statuses: dict[str, ZoneStatus] = field(default_factory=dict, init=False)
    evaluated_ms: int = field(default=0, init=False)  # the instant of the last evaluation
    era: Era = field(init=False)
    view: WorkerView = field(init=False)  # what is judged by; one for a whole evaluation
    doubted: str = field(default="", init=False)  # why nothing is judged at the moment
    unbooked: str = field(default="", init=False)  # why the last could not be recorded
    due_s: float = field(default=float("inf"), init=False)
    """When the last evaluation was due, by the monotonic clock [s]."""
    _record: Record | None = field(default=None, init=False)
    _newest: object = field(default=None, init=False)  # the evaluation that began last

    def __post_init__(self) -> None:
        district, worker = self.district, self.intake.worker
        policies, rules = district.policies, district.settings.rules
        zone = district.settings.district.tz
        self.view = worker.view
        self.era = district.atlas.layout.era_at(self.clock.now_ms())
        self.fleet = Fleet(
            district.atlas,
            lambda: self.view.fleet,
            worker.roster,
            keep_ms=round(rules.limits["rejects_period_s"] * 1000),
            line_lost_s=self.line_lost_s,
        )
        self.evaluator = Evaluator(
            policies,
            self.record_at,
            self.book,
            off=rules.off,
            fleet=self.fleet,
            limits=rules.limits,
            recipients=self.people,
        )
        self.desk = BulletinDesk(self.book, policies, self.record_at, self.people, zone)

    async def run(self) -> None:
        """Judge again and again, once the log has been read."""
        await self.intake.caught_up.wait()
        doubt = Doubt(self.clock)
        while True:
            self.due_s = time.monotonic()
            self.doubted = doubt.why()
            if not self.doubted:
                for _ in self._in_parts():
                    await asyncio.sleep(0)
            await asyncio.sleep(EVALUATE_EVERY_S / min(self.clock.speed, 2.0))

    def evaluate(self) -> None:
        """Judge everything now.

        Raises as :meth:`alerts.evaluator.Evaluator.in_parts`, but that a book which cannot be
        written is :attr:`unbooked`, and what was not recorded will be.
        """
        for _ in self._in_parts():
            pass

    def _in_parts(self) -> Iterator[None]:
        """As :meth:`evaluate`; between its parts the event loop may do something else."""
        now_ms = self.clock.now_ms()
        # Coverage and fleet stay the same for as long as this takes.
        self.view = self.intake.worker.view
        parts = self._newest = self.evaluator.in_parts(now_ms)
        self._show(next(parts).statuses, now_ms)
        try:
            for _ in parts:
                yield
                if parts is not self._newest:
                    return  # zones were redrawn and all was judged meanwhile
            with self.evaluator.apart.of("bulletins"):
                if self.desk.issue(now_ms):
                    self.wake()
            self.unbooked = ""
        except BookUnavailable as exc:
            if not self.unbooked:
                log.error("the alert book cannot be written, zones are still judged", why=str(exc))
            self.unbooked = str(exc)
        self.evaluated_ms = now_ms
        self.done(now_ms)

    def _show(self, statuses: Sequence[ZoneStatus], now_ms: int) -> None:
        self.era = self.district.atlas.layout.era_at(now_ms)
        self.statuses = {status.zone_id: status for status in statuses}
        self.shown(statuses, now_ms)

    def follow_zones(self) -> None:
        """Zones were redrawn: judge by them."""
        # Until they are judged, statuses are those of the zones that there still are.
        self.era = self.district.atlas.layout.era_at(self.clock.now_ms())
        self.statuses = {
            zone_id: status
            for zone_id, status in self.statuses.items()
            if self.era.zones.has(zone_id)
        }
        if self.intake.caught_up.is_set():
            self.evaluate()

    def record_at(self, now_ms: int) -> Record:
        """What was patrolled, as of now."""
        behind_ms = self.intake.behind_ms(self.clock.now_ms())
        self._record = self.record(
            self.view.ledger, now_ms, behind_ms=behind_ms, before=self._record
        )
        return self._record

    def record(
        self, ledger: View, at_ms: int, *, behind_ms: int = 0, before: Record | None = None
    ) -> Record:
        """What was patrolled as of an instant, by a view of the ledger as of it."""
        worker = self.intake.worker
        return Record(
            self.district.atlas.layout,
            ledger,
            worker.roster,
            since_ms=self.known_from_ms(),
            lost=worker.lost,
            now_ms=at_ms,
            behind_ms=behind_ms,
            before=before,
        )

    def known_from_ms(self) -> int:
        """From when on the ledger knows what was visited [ms]; a day it began to forget is gone."""
        worker = self.intake.worker
        kept_ms = worker.view.newest_ms - worker.coverage_days * DAY_MS
        if kept_ms <= worker.since_ms:
            return worker.since_ms
        return self.district.judge.midnights.ends(kept_ms)
