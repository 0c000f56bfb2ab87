"""`patrol demo`: the whole system and a simulated fleet, in one process, with nothing to install.

Broker, fleet, intake, coverage, alerts and console run together over the sample district. The
clock starts at eight in the morning and runs fast, after a month that is made up. One zone is
neglected, so an alert comes; one is patrolled late, so an alert comes, and a patrol ends it.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from importlib.resources import files
from pathlib import Path

import msgspec

from bikes.roster import Roster
from bikes.simulator import SimulationPlan, past_days
from ingest.archive import Archive, Flush, Piece
from ingest.mqtt.connection import MqttOptions
from ingest.mqtt.publisher import Publisher
from ingest.worker import WorkerView
from patrol import web
from patrol.assembly import district_of, filters_of
from patrol.broker import embedded_broker
from patrol.clock import FastClock
from patrol.config.accepted_bikes import read_accepted, with_accepted
from patrol.config.sections import Policy, Settings
from patrol.config.settings import load_with_zones
from patrol.simulate import Fleet, FleetOptions, bike_ids, plan_of
from patrol.station import Station
from patrol.supervisor import background_task

NEGLECTED, DELAYED = "cy-07", "cy-08"
"""The zones of the sample district that nobody goes to, and that are patrolled late."""

VENDOR = "hello"
BEGINS = time(8)
PAST_DAYS = 30
HOLD_S = 60.0
"""Shortest time between the patrol that ends an alert and its closing, for somebody to verify and
close it [s of the wall]."""

DRAIN_S = 20.0
"""Longest way of the last messages from the fleet to the coverage [s]."""

AHEAD_S = 0.5
"""Longest lead of the clock over telemetry that has not arrived [s of the wall]."""

JUDGED_S = 2 * AHEAD_S
"""Longest lead of the clock over the instant of which the station has judged [s of the wall]."""


@dataclass(frozen=True, kw_only=True)
class DemoOptions(FleetOptions):
    """Options of the demo."""

    port: int | None = None  # where the console listens; None takes the first free one from 8080 on
    data: Path | None = None  # where to store; None for a temporary folder


class ZoneSummary(msgspec.Struct, frozen=True):
    """One zone: the covered ratio of its window, and its state."""

    zone_id: str
    covered_ratio: float
    state: str


class AlertsSummary(msgspec.Struct, frozen=True):
    """Alerts that somebody heard of: how many were raised, are open, and were closed."""

    raised: int
    open: int
    closed: int


class Summary(msgspec.Struct, frozen=True):
    """Telemetry items that the broker took, what became of them, the zones and the alerts."""

    published: int
    stored: int
    rejected: int
    zones: list[ZoneSummary]
    alerts: AlertsSummary


def summary_of(station: Station, before: WorkerView, start_ms: int, published: int) -> Summary:
    """What a run from `start_ms` on has added to a station, which has been evaluated."""
    after, until_then = station.worker.view.total, before.total
    rejected = after.rejected - until_then.rejected
    alerts = [
        alert
        for alert in station.book.find(limit=100_000)
        if alert.activated_at_ms is not None and (alert.open or alert.updated_at_ms >= start_ms)
    ]
    return Summary(
        published=published,
        stored=after.accepted - until_then.accepted,
        rejected=rejected,
        zones=[
            ZoneSummary(status.zone_id, round(status.covered_ratio, 4), status.state)
            for status in station.judging.statuses.values()
        ],
        alerts=AlertsSummary(
            raised=len(alerts),
            open=sum(alert.open for alert in alerts),
            closed=sum(alert.state == "closed" for alert in alerts),
        ),
    )


def sample_folder() -> Path:
    """The sample district: beside the packages in a checkout, inside `patrol` in a wheel."""
    packaged = Path(str(files("patrol"))) / "samples"
    folder = packaged if packaged.is_dir() else Path(__file__).parent.parent / "samples"
    return folder / "chengyang"


async def demo(
    options: DemoOptions,
    tell: Callable[[Station, Fleet], Coroutine[None, None, None]],
    stop: asyncio.Event,
) -> Summary:
    """Run until `options.for_s` is over or `stop` is set, with `tell` beside the fleet.

    Unreachable: the port is taken, or the broker does not start.
    ConfigError: it would listen where other machines can come in.
    """
    with (
        nullcontext(options.data)
        if options.data is not None
        else tempfile.TemporaryDirectory(prefix="zhixun-demo-")
    ) as folder:
        return await _demo(Path(folder), options, tell, stop)


async def _demo(
    folder: Path,
    options: DemoOptions,
    tell: Callable[[Station, Fleet], Coroutine[None, None, None]],
    stop: asyncio.Event,
) -> Summary:
    settings, zones = load_with_zones(sample_folder() / "patrol.toml", storage=folder)
    bikes = settings.vendors[VENDOR].bikes
    ids = bike_ids(() if bikes == "any" else bikes, options.bikes)
    vendor = settings.vendors[VENDOR].model_copy(update={"bikes": tuple(ids)})
    policies = {name: _held(policy, options.speed) for name, policy in settings.policies.items()}
    settings = settings.model_copy(update={"vendors": {VENDOR: vendor}, "policies": policies})
    settings = with_accepted(settings, read_accepted(folder))
    # The environment may say otherwise; nobody signs in here.
    web.refuse_strangers(settings.http, None)
    host = settings.http.host
    if options.port is None:
        port = web.next_free_port(host, settings.http.port)
    else:
        port = web.wanted_port(host, options.port)
    broker = web.any_free_port()
    with embedded_broker(broker):
        stored, start_ms = _start_ms(settings, folder)
        # Zones that were redrawn in an earlier demo may have other names.
        there = {zone.zone_id for zone in zones.at(start_ms)}
        plan = plan_of(
            settings,
            zones,
            VENDOR,
            ids,
            seed=options.seed,
            start_ms=start_ms,
            neglected=NEGLECTED if NEGLECTED in there else None,
            delayed=DELAYED if DELAYED in there else None,
        )
        if not stored:
            await asyncio.to_thread(_make_up_past, folder, plan)
        clock = FastClock(start_ms, options.speed)
        clock.hold_at(start_ms)  # starting takes a moment
        station = Station(
            district=district_of(settings, zones, start_ms),
            folder=folder,
            inlet=_mqtt(broker, "station", filters=filters_of(settings)),
            publisher=_mqtt(broker, "station"),
            host=host,
            port=port,
            clock=clock,
        )
        publisher = Publisher(_mqtt(broker, "fleet"))
        running = asyncio.create_task(station.run())
        try:
            await _until(lambda: station.health().ready and station.web.started, running)
            publisher.start()
            fleet = Fleet(plan, publisher, clock)
            before = station.worker.view

            def published() -> int:
                return before.total.received + fleet.published.items

            station.published = published
            async with (
                background_task(tell(station, fleet)),
                background_task(_keep_pace(clock, station, before.total.received, fleet)),
            ):
                async with background_task(fleet.run(stop, options.for_s)) as riding:
                    await _until(riding.done, running)
                # Everything that the broker has taken comes to be in the coverage.
                with suppress(TimeoutError):
                    arrived = _until(
                        lambda: station.worker.view.total.received >= published(), running
                    )
                    await asyncio.wait_for(arrived, DRAIN_S)
                station.evaluate()
            return summary_of(station, before, start_ms, fleet.published.items)
        finally:
            await asyncio.to_thread(publisher.close, 1.0)
            station.stop()
            await running


async def _until(done: Callable[[], bool], running: asyncio.Task[None]) -> None:
    """Wait until something is so; raise why the station has ended, when it has."""
    while not done():
        await asyncio.wait({running}, timeout=0.05)
        if running.done():
            running.result()
            raise RuntimeError("the station has ended by itself")


async def _keep_pace(clock: FastClock, station: Station, before: int, fleet: Fleet) -> None:
    """Hold the clock while telemetry is on its way for too long, or nothing is judged.

    On a slow machine the day then takes longer, instead of being judged by what is not there, or
    seldom.
    """
    second_ms = 1000 * clock.speed
    while True:
        limit_ms = station.judging.evaluated_ms + JUDGED_S * second_ms
        since_ms = fleet.waiting_since(station.worker.view.total.received - before)
        if since_ms is not None:
            limit_ms = min(limit_ms, since_ms + AHEAD_S * second_ms)
        clock.hold_at(round(limit_ms))
        await asyncio.sleep(AHEAD_S / 10)


def _mqtt(port: int, client_id: str, *, filters: tuple[str, ...] = ()) -> MqttOptions:
    return MqttOptions("127.0.0.1", port, protocol="3.1.1", client_id=client_id, filters=filters)


def _held(policy: Policy, speed: float) -> Policy:
    """A policy that leaves people time to close an alert."""
    hold_s = max(policy.close_hold_s, round(HOLD_S * speed))
    return policy.model_copy(update={"close_hold_s": hold_s})


def _make_up_past(folder: Path, plan: SimulationPlan) -> None:
    """Fill the archive with the month before a plan, as if a station had stored it."""
    archive = Archive(folder / "archive", Roster({plan.vendor: plan.bike_ids}), plan.timezone)
    for day in past_days(plan, PAST_DAYS):
        archive.write(Flush(0, [Piece(day)]))


def _start_ms(settings: Settings, folder: Path) -> tuple[bool, int]:
    """Whether anything is stored, and eight in the morning of today, or of the day after that."""
    zone = settings.district.tz
    day = datetime.now(zone).date()
    stored = [date.fromisoformat(file.stem) for file in folder.glob("archive/*/*.parquet")]
    if stored:
        day = max(day, max(stored) + timedelta(days=1))
    return bool(stored), round(datetime.combine(day, BEGINS, zone).timestamp() * 1000)
