"""A leg of a ride: position, speed and heading at any time between two stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]

SHARP_DEG = 50.0
"""A turn by more than this [degrees] is taken slowly."""


class States(NamedTuple):
    """True states at some times, as columns: [m], [m/s], [degrees clockwise from north], [%]."""

    x_m: Column
    y_m: Column
    speed_mps: Column
    heading_deg: Column
    battery_percent: Column


@dataclass(frozen=True, slots=True)
class Leg:
    """A ride from standing to standing, or a rest.

    Attributes
    ----------
    begins_s, ends_s : float
        Seconds after the start of the simulation.
    charge : (float, float)
        Battery at both ends [%].
    parked : bool
        Whether the bike is off duty.
    x_m, y_m, along_m, heading_deg : ndarray of float64, shape (corners,)
        The corners of the path, how far along it they are, and the heading from each.
    knot_s, knot_m, knot_mps : ndarray of float64, shape (knots,)
        Time after `begins_s`, distance and speed; between two knots the acceleration is
        constant. A rest has one knot.
    """

    begins_s: float
    ends_s: float
    charge: tuple[float, float]
    parked: bool
    x_m: Column
    y_m: Column
    along_m: Column
    heading_deg: Column
    knot_s: Column
    knot_m: Column
    knot_mps: Column

    def at(self, at_s: Column) -> States:
        """States at times within the leg [s after the start of the simulation]."""
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
    """Stand still."""
    x, y, heading = (np.array([value]) for value in (*place, heading_deg))
    zero = np.zeros(1)
    return Leg(begins_s, begins_s + lasts_s, charge, parked, x, y, zero, heading, zero, zero, zero)


def ride(
    begins_s: float,
    places: Sequence[tuple[float, float]],
    speeds_mps: Sequence[float],
    acceleration_mps2: float,
    charge: float,
    percent_per_m: float,
    slow_mps: float,
) -> Leg:
    """Ride along a path.

    Parameters
    ----------
    places : sequence of (float, float)
        Corners of the path [m], two or more, no two in a row the same.
    speeds_mps : sequence of float
        Speed at each corner [m/s]; the first and the last are the speeds that pulling off ends
        with and stopping begins with.
    slow_mps : float
        Least speed in a sharp turn [m/s].
    """
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
