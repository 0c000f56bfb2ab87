"""The tracker on a bike: what its receiver makes of the true position, and what its radio sends.

The receiver drifts, has bad fixes, and makes claims about both. The radio sends live fixes,
drops out and uploads late, sends duplicates and bad messages.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from operator import attrgetter
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from bikes import topics
from bikes.formats import mds
from bikes.simulator.plan import SimulatedMessage, SimulationPlan
from bikes.simulator.rider import Column, Track
from bikes.simulator.town import Plane
from bikes.telemetry import Location, Telemetry
from words.times import HOUR_MS

NOISE_M, NOISE_MEMORY_S = 3.5, 22.0
"""Standard deviation per axis [m] and correlation time [s] of the position error: they give the
2.5 m per 3 s by which real traces at rest drift."""

AT_REST_MPS = 0.3
"""Below this true speed [m/s] the receiver only sees its own drift."""

LATENCY_MS = (60, 400)
"""From the fix to the broker, when the radio is there [ms]."""

WILL_AFTER_MS = 45_000
"""A broker gives a silent client up after one and a half keep-alives of 30 s [ms]."""


AT_MS = attrgetter("at_ms")

FAR_MS = 1 << 60
"""Later than any simulation."""


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


_PLACE = ("lat", "lng", "speed", "heading", "horizontal_accuracy", "altitude", "satellites")
"""Fields of a location, in the order of the columns of `Fixes`."""


class Receiver:
    """The receiver of one bike; its position error has a memory, and `rng` is its alone."""

    def __init__(self, plan: SimulationPlan, plane: Plane, rng: np.random.Generator) -> None:
        self._plan, self._plane, self._rng = plan, plane, rng
        self._error = complex(*rng.normal(0, NOISE_M, 2))
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
        keeps = np.exp(-waited_s / NOISE_MEMORY_S)
        east, north = self._rng.normal(0, NOISE_M, (2, at_ms.size))
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


class _Dropout(NamedTuple):
    begins_ms: int
    ends_ms: int


class Radio:
    """The radio of one bike; `rng` is its alone."""

    def __init__(self, plan: SimulationPlan, bike_id: str, rng: np.random.Generator) -> None:
        self._plan, self._bike_id, self._rng = plan, bike_id, rng
        self._telemetry = topics.of_bike("telemetry", plan.vendor, bike_id)
        self._status = topics.of_bike("status", plan.vendor, bike_id)
        self._stored: list[bytes] = []
        self._waiting: list[SimulatedMessage] = []
        self._dropout = self._next_dropout(plan.start_ms)
        self._online(plan.start_ms + int(rng.integers(1000)))

    def send(self, fixes: Fixes, to_ms: int) -> None:
        """Send, or store, all the fixes since the last call and before `to_ms`."""
        times, payloads = fixes.at_ms.tolist(), self._payloads(fixes)
        first = 0
        while True:
            begins_ms, ends_ms = self._dropout
            lost, back = np.searchsorted(fixes.at_ms, (begins_ms, ends_ms)).tolist()
            self._live(times[first:lost], payloads[first:lost])
            self._stored += payloads[max(first, lost) : back]
            first = back
            if ends_ms > to_ms:
                break
            self._online(ends_ms)
            self._upload(ends_ms)
            self._dropout = self._next_dropout(ends_ms)
        self._waiting.sort(key=AT_MS)

    def sent(self, to_ms: int) -> list[SimulatedMessage]:
        """The messages since the last call and before `to_ms`, in order of time."""
        count = bisect_left(self._waiting, to_ms, key=AT_MS)
        sent = self._waiting[:count]
        del self._waiting[:count]
        return sent

    def _payloads(self, fixes: Fixes) -> list[bytes]:
        return [
            mds.encode(
                Telemetry(
                    device_id=self._bike_id,
                    vehicle_id=self._bike_id,
                    timestamp=at_ms,
                    location=Location(**dict(zip(_PLACE, place, strict=True))),
                    battery_percent=battery,
                )
            )
            for at_ms, *place, battery in zip(*(column.tolist() for column in fixes), strict=True)
        ]

    def _live(self, times: list[int], payloads: list[bytes]) -> None:
        latency = self._rng.integers(*LATENCY_MS, len(times)).tolist()
        for at_ms, wait_ms, payload, chance in zip(
            times, latency, payloads, self._rng.random(len(times)).tolist(), strict=True
        ):
            if chance < self._plan.bad:
                payload = self._mangled(payload)
            self._post(at_ms + wait_ms, payload, 1)

    def _upload(self, from_ms: int) -> None:
        """Send what was stored, after the radio has found itself again: late, as arrays."""
        at_ms = from_ms + int(self._rng.integers(2_000, 20_000))
        size = self._plan.upload_items
        for first in range(0, len(self._stored), size):
            items = self._stored[first : first + size]
            self._post(at_ms, b"[" + b",".join(items) + b"]", len(items))
            at_ms += 500
        self._stored = []

    def _post(self, at_ms: int, payload: bytes, items: int) -> None:
        self._waiting.append(SimulatedMessage(at_ms, self._telemetry, payload, items))
        if self._rng.random() < self._plan.duplicate:
            again_ms = at_ms + int(self._rng.integers(200, 3_000))
            self._waiting.append(SimulatedMessage(again_ms, self._telemetry, payload, items))

    def _online(self, at_ms: int) -> None:
        payload = mds.encode({"online": True, "timestamp": at_ms})
        self._waiting.append(SimulatedMessage(at_ms, self._status, payload, 0))

    def _offline(self, at_ms: int) -> None:
        # A last will is written when the client connects, so it cannot say when it came true.
        self._waiting.append(SimulatedMessage(at_ms, self._status, b"offline", 0))

    def _next_dropout(self, after_ms: int) -> _Dropout:
        rate = self._plan.dropouts_per_hour / HOUR_MS
        waits_ms = self._rng.exponential()
        lasts_ms = self._rng.uniform(*self._plan.dropout_s) * 1000
        if rate <= 0:
            return _Dropout(FAR_MS, FAR_MS + 1)
        begins_ms = after_ms + round(waits_ms / rate)
        if lasts_ms > WILL_AFTER_MS:
            self._offline(begins_ms + WILL_AFTER_MS)
        return _Dropout(begins_ms, begins_ms + round(lasts_ms))

    def _mangled(self, payload: bytes) -> bytes:
        """A message as broken firmware sends it."""
        report = msgspec.json.decode(payload)
        kind = int(self._rng.integers(4))
        if kind == 0:
            return payload[: len(payload) // 2]
        if kind == 1:
            del report["timestamp"]
        elif kind == 2:
            report["location"]["lat"] += 180.0
        else:
            report["device_id"] = "spare" + self._bike_id[-4:]
        return mds.encode(report)
