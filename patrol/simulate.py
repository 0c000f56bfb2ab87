"""`patrol simulate`: a fleet that publishes to the configured broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bikes.simulator import SimulationPlan
from geofence.zones import Zones
from ingest.publisher import Publisher
from patrol.assembly import mqtt_options
from patrol.clock import Clock, FastClock, WallClock
from patrol.errors import ConfigError, Problem, Unreachable
from patrol.settings import Settings
from patrol.simulation import Fleet, Published, bike_ids, sim_zones

CONNECT_S = 15.0
ALL_DAY = 24 * 3600


async def simulate(
    settings: Settings,
    zones: Zones,
    *,
    bikes: int,
    speed: float,
    for_s: float | None,
    seed: int,
    neglected: str | None,
    stop: asyncio.Event,
    tell: Callable[[str], None],
) -> Published:
    """Let a fleet of the first vendor ride now, until `for_s` is over or `stop` is set.

    Raises
    ------
    ConfigError
        The vendor's list of bikes is too short.
    Unreachable
        The broker cannot be reached.
    """
    vendor, section = next(iter(settings.vendors.items()))
    listed = () if section.bikes == "any" else tuple(section.bikes)
    if listed and bikes > len(listed):
        message = f'lists {len(listed)} bikes, not {bikes}; list more, or write bikes = "any"'
        raise ConfigError([Problem(f"vendors.{vendor}.bikes", message)])
    clock: Clock = WallClock()
    if speed != 1:
        clock = FastClock(clock.now_ms(), speed)
    plan = SimulationPlan(
        seed=seed,
        vendor=vendor,
        bike_ids=bike_ids(listed, bikes),
        zones=sim_zones(zones),
        start_ms=clock.now_ms(),
        timezone=settings.district.timezone,
        neglected=neglected,
    )
    sender = Publisher(mqtt_options(settings.mqtt, suffix="-fleet"))
    sender.start()
    try:
        await _connected(sender)
        tell(f"{bikes} bikes of {vendor} ride; publishing to {settings.mqtt.url}")
        fleet = Fleet(plan, sender, clock)
        until_ms = None if for_s is None else clock.now_ms() + round(for_s * 1000 * speed)
        riding = asyncio.create_task(fleet.run(until_ms))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({riding, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        riding.cancel()
        await asyncio.gather(riding, return_exceptions=True)
        return fleet.published
    finally:
        await asyncio.to_thread(sender.close, 2.0)


async def _connected(sender: Publisher) -> None:
    deadline = asyncio.get_running_loop().time() + CONNECT_S
    while not sender.state.connected:
        if asyncio.get_running_loop().time() > deadline:
            raise Unreachable(f"no connection to the broker: {sender.state.reason}")
        await asyncio.sleep(0.05)
