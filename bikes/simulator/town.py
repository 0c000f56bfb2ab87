"""A town plan: a bent, jittered lattice of streets, cut to the zones, with bridges; and walks.

An inspector takes the streets that were not ridden for longest, and rather goes straight on.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from bikes.simulator.plan import SimulationPlan

Metres = NDArray[np.float64]

SETBACK_M, KEEP_OUT_M = 15.0, 160.0
"""Distance of streets from the boundary of their zone, and from the neglected and the delayed
zone, which is over a cell's diagonal [m]."""

MISSING = 0.07
"""Share of lattice edges that are not streets, because a block is longer there."""

BRIDGE_M = 400.0
"""Longest bridge that joins two parts of a zone."""

STREETS_KEY = 0x57AEE7
"""Spawn key of the streets' random numbers; bikes have 0, 1, 2, ..."""

STALE_S = 4 * 3600.0
"""A street not ridden for this long [s] is worth a detour."""


@dataclass(frozen=True, slots=True)
class Plane:
    """Metres east and north of an origin; one scale [m/degree] per axis, good for a district."""

    lat_deg: float
    lng_deg: float
    per_lat: float
    per_lng: float

    @classmethod
    def around(cls, lat_deg: float, lng_deg: float) -> Plane:
        """The plane whose origin is at this place, WGS-84 [degrees]; scales as of the grid."""
        per_lat = 111_320.0
        return cls(lat_deg, lng_deg, per_lat, per_lat * math.cos(math.radians(lat_deg)))

    def metres(self, geometry: BaseGeometry) -> BaseGeometry:
        """A geometry in (lng, lat) degrees on the plane."""
        origin = np.array([self.lng_deg, self.lat_deg])
        scale = np.array([self.per_lng, self.per_lat])
        return shapely.transform(geometry, lambda lng_lat: (lng_lat - origin) * scale)

    def degrees(self, x_m: Metres, y_m: Metres) -> tuple[Metres, Metres]:
        """Latitude and longitude of places on the plane, WGS-84 [degrees]; shape as given."""
        return self.lat_deg + y_m / self.per_lat, self.lng_deg + x_m / self.per_lng


@dataclass(frozen=True, slots=True)
class Streets:
    """Crossings and the streets between them."""

    plane: Plane  # what the coordinates mean
    # Where the crossings are.
    x_m: list[float]
    y_m: list[float]
    zone: list[int]  # position of each crossing's zone in the plan
    # For each crossing those that a street leads to; some are in another zone.
    ways: list[list[int]]
    # For each zone its parts, the largest first, as lists of crossings. The crossings of a part can
    # be reached from each other without leaving the zone.
    parts: list[list[list[int]]]

    def route(
        self, start: int, zones: frozenset[int], goal: Callable[[int], bool]
    ) -> list[int] | None:
        """The fewest crossings to pass, inside `zones`, to come to one that is a goal.

        None when there is no such way; empty when the start is a goal.
        """
        came = {start: start}
        queue = deque([start])
        while queue:
            at = queue.popleft()
            if goal(at):
                route = []
                while at != start:
                    route.append(at)
                    at = came[at]
                return route[::-1]
            for to in self.ways[at]:
                if to not in came and self.zone[to] in zones:
                    came[to] = at
                    queue.append(to)
        return None

    def ways_within(self, at: int, zone: int) -> list[int]:
        """Crossings of a zone that a street leads to from `at`."""
        return [to for to in self.ways[at] if self.zone[to] == zone]

    def neighbours(self, part: Sequence[int]) -> list[int]:
        """Zones that a street leads to from this part of a zone."""
        home = self.zone[part[0]]
        zones = {self.zone[to] for crossing in part for to in self.ways[crossing]}
        return sorted(zones - {home})


def lay_streets(plan: SimulationPlan) -> Streets:
    """Lay the streets of a plan.

    Streets keep SETBACK_M inside their zone and KEEP_OUT_M away from the neglected and the
    delayed zone, which no street enters from another zone. The neglected zone has none.

    ValueError: a zone that should be patrolled is too small for a street.
    """
    rng = np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=(STREETS_KEY,)))
    west, south, east, north = shapely.total_bounds([zone.geometry for zone in plan.zones])
    plane = Plane.around((south + north) / 2, (west + east) / 2)
    zones = [plane.metres(zone.geometry) for zone in plan.zones]
    rideable = _rideable(plan, zones)
    x, y, edges = _lattice(shapely.total_bounds(zones), plan.street_spacing_m, rng)

    zone = np.full(x.size, -1)
    for n, area in enumerate(rideable):
        zone[shapely.contains_xy(area, x, y)] = n
    keep = _is_street(x, y, zone, edges, rideable, plan)
    graph = _Graph(x.tolist(), y.tolist(), zone.tolist(), edges[keep].tolist())
    for n, (sim_zone, area) in enumerate(zip(plan.zones, zones, strict=True)):
        if sim_zone.zone_id == plan.neglected:
            continue
        graph.bridge(n, area, _foreign(plan, zones, n))
        if not any(len(part) >= 2 for part in graph.parts(n)):
            raise ValueError(
                f"zone {sim_zone.zone_id!r} has no room for a street "
                f"{plan.street_spacing_m:g} m long: make street_spacing_m smaller"
            )
    return graph.finish(plane, len(zones))


def _rideable(plan: SimulationPlan, zones: Sequence[BaseGeometry]) -> list[BaseGeometry]:
    """The area of each zone in which streets may lie."""
    shunned = [n for n, z in enumerate(plan.zones) if z.zone_id in (plan.neglected, plan.delayed)]
    areas: list[BaseGeometry] = []
    for n, (sim_zone, geometry) in enumerate(zip(plan.zones, zones, strict=True)):
        area: BaseGeometry = geometry.buffer(-SETBACK_M)
        for other in shunned:
            if other != n:
                area = area.difference(zones[other].buffer(KEEP_OUT_M))
        if sim_zone.zone_id == plan.neglected:
            area = shapely.Polygon()
        shapely.prepare(area)
        areas.append(area)
    return areas


def _foreign(plan: SimulationPlan, zones: Sequence[BaseGeometry], own: int) -> BaseGeometry:
    """The area that bridges of a zone avoid: other zones, and what is near the shunned ones."""
    shunned = {plan.neglected, plan.delayed}
    return shapely.union_all(
        [
            area.buffer(KEEP_OUT_M) if sim_zone.zone_id in shunned else area
            for n, (sim_zone, area) in enumerate(zip(plan.zones, zones, strict=True))
            if n != own
        ]
    )


def _lattice(
    bounds: NDArray[np.float64], spacing_m: float, rng: np.random.Generator
) -> tuple[Metres, Metres, NDArray[np.intp]]:
    """Crossings over a box, and pairs of them: turned, bent and jittered."""
    west, south, east, north = bounds
    half = math.hypot(east - west, north - south) / 2 + spacing_m
    count = 2 * math.ceil(half / spacing_m)

    def lines() -> Metres:
        steps = rng.uniform(0.89, 1.11, count) * spacing_m
        return np.asarray(np.cumsum(steps) - steps.sum() / 2)

    u, v = (axis.ravel() for axis in np.meshgrid(lines(), lines()))
    bend = spacing_m * 0.25
    phase = rng.uniform(0, 2 * math.pi, 4)
    wave = 2 * math.pi / (spacing_m * 10)
    du = bend * np.sin(wave * v + phase[0]) + bend / 2 * np.sin(2.3 * wave * v + phase[1])
    dv = bend * np.sin(wave * u + phase[2]) + bend / 2 * np.sin(2.3 * wave * u + phase[3])
    jitter = np.clip(
        rng.normal(0, spacing_m * 0.05, (2, u.size)), -0.1 * spacing_m, 0.1 * spacing_m
    )
    u, v = u + du + jitter[0], v + dv + jitter[1]
    turn = rng.uniform(-0.25, 0.25)
    x = (west + east) / 2 + u * math.cos(turn) - v * math.sin(turn)
    y = (south + north) / 2 + u * math.sin(turn) + v * math.cos(turn)
    index = np.arange(u.size).reshape(count, count)
    across = np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()], axis=1)
    along = np.stack([index[:-1].ravel(), index[1:].ravel()], axis=1)
    edges = np.concatenate([across, along])
    return x, y, edges[rng.random(len(edges)) >= MISSING]


def _is_street(
    x: Metres,
    y: Metres,
    zone: NDArray[np.intp],
    edges: NDArray[np.intp],
    rideable: Sequence[BaseGeometry],
    plan: SimulationPlan,
) -> NDArray[np.bool_]:
    """Which edges stay inside one zone, or lead from one zone straight into the next."""
    a, b = edges.T
    ends = np.stack([np.stack([x[a], y[a]], axis=1), np.stack([x[b], y[b]], axis=1)], axis=1)
    keep = np.zeros(len(edges), dtype=bool)
    for n, area in enumerate(rideable):
        here = np.flatnonzero((zone[a] == n) & (zone[b] == n))
        keep[here] = shapely.covers(area, shapely.linestrings(ends[here]))
    crossing = np.flatnonzero((zone[a] != zone[b]) & (zone[a] >= 0) & (zone[b] >= 0))
    if crossing.size:
        # Both setbacks lie between two zones that touch; what is wider is not a boundary.
        lines = shapely.linestrings(ends[crossing])
        outside = shapely.difference(lines, shapely.union_all(list(rideable)))
        keep[crossing] = shapely.length(outside) <= 4 * SETBACK_M
    return keep


class _Graph:
    """Streets while they are being laid."""

    def __init__(
        self, x: list[float], y: list[float], zone: list[int], edges: list[list[int]]
    ) -> None:
        self._x, self._y, self._zone = x, y, zone
        self._edges = edges
        self._near: dict[int, set[int]] = {}
        for a, b in edges:
            self._link(a, b)

    def _link(self, a: int, b: int) -> None:
        self._near.setdefault(a, set()).add(b)
        self._near.setdefault(b, set()).add(a)

    def parts(self, zone: int) -> list[list[int]]:
        """Connected crossings of a zone, the largest part first."""
        left = {n for n in self._near if self._zone[n] == zone}
        parts = []
        while left:
            part, queue = [], [min(left)]
            left.discard(queue[0])
            while queue:
                at = queue.pop()
                part.append(at)
                reached = self._near[at] & left
                left -= reached
                queue.extend(reached)
            parts.append(sorted(part))
        return sorted(parts, key=lambda part: (-len(part), part))

    def bridge(self, zone: int, area: BaseGeometry, foreign: BaseGeometry) -> None:
        """Join the parts of a zone, shortest bridge first, where one is short enough."""
        hull = area.convex_hull
        while True:
            parts = self.parts(zone)
            best: tuple[float, int, int] | None = None
            for m, part in enumerate(parts):
                for other in parts[m + 1 :]:
                    best = min(
                        filter(None, (best, self._shortest(part, other, hull, foreign))),
                        default=None,
                    )
            if best is None:
                return
            self._edges.append([best[1], best[2]])
            self._link(best[1], best[2])

    def _shortest(
        self, part: list[int], other: list[int], hull: BaseGeometry, foreign: BaseGeometry
    ) -> tuple[float, int, int] | None:
        """The shortest bridge between two parts that stays in the zone's hull: length and ends."""
        here, there = (
            np.array([(self._x[n], self._y[n]) for n in nodes]) for nodes in (part, other)
        )
        gap = here[:, None, :] - there[None, :, :]
        length = np.hypot(gap[..., 0], gap[..., 1])
        for at in np.argsort(length, axis=None, kind="stable")[:20]:
            a, b = np.unravel_index(at, length.shape)
            line = shapely.LineString([here[a], there[b]])
            if length[a, b] > BRIDGE_M:
                return None
            if hull.covers(line) and not foreign.intersects(line):
                return float(length[a, b]), part[a], other[b]
        return None

    def finish(self, plane: Plane, zones: int) -> Streets:
        """Number what can be reached; lone crossings and crumbs of a zone are left out."""
        parts = []
        for n in range(zones):
            found = self.parts(n)
            parts.append([part for part in found if len(part) >= max(2, len(found[0]) // 10)])
        kept = [node for zone in parts for part in zone for node in part]
        number = {node: n for n, node in enumerate(kept)}
        ways: list[list[int]] = [[] for _ in kept]
        for a, b in self._edges:
            if a in number and b in number:
                ways[number[a]].append(number[b])
                ways[number[b]].append(number[a])
        renumbered = [[[number[n] for n in part] for part in zone] for zone in parts]
        return Streets(
            plane=plane,
            x_m=[self._x[n] for n in kept],
            y_m=[self._y[n] for n in kept],
            zone=[self._zone[n] for n in kept],
            ways=ways,
            parts=renumbered,
        )


class Walk:
    """A walk over crossings, by one inspector with a memory of their own.

    Home is the crossings of the part of a zone to patrol, at least two. `rng` is the rider's alone.
    """

    def __init__(self, streets: Streets, home: Sequence[int], rng: np.random.Generator) -> None:
        self._streets, self._rng = streets, rng
        self._home = frozenset(home)
        self.home_zone = streets.zone[home[0]]
        self._zone = self.home_zone
        self._ridden: dict[tuple[int, int], float] = {}
        # `ahead` is where the inspector is, or heads for when stopped between two crossings;
        # `behind` was passed before it, and is equal to it before the first street.
        self.ahead = self.behind = home[int(rng.integers(len(home)))]

    def place(self, crossing: int) -> tuple[float, float]:
        """The position of a crossing on the plane [m]."""
        return self._streets.x_m[crossing], self._streets.y_m[crossing]

    def take(self, route: Sequence[int], now_s: float) -> None:
        """Ride from the crossing ahead along the whole route, at least one crossing long."""
        for crossing in route:
            self._ridden[_street(self.ahead, crossing)] = now_s
            self.behind, self.ahead = self.ahead, crossing

    def to_zone(self, zone: int) -> list[int]:
        """The way to a zone, or back to the home part of one's own.

        Empty when the inspector is there already, or when no street leads there.
        """
        there: Container[int] = self._home
        if zone != self.home_zone:
            there = frozenset(crossing for part in self._streets.parts[zone] for crossing in part)
        within = frozenset({self._zone, self.home_zone, zone})
        route = self._streets.route(self.ahead, within, there.__contains__)
        if route is not None:
            self._zone = zone
        return route or []

    def onward(self, length_m: float, now_s: float) -> list[int]:
        """Crossings to pass next: two or more, about `length_m` of street."""
        route: list[int] = []
        at, behind = self.ahead, self.behind
        if not self._is_stale(at, now_s):
            # Everything here is fresh: look for the nearest street that is not.
            route = (
                self._streets.route(
                    at, frozenset({self._zone}), lambda crossing: self._is_stale(crossing, now_s)
                )
                or []
            )
            for crossing in route:
                length_m -= math.dist(self.place(at), self.place(crossing))
                behind, at = at, crossing
        taken: set[tuple[int, int]] = set()
        while length_m > 0 or len(route) < 2:
            to = self._choose(at, behind, taken, now_s)
            length_m -= math.dist(self.place(at), self.place(to))
            taken.add(_street(at, to))
            route.append(to)
            behind, at = at, to
        return route

    def _choose(self, at: int, behind: int, taken: Container[tuple[int, int]], now_s: float) -> int:
        """The next crossing; back only from a dead end."""
        ways = self._streets.ways_within(at, self._zone)
        best, best_score = behind, -math.inf
        for to, chance in zip(ways, self._rng.random(len(ways)).tolist(), strict=True):
            street = _street(at, to)
            age_s = 0.0 if street in taken else self._age_s(street, now_s)
            score = 2 * min(age_s / STALE_S, 1.0) + 0.4 * chance
            if behind != at:
                turn = self._bearing(at, to) - self._bearing(behind, at)
                score += 0.3 * math.cos(turn)
            if to == behind:
                score -= 10
            if score > best_score:
                best, best_score = to, score
        return best

    def _is_stale(self, crossing: int, now_s: float) -> bool:
        return any(
            self._age_s(_street(crossing, to), now_s) >= STALE_S
            for to in self._streets.ways_within(crossing, self._zone)
        )

    def _age_s(self, street: tuple[int, int], now_s: float) -> float:
        return now_s - self._ridden.get(street, -math.inf)

    def _bearing(self, a: int, b: int) -> float:
        (ax, ay), (bx, by) = self.place(a), self.place(b)
        return math.atan2(bx - ax, by - ay)


def _street(a: int, b: int) -> tuple[int, int]:
    """The name of the street between two crossings, the same in both directions."""
    return (a, b) if a < b else (b, a)
