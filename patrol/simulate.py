"""A simulated fleet that publishes to a real broker, and the command `patrol simulate`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace

import shapely

from bikes.simulator import SimulationPlan, Simulator, SimZone
from geofence.zones import Zones
from ingest.mqtt.publisher import Publisher
from patrol.assembly import mqtt_options
from patrol.clock import CatchUpClock, Clock, FastClock
from patrol.config.fields import did_you_mean
from patrol.config.sections import Settings
from patrol.errors import ConfigError, Problem, Unreachable
from patrol.supervisor import background_task
from words.times import DAY_MS

CONNECT_S = 6.0
CLOSE_S = 2.0
"""Age of the start of a fleet that rides faster than life and has no end [ms]."""

SETTLE_S = 10.0
"""Longest wait for the acknowledgement of the last messages [s]."""

UNDER_WAY = 2_000
"""Messages that may be unacknowledged; a broker that is slower slows the fleet down."""

LOOK_MS = 50
"""Messages due within this much of the wall's time are sent together [ms]."""


@dataclass
class Published:
    """Messages that the broker has acknowledged, and telemetry items in them."""

    messages: int = 0
    items: int = 0
    lost: int = 0  # messages with telemetry that the broker has not acknowledged by the end


def sim_zones(zones: Zones) -> list[SimZone]:
    """The zones of a fleet, less the areas that cannot be patrolled."""
    barred = shapely.union_all([exclusion.geometry for exclusion in zones.exclusions])
    return [SimZone(zone.zone_id, zone.geometry.difference(barred)) for zone in zones.zones]


def plan_of(
    settings: Settings,
    zones: Zones,
    vendor: str,
    ids: Sequence[str],
    *,
    seed: int,
    start_ms: int,
    neglected: str | None,
    delayed: str | None = None,
) -> SimulationPlan:
    """The plan of a fleet that rides in the zones of `start_ms`, and begins then."""
    return SimulationPlan(
        seed=seed,
        vendor=vendor,
        bike_ids=ids,
        zones=sim_zones(replace(zones, zones=zones.at(start_ms))),
        start_ms=start_ms,
        timezone=settings.district.timezone,
        neglected=neglected,
        delayed=delayed,
    )


def bike_ids(listed: Sequence[str], number: int) -> list[str]:
    """`number` ids: the listed ones first, then more in their style."""
    extra = (f"SIM{n:04d}" for n in range(1, number + 1))
    return [*listed[:number], *(bike for bike in extra if bike not in listed)][:number]


@dataclass(frozen=True, kw_only=True)
class FleetOptions:
    """Options of a simulated fleet, in `patrol simulate` and in the demo."""

    bikes: int = 28
    speed: float = 1.0  # how many seconds of the fleet's clock pass in one of the wall's
    for_s: float | None = None  # stop after so long [s of the wall]; None rides until it is stopped
    seed: int = 1  # the same seed rides the same way


class Fleet:
    """Publishes what a plan says, when its clock says so, through a publisher that was started."""

    def __init__(self, plan: SimulationPlan, publisher: Publisher, clock: Clock) -> None:
        self.plan, self.publisher, self.clock = plan, publisher, clock
        self.published = Published()
        self._simulator = Simulator(plan)
        self._under_way: deque[tuple[Future[bool], int]] = deque()
        self._sent: deque[tuple[int, int]] = deque()
        self._sent_items = 0

    def waiting_since(self, arrived: int) -> int | None:
        """Time at which the oldest item after the first `arrived` was sent [ms]; None for none."""
        while self._sent and self._sent[0][1] <= arrived:
            self._sent.popleft()
        return self._sent[0][0] if self._sent else None

    async def run(self, stop: asyncio.Event, for_s: float | None = None) -> None:
        """Send until `stop` is set or `for_s` is over [s of the wall].

        What is under way then may still be acknowledged, for a moment.
        """
        until_ms = None
        if for_s is not None:
            until_ms = self.plan.start_ms + round(for_s * 1000 * self.clock.speed)
        async with (
            background_task(self._send(until_ms)) as sending,
            background_task(stop.wait()) as stopping,
        ):
            await asyncio.wait({sending, stopping}, return_when=asyncio.FIRST_COMPLETED)
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                await self._settle(0)
        self.published.lost += sum(items > 0 for _, items in self._under_way)

    async def _send(self, until_ms: int | None) -> None:
        sent_until_ms = self.plan.start_ms
        step_ms = max(1, round(LOOK_MS * self.clock.speed))
        while until_ms is None or sent_until_ms < until_ms:
            upto_ms = sent_until_ms + step_ms
            if until_ms is not None:
                upto_ms = min(upto_ms, until_ms)
            await self.clock.sleep_until(upto_ms)
            for message in self._simulator.messages(sent_until_ms, upto_ms):
                done = self.publisher.publish(message.topic, message.payload, message.retain)
                self._under_way.append((done, message.items))
                self._sent_items += message.items
                if len(self._under_way) > UNDER_WAY:
                    await self._settle(UNDER_WAY)
            self._sent.append((upto_ms, self._sent_items))
            sent_until_ms = upto_ms
            await self._settle(UNDER_WAY)

    async def _settle(self, at_most: int) -> None:
        """Count what is acknowledged, and wait while more than `at_most` are not."""
        while self._under_way:
            done, items = self._under_way[0]
            if not done.done():
                if len(self._under_way) <= at_most:
                    return
                # A cancelled wait must not cancel the message.
                await asyncio.shield(asyncio.wrap_future(done))
            self._under_way.popleft()
            if done.result():
                self.published.messages += 1
                self.published.items += items
            elif items:  # of a bike's status only the newest counts
                self.published.lost += 1


async def simulate(
    settings: Settings,
    zones: Zones,
    options: FleetOptions,
    neglected: str | None,
    tell: Callable[[Fleet], Coroutine[None, None, None]],
    stop: asyncio.Event,
) -> Published:
    """Let a fleet of the first vendor that speaks MDS ride until `for_s` is over or `stop` is set.

    A fleet that is faster than life begins in the past, because telemetry from the future is
    rejected, and ends, or goes on at the pace of life, when it has caught up with now.

    Nobody goes to the zone `neglected`. `tell` runs beside the fleet, and is cancelled at its end.

    ConfigError: no vendor speaks MDS, its list of bikes is too short, or there is no such zone.
    Unreachable: the broker cannot be reached.
    """
    vendor, ids = _bikes(settings, options)
    clock = _clock(options)
    start_ms = clock.now_ms()
    _check_neglected(neglected, [zone.zone_id for zone in zones.at(start_ms)])
    plan = plan_of(
        settings, zones, vendor, ids, seed=options.seed, start_ms=start_ms, neglected=neglected
    )
    publisher = Publisher(mqtt_options(settings.mqtt, suffix="-fleet"))
    publisher.start()
    try:
        if not await _connected(publisher, stop):
            return Published()
        fleet = Fleet(plan, publisher, clock)
        if isinstance(clock, FastClock):
            clock.restart()  # connecting took a moment
        async with background_task(tell(fleet)):
            await fleet.run(stop, options.for_s)
        return fleet.published
    finally:
        await asyncio.to_thread(publisher.close, CLOSE_S)


def _bikes(settings: Settings, options: FleetOptions) -> tuple[str, list[str]]:
    """The first vendor whose bikes speak MDS, and those of them that ride."""
    speaks = ((name, one) for name, one in settings.vendors.items() if one.format == "mds")
    vendor, section = next(speaks, (None, None))
    if vendor is None or section is None:
        message = 'none has format = "mds", which is what simulated bikes speak; add one'
        raise ConfigError([Problem("vendors", message)])
    listed = () if section.bikes == "any" else tuple(section.bikes)
    if listed and options.bikes > len(listed):
        message = (
            f'lists {len(listed)} bikes, not {options.bikes}; list more, or write bikes = "any"'
        )
        raise ConfigError([Problem(f"vendors.{vendor}.bikes", message)])
    return vendor, bike_ids(listed, options.bikes)


def _check_neglected(zone_id: str | None, known: Sequence[str]) -> None:
    """Raise ConfigError when a zone cannot be left out."""
    if zone_id is None or (zone_id in known and len(known) > 1):
        return
    if zone_id in known:
        message = f'"{zone_id}" is the only zone: there is none left to ride in'
    else:
        message = f'there is no zone "{zone_id}"{did_you_mean(zone_id, known)}'
    raise ConfigError([Problem("--neglect", message)])


def _clock(options: FleetOptions) -> Clock:
    now_ms = Clock().now_ms()
    if options.speed == 1:
        return Clock()
    if options.speed < 1:
        return FastClock(now_ms, options.speed)
    back_ms = DAY_MS if options.for_s is None else round(options.for_s * 1000 * options.speed)
    return CatchUpClock(now_ms - back_ms, options.speed)


async def _connected(publisher: Publisher, stop: asyncio.Event) -> bool:
    """Whether there is a connection; False when it was stopped before."""
    deadline = asyncio.get_running_loop().time() + CONNECT_S
    while not publisher.state.connected:
        if stop.is_set():
            return False
        if asyncio.get_running_loop().time() > deadline:
            raise Unreachable(f"no connection to the broker: {publisher.state.reason}")
        await asyncio.sleep(0.05)
    return True
