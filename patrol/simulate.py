"""`patrol simulate`: a fleet that publishes to the configured broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from bikes.simulator import SimulationPlan
from geofence.zones import Zones
from ingest.publisher import Publisher
from patrol.assembly import mqtt_options
from patrol.beside import beside
from patrol.clock import CatchUpClock, Clock, FastClock, WallClock
from patrol.errors import ConfigError, Problem, Unreachable
from patrol.fields import did_you_mean
from patrol.settings import Settings
from patrol.simulation import Fleet, Published, bike_ids, sim_zones

CONNECT_S = 6.0
CLOSE_S = 2.0
BACK_MS = 24 * 3_600_000
"""How far back a fleet begins that rides faster than life and has no end."""


@dataclass(frozen=True, kw_only=True)
class SimulateOptions:
    """What can be asked of a simulated fleet.

    Attributes
    ----------
    bikes : int
        Its size.
    speed : float
        How fast it rides. Above 1 it begins in the past, because telemetry from the future is
        rejected, and ends, or goes on at the pace of life, when it has caught up with now.
    for_s : float, optional
        Stop after so long [s of the wall]; None rides until it is stopped.
    seed : int
        The same seed rides the same way.
    neglected : str, optional
        A zone that nobody goes to.
    """

    bikes: int = 28
    speed: float = 1.0
    for_s: float | None = None
    seed: int = 1
    neglected: str | None = None


@dataclass(frozen=True)
class Ride:
    """A fleet on its way, for whoever tells about it."""

    vendor: str
    bikes: int
    url: str
    start_ms: int
    zone: ZoneInfo
    clock: Clock
    fleet: Fleet
    sender: Publisher


async def simulate(
    settings: Settings,
    zones: Zones,
    options: SimulateOptions,
    tell: Callable[[Ride], Coroutine[None, None, None]],
    stop: asyncio.Event,
) -> Published:
    """Let a fleet of the first vendor that speaks MDS ride until `for_s` is over or `stop` is set.

    Parameters
    ----------
    tell : callable
        Run beside the fleet, and cancelled when it ends.

    Raises
    ------
    ConfigError
        No vendor speaks MDS, its list of bikes is too short, or there is no such zone.
    Unreachable
        The broker cannot be reached.
    """
    vendor, ids = _bikes(settings, options)
    clock = _clock(options)
    start_ms = clock.now_ms()
    zones = replace(zones, zones=zones.at(start_ms))
    _known(options.neglected, zones)
    plan = SimulationPlan(
        seed=options.seed,
        vendor=vendor,
        bike_ids=ids,
        zones=sim_zones(zones),
        start_ms=start_ms,
        timezone=settings.district.timezone,
        neglected=options.neglected,
    )
    sender = Publisher(mqtt_options(settings.mqtt, suffix="-fleet"))
    sender.start()
    try:
        if not await _connected(sender, stop):
            return Published()
        fleet = Fleet(plan, sender, clock)
        url, zone = settings.mqtt.url, ZoneInfo(settings.district.timezone)
        ride = Ride(vendor, len(ids), url, start_ms, zone, clock, fleet, sender)
        if isinstance(clock, FastClock):
            clock.restart()  # connecting took a moment
        async with beside(tell(ride)):
            await fleet.run(stop, options.for_s)
        return fleet.published
    finally:
        await asyncio.to_thread(sender.close, CLOSE_S)


def _bikes(settings: Settings, options: SimulateOptions) -> tuple[str, list[str]]:
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


def _known(neglected: str | None, zones: Zones) -> None:
    known = [zone.zone_id for zone in zones.zones]
    if neglected is None or (neglected in known and len(known) > 1):
        return
    if neglected in known:
        message = f'"{neglected}" is the only zone: there is none left to ride in'
    else:
        message = f'there is no zone "{neglected}"{did_you_mean(neglected, known)}'
    raise ConfigError([Problem("--neglect", message)])


def _clock(options: SimulateOptions) -> Clock:
    now_ms = WallClock().now_ms()
    if options.speed == 1:
        return WallClock()
    if options.speed < 1:
        return FastClock(now_ms, options.speed)
    back_ms = BACK_MS if options.for_s is None else round(options.for_s * 1000 * options.speed)
    return CatchUpClock(now_ms - back_ms, options.speed)


async def _connected(sender: Publisher, stop: asyncio.Event) -> bool:
    """Whether there is a connection; False when it was stopped before."""
    deadline = asyncio.get_running_loop().time() + CONNECT_S
    while not sender.state.connected:
        if stop.is_set():
            return False
        if asyncio.get_running_loop().time() > deadline:
            raise Unreachable(f"no connection to the broker: {sender.state.reason}")
        await asyncio.sleep(0.05)
    return True
