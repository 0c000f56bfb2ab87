"""The canary: a message of the station's own that goes through the whole line.

    publisher ─▶ broker ─▶ inlet ─▶ log ─▶ worker ─▶ view ─▶ evaluation

It tells that patrols are still seen, which no part knows alone. Where a part says itself that it
does not work, nothing is sent.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable

from prometheus_client import Counter, Histogram

from bikes import topics
from dashboards.sources import Part
from ingest.mqtt.connection import MqttOptions

EVERY_S = 30.0
ROUNDS = 3
"""When so many in a row have not come back, the line is broken."""
REMEMBERED = 100
"""Canaries that may still come back, however long the line is broken."""


class Canary:
    """Sends a message in each round, and knows what has come back; for one event loop."""

    def __init__(
        self,
        send: Callable[[bytes], object],  # publishes a payload on the canary's topic
        open_line: Callable[[], bool],  # whether all parts say that they work
        every_s: float = EVERY_S,  # duration of a round
    ) -> None:
        self._send = send
        self._open_line = open_line
        self._every_s = every_s
        self._sent_s: dict[bytes, float] = {}  # those not back yet, oldest first
        self._known = False
        self.came = False  # any, in this life
        self._round_trip = Histogram(
            "zhixun_canary_round_trip_seconds",
            "From publishing the canary to the evaluation that has it",
            registry=None,
            buckets=(0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 90.0),
        )
        self._failures = Counter(
            "zhixun_canary_failures", "Rounds in which no canary came back", registry=None
        )
        self.meters = [self._round_trip, self._failures]

    @property
    def lost_s(self) -> float | None:
        """How long none has come back, once the line is broken [s].

        0 while they come back; None while nothing is known.
        """
        lost_s = time.monotonic() - next(iter(self._sent_s.values()), time.monotonic())
        if lost_s >= ROUNDS * self._every_s:
            return lost_s
        return 0.0 if self._known else None

    def part(self, options: MqttOptions) -> Part:
        """Whether they come back, as /readyz shows it; `options` are those of who listens."""
        lost_s = self.lost_s
        if not lost_s:
            return Part("canary", True)
        topic, who = topics.canary(options.client_id), options.username or "the station"
        reason = f"what the station sends to itself has not come back for {lost_s:.0f} s; "
        return Part("canary", False, reason + f"may {who} write and read {topic} at the broker?")

    async def run(self) -> None:
        """Send one after each round, until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            if not self._open_line():
                self._sent_s.clear()
                self._known = False
                continue
            if self._sent_s:
                self._failures.inc()
            name = secrets.token_hex(8).encode()
            self._sent_s[name] = time.monotonic()
            if len(self._sent_s) > REMEMBERED:
                del self._sent_s[list(self._sent_s)[1]]  # the oldest tells since when
            self._send(name)

    def seen(self, name: bytes) -> None:
        """The payload of the newest that was evaluated, maybe one of an earlier life."""
        if name in self._sent_s:
            self._round_trip.observe(time.monotonic() - self._sent_s[name])
            self.came = self._known = True
            names = list(self._sent_s)
            for older in names[: names.index(name) + 1]:
                del self._sent_s[older]
