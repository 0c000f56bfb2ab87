"""The true positions of an inspector: shifts of rides and stops, breaks and battery swaps.

An itinerary is a sequence of legs, each beginning where and when the one before ended. It is
made leg by leg as time goes on, so a rider costs no memory for the days to come.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bikes.simulator.plan import SimulationPlan
from bikes.simulator.town import Streets, Walk

Column = NDArray[np.float64]

MIN_SPEED_KMH, MAX_SPEED_KMH = 8.0, 20.0
"""Range of the riding speed, pulling off and stopping aside [km/h]."""

ACCELERATION_MPS2 = 0.6
"""Acceleration of pulling off and stopping [m/s²]."""

SHARP_DEG = 50.0
"""A turn by more than this [degrees] is taken slowly."""

RIDE_M = 600.0
"""Mean distance between two stops [m]."""

INSPECTION_S, LONG_STOP_S = (20.0, 90.0), (180.0, 420.0)
"""Shortest and longest stop to inspect something, and to deal with something [s]."""

LONG_STOP = 0.04
"""Share of long stops."""

RANGE_KM = 45.0
"""Range of a full battery [km]."""

SWAP_BELOW_PERCENT, SWAP_S = (17.0, 29.0), (150.0, 300.0)
"""Range of the charge below which the battery is swapped [%], of which one in a hundred comes to be
low; shortest and longest swap [s]."""

IDLE_PERCENT_PER_S = 1 / 14_400
"""Charge that the tracker draws at rest: a percent in four hours."""

PARKED_INTERVAL_S = 60.0
"""Time between two fixes while parked [s]."""


class States(NamedTuple):
    """True states at some times, as columns: [m], [m/s], [degrees clockwise from north], [%]."""

    x_m: Column
    y_m: Column
    speed_mps: Column
    heading_deg: Column
    battery_percent: Column


@dataclass(frozen=True, slots=True)
class Leg:
    """A ride from standing to standing, or a rest."""

    # Seconds after the start of the simulation.
    begins_s: float
    ends_s: float
    charge: tuple[float, float]  # battery at both ends [%]
    parked: bool  # whether the bike is off duty
    # Shape (corners,): the corners of the path, how far along it they are, and the heading from
    # each.
    x_m: Column
    y_m: Column
    along_m: Column
    heading_deg: Column
    # Shape (knots,): time after `begins_s`, distance and speed; between two knots the acceleration
    # is constant. A rest has one knot.
    knot_s: Column
    knot_m: Column
    knot_mps: Column

    def at(self, at_s: Column) -> States:
        """States at times within the leg, shape (n,) [s after the start of the simulation]."""
        since = at_s - self.begins_s
        charge = self.charge[0] + since / (self.ends_s - self.begins_s) * (
            self.charge[1] - self.charge[0]
        )
        if self.knot_s.size == 1:
            still = np.zeros(at_s.size)
            return States(
                still + self.x_m[0], still + self.y_m[0], still, still + self.heading_deg[0], charge
            )
        k = np.clip(np.searchsorted(self.knot_s, since, side="right") - 1, 0, self.knot_s.size - 2)
        rate = np.diff(self.knot_mps) / np.diff(self.knot_s)
        since = since - self.knot_s[k]
        speed = self.knot_mps[k] + rate[k] * since
        along = self.knot_m[k] + (self.knot_mps[k] + speed) / 2 * since
        street = np.clip(np.searchsorted(self.along_m, along, side="right") - 1, 0, None)
        return States(
            np.interp(along, self.along_m, self.x_m),
            np.interp(along, self.along_m, self.y_m),
            np.maximum(speed, 0.0),
            self.heading_deg[street],
            charge,
        )


def rest(
    begins_s: float,
    lasts_s: float,
    place: tuple[float, float],
    heading_deg: float,
    charge: tuple[float, float],
    *,
    parked: bool,
) -> Leg:
    """Stand still at a place (x, y) [m]; `charge` is the battery at both ends [%]."""
    x, y, heading = (np.array([value]) for value in (*place, heading_deg))
    zero = np.zeros(1)
    return Leg(begins_s, begins_s + lasts_s, charge, parked, x, y, zero, heading, zero, zero, zero)


def ride(
    begins_s: float,
    # Corners of the path [m], two or more, no two in a row the same.
    places: Sequence[tuple[float, float]],
    # Speed at each corner [m/s]; the first and the last are the speeds that pulling off ends with
    # and stopping begins with.
    speeds_mps: Sequence[float],
    acceleration_mps2: float,
    charge: float,
    percent_per_m: float,
    slow_mps: float,  # least speed in a sharp turn [m/s]
) -> Leg:
    """Ride along a path [m] with a charge [%]."""
    corners = np.array(places)
    step = np.diff(corners, axis=0)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(step[:, 0], step[:, 1]))])
    heading = np.degrees(np.arctan2(step[:, 0], step[:, 1])) % 360
    speeds = list(speeds_mps)
    turn = np.abs((np.diff(heading) + 180) % 360 - 180)
    for corner in (np.flatnonzero(turn > SHARP_DEG) + 1).tolist():
        speeds[corner] = max(slow_mps, 0.7 * speeds[corner])
    knot_m, knot_mps = _knots(along.tolist(), speeds, acceleration_mps2)
    knot_s = np.concatenate(
        [[0.0], np.cumsum(2 * np.diff(knot_m) / (knot_mps[1:] + knot_mps[:-1]))]
    )
    used = charge - percent_per_m * float(along[-1])
    return Leg(
        begins_s=begins_s,
        ends_s=begins_s + float(knot_s[-1]),
        charge=(charge, max(0.0, used)),
        parked=False,
        x_m=corners[:, 0],
        y_m=corners[:, 1],
        along_m=along,
        heading_deg=np.append(heading, heading[-1]),
        knot_s=knot_s,
        knot_m=knot_m,
        knot_mps=knot_mps,
    )


def _knots(
    along_m: list[float], speeds_mps: list[float], acceleration_mps2: float
) -> tuple[Column, Column]:
    """Distance and speed where the acceleration changes."""
    total, first, last = along_m[-1], speeds_mps[0], speeds_mps[-1]
    near = (max(speeds_mps) ** 2 - min(speeds_mps) ** 2) / (2 * acceleration_mps2)
    if total < (first**2 + last**2) / (2 * acceleration_mps2) + near:
        # Too short to change the speed between pulling off and braking.
        first = last = min(first, last, math.sqrt(total * acceleration_mps2))
    pulled_off = first**2 / (2 * acceleration_mps2)
    brakes = total - last**2 / (2 * acceleration_mps2)
    knots = [(0.0, 0.0), (pulled_off, first)]
    # A corner close to either end leaves no room to change the speed twice.
    knots += [
        (at, speed)
        for at, speed in zip(along_m, speeds_mps, strict=True)
        if pulled_off + near < at < brakes - near
    ]
    if brakes > pulled_off + 0.01:
        knots.append((brakes, last))
    knots.append((total, 0.0))
    distance, speed = np.array(knots).T
    return distance, speed


@dataclass(frozen=True, slots=True)
class Track:
    """True states of a bike at the times of its fixes, as columns of one length."""

    at_ms: NDArray[np.int64]  # [ms since the epoch]
    states: States
    parked: NDArray[np.bool_]  # whether the bike was off duty


class Rider:
    """An inspector and the bike.

    Home is the crossings of the part of a zone to patrol, at least two. A rider that stays is
    never sent to another zone. `rng` is the rider's alone.
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
        self._slowest, self._fastest = MIN_SPEED_KMH / 3.6, MAX_SPEED_KMH / 3.6
        self._pace = float(rng.uniform(0.35, 0.65))
        self._now_s = 0.0
        self._interval_ms = round(plan.interval_s * 1000)
        self._parked_interval_ms = round(PARKED_INTERVAL_S * 1000)
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
        return max(100.0, float(self._rng.gamma(3.0, RIDE_M / 3)))

    def _ride(self, route: list[int]) -> Leg:
        """Ride along a route and stop somewhere in its last street."""
        rng, walk = self._rng, self._walk
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
            ACCELERATION_MPS2,
            self._charge,
            percent_per_m=0.1 / RANGE_KM,
            slow_mps=self._slowest,
        )
        walk.take(route, self._now_s)
        self._now_s, self._place = leg.ends_s, places[-1]
        self._heading, self._charge = float(leg.heading_deg[-1]), leg.charge[1]
        return leg

    def _stop(self) -> Iterator[Leg]:
        """Look at something, deal with something, or swap the battery."""
        rng = self._rng
        if self._charge < rng.uniform(*SWAP_BELOW_PERCENT):
            half_s = rng.uniform(*SWAP_S) / 2
            yield self._rest(half_s)
            self._charge = float(rng.uniform(95, 100))
            yield self._rest(half_s)
        elif rng.random() < LONG_STOP:
            yield self._rest(rng.uniform(*LONG_STOP_S))
        else:
            yield self._rest(rng.uniform(*INSPECTION_S))

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
