"""Where an inspector really is: shifts of rides and stops, breaks and battery swaps.

An itinerary is a sequence of legs, each beginning where and when the one before ended. It is
made leg by leg as time goes on, so a rider costs no memory for the days to come.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bikes.simulator.leg import Leg, States, rest, ride
from bikes.simulator.plan import SimulationPlan
from bikes.simulator.streets import Streets
from bikes.simulator.walk import Walk

IDLE_PERCENT_PER_S = 1 / 14_400
"""What the tracker draws at rest: a percent in four hours."""


@dataclass(frozen=True, slots=True)
class Track:
    """True states of a bike at the times of its fixes.

    Attributes
    ----------
    at_ms : ndarray of int64, shape (n,)
        [ms since the epoch].
    states : States
        Columns of shape (n,).
    parked : ndarray of bool, shape (n,)
        Whether the bike was off duty.
    """

    at_ms: NDArray[np.int64]
    states: States
    parked: NDArray[np.bool_]


class Rider:
    """An inspector and the bike.

    Parameters
    ----------
    plan : SimulationPlan
        How to ride.
    streets : Streets
        Where.
    home : sequence of int
        Crossings of the part of the zone to patrol; at least two.
    stays : bool
        Never sent to another zone.
    rng : numpy.random.Generator
        Random numbers of this rider alone.
    """

    def __init__(
        self,
        plan: SimulationPlan,
        streets: Streets,
        home: Sequence[int],
        *,
        stays: bool,
        rng: np.random.Generator,
    ) -> None:
        self._plan, self._rng = plan, rng
        self._walk = Walk(streets, home, rng)
        self._away = [] if stays else streets.neighbours(home)
        self._place = self._walk.place(self._walk.ahead)
        self._heading = 0.0
        self._charge = float(rng.uniform(45, 100))
        self._slowest, self._fastest = plan.min_speed_kmh / 3.6, plan.max_speed_kmh / 3.6
        self._pace = float(rng.uniform(0.35, 0.65))
        self._now_s = 0.0
        self._interval_ms = round(plan.interval_s * 1000)
        self._parked_interval_ms = round(plan.parked_interval_s * 1000)
        self._next_ms = int(rng.integers(self._interval_ms))
        self._legs = self._itinerary()
        self._leg = next(self._legs)

    def until(self, to_ms: int) -> Track:
        """The fixes from where the last call ended up to, not including, `to_ms` [epoch]."""
        end_ms = to_ms - self._plan.start_ms
        times, states, parked = [np.empty(0, np.int64)], [NOWHERE], [np.empty(0, dtype=bool)]
        while True:
            leg = self._leg
            interval = self._parked_interval_ms if leg.parked else self._interval_ms
            at_ms = np.arange(self._next_ms, min(end_ms, math.ceil(leg.ends_s * 1000)), interval)
            if at_ms.size:
                times.append(at_ms)
                states.append(leg.at(at_ms / 1000))
                parked.append(np.full(at_ms.size, leg.parked))
                self._next_ms = int(at_ms[-1]) + interval
            if leg.ends_s * 1000 > end_ms:
                break
            self._leg = next(self._legs)
            if leg.parked and not self._leg.parked:
                # A bike that is moved wakes up: it does not wait for the next fix of its rest.
                self._next_ms = min(self._next_ms, math.ceil(leg.ends_s * 1000))
        return Track(
            at_ms=np.concatenate(times) + self._plan.start_ms,
            states=States(*(np.concatenate(column) for column in zip(*states, strict=True))),
            parked=np.concatenate(parked),
        )

    def _itinerary(self) -> Iterator[Leg]:
        plan, rng, home = self._plan, self._rng, self._walk.home_zone
        not_before_s = 0.0
        if plan.zones[home].zone_id == plan.delayed:
            not_before_s = plan.delayed_by_s
        for begins_s, ends_s in plan.shift_times():
            turns_out_s = max(begins_s, not_before_s) + rng.uniform(0, 60)
            knocks_off_s = ends_s - rng.uniform(360, 720)
            away, leaves_s, returns_s = self._errand(turns_out_s, knocks_off_s)
            if turns_out_s > self._now_s:
                yield self._rest(turns_out_s - self._now_s, parked=True)
            zone = home
            while self._now_s < knocks_off_s:
                wanted = away if leaves_s <= self._now_s < returns_s else home
                route: list[int] = []
                if wanted != zone:
                    route, zone = self._walk.to_zone(wanted), wanted
                yield self._ride(route or self._walk.onward(self._distance(), self._now_s))
                yield from self._stop()
            if zone != home and (route := self._walk.to_zone(home)):
                yield self._ride(route)

    def _errand(self, from_s: float, to_s: float) -> tuple[int, float, float]:
        """The zone to help out in this shift, from when to when; home when there is none."""
        sent, which, leaves = self._rng.random(3).tolist()
        share = float(self._rng.uniform(0.15, 0.3))
        if not self._away or sent >= self._plan.reassigned:
            return self._walk.home_zone, 0.0, 0.0
        leaves_s = from_s + (0.1 + 0.5 * leaves) * (to_s - from_s)
        return (
            self._away[int(which * len(self._away))],
            leaves_s,
            leaves_s + share * (to_s - from_s),
        )

    def _distance(self) -> float:
        return max(100.0, float(self._rng.gamma(3.0, self._plan.ride_m / 3)))

    def _ride(self, route: list[int]) -> Leg:
        """Ride along a route and stop somewhere in its last street."""
        plan, rng, walk = self._plan, self._rng, self._walk
        places = [walk.place(crossing) for crossing in (walk.ahead, *route)]
        if places[0] != self._place:
            places.insert(0, self._place)
        (ax, ay), (bx, by) = places[-2:]
        stop = float(rng.uniform(0.35, 0.75))
        places[-1] = (ax + stop * (bx - ax), ay + stop * (by - ay))
        share = np.clip(rng.normal(self._pace, 0.18, len(places)), 0.02, 0.98)
        speeds = (self._slowest + share * (self._fastest - self._slowest)).tolist()
        leg = ride(
            self._now_s,
            places,
            speeds,
            plan.acceleration_mps2,
            self._charge,
            percent_per_m=0.1 / plan.range_km,
            slow_mps=self._slowest,
        )
        walk.take(route, self._now_s)
        self._now_s, self._place = leg.ends_s, places[-1]
        self._heading, self._charge = float(leg.heading_deg[-1]), leg.charge[1]
        return leg

    def _stop(self) -> Iterator[Leg]:
        """Look at something, deal with something, or swap the battery."""
        plan, rng = self._plan, self._rng
        if self._charge < rng.uniform(*plan.swap_below_percent):
            half_s = rng.uniform(*plan.swap_s) / 2
            yield self._rest(half_s)
            self._charge = float(rng.uniform(95, 100))
            yield self._rest(half_s)
        elif rng.random() < plan.long_stop:
            yield self._rest(rng.uniform(*plan.long_stop_s))
        else:
            yield self._rest(rng.uniform(*plan.inspection_s))

    def _rest(self, lasts_s: float, *, parked: bool = False) -> Leg:
        before = self._charge
        self._charge = max(0.0, before - lasts_s * IDLE_PERCENT_PER_S)
        leg = rest(
            self._now_s, lasts_s, self._place, self._heading, (before, self._charge), parked=parked
        )
        self._now_s = leg.ends_s
        return leg


NOWHERE = States(*[np.empty(0)] * 5)
"""No states."""
