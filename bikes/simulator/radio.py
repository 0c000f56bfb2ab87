"""What is sent and when: live fixes, dropouts and late uploads, duplicates, bad messages."""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter
from typing import NamedTuple

import msgspec
import numpy as np

from bikes import topics
from bikes.simulator.plan import SimulatedMessage, SimulationPlan
from bikes.simulator.receiver import Fixes

LATENCY_MS = (60, 400)
"""From the fix to the broker, when the radio is there [ms]."""

WILL_AFTER_MS = 45_000
"""A broker gives a silent client up after one and a half keep-alives of 30 s [ms]."""


AT_MS = attrgetter("at_ms")


class _Place(msgspec.Struct, gc=False):
    lat: float
    lng: float
    speed: float
    heading: float
    horizontal_accuracy: float
    altitude: float
    satellites: int


class _Report(msgspec.Struct, gc=False):
    """The MDS Telemetry object of this tracker; it sends exactly these fields."""

    device_id: str
    vehicle_id: str
    timestamp: int
    location: _Place
    battery_percent: int


class _Dropout(NamedTuple):
    begins_ms: int
    ends_ms: int


class Radio:
    """The radio of one bike.

    Parameters
    ----------
    plan : SimulationPlan
        How reliable it is.
    bike_id : str
        Whose it is.
    rng : numpy.random.Generator
        Random numbers of this radio alone.
    """

    def __init__(self, plan: SimulationPlan, bike_id: str, rng: np.random.Generator) -> None:
        self._plan, self._bike_id, self._rng = plan, bike_id, rng
        self._telemetry = topics.telemetry(plan.vendor, bike_id)
        self._status = topics.status(plan.vendor, bike_id)
        self._encode = msgspec.json.Encoder().encode
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
        """What is sent since the last call and before `to_ms`, in order of time."""
        count = bisect_left(self._waiting, to_ms, key=AT_MS)
        sent = self._waiting[:count]
        del self._waiting[:count]
        return sent

    def _payloads(self, fixes: Fixes) -> list[bytes]:
        bike_id, encode = self._bike_id, self._encode
        return [
            encode(
                _Report(
                    bike_id,
                    bike_id,
                    at_ms,
                    _Place(lat, lng, speed, heading, accuracy, altitude, satellites),
                    battery,
                )
            )
            for at_ms, lat, lng, speed, heading, accuracy, altitude, satellites, battery in zip(
                *(column.tolist() for column in fixes), strict=True
            )
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
        payload = self._encode({"online": True, "timestamp": at_ms})
        self._waiting.append(SimulatedMessage(at_ms, self._status, payload, 0))

    def _offline(self, at_ms: int) -> None:
        # A last will is written when the client connects, so it cannot say when it came true.
        self._waiting.append(SimulatedMessage(at_ms, self._status, b"offline", 0))

    def _next_dropout(self, after_ms: int) -> _Dropout:
        rate = self._plan.dropouts_per_hour / 3_600_000
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
        return self._encode(report)


FAR_MS = 1 << 60
"""Later than any simulation."""
