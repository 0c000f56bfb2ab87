"""Which streets an inspector takes: those not ridden for longest, rather straight on."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence

import numpy as np

from bikes.simulator.town import Streets

STALE_S = 4 * 3600.0
"""A street not ridden for this long [s] is worth a detour."""


class Walk:
    """A walk over crossings, by one inspector with a memory of their own.

    Parameters
    ----------
    streets : Streets
        Where one can go.
    home : sequence of int
        Crossings of the part of the zone to patrol; at least two.
    rng : numpy.random.Generator
        Random numbers of this rider alone.

    Attributes
    ----------
    ahead : int
        The crossing that the inspector is at, or heads for when stopped between two.
    behind : int
        The one passed before it; equal to `ahead` before the first street.
    """

    def __init__(self, streets: Streets, home: Sequence[int], rng: np.random.Generator) -> None:
        self._streets, self._rng = streets, rng
        self._home = frozenset(home)
        self.home_zone = streets.zone[home[0]]
        self._zone = self.home_zone
        self._ridden: dict[tuple[int, int], float] = {}
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
