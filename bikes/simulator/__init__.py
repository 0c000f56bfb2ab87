"""A fleet that does not exist: inspectors on bikes, their receivers and their radios.

The same plan always gives the same messages, byte for byte. From the inside out:

    town        where one can ride: a bent, jittered lattice of streets in each zone, and which way
    rider       when an inspector rides, stops, parks and swaps the battery
    tracker     what its receiver makes of the true position, and what its radio sends, when
    simulation  the whole fleet, in order of time
    past        the days before, of which a few are ridden

Nothing here does I/O or reads the clock; time is the plan's.
"""

from __future__ import annotations

from bikes.simulator.past import past_days
from bikes.simulator.plan import SimulatedMessage, SimulationPlan, SimZone
from bikes.simulator.simulation import Simulator

__all__ = ["SimZone", "SimulatedMessage", "SimulationPlan", "Simulator", "past_days"]
