"""The port through which alert rules ask about bikes and their vendors' messages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, Protocol

Limits = Mapping[str, float]
"""The limits of all rules, by the names of :class:`alerts.rules.registry.Setting`."""

FRESH_S: Final = 3600
"""A battery level or a position older than this says nothing about now [s]."""


class BikeFacts(NamedTuple):
    """The newest facts of a bike; None for a fact that it never reported."""

    bike: str  # ``vendor/bike_id``
    heard_ms: int | None = None  # its newest fix, or anything received from it
    fix_ms: int | None = None  # device time of the newest fix
    outside_m: float | None = None  # of all zones, at least, given its accuracy; 0 inside
    battery_percent: float | None = None
    battery_ms: int | None = None


class VendorFacts(NamedTuple):
    """Items of telemetry that a vendor has sent in a period, and rejected ones among them."""

    received: int
    rejected: int


class Silence(NamedTuple):
    """Bikes of a vendor that were heard within a day, and the silent ones among them."""

    silent: int
    heard: int


class Fleet(Protocol):
    """The state of bikes and vendors. Called by one evaluation at a time, once a second.

    A bike is named ``vendor/bike_id``.
    """

    def bikes(self) -> Collection[str]:
        """All bikes there are."""

    def heard_between(self, from_ms: int, to_ms: int) -> Collection[str]:
        """Bikes that were heard last in ``[from_ms, to_ms)`` [ms]."""

    def charged_at_most(self, percent: float) -> Collection[str]:
        """Bikes whose newest battery level is at most so much [%]; not those without one."""

    def outside_by(self, metres: float, now_ms: int) -> Collection[str]:
        """Bikes whose newest fix is farther than this outside all zones of an instant [m]."""

    def bike(self, bike: str) -> BikeFacts | None:
        """The facts of a bike; None when there is no such bike."""

    def heard(self, since_ms: int) -> int:
        """The number of bikes that were heard at or after an instant [ms]."""

    def vendors(self, since_ms: int) -> Mapping[str, VendorFacts]:
        """The messages of each configured vendor since the minute of an instant [ms]."""

    def line_lost_s(self) -> float | None:
        """How long no message of the station's own has come back through the line [s].

        0 while they come back; None while nothing is known.
        """
