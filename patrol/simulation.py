"""A simulated fleet that publishes to a real broker."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

import shapely

from bikes.simulator import SimulationPlan, Simulator, SimZone
from geofence.zones import Zones
from ingest.publisher import Publisher
from patrol.clock import Clock

SETTLE_S = 10.0
"""How long the last messages may take to be acknowledged [s]."""

UNDER_WAY = 2_000
"""Messages that may be unacknowledged; a broker that is slower slows the fleet down."""

LOOK_MS = 50
"""Messages due within this much of the wall's time are sent together [ms]."""


@dataclass
class Published:
    """What a fleet has sent.

    Attributes
    ----------
    messages, items : int
        Messages that the broker has acknowledged, and telemetry items in them.
    lost : int
        Messages with telemetry that the broker has not acknowledged by the end.
    """

    messages: int = 0
    items: int = 0
    lost: int = 0


def sim_zones(zones: Zones) -> list[SimZone]:
    """Where a fleet can ride: the zones, less what cannot be patrolled."""
    barred = shapely.union_all([exclusion.geometry for exclusion in zones.exclusions])
    return [SimZone(zone.zone_id, zone.geometry.difference(barred)) for zone in zones.zones]


def bike_ids(listed: Sequence[str], number: int) -> list[str]:
    """`number` ids: the listed ones first, then more in their style."""
    extra = (f"SIM{n:04d}" for n in range(1, number + 1))
    return [*listed[:number], *(bike for bike in extra if bike not in listed)][:number]


class Fleet:
    """Publishes what a plan says, when its clock says so.

    Parameters
    ----------
    plan : SimulationPlan
        Who rides where.
    publisher : Publisher
        Started already.
    clock : Clock
        The plan's time.
    """

    def __init__(self, plan: SimulationPlan, publisher: Publisher, clock: Clock) -> None:
        self._simulator = Simulator(plan)
        self._start_ms = plan.start_ms
        self._publisher = publisher
        self._clock = clock
        self._under_way: deque[tuple[Future[bool], int]] = deque()
        self._sent: deque[tuple[int, int]] = deque()
        self._sent_items = 0
        self.published = Published()

    def waiting_since(self, arrived: int) -> int | None:
        """When what was sent first, of all but `arrived` items, was sent [ms]; None for nothing."""
        while self._sent and self._sent[0][1] <= arrived:
            self._sent.popleft()
        return self._sent[0][0] if self._sent else None

    async def run(self, stop: asyncio.Event, for_s: float | None = None) -> None:
        """Send until `stop` is set or `for_s` is over [s of the wall].

        What is under way then may still be acknowledged, for a moment.
        """
        until_ms = None
        if for_s is not None:
            until_ms = self._start_ms + round(for_s * 1000 * self._clock.speed)
        sending = asyncio.create_task(self._send(until_ms))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({sending, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                await sending
        finally:
            for task in (sending, stopping):
                task.cancel()
            await asyncio.gather(sending, stopping, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                await self._settle(0)
        self.published.lost += sum(items > 0 for _, items in self._under_way)

    async def _send(self, until_ms: int | None) -> None:
        sent_until_ms = self._start_ms
        step_ms = max(1, round(LOOK_MS * self._clock.speed))
        while until_ms is None or sent_until_ms < until_ms:
            upto_ms = sent_until_ms + step_ms
            if until_ms is not None:
                upto_ms = min(upto_ms, until_ms)
            await self._clock.sleep_until(upto_ms)
            for message in self._simulator.messages(sent_until_ms, upto_ms):
                done = self._publisher.publish(message.topic, message.payload, message.retain)
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
                # Who stops waiting for a promise must not break it.
                await asyncio.shield(asyncio.wrap_future(done))
            self._under_way.popleft()
            if done.result():
                self.published.messages += 1
                self.published.items += items
            elif items:  # of a bike's status only the newest counts
                self.published.lost += 1
