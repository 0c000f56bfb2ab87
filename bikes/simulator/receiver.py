"""What a GNSS receiver makes of the true position: drift, bad fixes, and claims about both."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bikes.simulator.plan import SimulationPlan
from bikes.simulator.rider import Track
from bikes.simulator.streets import Plane

Column = NDArray[np.float64]

AT_REST_MPS = 0.3
"""Below this true speed [m/s] the receiver only sees its own drift."""


class Fixes(NamedTuple):
    """Fixes as columns, rounded as a tracker would: what is sent, before it is encoded."""

    at_ms: NDArray[np.int64]
    lat_deg: Column
    lng_deg: Column
    speed_mps: Column
    heading_deg: Column
    accuracy_m: Column
    altitude_m: Column
    satellites: NDArray[np.int64]
    battery_percent: NDArray[np.int64]


class Receiver:
    """The receiver of one bike; its position error has a memory.

    Parameters
    ----------
    plan : SimulationPlan
        How good it is.
    plane : Plane
        The plane of the tracks.
    rng : numpy.random.Generator
        Random numbers of this receiver alone.
    """

    def __init__(self, plan: SimulationPlan, plane: Plane, rng: np.random.Generator) -> None:
        self._plan, self._plane, self._rng = plan, plane, rng
        self._error = complex(*rng.normal(0, plan.noise_m, 2))
        self._last_ms = plan.start_ms
        self._altitude_m = float(rng.uniform(18, 34))

    def fix(self, track: Track) -> Fixes:
        """The fixes of a track that follows the last one."""
        rng, states = self._rng, track.states
        n = track.at_ms.size
        error, step = self._drift(track.at_ms)
        x, y = states.x_m + error.real, states.y_m + error.imag
        chance, direction, size = rng.random((3, n))
        normal = rng.standard_normal((5, n))
        accuracy = 4.0 * np.exp(0.3 * normal[0]) + 0.35 * np.abs(error)
        satellites = np.clip(np.rint(12 - accuracy / 3 + 1.5 * normal[1]), 5, 20)

        inaccurate = chance < self._plan.inaccurate
        outlier = (chance >= self._plan.inaccurate) & (
            chance < self._plan.inaccurate + self._plan.outlier
        )
        accuracy = np.where(inaccurate, 60 + 90 * size, accuracy)
        off = np.where(inaccurate, 0.5 * accuracy, 0.0)
        # The worst kind: far away and sure of itself.
        off = np.where(outlier, 300 + 1700 * size**2, off)
        accuracy = np.where(outlier, 2 + 2 * size, accuracy)
        satellites = np.where(inaccurate, 4, satellites)
        x += off * np.cos(2 * math.pi * direction)
        y += off * np.sin(2 * math.pi * direction)

        rides = states.speed_mps > AT_REST_MPS
        speed: Column = np.where(rides, states.speed_mps + 0.12 * normal[2], np.abs(step))
        heading: Column = np.where(
            rides, states.heading_deg + 4 * normal[3], np.degrees(np.angle(step)) + 360
        )
        lat, lng = self._plane.degrees(x, y)
        return Fixes(
            at_ms=track.at_ms,
            lat_deg=np.round(lat, 7),
            lng_deg=np.round(lng, 7),
            speed_mps=np.round(speed.clip(0.0), 2),
            heading_deg=np.round(heading % 360, 1) % 360,
            accuracy_m=np.round(accuracy, 1),
            altitude_m=np.round(self._altitude_m + 2.5 * normal[4], 1),
            satellites=satellites.astype(np.int64),
            battery_percent=np.ceil(states.battery_percent).astype(np.int64),
        )

    def _drift(
        self, at_ms: NDArray[np.int64]
    ) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
        """Position error, east + north i [m], an AR(1) process; and its rate of change [m/s]."""
        waited_s = np.diff(at_ms, prepend=self._last_ms) / 1000
        keeps = np.exp(-waited_s / self._plan.noise_memory_s)
        east, north = self._rng.normal(0, self._plan.noise_m, (2, at_ms.size))
        adds = (east + 1j * north) * np.sqrt(1 - keeps**2)
        errors = []
        error = self._error
        for keep, add in zip(keeps.tolist(), adds.tolist(), strict=True):
            error = keep * error + add
            errors.append(error)
        result = np.array(errors, dtype=np.complex128)
        step = np.diff(result, prepend=self._error) / np.maximum(waited_s, 1.0)
        if errors:
            self._error, self._last_ms = error, int(at_ms[-1])
        return result, step
