"""Streets to ride on: crossings, the ways between them, and routes."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

Metres = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Plane:
    """Metres east and north of an origin; one scale per axis, good for a district."""

    lat_deg: float
    lng_deg: float
    per_lat: float
    per_lng: float

    @classmethod
    def around(cls, lat_deg: float, lng_deg: float) -> Plane:
        """The plane whose origin is at this place, WGS-84 [degrees]."""
        per_lat = 111_320.0
        return cls(lat_deg, lng_deg, per_lat, per_lat * math.cos(math.radians(lat_deg)))

    def metres(self, geometry: BaseGeometry) -> BaseGeometry:
        """A geometry in (lng, lat) degrees on the plane."""
        origin = np.array([self.lng_deg, self.lat_deg])
        scale = np.array([self.per_lng, self.per_lat])
        return shapely.transform(geometry, lambda lng_lat: (lng_lat - origin) * scale)

    def degrees(self, x_m: Metres, y_m: Metres) -> tuple[Metres, Metres]:
        """Latitude and longitude of places on the plane [degrees]."""
        return self.lat_deg + y_m / self.per_lat, self.lng_deg + x_m / self.per_lng


@dataclass(frozen=True, slots=True)
class Streets:
    """Crossings and the streets between them.

    Attributes
    ----------
    plane : Plane
        What the coordinates mean.
    x_m, y_m : list of float
        Where the crossings are.
    zone : list of int
        Position of each crossing's zone in the plan.
    ways : list of list of int
        For each crossing those that a street leads to; some are in another zone.
    parts : list of list of list of int
        For each zone its parts, the largest first, as lists of crossings. The crossings of a
        part can be reached from each other without leaving the zone.
    """

    plane: Plane
    x_m: list[float]
    y_m: list[float]
    zone: list[int]
    ways: list[list[int]]
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
