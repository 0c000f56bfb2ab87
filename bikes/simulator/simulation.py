"""The whole fleet, message by message, in order of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from bikes.simulator.plan import SimulatedMessage, SimulationPlan, furthest_below
from bikes.simulator.rider import Rider
from bikes.simulator.town import Streets, lay_streets
from bikes.simulator.tracker import Radio, Receiver

BLOCK_MS, SLICE_MS = 300_000, 10_000
"""Lengths of time at once [ms]: that a bike is simulated, long enough for numpy to pay, and in
which the messages of the fleet are put in order."""


@dataclass(slots=True)
class SimulatedBike:
    """One bike: where it is, what its receiver says, and what its radio sends of that."""

    rider: Rider
    receiver: Receiver
    radio: Radio
    # The bike is simulated up to here. Each bike has blocks of its own, so that the work of a large
    # fleet is spread over time.
    until_ms: int

    def send(self, to_ms: int) -> list[SimulatedMessage]:
        """The messages since the last call and before `to_ms`."""
        while self.until_ms < to_ms:
            self.until_ms += BLOCK_MS
            fixes = self.receiver.fix(self.rider.until(self.until_ms))
            self.radio.send(fixes, self.until_ms)
        return self.radio.sent(to_ms)


class Simulator:
    """A simulated fleet. Raises ValueError when a zone of the plan is too small for a street."""

    def __init__(self, plan: SimulationPlan) -> None:
        self.plan = plan
        self.streets: Streets = lay_streets(plan)
        self._restart()

    def _restart(self) -> None:
        self._bikes = assemble(self.plan, self.streets)
        self._simulated_ms = self._given_ms = self.plan.start_ms
        self._sent: list[SimulatedMessage] = []
        self._next = 0

    def messages(self, from_ms: int, to_ms: int) -> Iterator[SimulatedMessage]:
        """The messages sent in [from_ms, to_ms) [epoch], by time; ties in order of bikes.

        The result does not depend on earlier calls. Calls that follow one another go on where
        the last one ended; one that goes back makes the fleet start again, which takes time.
        Use one of these iterators at a time. Nothing is sent before the plan's start.
        """
        if from_ms < self._given_ms:
            self._restart()
        while True:
            while self._next < len(self._sent):
                message = self._sent[self._next]
                if message.at_ms >= to_ms:
                    break
                self._next += 1
                if message.at_ms >= from_ms:
                    self._given_ms = message.at_ms + 1
                    yield message
            if self._simulated_ms >= to_ms:
                self._given_ms = max(self._given_ms, to_ms)
                return
            self._simulated_ms += SLICE_MS
            self._sent = [
                message for bike in self._bikes for message in bike.send(self._simulated_ms)
            ]
            self._sent.sort(key=attrgetter("at_ms"))
            self._next = 0


def assemble(plan: SimulationPlan, streets: Streets) -> list[SimulatedBike]:
    """The bikes of a plan, each with random numbers of its own, at their places."""
    seeds = np.random.SeedSequence(plan.seed).spawn(len(plan.bike_ids))
    beats: dict[int, list[int]] = {}
    bikes = []
    for bike_id, seed, zone in zip(plan.bike_ids, seeds, plan.stations(), strict=True):
        parts = streets.parts[zone]
        staffed = beats.setdefault(zone, [0] * len(parts))
        part = furthest_below([len(crossings) for crossings in parts], staffed)
        first = not any(staffed)
        staffed[part] += 1
        rider, receiver, radio, block = map(np.random.default_rng, seed.spawn(4))
        bikes.append(
            SimulatedBike(
                Rider(plan, streets, parts[part], stays=first, rng=rider),
                Receiver(plan, streets.plane, receiver),
                Radio(plan, bike_id, radio),
                plan.start_ms - int(block.integers(BLOCK_MS)),
            )
        )
    return bikes
